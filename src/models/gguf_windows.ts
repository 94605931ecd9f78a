// Reads a header where reading may take long or never end, such as on a drive that is being pulled
// out: by windows of the file that come without holding up the thread, with a deadline.

import { basename } from "node:path";

import { within } from "../within.ts";
import { type GgufFacts, parseGguf } from "./gguf.ts";
import { type ByteSource, ggufError } from "./gguf_cursor.ts";

/** The first one holds most headers without a tokenizer; each further one is larger. */
const FIRST_WINDOW_BYTES = 1024 ** 2;
const LARGEST_WINDOW_BYTES = 8 * 1024 ** 2;

/** All windows of one header together. */
const MOST_BYTES = 48 * 1024 ** 2;

const PATIENCE_MS = 5_000;

/** The same as `readGgufFacts`, for a file on whatever a user plugs in. */
export async function readGgufPatiently(
  path: string,
  { patienceMs = PATIENCE_MS }: { patienceMs?: number } = {},
): Promise<GgufFacts> {
  const facts = await within(readByWindows(path, performance.now() + patienceMs), patienceMs);
  if (facts === null) throw tooSlow(basename(path));
  return facts;
}

async function readByWindows(path: string, endMs: number): Promise<GgufFacts> {
  const name = basename(path);
  // Before it is opened: to open a pipe waits for its writer.
  if (!(await Deno.lstat(path)).isFile) throw notAFile(name);
  using file = await Deno.open(path, { read: true });
  const { isFile, size } = await file.stat();
  if (!isFile) throw notAFile(name);
  const source = new WindowedSource(size);
  let length = FIRST_WINDOW_BYTES;
  let totalBytes = 0;
  for (let offset = 0;;) {
    source.add(offset, await readAt(file, offset, Math.min(length, size - offset)));
    totalBytes += length;
    try {
      return parseGguf(source, { file: name });
    } catch (error) {
      if (!(error instanceof OutsideWindows)) throw error;
      if (totalBytes >= MOST_BYTES || performance.now() >= endMs) throw tooSlow(name);
      offset = error.offset;
      length = Math.min(Math.max(length * 4, error.length), LARGEST_WINDOW_BYTES);
    }
  }
}

async function readAt(file: Deno.FsFile, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  await file.seek(offset, Deno.SeekMode.Start);
  let done = 0;
  while (done < length) {
    const count = await file.read(bytes.subarray(done));
    if (count === null) break;
    done += count;
  }
  return bytes.subarray(0, done);
}

class OutsideWindows extends Error {
  readonly offset: number;
  readonly length: number;

  constructor(offset: number, length: number) {
    super("These bytes are not read yet");
    this.offset = offset;
    this.length = length;
  }
}

class WindowedSource implements ByteSource {
  readonly size: number;
  readonly #windows: { start: number; bytes: Uint8Array; isLast: boolean }[] = [];

  constructor(size: number) {
    this.size = size;
  }

  /** A window that came short is the end: the file was cut since its size was taken. */
  add(start: number, bytes: Uint8Array): void {
    const isLast = bytes.length === 0 || start + bytes.length >= this.size;
    this.#windows.push({ start, bytes, isLast });
  }

  read(offset: number, length: number): Uint8Array {
    for (const { start, bytes, isLast } of this.#windows) {
      const from = offset - start;
      if (from < 0 || from > bytes.length) continue;
      if (from + length <= bytes.length || isLast) return bytes.subarray(from, from + length);
    }
    throw new OutsideWindows(offset, length);
  }
}

function notAFile(file: string) {
  const sentence = "it is not a regular file. Choose the model's file itself";
  return ggufError(file, "not_a_file", { sentence });
}

function tooSlow(file: string) {
  return ggufError(file, "too_slow", {
    sentence: "reading its header takes too long. Copy it to a faster disk, or try again",
  });
}
