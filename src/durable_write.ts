// Writes a small file so that a power failure leaves the old or the new content, never a part.

import { dirname } from "node:path";
import { randomHex } from "./random_hex.ts";

/**
 * Writes aside, syncs, renames over `path`. `unless` is asked last, with nothing between its answer
 * and the rename: true = `path` stays as it is, and false is returned. Throws what the file system
 * throws.
 */
export async function durableWrite(
  path: string,
  content: string | Uint8Array,
  { unless = () => false }: { unless?: () => boolean } = {},
): Promise<boolean> {
  const aside = `${path}.${randomHex(6)}.tmp`;
  try {
    const file = await Deno.open(aside, { write: true, createNew: true, mode: 0o600 });
    try {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      await writeAll(file, bytes);
      await file.sync();
    } finally {
      file.close();
    }
    if (unless()) {
      await Deno.remove(aside);
      return false;
    }
    Deno.renameSync(aside, path);
  } catch (error) {
    await removeIfThere(aside);
    throw error;
  }
  await syncPath(dirname(path));
  return true;
}

/** `FsFile.write` may write less than it was given. */
export async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  let offset = 0;
  while (offset < bytes.length) offset += await file.write(bytes.subarray(offset));
}

/** Makes a file, or the names in a folder, outlive a power failure. */
export async function syncPath(path: string): Promise<void> {
  // Windows cannot open a folder; its file systems order the rename themselves.
  if (Deno.build.os === "windows" && (await Deno.lstat(path)).isDirectory) return;
  using file = await Deno.open(path, { read: true });
  await file.sync();
}

/**
 * Every file and folder below `folder`, itself included. Symbolic links are left alone. An abort is heard
 * between two files.
 */
export async function syncTree(folder: string, signal?: AbortSignal): Promise<void> {
  for await (const entry of Deno.readDir(folder)) {
    signal?.throwIfAborted();
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) await syncTree(path, signal);
    else if (entry.isFile) await syncPath(path);
  }
  await syncPath(folder);
}

export async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
