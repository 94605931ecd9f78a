// The folder of installed llama.cpp builds: which are whole, which were left half-made, and who may
// change it now. What is put there is install.ts's.

import { join } from "node:path";
import { randomHex } from "../random_hex.ts";
import { durableWrite, removeIfThere } from "../durable_write.ts";
import { homeUnusable } from "./runtime_refusals.ts";

/** How an installed build came here; `runtime.json` in its folder. */
export interface BuildRecord {
  schema: 1;
  /** Name of the install source, such as `github`. */
  source: string;
  /** Folder name, such as `llama-b11118-ubuntu-x64`. */
  name: string;
  build: number | null;
  version: string;
  /**
   * `pinned`: the digest is in our code; `signed`: the distribution's signature; `unverified`:
   * the digest came from the same server as the file.
   */
  verified: "pinned" | "signed" | "unverified";
  /** What was fetched. */
  archives: { name: string; sha256: string }[];
  /** SHA-256 of the `llama-server` file itself. */
  serverSha256: string;
  /** Size in bytes of every file, by name: a file cut by a power failure shows. */
  files: Record<string, number>;
  /** SHA-256 of every file; builds of an earlier release have none. */
  hashes?: Record<string, string>;
  /** A user asked for this one: it is not left for another one unasked. */
  asked?: boolean;
  /** ISO time. */
  installedAt: string;
}

export interface InstalledBuild {
  folder: string;
  record: BuildRecord;
}

export const RECORD = "runtime.json";
// Only a folder with this file or with our work folders' name may be removed: the home may be any
// folder.
export const UNFINISHED = "runtime.unfinished";
const WORK_FOLDER = /^\.partial-[0-9a-f]{32}$/;
/** What a process that died left of a small file; a living one is done with it at once. */
const UNWRITTEN = /^(use|probes|embedded)\.json\.[0-9a-f]{12}\.tmp$/;
const UNWRITTEN_MS = 60_000;
const LOCK = ".lock";
const LOCK_POLL_MS = 100;
const REMOVE_ATTEMPTS = 20;
const REMOVE_AGAIN_MS = 100;

/** A folder's name in the runtime home: never one that leads elsewhere. */
export function isBuildName(name: string): boolean {
  return /^[a-z0-9][a-z0-9.+~-]{0,100}$/.test(name);
}

/** Whole builds, the highest build number first. A missing home has none. */
export async function listBuilds(runtimeHome: string): Promise<InstalledBuild[]> {
  return (await listRecords(runtimeHome)).filter(({ isWhole }) => isWhole);
}

/** Those that lost a file as well. Throws `folder_unusable`. */
export async function listRecords(
  runtimeHome: string,
): Promise<(InstalledBuild & { isWhole: boolean })[]> {
  const builds: (InstalledBuild & { isWhole: boolean })[] = [];
  try {
    for (const name of await foldersOf(runtimeHome)) {
      if (name.startsWith(".")) continue;
      const folder = join(runtimeHome, name);
      const record = await readRecord(folder);
      if (record === null) continue;
      builds.push({ folder, record, isWhole: await isWhole(folder, record) });
    }
  } catch (error) {
    throw homeUnusable("read", { path: runtimeHome, error });
  }
  return builds.sort((a, b) =>
    (b.record.build ?? 0) - (a.record.build ?? 0) ||
    b.record.installedAt.localeCompare(a.record.installedAt)
  );
}

/** Marks a folder as ours and not whole; `finishBuild` ends that. */
export async function markUnfinished(folder: string): Promise<void> {
  await durableWrite(join(folder, UNFINISHED), "An installation that has not ended.\n");
}

export async function finishBuild(folder: string, record: BuildRecord): Promise<void> {
  await durableWrite(join(folder, RECORD), JSON.stringify(record, null, 2) + "\n");
  await removeIfThere(join(folder, UNFINISHED));
}

/** A new, empty folder inside the home, so that a rename moves its content into place. */
export async function makeWorkFolder(runtimeHome: string): Promise<string> {
  const folder = join(runtimeHome, `.partial-${randomHex(16)}`);
  await Deno.mkdir(folder, { mode: 0o700 });
  return folder;
}

/**
 * Takes a build out of the way in one step, into a work folder that is removed later. Returns where it
 * lies there; a folder that is not ours is an error, of a missing one null is returned.
 */
export async function moveBuildAside(folder: string, workFolder: string): Promise<string | null> {
  if (!(await isThere(folder))) return null;
  if (!(await isFile(join(folder, RECORD))) && !(await isFile(join(folder, UNFINISHED)))) {
    throw new Error(`"${folder}" is in the way: move it`);
  }
  const aside = join(workFolder, `old-${randomHex(6)}`);
  await Deno.rename(folder, aside);
  return aside;
}

