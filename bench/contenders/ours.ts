// ZombieCoder as a user starts it from source, with a home of its own and doors of its own.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { ModelRow, ModelSettings } from "../../src/api_types.ts";
import { ask } from "../chat.ts";
import { Child } from "../child.ts";
import type { BenchModel } from "../models.ts";
import { waitUntil } from "../waiting.ts";
import { freePort, SLOT_CONTEXT, SLOTS, START_TIMEOUT_MS, THREADS } from "./contender.ts";
import type { Contender, Running, StartOptions } from "./contender.ts";

const UNLOAD_TIMEOUT_MS = 20_000;
const DOORS = 8;

export const ours: Contender = { name: "ours", start: startOurs, coldAnswer: null };

async function startOurs(options: StartOptions): Promise<Running> {
  const { folder, models } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const firstDoor = freePort();
  const main = join(import.meta.dirname ?? ".", "..", "..", "main.ts");
  const child = new Child(Deno.execPath(), {
    args: [
      ...[
        "run",
        "-A",
        "--no-prompt",
        "--quiet",
        "--cached-only",
        "--no-code-cache",
        main,
        "serve",
        "--port",
        `${freePort()}`,
        "--no-open",
      ],
      ...["--home", join(folder, "home"), "--runtime-home", join(folder, "runtime")],
      ...["--models-dir", models.folder, "--llama-server", options.llamaServer],
      ...["--runtime-ports", `${firstDoor}-${Math.min(firstDoor + DOORS, 65535)}`],
    ],
    // Its sockets go with the run's folder.
    env: { DENO_NO_UPDATE_CHECK: "1", XDG_RUNTIME_DIR: folder },
    cwd: join(main, ".."),
    read: true,
  });
  try {
    const line = await child.line(/^ZombieCoder is ready at /, START_TIMEOUT_MS);
    const readyMs = performance.now() - child.startedAt;
    const url = line.slice(line.lastIndexOf(" ") + 1).replace(/\/$/, "");
    return {
      url,
      readyMs,
      pid: child.pid,
      isGateway: true,
      dropsStreams: false,
      instancesPid: child.pid,
      setUp: (model) => setUp(url, model),
      unload: (model) => unload(url, model),
      [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
    };
  } catch (error) {
    await child[Symbol.asyncDispose]();
    throw error;
  }
}

/** Gives its models the slots, threads and context of everyone's. */
async function setUp(url: string, model: BenchModel): Promise<void> {
  const path = `${url}/admin/models/${encodeURIComponent(model.name)}/settings`;
  const settings: Partial<ModelSettings> = {
    parallel: SLOTS,
    threads: THREADS,
    context: SLOT_CONTEXT,
  };
  const answer = await ask(path, { method: "PUT", json: settings });
  if (answer.status !== 200 && answer.status !== 204) {
    throw new Error(`Cannot set up "${model.name}": ${answer.status} ${answer.body}`);
  }
}

async function unload(url: string, model: BenchModel): Promise<void> {
  const path = `${url}/admin/models/${encodeURIComponent(model.name)}/unload`;
  const answer = await ask(path, { method: "POST", json: {} });
  if (answer.status !== 200) {
    throw new Error(`Cannot unload "${model.name}": ${answer.status} ${answer.body}`);
  }
  await waitUntil(async () => {
    const rows: ModelRow[] = JSON.parse((await ask(`${url}/admin/models`)).body);
    return rows.find((row) => row.id === model.name)?.state === "stopped";
  }, { timeoutMs: UNLOAD_TIMEOUT_MS, everyMs: 10, what: `"${model.name}" to be unloaded` });
}
