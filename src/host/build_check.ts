// Whether an installed build still is what was installed: asked before its llama-server is started.
// Whoever adds one library to the folder would else run in every instance.

import { basename, dirname, join } from "node:path";
import type { RuntimeSource } from "../api_types.ts";
import { AppError, messageOf } from "../errors.ts";
import {
  type BuildRecord,
  type InstalledBuild,
  readRecord,
  RECORD,
  UNFINISHED,
} from "./runtime_home.ts";
import { SERVER_FILE } from "./server_file.ts";
import { sha256Of } from "./sha256_of.ts";

/** What tells that a file was touched, without reading it. */
type Stamps = ReadonlyMap<string, string>;

interface Seen {
  /** As it was at the first look: who swaps the folder brings a record of his own. */
  record: BuildRecord;
  stamps: Stamps;
}

const DEEPEST = 4;
/** Times of a change are whole seconds here: one of this moment does not tell of the next change. */
const UNSETTLED_MS = 2_000;

/** Remembers what it saw: the first look hashes llama-server, later ones read no file that is as it was. */
export class BuildGuard {
  readonly #seen = new Map<string, Seen>();

  /** Throws `runtime_changed`, naming the first file that is not as it was installed. */
  async check({ source, path }: { source: RuntimeSource; path: string }): Promise<void> {
    if (source !== "installed") return;
    const folder = dirname(path);
    const seen = this.#seen.get(folder);
    const record = seen?.record ?? await readRecord(folder);
    if (record === null) throw changed(folder, RECORD);
    const stamps = stampsOf(folder, record);
    if (seen === undefined) {
      await checkHash(folder, { name: SERVER_FILE, sha256: record.serverSha256 });
    } else {
      for (const [name, stamp] of stamps) {
        if (stamp === "" || seen.stamps.get(name) !== stamp) {
          await checkFile(folder, { name, record });
        }
      }
    }
    this.#seen.set(folder, { record, stamps });
  }

  /** Reads every file; an abort is heard between two of them. */
  async checkAll(
    { folder, record: written }: InstalledBuild,
    signal?: AbortSignal,
  ): Promise<void> {
    const record = this.#seen.get(folder)?.record ?? written;
    stampsOf(folder, record);
    await checkFile(folder, { name: SERVER_FILE, record });
    for (const name of Object.keys(record.hashes ?? {})) {
      signal?.throwIfAborted();
      await checkFile(folder, { name, record });
    }
  }

  /** After what was there was replaced or removed by us. */
  forget(folder: string): void {
    this.#seen.delete(folder);
  }
}

/** Each file with its hash, for the record of an installation; an abort is heard between two of them. */
export async function hashesOf(
  folder: string,
  names: Iterable<string>,
  signal?: AbortSignal,
): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const name of names) {
    signal?.throwIfAborted();
    hashes[name] = await sha256Of(join(folder, name));
  }
  return hashes;
}

/** Size in bytes of every file below the folder, by its path there with slashes. */
export function sizesIn(folder: string): Record<string, number> {
  return Object.fromEntries(
    [...filesBelow(folder)].map(([name, { size }]) => [name, size] as const),
  );
}

/** Throws where a file is missing, has another size, or was not there at the installation. */
function stampsOf(folder: string, record: BuildRecord): Stamps {
  let files: Map<string, Deno.FileInfo>;
  try {
    files = filesBelow(folder);
  } catch (error) {
    throw changed(folder, messageOf(error));
  }
  const nowMs = Date.now();
  files.delete(RECORD);
  files.delete(UNFINISHED);
  const stamps = new Map<string, string>();
  for (const [name, { isFile, size, mtime, ctime, ino }] of files) {
    if (!isFile || record.files[name] !== size) throw changed(folder, name);
    // Who may write a file may set its time, but not the one at which that was done.
    const doneMs = record.hashes === undefined ? null : ctime?.getTime() ?? null;
    const isSettled = doneMs === null || nowMs - doneMs > UNSETTLED_MS;
    stamps.set(name, isSettled ? `${ino} ${size} ${mtime?.getTime()} ${doneMs}` : "");
  }
  const missing = Object.keys(record.files).find((name) => !files.has(name));
  if (missing !== undefined) throw changed(folder, missing);
  return stamps;
}

/** Links, too, as what they are. Hidden files are the system's: nothing loads one. */
function filesBelow(folder: string, prefix = "", depth = 1): Map<string, Deno.FileInfo> {
  const files = new Map<string, Deno.FileInfo>();
  for (const { name, isDirectory, isFile } of Deno.readDirSync(folder)) {
    const path = join(folder, name);
    if (isDirectory && depth < DEEPEST) {
      for (const [below, info] of filesBelow(path, `${prefix}${name}/`, depth + 1)) {
        files.set(below, info);
      }
    } else if (!(isFile && name.startsWith("."))) {
      files.set(prefix + name, Deno.lstatSync(path));
    }
  }
  return files;
}

async function checkFile(
  folder: string,
  { name, record }: { name: string; record: BuildRecord },
): Promise<void> {
  const sha256 = name === SERVER_FILE ? record.serverSha256 : record.hashes?.[name];
  if (sha256 === undefined) throw changed(folder, name);
  await checkHash(folder, { name, sha256 });
}

async function checkHash(
  folder: string,
  { name, sha256 }: { name: string; sha256: string },
): Promise<void> {
  let found: string;
  try {
    found = await sha256Of(join(folder, name));
  } catch (error) {
    throw changed(folder, name, error);
  }
  if (found !== sha256) throw changed(folder, name);
}

function changed(folder: string, file: string, cause?: unknown): AppError {
  const name = basename(folder);
  return new AppError(
    "runtime_changed",
    `Cannot use the llama.cpp build "${name}": "${file}" is not as it was installed. ` +
      `Remove the build with zombiecoder runtime remove ${name} and install it again`,
    { values: { name, file }, cause },
  );
}
