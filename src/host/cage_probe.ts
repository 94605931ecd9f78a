// Which cage works here: each is tried with the very program that it shall hold. The best is taken; why
// it is not a better one is told in words that say what to do.

import { dirname, isAbsolute } from "node:path";
import { messageOf } from "../errors.ts";
import { caged, type CageTools } from "./cage.ts";
import { filterFiles } from "./cage_filters.ts";
import { librariesOf } from "./cage_libraries.ts";
import type { Cage, CageKind, CageView } from "./cage_view.ts";
import { findProgram } from "./find_program.ts";
import { runProgram, type RunResult } from "./run_program.ts";
import type { Runtime } from "./find_runtime.ts";
import { parseDevices, printable } from "./runtime_probe.ts";
import { architectureOf } from "./seccomp.ts";

/** Absolute paths; null = not installed. */
export interface CagePrograms {
  bwrap: string | null;
  /** With Landlock's options. */
  setpriv: string | null;
  sandboxExec: string | null;
}

export interface CageProbeOptions {
  platform: string;
  programs: CagePrograms;
  tools: CageTools;
  runtime: Pick<Runtime, "path" | "devices" | "source">;
  /** Of the filters; the server must not be able to write there. */
  folder: string;
}

export interface FoundCage {
  cage: Cage | null;
  /** Null where the best of all holds. */
  reason: string | null;
}

const TRY_TIMEOUT_MS = 20_000;

export async function probeCage(options: CageProbeOptions): Promise<FoundCage> {
  const { platform } = options;
  if (platform === "windows") {
    return none("Windows has no cage that needs no program of its own. " + TRUST);
  }
  if (platform === "darwin") {
    const refusal = await tryIt("sandbox-exec", options);
    return typeof refusal === "string" ? none(`${refusal}. ${TRUST}`) : holds(refusal);
  }
  const best = await tryIt("bubblewrap", options);
  if (typeof best !== "string") return holds(best);
  const second = await tryIt("landlock", options);
  if (typeof second !== "string") return { cage: second, reason: `${best}. ${weaker(second)}` };
  return none(best);
}

const TRUST = "Load only models whose source you trust";

function holds(cage: Cage): FoundCage {
  return { cage, reason: null };
}
function none(reason: string): FoundCage {
  return { cage: null, reason };
}

function weaker({ filters }: Cage): string {
  const what = filters === null
    ? "it closes the files, but not the network nor the signals to other programs"
    : "it closes files, network and other processes, but shows the names and sizes of files";
  return `Until then Landlock holds: ${what}`;
}

/** The cage, or why it is none. */
async function tryIt(kind: CageKind, options: CageProbeOptions): Promise<Cage | string> {
  const cage = await cageOf(kind, options);
  if (typeof cage === "string") return cage;
  const { runtime } = options;
  const plain = await run(cage, ["--version"], options, { gpu: false });
  if (plain.code !== 0) return failureOf(kind, plain);
  if (runtime.devices.length === 0) return cage;
  const listed = await run(cage, ["--list-devices"], options, { gpu: true });
  if (listed.code !== 0) return failureOf(kind, listed);
  const seen = parseDevices(listed.stdout).map(({ name }) => name);
  const missing = runtime.devices.filter(({ name }) => !seen.includes(name));
  if (missing.length === 0) return cage;
  // A model would run on the CPU, slowly and without a word.
  return `${kind} hides the graphics card (${missing.map(({ name }) => name).join(", ")})`;
}

