// Which cage works here: each is tried with the very program that it shall hold. The best is taken; why
// it is not a better one is told in words that say what to do.

import { dirname, isAbsolute } from "node:path";
import { messageOf } from "../errors.ts";
import { caged, type CageTools } from "./cage.ts";
import { filterFiles } from "./cage_filters.ts";
import { KnownLibraries, librariesOf } from "./cage_libraries.ts";
import { openingIn, PROOF_ARGS } from "./cage_proof.ts";
import type { Cage, CageKind, CageView, Walls } from "./cage_view.ts";
import { findProgram } from "./find_program.ts";
import { type RunOptions, runProgram, type RunResult } from "./run_program.ts";
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
  /** For the filters: the first that can be used. The server must not be able to write there. */
  folders: readonly string[];
  /** Remembers what the program's loads will need. */
  libraries?: KnownLibraries;
  signal?: AbortSignal | undefined;
}

export interface FoundCage {
  cage: Cage | null;
  /** Null where the best of all holds. */
  reason: string | null;
}

interface Tried {
  cage: Cage;
  /** Why it has no filter, though it could have one. */
  unfiltered: string | null;
}

const TRY_TIMEOUT_MS = 20_000;
const HELP_TIMEOUT_MS = 5_000;

export async function probeCage(options: CageProbeOptions): Promise<FoundCage> {
  const { platform } = options;
  if (platform === "windows") {
    return none("Windows has no cage that needs no program of its own. " + TRUST);
  }
  if (platform === "darwin") {
    const only = await tryIt("sandbox-exec", options);
    return typeof only === "string" ? none(`${only}. ${TRUST}`) : holds(only);
  }
  const best = await tryIt("bubblewrap", options);
  if (typeof best !== "string") return holds(best);
  const second = await tryIt("landlock", options);
  if (typeof second === "string") return none(best);
  const { cage, unfiltered } = second;
  const lacks = unfiltered === null ? "" : `${unfiltered}. `;
  return { cage, reason: `${best}. ${lacks}${weaker(cage)}` };
}

const TRUST = "Load only models whose source you trust";

