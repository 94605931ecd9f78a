// Finds a llama-server that is already on this machine. Installing one is install.ts's.

import { basename, delimiter, dirname, isAbsolute, join } from "node:path";
import type { RuntimeSource } from "../api_types.ts";
import { AppError, messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { BuildGuard } from "./build_check.ts";
import { readChoice } from "./runtime_choice.ts";
import { listBuilds } from "./runtime_home.ts";
import { SERVER_FILE } from "./server_file.ts";
import { probeRuntime, refusalOf, type RuntimeProbe } from "./runtime_probe.ts";

/** A llama-server that may be used. */
export interface Runtime extends RuntimeProbe {
  readonly source: RuntimeSource;
}

export interface FindOptions {
  /** `config/llama.cpp` beside the executable. */
  bundledFolder: string;
  /** Absolute. */
  runtimeHome: string;
  /** The value of PATH. */
  path: string | null;
  /** What it saw of installed builds; by default it sees them for the first time. */
  guard?: BuildGuard | undefined;
  log?: Log | undefined;
  signal: AbortSignal;
}

/** A llama-server that is there, usable or not. */
export interface Candidate {
  /** By which it is chosen: the folder of an installed build; `bundled`, `path` for the others. */
  name: string;
  source: RuntimeSource;
  /** It may be a link, and on PATH need not be there. */
  path: string;
}

/** What the user named is used, or refused with the reason: never silently replaced by another. */
export async function givenRuntime(
  path: string,
  options: Pick<FindOptions, "runtimeHome" | "signal">,
): Promise<Runtime> {
  try {
    return await usable({ source: "flag", path }, options);
  } catch (error) {
    options.signal.throwIfAborted();
    const reason = error instanceof Deno.errors.NotFound
      ? `Cannot use "${path}": there is no such file`
      : messageOf(error);
    throw new AppError(
      "runtime_missing",
      `${reason}. Correct --llama-server, or leave it out to have llama.cpp found or installed`,
      { values: { path }, cause: error },
    );
  }
}

/**
 * The one that the user chose, then the bundled build, builds in the runtime home, PATH: the first that
 * runs. Why one that is there was passed over is added to `tried`.
 */
export async function findRuntime(options: FindOptions, tried: string[]): Promise<Runtime | null> {
  const all = await candidates(options);
  const chosen = await readChoice(options.runtimeHome);
  const wanted = all.filter(({ name }) => name === chosen);
  const closed: string[] = [];
  for (const candidate of [...wanted, ...all.filter((each) => !wanted.includes(each))]) {
    try {
      const runtime = await usable(candidate, options);
      if (chosen !== null && candidate.name !== chosen) {
        const reason = tried[0] ?? "it is not there any more";
        options.log?.warn("The chosen llama.cpp build is not used", { name: chosen, reason });
      }
      return runtime;
    } catch (error) {
      options.signal.throwIfAborted();
      if (candidate.source === "path" && error instanceof Deno.errors.NotCapable) {
        closed.push(dirname(candidate.path));
        continue;
      }
      const reason = reasonOf(candidate.path, error);
      if (reason !== null) tried.push(reason);
    }
  }
  if (closed.length > 0) {
    const folders = [...new Set(closed)].join(", ");
    tried.push(`Cannot look into these folders of PATH, for want of a right to read: ${folders}`);
  }
  return null;
}

/** Null: nothing is there, as in most folders of PATH. */
function reasonOf(path: string, error: unknown): string | null {
  if (error instanceof AppError) return error.message;
  const { NotFound, NotADirectory } = Deno.errors;
  if (error instanceof NotFound || error instanceof NotADirectory) return null;
  return `Cannot use "${path}": ${messageOf(error)}`;
}

/** In the order in which they are tried. */
export async function candidates(
  options: Pick<FindOptions, "bundledFolder" | "runtimeHome" | "path">,
): Promise<Candidate[]> {
  const found: Candidate[] = [];
  for (const path of await serversIn(options.bundledFolder)) {
    found.push({ name: "bundled", source: "bundled", path });
  }
  for (const { folder } of await listBuilds(options.runtimeHome)) {
    const path = join(folder, SERVER_FILE);
    found.push({ name: basename(folder), source: "installed", path });
  }
  for (const folder of (options.path ?? "").split(delimiter)) {
    // An empty or relative entry means the working folder, which anyone may have filled.
    if (!isAbsolute(folder)) continue;
    found.push({ name: "path", source: "path", path: join(folder, SERVER_FILE) });
  }
  return found;
}

/** Its answers where it may be used. Throws AppError with the reason, or NotFound. */
export async function usable(
  candidate: Pick<Candidate, "source" | "path">,
  options: Pick<FindOptions, "runtimeHome" | "guard" | "signal">,
): Promise<Runtime> {
  const { source } = candidate;
  // llama.cpp looks for its libraries beside the real file, not beside a link to it.
  const path = await Deno.realPath(candidate.path);
  // Before it is asked anything: an answer is a run.
  await (options.guard ?? new BuildGuard()).check({ source, path });
  const { runtimeHome, signal } = options;
  const probe = await probeRuntime(path, { runtimeHome, signal });
  const refusal = refusalOf(probe);
  if (refusal === null) return { ...probe, source };
  throw new AppError("runtime_missing", `Cannot use "${path}": ${refusal}`, { values: { path } });
}

/** Directly in the folder, or in the one folder that an unpacked release archive brings along. */
async function serversIn(folder: string): Promise<string[]> {
  const paths = [join(folder, SERVER_FILE)];
  try {
    for await (const entry of Deno.readDir(folder)) {
      if (entry.isDirectory && /^llama-b\d+$/.test(entry.name)) {
        paths.push(join(folder, entry.name, SERVER_FILE));
      }
    }
  } catch (error) {
    const { NotADirectory, NotCapable, NotFound } = Deno.errors;
    const isNothing = error instanceof NotFound || error instanceof NotADirectory;
    if (!isNothing && !(error instanceof NotCapable)) throw error;
  }
  return paths;
}