/** With all that lies in it, though a program that was told to end may still write a file. */
export async function removeWorkFolder(folder: string): Promise<void> {
  for (let attempt = 1;; attempt++) {
    try {
      return await removeIfThere(folder);
    } catch (error) {
      if (attempt === REMOVE_ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, REMOVE_AGAIN_MS));
    }
  }
}

/** Removes what an earlier installation left when it died. Call it with the lock held. */
export async function removeLeftovers(runtimeHome: string): Promise<string[]> {
  const removed: string[] = [];
  for (const name of await foldersOf(runtimeHome)) {
    const folder = join(runtimeHome, name);
    if (!WORK_FOLDER.test(name)) {
      if (!(await isFile(join(folder, UNFINISHED)))) continue;
      if (await isFile(join(folder, RECORD))) {
        // It died between the record and the removal of the mark.
        await removeIfThere(join(folder, UNFINISHED));
        continue;
      }
      // Renamed first: if this process dies too, what is left must still be known as ours.
      const work = await makeWorkFolder(runtimeHome);
      await moveBuildAside(folder, work);
      await Deno.remove(work, { recursive: true });
    } else {
      await Deno.remove(folder, { recursive: true });
    }
    removed.push(name);
  }
  for await (const { name, isFile } of Deno.readDir(runtimeHome)) {
    if (!isFile || !UNWRITTEN.test(name)) continue;
    const path = join(runtimeHome, name);
    const { mtime } = await Deno.lstat(path);
    if (Date.now() - (mtime?.getTime() ?? 0) < UNWRITTEN_MS) continue;
    await removeIfThere(path);
    removed.push(name);
  }
  return removed;
}

/** As soon as a program starts, which may never install anything. Whoever installs now does it itself. */
export async function clearLeftovers(runtimeHome: string, signal: AbortSignal): Promise<string[]> {
  // Without one nothing was ever installed there.
  if (!(await isThere(join(runtimeHome, LOCK)))) return [];
  using lock = await tryLockRuntimeHome(runtimeHome, { signal, limitMs: 0 });
  return lock === null ? [] : await removeLeftovers(runtimeHome);
}

/** Waits until no other process changes the home. The system lifts the lock of a dead process. */
export async function lockRuntimeHome(
  runtimeHome: string,
  options: { signal: AbortSignal; onWait(): void },
): Promise<Disposable> {
  return (await lockWithin(runtimeHome, { ...options, limitMs: Infinity }))!;
}

/** For what somebody waits for in silence: null where another process still changes the home then. */
export async function tryLockRuntimeHome(
  runtimeHome: string,
  options: { signal: AbortSignal; limitMs: number },
): Promise<Disposable | null> {
  return await lockWithin(runtimeHome, { ...options, onWait: () => {} });
}

async function lockWithin(
  runtimeHome: string,
  { signal, onWait, limitMs }: { signal: AbortSignal; onWait(): void; limitMs: number },
): Promise<Disposable | null> {
  const path = join(runtimeHome, LOCK);
  const file = await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
  try {
    for (let waitedMs = 0; !(await file.tryLock(true)); waitedMs += LOCK_POLL_MS) {
      if (waitedMs >= limitMs) {
        file.close();
        return null;
      }
      if (waitedMs === 0) onWait();
      await pause(LOCK_POLL_MS, signal);
    }
    return { [Symbol.dispose]: () => file.close() };
  } catch (error) {
    file.close();
    throw error;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const aborted = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", aborted);
      resolve();
    }, ms);
    signal.addEventListener("abort", aborted, { once: true });
  });
}

async function foldersOf(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) if (entry.isDirectory) names.push(entry.name);
  } catch (error) {
    const { NotFound, NotADirectory, NotCapable } = Deno.errors;
    const isNothing = error instanceof NotFound || error instanceof NotADirectory;
    // With narrow flags there is nothing here for us either.
    if (!isNothing && !(error instanceof NotCapable)) throw error;
  }
  return names;
}

export async function readRecord(folder: string): Promise<BuildRecord | null> {
  let record: Partial<BuildRecord> | null;
  try {
    record = JSON.parse(await Deno.readTextFile(join(folder, RECORD)));
  } catch {
    // No record: a folder of someone else, or one that is not whole.
    return null;
  }
  const known = typeof record === "object" && record !== null && record.schema === 1 &&
    (record.build === null || typeof record.build === "number") &&
    typeof record.installedAt === "string" && typeof record.source === "string" &&
    typeof record.files === "object" && record.files !== null &&
    typeof record.serverSha256 === "string" &&
    (record.hashes === undefined || typeof record.hashes === "object" && record.hashes !== null);
  return known ? record as BuildRecord : null;
}

async function isWhole(folder: string, record: BuildRecord): Promise<boolean> {
  for (const [name, sizeBytes] of Object.entries(record.files)) {
    try {
      const stat = await Deno.lstat(join(folder, name));
      if (!stat.isFile || stat.size !== sizeBytes) return false;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }
  return true;
}

export async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.lstat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
