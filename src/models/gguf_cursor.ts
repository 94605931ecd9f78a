// Reads a GGUF header front to back out of a file that a stranger made: every length is checked
// against the file before it is believed, and memory is taken for one chunk at a time only.

import { AppError, type ErrorValues } from "../errors.ts";

/** A file as the parser sees it. */
export interface ByteSource {
  /** Bytes of the whole file. */
  readonly size: number;
  /**
   * The bytes from `offset`: `length` of them where they are at hand, at least `least` unless the
   * file ends before.
   */
  read(offset: number, length: number, least?: number): Uint8Array;
}

/** Why a file cannot be used: `values.reason` of a `model_file_invalid`. */
export type GgufProblem =
  | "not_gguf"
  | "cut_off"
  | "corrupt"
  | "unsupported_version"
  | "big_endian"
  | "unknown_tensor_type"
  | "not_a_file"
  | "too_slow"
  | "header_too_large"
  | "part_missing"
  | "projector"
  | "adapter"
  | "not_servable";

/** The error for a file of this name; the sentence says what is wrong and what to do. */
export function ggufError(
  file: string,
  reason: GgufProblem,
  { sentence, ...values }: ErrorValues & { sentence: string },
): AppError {
  return new AppError("model_file_invalid", `Cannot use "${file}": ${sentence}`, {
    values: { reason, file, ...values },
  });
}

const CHUNK_BYTES = 1024 * 1024;

/** Far beyond any header that exists: reading one to here takes a fraction of a second. */
const LARGEST_HEADER_BYTES = 64 * 1024 * 1024;

export interface GgufCursorOptions {
  /** The file's name, for messages. */
  file: string;
  /** `performance.now()` after which reading is given up. */
  deadline: number;
}

export class GgufCursor {
  readonly #source: ByteSource;
  readonly #file: string;
  readonly #deadline: number;
  #chunk: Uint8Array = new Uint8Array(0);
  #view = new DataView(this.#chunk.buffer);
  #chunkStart = 0;
  #at = 0;

  constructor(source: ByteSource, options: GgufCursorOptions) {
    this.#source = source;
    this.#file = options.file;
    this.#deadline = options.deadline;
  }

  /** Bytes from the file's start. */
  get position(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#source.size - this.#at;
  }

  u8(): number {
    const at = this.#take(1);
    return this.#view.getUint8(at);
  }

  u32(): number {
    const at = this.#take(4);
    return this.#view.getUint32(at, true);
  }

  /** A count, length or offset. One beyond 2^53 is in no file that exists. */
  u64(): number {
    const at = this.#take(8);
    const value = this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 2 ** 32;
    if (value > Number.MAX_SAFE_INTEGER) throw this.corrupt("it holds an impossible length");
    return value;
  }

  /** A view of the next few bytes, valid until the next call. */
  view(length: number): DataView {
    const at = this.#take(length);
    return new DataView(this.#chunk.buffer, this.#chunk.byteOffset + at, length);
  }

  /** Text of a known length, at most a chunk long. Bytes that are no UTF-8 become U+FFFD. */
  text(length: number): string {
    const at = this.#take(length);
    return new TextDecoder().decode(this.#chunk.subarray(at, at + length));
  }

  /** Passes over bytes without reading them. */
  skip(length: number): void {
    if (length > this.remaining) throw this.cutOff();
    this.#at += length;
  }

  /** Passes over that many strings, which takes reading each one's length. */
  skipStrings(count: number): void {
    if (count > this.remaining / 8) throw this.cutOff();
    let left = count;
    while (left > 0) {
      left -= this.#skipStringsInChunk(left);
      if (left === 0) return;
      this.skip(this.u64());
      left--;
    }
  }

  corrupt(what: string): AppError {
    const sentence = `${what}, so the file is damaged. Download it again`;
    return ggufError(this.#file, "corrupt", { sentence });
  }

  /** The file ends where its header says that more follows. */
  cutOff(): AppError {
    return ggufError(this.#file, "cut_off", {
      sentence: "it is cut off: it ends inside its own header. Download it again",
      size_bytes: this.#source.size,
      required_bytes: null,
    });
  }

  /** As many as lie in the chunk as a whole: a tokenizer has hundreds of thousands. */
  #skipStringsInChunk(most: number): number {
    const view = this.#view;
    let at = this.#at - this.#chunkStart;
    if (at < 0) return 0;
    let done = 0;
    while (done < most && at + 8 <= view.byteLength && view.getUint32(at + 4, true) === 0) {
      const next = at + 8 + view.getUint32(at, true);
      if (next > view.byteLength) break;
      at = next;
      done++;
    }
    this.#at = this.#chunkStart + at;
    return done;
  }

  /** Where in the chunk the next bytes lie; moves past them. */
  #take(length: number): number {
    const at = this.#at - this.#chunkStart;
    if (at < 0 || at + length > this.#chunk.length) this.#load(length);
    const from = this.#at - this.#chunkStart;
    this.#at += length;
    return from;
  }

  #load(length: number): void {
    if (length > this.remaining) throw this.cutOff();
    if (performance.now() > this.#deadline) {
      throw ggufError(this.#file, "too_slow", {
        sentence: "reading its header takes too long. Copy it to a faster disk, or try again",
      });
    }
    if (this.#at > LARGEST_HEADER_BYTES) {
      throw ggufError(this.#file, "header_too_large", {
        sentence: "its header goes on for longer than that of any model. Choose another file",
      });
    }
    const wanted = Math.min(Math.max(length, CHUNK_BYTES), this.remaining);
    this.#chunk = this.#source.read(this.#at, wanted, length);
    this.#chunkStart = this.#at;
    this.#view = new DataView(
      this.#chunk.buffer,
      this.#chunk.byteOffset,
      this.#chunk.byteLength,
    );
    // The file became shorter since its size was taken.
    if (this.#chunk.length < length) throw this.cutOff();
  }
}
