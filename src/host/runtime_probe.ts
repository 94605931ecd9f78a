// What a llama-server build says of itself: build number, flags, devices. Remembered per file.
// Which build is taken is install.ts's; which flags are used is launch.ts's.

import { dirname, join } from "node:path";
import type { RuntimeDevice } from "../api_types.ts";
import { AppError, messageOf } from "../errors.ts";
import { durableWrite } from "../durable_write.ts";
import { runProgram, type RunResult } from "./run_program.ts";

/**
 * The oldest build that may parse a stranger's file. b8146 fixed the GGUF overflow
 * CVE-2026-27940; CVE-2026-21869 was fixed on 23 April 2026 (llama.cpp #22267), and b9376 of 27
 * May 2026 is the first build after it whose date is known.
 */
export const MINIMUM_BUILD = 9376;

// Added in July 2026 (llama.cpp #25655): shows that a build without a number is recent enough.
const FLAG_OF_A_RECENT_BUILD = "--cors-origins";

export interface RuntimeProbe {
  readonly path: string;
  /** Such as 11669; null where the version line has none (built outside git). */
  readonly build: number | null;
  /** The version line without `version: `. */
  readonly version: string;
  /** Every flag that `-h` lists, such as `-m` and `--model`. */
  readonly flags: ReadonlySet<string>;
  readonly devices: readonly RuntimeDevice[];
}

export interface ProbeOptions {
  /** Folder of `probes.json`; null = nothing is remembered. */
  runtimeHome: string | null;
  /** Asks the program even where its answers are remembered. */
  fresh?: boolean;
  /** The program's whole environment (Windows needs `SystemRoot`). Default: empty. */
  environment?: Readonly<Record<string, string>>;
  signal?: AbortSignal | undefined;
}

const RUN_TIMEOUT_MS = 20_000;
// A driver may be installed without a new build: devices are asked for again once a day.
const REMEMBER_MS = 24 * 60 * 60 * 1000;
const REMEMBERED_PROGRAMS = 16;

/**
 * Runs `--version`, `--list-devices` and `-h` of the program at `path`, or takes the remembered
 * answers of the same file. Throws AppError `runtime_missing` where it does not run.
 */
export async function probeRuntime(path: string, options: ProbeOptions): Promise<RuntimeProbe> {
  const stat = await statProgram(path);
  const file = { sizeBytes: stat.size, mtimeMs: stat.mtime?.getTime() ?? 0 };
  const cachePath = options.runtimeHome === null ? null : join(options.runtimeHome, "probes.json");
  const remembered = cachePath === null
    ? new Map<string, Remembered>()
    : await readCache(cachePath);
  const known = remembered.get(path);
  if (
    options.fresh !== true && known !== undefined && known.sizeBytes === file.sizeBytes &&
    known.mtimeMs === file.mtimeMs && Math.abs(Date.now() - known.probedAtMs) < REMEMBER_MS
  ) {
    return { ...known.probe, flags: new Set(known.probe.flags) };
  }

  // llama.cpp searches its backends in the working folder too: it must be the program's own.
  const run = (argument: string) => ask(path, argument, options);
  const version = await run("--version");
  const devices = await run("--list-devices");
  const help = await run("-h");
  const parsed = parseVersion(version.stderr + "\n" + version.stdout);
  if (parsed === null) throw unusable(path, "it does not say its version");
  const probe: RuntimeProbe = {
    path,
    ...parsed,
    flags: parseFlags(help.stdout),
    devices: parseDevices(devices.stdout),
  };
  if (!probe.flags.has("--model")) throw unusable(path, 'its help does not list "--model"');
  if (cachePath !== null) {
    remembered.set(path, {
      ...file,
      probedAtMs: Date.now(),
      probe: { ...probe, flags: [...probe.flags] },
    });
    await writeCache(cachePath, remembered);
  }
  return probe;
}

/** What it answered last, however long ago; null where it was never asked. Nothing is run. */
export async function rememberedProbe(
  path: string,
  runtimeHome: string,
): Promise<RuntimeProbe | null> {
  const known = (await readCache(join(runtimeHome, "probes.json"))).get(path);
  return known === undefined ? null : { ...known.probe, flags: new Set(known.probe.flags) };
}

/** Why this build must not be used; null where it may. */
export function refusalOf(probe: RuntimeProbe): string | null {
  if (probe.build === null) {
    return probe.flags.has(FLAG_OF_A_RECENT_BUILD)
      ? null
      : `it does not say its build number ("${probe.version}")`;
  }
  return probe.build >= MINIMUM_BUILD
    ? null
    : `build ${probe.build} is too old: builds before ${MINIMUM_BUILD} have known security holes`;
}

/**
 * `version: 10573 (3f545becc)` and, since August 2026, `version: 0.7.0 (build 11669, commit X)`.
 */