async function cageOf(kind: CageKind, options: CageProbeOptions): Promise<Cage | string> {
  const { programs } = options;
  switch (kind) {
    case "bubblewrap": {
      const program = programs.bwrap;
      if (program === null) {
        return 'bubblewrap is not installed. Install it, on Debian and Ubuntu by "sudo apt install bubblewrap"';
      }
      const help = await ask(program, "--help");
      // It reads its filter from a descriptor, which the shell opens.
      const filters = options.tools.shell === null
        ? null
        : await filtersOf(options, { besideOthers: false });
      if (typeof filters === "string") return filters;
      return { kind, program, filters, sizes: help.includes("--size") };
    }
    case "landlock": {
      const program = programs.setpriv;
      const help = program === null ? "" : await ask(program, "--help");
      if (program === null || !help.includes("--landlock-access")) {
        return "This system's setpriv knows no Landlock: util-linux 2.40 does";
      }
      const filters = help.includes("--seccomp-filter")
        ? await filtersOf(options, { besideOthers: true })
        : null;
      if (typeof filters === "string") return filters;
      return { kind, program, filters };
    }
    case "sandbox-exec":
      return programs.sandboxExec === null
        ? "sandbox-exec is not there"
        : { kind, program: programs.sandboxExec, filters: null };
  }
}

async function filtersOf(
  { folder }: CageProbeOptions,
  { besideOthers }: { besideOthers: boolean },
): Promise<Cage["filters"] | string> {
  const architecture = architectureOf(Deno.build.arch);
  if (architecture === null) return null;
  try {
    return await filterFiles({ folder, architecture, besideOthers });
  } catch (error) {
    return `Cannot keep the cage's filter in "${folder}" (${messageOf(error)})`;
  }
}

async function run(
  cage: Cage,
  args: string[],
  { runtime, tools }: CageProbeOptions,
  { gpu }: { gpu: boolean },
): Promise<RunResult> {
  const view: CageView = {
    libraries: librariesOf(runtime.path, { gpu, isOurs: runtime.source === "installed" }),
    files: [],
    writable: null,
    gpu,
    privateBytes: null,
  };
  const env = { PATH: "/usr/bin:/bin", LANG: "C.UTF-8" };
  const launchable = caged({ program: runtime.path, args, env, walls: { cage, view } }, tools);
  return await runToEnd(launchable.program, launchable.args, {
    cwd: dirname(runtime.path),
    environment: env,
  });
}

async function ask(program: string, argument: string): Promise<string> {
  const { stdout, stderr } = await runToEnd(program, [argument], {});
  return stdout + stderr;
}

/** A program that cannot be started has failed like one that says so. */
async function runToEnd(
  program: string,
  args: readonly string[],
  options: { cwd?: string; environment?: Record<string, string> },
): Promise<RunResult> {
  try {
    return await runProgram(program, args, { ...options, timeoutMs: TRY_TIMEOUT_MS });
  } catch (error) {
    return { code: 127, stdout: "", stderr: messageOf(error), timedOut: false };
  }
}

function failureOf(kind: CageKind, { stderr, code, timedOut }: RunResult): string {
  if (/setting up uid map: Permission denied/.test(stderr)) {
    return "This system forbids bubblewrap its namespaces. Allow them by " +
      '"sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0", or by an AppArmor profile for bwrap';
  }
  if (/No permissions to create new namespace|Creating new namespace failed/.test(stderr)) {
    return "This system forbids bubblewrap its namespaces. Allow them by " +
      '"sudo sysctl kernel.unprivileged_userns_clone=1", in a container by its settings';
  }
  const said = timedOut ? "no end" : stderr.trim().split("\n")[0] || `code ${code}`;
  return `${kind} does not work here (${printable(said).slice(0, 200)})`;
}

/** `path` is the value of PATH, by which llama-server is looked for as well. */
export function findCagePrograms(platform: string, path: string | null): CagePrograms {
  const named = (path ?? "").split(":").filter((folder) => isAbsolute(folder));
  const folders = [...new Set([...named, "/usr/bin", "/bin", "/usr/local/bin"])];
  const find = (name: string) => findProgram(name, folders);
  const isLinux = platform === "linux";
  return {
    bwrap: isLinux ? find("bwrap") : null,
    setpriv: isLinux ? find("setpriv") : null,
    sandboxExec: platform === "darwin" ? find("sandbox-exec") : null,
  };
}