function holds({ cage, unfiltered }: Tried): FoundCage {
  return { cage, reason: unfiltered };
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
async function tryIt(kind: CageKind, options: CageProbeOptions): Promise<Tried | string> {
  const tried = await cageOf(kind, options);
  if (typeof tried === "string") return tried;
  const { cage } = tried;
  const { runtime } = options;
  const plain = await run(cage, ["--version"], options, { gpu: false });
  if (plain.code !== 0) return failureOf(kind, plain);
  const open = await openingOf(cage, options);
  if (open !== null) return `${kind} does not hold here (${printable(open).slice(0, 200)})`;
  if (runtime.devices.length === 0) return tried;
  const listed = await run(cage, ["--list-devices"], options, { gpu: true });
  if (listed.code !== 0) return failureOf(kind, listed);
  const seen = parseDevices(listed.stdout).map(({ name }) => name);
  const missing = runtime.devices.filter(({ name }) => !seen.includes(name));
  if (missing.length === 0) return tried;
  // A model would run on the CPU, slowly and without a word.
  return `${kind} hides the graphics card (${missing.map(({ name }) => name).join(", ")})`;
}

async function cageOf(kind: CageKind, options: CageProbeOptions): Promise<Tried | string> {
  const { programs } = options;
  switch (kind) {
    case "bubblewrap": {
      const program = programs.bwrap;
      if (program === null) {
        return 'bubblewrap is not installed. Install it, on Debian and Ubuntu by "sudo apt install bubblewrap"';
      }
      const help = await ask(program, options);
      if (help === null) return hangs(kind, program);
      // It reads its filter from a descriptor, which the shell opens.
      const found = options.tools.shell === null
        ? NO_FILTERS
        : await filtersOf(options, { besideOthers: false });
      const { filters, unfiltered } = found;
      return { cage: { kind, program, filters, sizes: help.includes("--size") }, unfiltered };
    }
    case "landlock": {
      const program = programs.setpriv;
      const help = program === null ? "" : await ask(program, options);
      if (program !== null && help === null) return hangs(kind, program);
      if (program === null || !help?.includes("--landlock-access")) {
        return "This system's setpriv knows no Landlock: util-linux 2.40 does";
      }
      const { filters, unfiltered } = help.includes("--seccomp-filter")
        ? await filtersOf(options, { besideOthers: true })
        : NO_FILTERS;
      return { cage: { kind, program, filters }, unfiltered };
    }
    case "sandbox-exec":
      return programs.sandboxExec === null
        ? "sandbox-exec is not there"
        : { cage: { kind, program: programs.sandboxExec, filters: null }, unfiltered: null };
  }
}

function hangs(kind: CageKind, program: string): string {
  return `${kind} does not work here ("${program} --help" has no end)`;
}

interface Filters {
  filters: Cage["filters"];
  unfiltered: string | null;
}

const NO_FILTERS: Filters = { filters: null, unfiltered: null };

async function filtersOf(
  { folders }: CageProbeOptions,
  { besideOthers }: { besideOthers: boolean },
): Promise<Filters> {
  const architecture = architectureOf(Deno.build.arch);
  if (architecture === null) return NO_FILTERS;
  let unfiltered: string | null = null;
  for (const folder of folders) {
    try {
      const filters = await filterFiles({ folder, architecture, besideOthers });
      return { filters, unfiltered: null };
    } catch (error) {
      unfiltered ??= "The cage holds without its filter of system calls, which cannot be kept in " +
        `"${folder}" (${
          messageOf(error)
        }). Make that folder writable, or choose another with --runtime-home`;
    }
  }
  return { filters: null, unfiltered };
}

async function run(
  cage: Cage,
  args: string[],
  options: CageProbeOptions,
  { gpu }: { gpu: boolean },
): Promise<RunResult> {
  const { runtime, libraries = new KnownLibraries() } = options;
  return await inside({ program: runtime.path, args }, {
    cage,
    view: viewOf(libraries.of(runtime.path, { gpu, isOurs: runtime.source === "installed" }), gpu),
  }, options);
}

/** What the walls let through that they must not; null where they hold. */
async function openingOf(cage: Cage, options: CageProbeOptions): Promise<string | null> {
  const { shell } = options.tools;
  // Of macOS, where the system itself guards that program.
  if (shell === null) return null;
  const view = viewOf([...librariesOf(Deno.realPathSync(shell), SYSTEM_PROGRAM), shell], false);
  const result = await inside({ program: shell, args: PROOF_ARGS }, { cage, view }, options);
  return openingIn(cage.kind, result);
}

const SYSTEM_PROGRAM = { gpu: false, isOurs: false };

function viewOf(libraries: readonly string[], gpu: boolean): CageView {
  return { libraries, files: [], writable: null, gpu, privateBytes: null };
}

async function inside(
  { program, args }: { program: string; args: string[] },
  walls: Walls,
  { tools, signal }: CageProbeOptions,
): Promise<RunResult> {
  const env = { PATH: "/usr/bin:/bin", LANG: "C.UTF-8" };
  // It is in a group of its own already, where setsid would go on in the background.
  const launchable = caged({ program, args, env, walls }, { ...tools, setsid: null });
  return await runToEnd(launchable.program, launchable.args, {
    ...{ cwd: dirname(program), environment: env, timeoutMs: TRY_TIMEOUT_MS, signal },
  });
}

/** Null where it has no end: nothing else is asked of such a program. */
async function ask(program: string, { signal }: CageProbeOptions): Promise<string | null> {
  const options = { timeoutMs: HELP_TIMEOUT_MS, signal };
  const { stdout, stderr, timedOut } = await runToEnd(program, ["--help"], options);
  return timedOut ? null : stdout + stderr;
}

/** A program that cannot be started has failed like one that says so. */
async function runToEnd(
  program: string,
  args: readonly string[],
  options: RunOptions,
): Promise<RunResult> {
  try {
    return await runProgram(program, args, options);
  } catch (error) {
    options.signal?.throwIfAborted();
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

/** `path` is the value of PATH; the system's own come first. */
export function findCagePrograms(platform: string, path: string | null): CagePrograms {
  const named = (path ?? "").split(":").filter((folder) => isAbsolute(folder));
  const folders = [...new Set(["/usr/bin", "/bin", "/usr/local/bin", ...named])];
  const find = (name: string) => findProgram(name, folders);
  const isLinux = platform === "linux";
  return {
    bwrap: isLinux ? find("bwrap") : null,
    setpriv: isLinux ? find("setpriv") : null,
    sandboxExec: platform === "darwin" ? findProgram("sandbox-exec", ["/usr/bin"]) : null,
  };
}
