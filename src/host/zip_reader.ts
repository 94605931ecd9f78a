// Reads a zip by its central directory (stored and deflated files) as a stream of entries. What may
// be unpacked, and where, is archive.ts's.

import { crc32 } from "node:zlib";
import type { ArchiveEntry, ArchiveReading } from "./archive_entry.ts";

const END_BYTES = 22;
const DIRECTORY_LIMIT_BYTES = 4 * 1024 * 1024;

interface Entry {
  name: string;
  method: number;
  crc: number;
  packedBytes: number;
  sizeBytes: number;
  headerOffset: number;
  unixMode: number;
}

/** Throws through `reading.refuse` for links, encryption, zip64 and entries that overlap. */
export async function* readZip(
  file: Deno.FsFile,
  reading: ArchiveReading,
): AsyncGenerator<ArchiveEntry> {
  const { refuse } = reading;
  const { entries, directoryOffset } = await readDirectory(file, reading);
  let previousEnd = 0;
  for (const entry of entries.sort((a, b) => a.headerOffset - b.headerOffset)) {
    const shown = JSON.stringify(entry.name.slice(0, 200));
    const kind = entry.unixMode & 0o170000;
    if (kind !== 0 && kind !== 0o100000 && kind !== 0o040000) {
      throw refuse(`entry ${shown} is neither a file nor a folder`);
    }
    // Overlapping entries let a small file unpack to terabytes.
    const header = await readAt(file, entry.headerOffset, 30, reading);
    const nameBytes = header.getUint16(26, true);
    const start = entry.headerOffset + 30 + nameBytes + header.getUint16(28, true);
    if (
      header.getUint32(0, true) !== 0x04034b50 || entry.headerOffset < previousEnd ||
      start + entry.packedBytes > directoryOffset
    ) {
      throw refuse(`entry ${shown} is damaged`);
    }
    previousEnd = start + entry.packedBytes;
    const local = await readAt(file, entry.headerOffset + 30, nameBytes, reading);
    if (new TextDecoder().decode(local) !== entry.name) {
      throw refuse(`entry ${shown} has two names`);
    }
    if (entry.name.endsWith("/")) {
      if (entry.sizeBytes !== 0) throw refuse(`folder ${shown} has content`);
      yield { type: "folder", name: entry.name };
      continue;
    }
    const content = checked(() => unpacked(file, start, entry), entry, reading);
    const { name, sizeBytes } = entry;
    yield { type: "file", name, sizeBytes, executable: (entry.unixMode & 0o111) !== 0, content };
  }
}

async function readDirectory(file: Deno.FsFile, reading: ArchiveReading) {
  const { refuse } = reading;
  const tailBytes = Math.min(reading.sizeBytes, END_BYTES + 0xffff);
  const tailOffset = reading.sizeBytes - tailBytes;
  const tail = await readAt(file, tailOffset, tailBytes, reading);
  let at = tailBytes - END_BYTES;
  while (at >= 0 && tail.getUint32(at, true) !== 0x06054b50) at--;
  if (at < 0) throw refuse("it is no zip, or cut off");
  const count = tail.getUint16(at + 10, true);
  const directoryBytes = tail.getUint32(at + 12, true);
  const directoryOffset = tail.getUint32(at + 16, true);
  if (directoryOffset === 0xffffffff || count === 0xffff) throw refuse("zip64 is not supported");
  if (
    directoryBytes > DIRECTORY_LIMIT_BYTES || directoryOffset + directoryBytes > tailOffset + at ||
    tail.getUint16(at + 4, true) !== 0
  ) {
    throw refuse("its directory is damaged");
  }
  const view = await readAt(file, directoryOffset, directoryBytes, reading);
  const entries: Entry[] = [];
  for (let offset = 0, each = 0; each < count; each++) {
    if (offset + 46 > directoryBytes || view.getUint32(offset, true) !== 0x02014b50) {
      throw refuse("its directory is damaged");
    }
    const nameBytes = view.getUint16(offset + 28, true);
    const nextOffset = offset + 46 + nameBytes + view.getUint16(offset + 30, true) +
      view.getUint16(offset + 32, true);
    if (nextOffset > directoryBytes) throw refuse("its directory is damaged");
    const bytes = new Uint8Array(view.buffer, offset + 46, nameBytes);
    const entry: Entry = {
      name: new TextDecoder().decode(bytes),
      method: view.getUint16(offset + 10, true),
      crc: view.getUint32(offset + 16, true),
      packedBytes: view.getUint32(offset + 20, true),
      sizeBytes: view.getUint32(offset + 24, true),
      headerOffset: view.getUint32(offset + 42, true),
      // The upper half, where the archive was made on a Unix.
      unixMode: view.getUint8(offset + 5) === 3 ? view.getUint16(offset + 40, true) : 0,
    };
    const shown = JSON.stringify(entry.name.slice(0, 200));
    if ((view.getUint16(offset + 8, true) & 1) !== 0) throw refuse(`entry ${shown} is encrypted`);
    if (entry.method !== 0 && entry.method !== 8) {
      throw refuse(`entry ${shown} is packed by method ${entry.method}`);
    }
    entries.push(entry);
    offset = nextOffset;
  }
  return { entries, directoryOffset };
}

async function readAt(
  file: Deno.FsFile,
  offset: number,
  sizeBytes: number,
  { refuse }: ArchiveReading,
): Promise<DataView<ArrayBuffer>> {
  const bytes = new Uint8Array(sizeBytes);
  await file.seek(offset, Deno.SeekMode.Start);
  for (let filled = 0; filled < sizeBytes;) {
    const read = await file.read(bytes.subarray(filled));
    if (read === null) throw refuse("it is cut off");
    filled += read;
  }
  return new DataView(bytes.buffer);
}

function unpacked(file: Deno.FsFile, start: number, entry: Entry): ReadableStream<Uint8Array> {
  let left = entry.packedBytes;
  const packed = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async start() {
      await file.seek(start, Deno.SeekMode.Start);
    },
    async pull(controller) {
      if (left === 0) return controller.close();
      const bytes = new Uint8Array(Math.min(left, 64 * 1024));
      const read = await file.read(bytes);
      if (read === null) return controller.error(new Error("unexpected end of file"));
      left -= read;
      controller.enqueue(bytes.subarray(0, read));
    },
  });
  return entry.method === 0 ? packed : packed.pipeThrough(new DecompressionStream("deflate-raw"));
}

async function* checked(
  open: () => ReadableStream<Uint8Array>,
  entry: Entry,
  { refuse }: ArchiveReading,
): AsyncGenerator<Uint8Array> {
  const damaged = (cause?: unknown) =>
    refuse(`entry ${JSON.stringify(entry.name.slice(0, 200))} is damaged`, cause);
  const reader = open().getReader();
  let crc = 0;
  try {
    while (true) {
      const { value, done } = await reader.read().catch((error) => {
        throw damaged(error);
      });
      if (done) break;
      crc = crc32(value, crc);
      yield value;
    }
    if (crc !== entry.crc) throw damaged();
  } finally {
    // The file's position is shared: nothing of this entry may be read after it.
    await reader.cancel().catch(() => {});
  }
}
