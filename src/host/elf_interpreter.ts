// The loader that a Linux program names for itself: an absolute path, so a build that brings its own
// loader must be told where it lies. The rest of such a program is left alone.

import { basename } from "node:path";
import { writeAll } from "../durable_write.ts";

/** Where in the file the entry of the program table is that names the loader. */
interface Interpreter {
  entryOffset: number;
  path: string;
}

/** A row of the table of an ELF file. */
export interface Segment {
  entryOffset: number;
  type: number;
  /** Where it lies in the file, and in memory. */
  offset: number;
  address: number;
  sizeBytes: number;
}

const HEADER_BYTES = 64;
const ENTRY_BYTES = 56;
const PT_INTERP = 3;
const MOST_ENTRIES = 1_000;
/** The kernel takes no longer path. */
const MOST_PATH_BYTES = 4_096;

/**
 * The file name of the loader, where it is not one of the system's; null for those, and for what is no
 * 64-bit ELF program.
 */
export async function ownLoader(path: string): Promise<string | null> {
  using file = await Deno.open(path, { read: true });
  const loader = findInterpreter(file)?.path ?? null;
  return loader === null || loader.startsWith("/lib") ? null : basename(loader);
}

/**
 * The whole path; null for what is no such program, or not there. Not asynchronous: each load asks, and by
 * way of other threads these short reads take six times as long.
 */
export function loaderOf(path: string): string | null {
  try {
    using file = Deno.openSync(path, { read: true });
    return findInterpreter(file)?.path ?? null;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/**
 * Names another loader. The new name goes to the end of the file, where the kernel reads it; what the
 * running program sees of the old one in its memory is only compared.
 */
export async function setInterpreter(path: string, loader: string): Promise<void> {
  const name = new TextEncoder().encode(`${loader}\0`);
  if (name.length > MOST_PATH_BYTES) throw new Error(`The path "${loader}" is too long`);
  using file = await Deno.open(path, { read: true, write: true });
  const found = findInterpreter(file);
  if (found === null) throw new Error(`"${path}" is no program that names a loader`);
  const offset = await file.seek(0, Deno.SeekMode.End);
  await writeAll(file, name);
  const entry = new DataView(new ArrayBuffer(8));
  const put = async (at: number, value: number) => {
    entry.setBigUint64(0, BigInt(value), true);
    await file.seek(found.entryOffset + at, Deno.SeekMode.Start);
    await writeAll(file, new Uint8Array(entry.buffer));
  };
  await put(8, offset);
  await put(32, name.length);
}

function findInterpreter(file: Deno.FsFile): Interpreter | null {
  const { size } = file.statSync();
  const entry = segmentsOf(file)?.find(({ type }) => type === PT_INTERP);
  if (entry === undefined) return null;
  const { entryOffset, offset, sizeBytes } = entry;
  if (sizeBytes < 2 || sizeBytes > MOST_PATH_BYTES || offset + sizeBytes > size) return null;
  const name = bytesAt(file, offset, sizeBytes - 1);
  return name === null ? null : { entryOffset, path: new TextDecoder().decode(name) };
}

/** The table of what the system loads of such a file; null for what is no 64-bit ELF file. */
export function segmentsOf(file: Deno.FsFile): Segment[] | null {
  const header = bytesAt(file, 0, HEADER_BYTES);
  // 64 bits, least byte first: every system that we have builds for.
  if (header === null || header.getUint32(0) !== 0x7f45_4c46 || header.getUint16(4) !== 0x0201) {
    return null;
  }
  const tableOffset = Number(header.getBigUint64(32, true));
  const count = header.getUint16(56, true);
  if (header.getUint16(54, true) !== ENTRY_BYTES || count > MOST_ENTRIES) return null;
  const table = bytesAt(file, tableOffset, count * ENTRY_BYTES);
  if (table === null) return null;
  return Array.from({ length: count }, (_, index) => {
    const at = index * ENTRY_BYTES;
    return {
      entryOffset: tableOffset + at,
      type: table.getUint32(at, true),
      offset: Number(table.getBigUint64(at + 8, true)),
      address: Number(table.getBigUint64(at + 16, true)),
      sizeBytes: Number(table.getBigUint64(at + 32, true)),
    };
  });
}

/** Null where the file ends before. */
export function bytesAt(file: Deno.FsFile, offset: number, count: number): DataView | null {
  // A file that lies about itself would have us seek to where no file can reach.
  if (!(offset >= 0 && offset + count <= file.statSync().size)) return null;
  file.seekSync(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count;) {
    const read = file.readSync(bytes.subarray(at));
    if (read === null) return null;
    at += read;
  }
  return new DataView(bytes.buffer);
}
