// Finds a llama-server that is already on this machine. Installing one is install.ts's.

import { delimiter, isAbsolute, join } from "node:path";
import type { RuntimeSource } from "../api_types.ts";
import { AppError, messageOf } from "../errors.ts";
import { listBuilds } from "./runtime_home.ts";
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
  signal: AbortSignal;
}

export const SERVER_FILE = Deno.build.os === "windows" ? "llama-server.exe" : "llama-server";

/** What the user named is used, or refused with the reason: never silently replaced by another. */
export async function givenRuntime(
  path: string,
  options: Pick<FindOptions, "runtimeHome" | "signal">,
): Promise<Runtime> {
  try {
    return await usable(await Deno.realPath(path), "flag", options);
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
 * The bundled build, builds in the runtime home, PATH: the first that runs. Why one that is there
 * was passed over is added to `tried`.
 */
export async function findRuntime(options: FindOptions, tried: string[]): Promise<Runtime | null> {
  const candidates: [RuntimeSource, string][] = [];
  for (const path of await serversIn(options.bundledFolder)) candidates.push(["bundled", path]);
  for (const build of await listBuilds(options.runtimeHome)) {
    candidates.push(["installed", join(build.folder, SERVER_FILE)]);
  }
  for (const folder of (options.path ?? "").split(delimiter)) {
    // An empty or relative entry means the working folder, which anyone may have filled.
    if (isAbsolute(folder)) candidates.push(["path", join(folder, SERVER_FILE)]);
  }
  for (const [source, path] of candidates) {
    try {
      // llama.cpp looks for its libraries beside the real file, not beside a link to it.
      return await usable(await Deno.realPath(path), source, options);
    } catch (error) {
      options.signal.throwIfAborted();
      const { NotFound, NotADirectory } = Deno.errors;
      if (error instanceof AppError) tried.push(error.message);
      else if (!(error instanceof NotFound || error instanceof NotADirectory)) {
        tried.push(`Cannot use "${path}": ${messageOf(error)}`);
      }
    }
  }
  return null;
}

async function usable(
  path: string,
  source: RuntimeSource,
  { runtimeHome, signal }: Pick<FindOptions, "runtimeHome" | "signal">,
): Promise<Runtime> {
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
    if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory)) {
      throw error;
    }
  }
  return paths;
}