export function parseVersion(text: string): { build: number | null; version: string } | null {
  const version = /^version: (.+)$/m.exec(text)?.[1]?.trim();
  if (version === undefined) return null;
  const digits = /\(build (\d{1,7})\b/.exec(version)?.[1] ?? /^(\d{1,7}) \(/.exec(version)?.[1];
  const build = Number(digits ?? 0);
  return { build: build === 0 ? null : build, version: printable(version) };
}

/** The flags at the start of each line: `-kvo,  --kv-offload, -nkvo, --no-kv-offload`. */
export function parseFlags(help: string): Set<string> {
  const flags = new Set<string>();
  for (const line of help.split("\n")) {
    const flag = /(--?[A-Za-z0-9][\w.-]*)(,\s*)?/y;
    for (let match = flag.exec(line); match !== null; match = flag.exec(line)) {
      flags.add(match[1]!);
      if (match[2] === undefined) break;
    }
  }
  return flags;
}

/**
 * `  NAME: DESCRIPTION (TOTAL MiB, FREE MiB free)`, from the right: descriptions have
 * parentheses.
 */
export function parseDevices(text: string): RuntimeDevice[] {
  const devices: RuntimeDevice[] = [];
  const line = /^ {2}([^\s:[]+(?:\[[^\]]*\])?): (.*) \((\d+) MiB, (\d+) MiB free\)\s*$/;
  for (const match of text.split("\n").map((each) => line.exec(each))) {
    if (match === null) continue;
    devices.push({
      name: printable(match[1]!),
      description: printable(match[2]!),
      total_bytes: Number(match[3]) * 1024 * 1024,
      free_bytes: Number(match[4]) * 1024 * 1024,
    });
  }
  return devices;
}

async function statProgram(path: string): Promise<Deno.FileInfo> {
  try {
    const stat = await Deno.stat(path);
    if (!stat.isFile) throw unusable(path, "it is not a file");
    return stat;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw unusable(path, "there is no such file");
    if (error instanceof AppError) throw error;
    throw unusable(path, messageOf(error), error);
  }
}

async function ask(path: string, argument: string, options: ProbeOptions): Promise<RunResult> {
  let result: RunResult;
  try {
    result = await runProgram(path, [argument], {
      cwd: dirname(path),
      environment: options.environment ?? {},
      timeoutMs: RUN_TIMEOUT_MS,
      signal: options.signal,
    });
  } catch (error) {
    options.signal?.throwIfAborted();
    throw unusable(path, `it cannot be started (${messageOf(error)})`, error);
  }
  if (result.timedOut) {
    throw unusable(path, `"${argument}" did not end within ${RUN_TIMEOUT_MS / 1000} s`);
  }
  if (result.code !== 0) {
    const said = result.stderr.trim().split("\n")[0] || "and says nothing";
    throw unusable(path, `"${argument}" ends with code ${result.code}: ${printable(said)}`);
  }
  return result;
}

function unusable(path: string, reason: string, cause?: unknown): AppError {
  return new AppError("runtime_missing", `Cannot use "${path}": ${reason}`, {
    values: { path },
    cause,
  });
}

/** Of a text that reaches logs, terminals and the page: one line, bounded. */
export function printable(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\x00-\x1f\x7f]/g, " ").slice(0, 300);
}

interface Remembered {
  sizeBytes: number;
  mtimeMs: number;
  probedAtMs: number;
  probe: Omit<RuntimeProbe, "flags"> & { flags: string[] };
}

async function readCache(path: string): Promise<Map<string, Remembered>> {
  const remembered = new Map<string, Remembered>();
  try {
    const entries: unknown = JSON.parse(await Deno.readTextFile(path));
    if (!Array.isArray(entries)) return remembered;
    for (const entry of entries) if (isRemembered(entry)) remembered.set(entry.probe.path, entry);
  } catch {
    // Missing or broken: it is only a memory, the program can be asked again.
  }
  return remembered;
}

async function writeCache(path: string, remembered: Map<string, Remembered>): Promise<void> {
  const entries = [...remembered.values()].sort((a, b) => b.probedAtMs - a.probedAtMs);
  try {
    await durableWrite(path, JSON.stringify(entries.slice(0, REMEMBERED_PROGRAMS)));
  } catch {
    // No runtime home yet, or not writable: the next start asks the program again.
  }
}

function isRemembered(entry: unknown): entry is Remembered {
  if (!isObject(entry) || !isObject(entry.probe)) return false;
  const { probe } = entry;
  return [entry.sizeBytes, entry.mtimeMs, entry.probedAtMs].every((n) => typeof n === "number") &&
    typeof probe.path === "string" && typeof probe.version === "string" &&
    (probe.build === null || typeof probe.build === "number") &&
    Array.isArray(probe.flags) && probe.flags.every((flag) => typeof flag === "string") &&
    Array.isArray(probe.devices) &&
    probe.devices.every((device) =>
      isObject(device) && typeof device.name === "string" &&
      typeof device.description === "string" && typeof device.total_bytes === "number" &&
      typeof device.free_bytes === "number"
    );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
