// What the header of a file on another machine says: its beginning is fetched piece by piece until
// the reader has enough. Where the bytes come from is the caller's.

import { type GgufFacts, parseGguf } from "./gguf.ts";
import { type ByteSource, ggufError } from "./gguf_cursor.ts";
import { readSplitFacts } from "./gguf_split.ts";

export interface RemoteFile {
  /** For messages. */
  name: string;
  sizeBytes: number;
  /** Bytes `start` to `end` (exclusive). */
  read(start: number, end: number): Promise<Uint8Array>;
}

/** Bytes that may still be fetched for one model. */
export interface Allowance {
  bytes: number;
}

/** The largest known header takes 13 MB; this is all that one model may cost. */
const MOST_HEADER_BYTES = 19 * 1024 ** 2;
const FIRST_BYTES = 1024 ** 2;
/** Later parts of a split model only list their tensors. */
const FIRST_OF_LATER_BYTES = 64 * 1024;
const LARGEST_STEP_BYTES = 4 * 1024 ** 2;
const AT_ONCE = 4;
/** A header in memory that takes longer was made to take long. */
const PARSE_MS = 2_000;

/** Facts of a model in one file or in several. Throws `model_file_invalid` and what `read` throws. */
export async function readRemoteFacts(files: readonly RemoteFile[]): Promise<GgufFacts> {
  const allowance: Allowance = { bytes: MOST_HEADER_BYTES };
  const facts = new Map<string, GgufFacts>();
  const [first, ...later] = files;
  if (first === undefined) throw new RangeError("A model has at least one file");
  // The first part says how many there are: nothing else is fetched for one that is broken.
  facts.set(first.name, await readRemoteGguf(first, { firstBytes: FIRST_BYTES, allowance }));
  const waiting = [...later];
  const readers = Array.from({ length: AT_ONCE }, async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      try {
        const read = await readRemoteGguf(file, { firstBytes: FIRST_OF_LATER_BYTES, allowance });
        facts.set(file.name, read);
      } catch (error) {
        // The other readers end with what they have in hand.
        waiting.length = 0;
        throw error;
      }
    }
  });
  const failed = (await Promise.allSettled(readers)).find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
  return await readSplitFacts(
    files.map(({ name }) => name),
    (name) => Promise.resolve(facts.get(name)!),
  );
}

interface ReadOptions {
  /** What is fetched at first; each further step doubles what is here, up to 4 MiB at once. */
  firstBytes: number;
  allowance: Allowance;
}

async function readRemoteGguf(
  file: RemoteFile,
  { firstBytes, allowance }: ReadOptions,
): Promise<GgufFacts> {
  const prefix = new Prefix(file.sizeBytes);
  for (let wanted = firstBytes;;) {
    const end = Math.min(wanted, file.sizeBytes, prefix.length + allowance.bytes);
    const isSpent = end <= prefix.length;
    if (isSpent && prefix.length < file.sizeBytes) throw tooLarge(file.name);
    allowance.bytes -= end - prefix.length;
    prefix.append(await file.read(prefix.length, end), end);
    try {
      return parseGguf(prefix, { file: file.name, withinMs: PARSE_MS });
    } catch (error) {
      if (!(error instanceof NeedsMore)) throw error;
      const step = Math.min(prefix.length, LARGEST_STEP_BYTES);
      wanted = Math.max(prefix.length + step, error.end);
    }
  }
}

function tooLarge(file: string) {
  return ggufError(file, "header_too_large", {
    sentence: "its header is larger than is read over the network. " +
      "Choose another quantization or another model",
  });
}

/** The reader wants bytes that are not here yet. */
class NeedsMore extends Error {
  readonly end: number;

  constructor(end: number) {
    super("These bytes are not fetched yet");
    this.end = end;
  }
}

/** The beginning of a file whose size is known, in the pieces in which it came. */
class Prefix implements ByteSource {
  readonly size: number;
  readonly #pieces: { start: number; bytes: Uint8Array }[] = [];
  #length = 0;
  /** The file turned out to be shorter than was said. */
  #isWhole = false;

  constructor(size: number) {
    this.size = size;
  }

  get length(): number {
    return this.#length;
  }

  append(bytes: Uint8Array, end: number): void {
    this.#pieces.push({ start: this.#length, bytes });
    this.#length += bytes.length;
    this.#isWhole = this.#length < end || this.#length === this.size;
  }

  read(offset: number, length: number, least = length): Uint8Array {
    if (offset + least > this.#length && !this.#isWhole) throw new NeedsMore(offset + least);
    const end = Math.min(offset + length, this.#length);
    const last = this.#pieces.findLast(({ start }) => start <= offset);
    if (last === undefined || offset >= end) return new Uint8Array(0);
    // What lies in one piece is not copied. Where that is enough, the next one can wait.
    const within = last.bytes.subarray(offset - last.start, end - last.start);
    if (within.length >= least) return within;
    const joined = new Uint8Array(end - offset);
    for (const { start, bytes } of this.#pieces) {
      const from = Math.max(start, offset);
      const to = Math.min(start + bytes.length, end);
      if (from < to) joined.set(bytes.subarray(from - start, to - start), from - offset);
    }
    return joined;
  }
}
