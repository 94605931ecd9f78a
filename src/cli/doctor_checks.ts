// What `doctor` looks at through a running server, one thing after the other.

import type { CageInfo, ModelRow, SettingRow, SystemInfo } from "../api_types.ts";
import { AppError } from "../errors.ts";
import { sizeText } from "./amounts.ts";
import { askModel } from "./answer.ts";
import { modelPath } from "./model_lookup.ts";
import type { ServerClient } from "./server_client.ts";

export interface Finding {
  check: string;
  /** `warning`: it works, but less well than it could. */
  level: "ok" | "warning" | "broken";
  finding: string;
  remedy: string | null;
}

export interface Examination {
  /** What is being done. */
  title: string;
  /** Throws where the server itself cannot be asked. */
  check(): Promise<Finding[]>;
}

type Verdict = [level: Finding["level"], finding: string, remedy?: string | null];

/** A model of usual size with what it needs beside its weights. */
const USEFUL_MEMORY_BYTES = 2e9;
const USEFUL_DISK_BYTES = 5e9;
/** Below this not even the registry is safe. */
const LEAST_DISK_BYTES = 200e6;

export function examinations(client: ServerClient): Examination[] {
  return [
    {
      title: "Loading the test model",
      check: async () => {
        const failure = await loadHello(client);
        const system = await client.json<SystemInfo>("/admin/system");
        const settings = await settingsOf(client);
        return [
          found("runtime", runtimeVerdict(system, failure)),
          found("memory", memoryVerdict(system)),
          found("disk", diskVerdict(system, settings("home"))),
          found("cage", cageVerdict(system)),
          found("ports", await portsVerdict(client, { doors: settings("runtime_ports"), failure })),
        ];
      },
    },
    {
      title: "Asking the Hub",
      check: async () => [found("network", await hubVerdict(client))],
    },
    {
      title: "Asking the test model",
      check: async () => [found("prompt", await promptVerdict(client))],
    },
  ];
}

export function found(check: string, [level, finding, remedy = null]: Verdict): Finding {
  return { check, level, finding, remedy };
}

/** The server's own: it may have been started with other flags than this command. */
async function settingsOf(client: ServerClient): Promise<(name: string) => string> {
  const rows = await client.json<SettingRow[]>("/admin/settings");
  return (name) => String(rows.find((row) => row.name === name)?.value ?? "");
}

const HELLO = "hello";

/** Also finds or installs a runtime, where there is none yet. */
async function loadHello(client: ServerClient): Promise<AppError | null> {
  try {
    await client.json(modelPath(HELLO, "/load"), { method: "POST" });
    return null;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return error;
  }
}

function runtimeVerdict({ runtime }: SystemInfo, failure: AppError | null): Verdict {
  if (runtime.phase === "ready") {
    const build = runtime.build === null ? "" : ` build ${runtime.build}`;
    const gpus = runtime.devices.map(({ description, name }) => description || name).join(", ");
    return ["ok", `llama.cpp${build} (${runtime.source ?? "?"}), ${gpus || "on the CPU"}`];
  }
  const message = runtime.error?.message ?? failure?.message ?? `llama.cpp is ${runtime.phase}`;
  return ["broken", ...split(message, "Give one with --llama-server PATH")];
}

function memoryVerdict({ memory }: SystemInfo): Verdict {
  const { available_bytes: free, budget_bytes: budget, models_bytes: models } = memory;
  if (free === null) return ["warning", "This system does not say how much memory is free"];
  const held = models > 0 ? `, ${sizeText(models)} held by models` : "";
  const text = `${sizeText(free)} free, at most ${sizeText(budget)} for models${held}`;
  if (free + models >= USEFUL_MEMORY_BYTES) return ["ok", text];
  return [
    "warning",
    text,
    "Close other programs, or choose small models: zombiecoder list shows what fits",
  ];
}

