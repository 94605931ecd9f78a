// Reads a gzipped tar (ustar, pax and GNU long names) as a stream of entries. What may be
// unpacked, and where, is archive.ts's.

import type { ArchiveEntry, ArchiveReading } from "./archive_entry.ts";

const BLOCK = 512;
// pax records and long names: a name or two, never more.
const EXTRA_LIMIT_BYTES = 64 * 1024;

interface Header {
  name: string;
  target: string;
  type: string;
  mode: number;
  sizeBytes: number;
}

/** Throws through `reading.refuse` for anything but files, folders and symbolic links. */
export async function* readTar(
  file: Deno.FsFile,
  reading: ArchiveReading,
): AsyncGenerator<ArchiveEntry> {
  const { refuse } = reading;
  const source = new ByteSource(
    file.readable.pipeThrough(new DecompressionStream("gzip")),
    reading,
  );
  let longName: string | null = null;
  let longTarget: string | null = null;
  let pax = new Map<string, string>();
  try {
    while (true) {
      const block = await source.exactly(BLOCK);
      if (block.every((byte) => byte === 0)) break;
      const header = parseHeader(block, reading);
      if ("xgLK".includes(header.type)) {
        if (header.sizeBytes > EXTRA_LIMIT_BYTES) throw refuse("a name in it is too long");
        const extra = await source.exactly(header.sizeBytes);
        await source.skip(padding(header.sizeBytes));
        if (header.type === "x") pax = parsePax(extra, reading);
        // Global records would change every later entry: nothing that we accept needs them.
        else if (header.type === "g") parsePax(extra, reading);
        else if (header.type === "L") longName = text(extra);
        else longTarget = text(extra);
        continue;
      }
      const sizeBytes = pax.has("size") ? wholeNumber(pax.get("size")!) : header.sizeBytes;
      if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw refuse("a size in it is wrong");
      const name = pax.get("path") ?? longName ?? header.name;
      const target = pax.get("linkpath") ?? longTarget ?? header.target;
      pax = new Map();
      longName = longTarget = null;
      if (header.type === "5") {
        yield { type: "folder", name };
      } else if (header.type === "2") {
        yield { type: "link", name, target };
      } else if (header.type === "0" || header.type === "\0") {
        const content = source.take(sizeBytes);
        const executable = (header.mode & 0o111) !== 0;
        yield { type: "file", name, sizeBytes, executable, content };
        await source.skip(padding(sizeBytes));
        continue;
      } else {
        throw refuse(
          `entry ${JSON.stringify(name.slice(0, 200))} is neither a file nor a folder nor a link`,
        );
      }
      if (sizeBytes !== 0) throw refuse("a folder or link in it has content");
    }
    // To the end: only then has gzip compared its checksum.
    await source.drain();
  } finally {
    await source.cancel();
  }
}

function parseHeader(block: Uint8Array, { refuse }: ArchiveReading): Header {
  let sum = 0;
  for (let at = 0; at < BLOCK; at++) sum += at >= 148 && at < 156 ? 0x20 : block[at]!;
  if (sum !== number(block.subarray(148, 156))) throw refuse("a header in it is damaged");
  const name = text(block.subarray(0, 100));
  const ustar = text(block.subarray(257, 262)) === "ustar";
  // GNU's own format has times where ustar has the prefix.
  const posix = ustar && block[262] === 0;
  const prefix = posix ? text(block.subarray(345, 500)) : "";
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    target: text(block.subarray(157, 257)),
    type: String.fromCharCode(block[156]!),
    mode: number(block.subarray(100, 108)),
    sizeBytes: number(block.subarray(124, 136)),
  };
}

function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Octal digits, or GNU's base 256 where the first bit is set; NaN for anything else. */
function number(bytes: Uint8Array): number {
  if ((bytes[0]! & 0x80) !== 0) {
    let value = bytes[0]! & 0x7f;
    for (const byte of bytes.subarray(1)) value = value * 256 + byte;
    return value;
  }
  const digits = text(bytes).trim();
  return /^[0-7]*$/.test(digits) ? parseInt(digits || "0", 8) : NaN;
}

/** Records `LENGTH KEY=VALUE\n`; LENGTH counts itself, in bytes. */
function parsePax(bytes: Uint8Array, { refuse }: ArchiveReading): Map<string, string> {
  const records = new Map<string, string>();
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(new TextDecoder().decode(bytes.subarray(at, Math.max(space, at))));
    const end = at + length;
    const ends = Number.isSafeInteger(length) && space > at && end > space && end <= bytes.length;
    if (!ends || bytes[end - 1] !== 0x0a) throw refuse("an extended header in it is damaged");
    const record = new TextDecoder().decode(bytes.subarray(space + 1, end - 1));
    const equals = record.indexOf("=");
    if (equals < 1) throw refuse("an extended header in it is damaged");
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at = end;
  }
  return records;
}

/** NaN for `0x10`, `1e3` and whatever else Number() takes. */
function wholeNumber(text: string): number {
  return /^\d{1,16}$/.test(text) ? Number(text) : NaN;
}

function padding(sizeBytes: number): number {
  return (BLOCK - sizeBytes % BLOCK) % BLOCK;
}

class ByteSource {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #reading: ArchiveReading;
  #chunk = new Uint8Array();
  #readBytes = 0;

  constructor(stream: ReadableStream<Uint8Array>, reading: ArchiveReading) {
    this.#reader = stream.getReader();
    this.#reading = reading;
  }

  async exactly(sizeBytes: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(sizeBytes);
    let offset = 0;
    for await (const part of this.take(sizeBytes)) {
      bytes.set(part, offset);
      offset += part.length;
    }
    return bytes;
  }

  async *take(sizeBytes: number): AsyncGenerator<Uint8Array> {
    let left = sizeBytes;
    while (left > 0) {
      if (this.#chunk.length === 0 && !(await this.#fill())) {
        throw this.#reading.refuse("it is cut off");
      }
      const part = this.#chunk.subarray(0, left);
      this.#chunk = this.#chunk.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  async skip(sizeBytes: number): Promise<void> {
    for await (const _ of this.take(sizeBytes)) continue;
  }

  async drain(): Promise<void> {
    do this.#chunk = new Uint8Array(); while (await this.#fill());
  }

  async cancel(): Promise<void> {
    // A broken gzip stream has said so already.
    await this.#reader.cancel().catch(() => {});
  }

  async #fill(): Promise<boolean> {
    try {
      const { value, done } = await this.#reader.read();
      if (done) return false;
      this.#chunk = value as Uint8Array<ArrayBuffer>;
    } catch (error) {
      throw this.#reading.refuse("it is damaged or cut off", error);
    }
    this.#readBytes += this.#chunk.length;
    // Padding and skipped records count too: nothing may grow without end.
    if (this.#readBytes > this.#reading.limitBytes + 1024 * 1024) {
      throw this.#reading.refuse(`it unpacks to more than ${this.#reading.limitBytes} bytes`);
    }
    return true;
  }
}
