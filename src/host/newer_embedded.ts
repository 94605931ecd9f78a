// A newer program may bring a newer build of llama.cpp: installed beside the one that an earlier program
// brought, and used in its place. What a user asked for stays.

import { basename, dirname, join } from "node:path";
import { durableWrite } from "../durable_write.ts";
import { AppError, messageOf } from "../errors.ts";
import { hasArchive, isMadeOf } from "./build_archives.ts";
import {
  type EmbeddedOptions,
  type EmbeddedRuntime,
  embeddedRuntime,
  foreignTo,
} from "./embedded_runtime.ts";
import type { Runtime } from "./find_runtime.ts";
import type { FindOrInstallOptions } from "./install.ts";
import { readChoice } from "./runtime_choice.ts";
import { readRecord } from "./runtime_home.ts";

export interface NewerEmbeddedOptions extends Omit<FindOrInstallOptions, "sources"> {
  embedded?: EmbeddedOptions;
}

/** In the runtime home: which archive gave no build that could be used. */
const REFUSED = "embedded.json";
/** A driver may be installed, a disk be emptied: then it is tried again. */
const REFUSED_MS = 24 * 60 * 60 * 1000;

/**
 * The build that this program carries, where it is newer than `found` and nobody asked for that one;
 * else `found`. Throws nothing but the signal's reason: what works is not lost for what may.
 */
export async function newerEmbedded(
  found: Runtime,
  options: NewerEmbeddedOptions,
): Promise<Runtime> {
  const { embedded = {}, log, runtimeHome, signal } = options;
  try {
    const carried = (await embeddedRuntime(embedded))?.runtime;
    if (carried === undefined || !(await isNewer(carried, found, runtimeHome))) return found;
    if (foreignTo(embedded, carried) !== null) return found;
    if (await isWanted(found, options) || await wasRefused(runtimeHome, carried)) return found;
    const newer = await installNewer({ carried, found }, options);
    if (newer !== null) return newer;
    const refused = { schema: 1, sha256: carried.sha256, refusedAtMs: Date.now() };
    await durableWrite(join(runtimeHome, REFUSED), `${JSON.stringify(refused)}\n`);
  } catch (error) {
    // Cancelled: what is here is as it was.
    if (options.cancellation?.isCancelled) return found;
    signal.throwIfAborted();
    log.warn("The newer llama.cpp inside this program is not used", { reason: messageOf(error) });
  }
  return found;
}

/** The only question of a start with nothing to do. */
async function isNewer(
  carried: EmbeddedRuntime,
  { source, build, path }: Runtime,
  runtimeHome: string,
): Promise<boolean> {
  if (source !== "installed" || carried.build === null || build === null) return false;
  if (carried.build !== build) return carried.build > build;
  // Built anew: which of the two is newer nobody can tell, so each is installed once, the last one used.
  const record = await readRecord(dirname(path));
  return record !== null && record.source === "embedded" && !isMadeOf(record, carried.sha256) &&
    !(await hasArchive(runtimeHome, carried.sha256));
}

async function isWanted({ path }: Runtime, { runtimeHome }: NewerEmbeddedOptions) {
  const folder = dirname(path);
  if (await readChoice(runtimeHome) === basename(folder)) return true;
  const record = await readRecord(folder);
  return record === null || record.asked === true;
}

interface Both {
  carried: EmbeddedRuntime;
  found: Runtime;
}

/** Null where it gave none that could be used, and so was rolled back. */
async function installNewer(
  { carried, found }: Both,
  options: NewerEmbeddedOptions,
): Promise<Runtime | null> {
  const { installBeside } = await import("./install.ts");
  const { embeddedSource } = await import("./install_embedded.ts");
  const needsDevice = found.devices.length > 0;
  const sources = [embeddedSource({ ...options.embedded, needsDevice })];
  try {
    const runtime = await installBeside({ ...options, sources });
    return keepsItsWord(runtime, { carried, found }) ? runtime : null;
  } catch (error) {
    if (error instanceof AppError && error.code === "runtime_refused") return null;
    throw error;
  }
}

/** Its own program says which build it is, and that is what was compared. */
function keepsItsWord({ build }: Runtime, { carried, found }: Both): boolean {
  const present = found.build!;
  return carried.build === present ? build === present : (build ?? 0) > present;
}

async function wasRefused(runtimeHome: string, { sha256 }: EmbeddedRuntime): Promise<boolean> {
  try {
    const refused = JSON.parse(await Deno.readTextFile(join(runtimeHome, REFUSED)));
    return refused.sha256 === sha256 && Math.abs(Date.now() - refused.refusedAtMs) < REFUSED_MS;
  } catch {
    // None was, or it cannot be told: then it is tried.
    return false;
  }
}