function diskVerdict({ disk }: SystemInfo, home: string): Verdict {
  const free = disk.free_bytes;
  if (free === null) return ["warning", `Unknown how much room there is in ${home}`];
  const text = `${sizeText(free)} free in ${home}`;
  if (free >= USEFUL_DISK_BYTES) return ["ok", text];
  return [
    free < LEAST_DISK_BYTES ? "broken" : "warning",
    text,
    "Remove models with zombiecoder rm MODEL, or choose another disk with --home",
  ];
}

const CAGE_WORDS: Readonly<Record<NonNullable<CageInfo["active"]>, string>> = {
  bubblewrap: "bubblewrap: each sees its own files, no network and no other program",
  landlock: "Landlock: each reads its own files alone, without network",
  "sandbox-exec": "sandbox-exec: each reads its own files alone, without network",
};

function cageVerdict({ cage }: SystemInfo): Verdict {
  const { mode, active, reason } = cage;
  if (mode === "off") return ["ok", "Switched off with --cage off"];
  if (active !== null) {
    const finding = `Models run in a cage, ${CAGE_WORDS[active]}`;
    return reason === null ? ["ok", finding] : ["warning", finding, reason];
  }
  const [why, remedy] = split(reason ?? "None was looked for yet", TRUST);
  if (mode === "require") return ["broken", `No model is loaded without a cage: ${why}`, remedy];
  return ["warning", `Models run without a cage: ${why}`, remedy];
}

const TRUST = "Load only models whose source you trust";

async function portsVerdict(
  client: ServerClient,
  { doors, failure }: { doors: string; failure: AppError | null },
): Promise<Verdict> {
  const { port } = new URL(client.address);
  if (failure !== null) return ["ok", `The server has port ${port}; models would get ${doors}`];
  const { port: door } = await client.json<ModelRow>(modelPath(HELLO));
  const [first = 0, last = first] = doors.split("-").map(Number);
  const isUsual = door !== null && (first === 0 || door >= first && door <= last);
  if (isUsual) return ["ok", `The server has port ${port}, the test model ${door}`];
  return [
    "warning",
    `The server has port ${port}; all of ${doors} is in use, so that a model gets ${
      door ?? "none"
    }`,
    "Stop what uses them, or choose other ports with --runtime-ports",
  ];
}

async function hubVerdict(client: ServerClient): Promise<Verdict> {
  try {
    await client.json("/admin/hub/search?q=gguf");
    const settings = await settingsOf(client);
    return ["ok", `The Hub answers at ${settings("hf_endpoint")}`];
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    // What is installed goes on working.
    const help = "Check the connection, HTTPS_PROXY and HF_ENDPOINT; installed models work without";
    return ["warning", ...split(error.message, help)];
  }
}

const PROMPT_LIMIT_MS = 120_000;

async function promptVerdict(client: ServerClient): Promise<Verdict> {
  const startedMs = performance.now();
  let text = "";
  try {
    const question = {
      model: HELLO,
      messages: [{ role: "user" as const, content: "hi" }],
      signal: AbortSignal.timeout(PROMPT_LIMIT_MS),
    };
    for await (const part of askModel(client, question)) {
      if (part.kind === "answer") text += part.text;
    }
  } catch (error) {
    const log = "zombiecoder logs shows why";
    if (error instanceof DOMException) {
      return ["broken", `No answer within ${PROMPT_LIMIT_MS / 1000} seconds`, log];
    }
    if (!(error instanceof AppError)) throw error;
    return ["broken", ...split(error.message, log)];
  }
  const took = Math.round(performance.now() - startedMs);
  if (text.trim() === "") {
    return ["broken", "The test model answered nothing", "zombiecoder logs hello"];
  }
  return ["ok", `${HELLO} answered after ${took} ms: ${text.trim().slice(0, 60)}`];
}

/** A message names what is wrong first, then what to do. */
export function split(message: string, otherwise: string): [finding: string, remedy: string] {
  const [finding, ...remedy] = message.split(/\. (?=[A-Z])/);
  return [finding!, remedy.join(". ") || otherwise];
}
