// One GGUF header as it stands in the file: metadata that is worth keeping, and sums over the tensor
// table. What the values mean for a model is gguf.ts.

import { type ByteSource, GgufCursor, ggufError } from "./gguf_cursor.ts";
import {
  padded,
  readTensorTable,
  type TensorSums,
  type TensorTableOptions,
} from "./gguf_tensors.ts";
import { DEFAULT_ALIGNMENT, GGUF_MAGIC, VALUE_BYTES, VALUE_TYPE } from "./gguf_types.ts";

export type GgufMetadata = ReadonlyMap<string, string | number | boolean | readonly number[]>;

export interface GgufHeader {
  version: number;
  /**
   * Scalars, short strings, and arrays of up to 1,024 numbers (of booleans: 0 and 1). The
   * tokenizer's long arrays are passed over.
   */
  metadata: GgufMetadata;
  /** Length of the tokenizer's list of tokens; null without one. */
  tokenCount: number | null;
  tensors: TensorSums;
  /** Where the tensors' data begins. */
  headerBytes: number;
  /** Bytes that the file must have at least: the end of its last tensor. */
  requiredFileBytes: number;
}

// What real files stay far below: the largest known headers have some 100 keys and 5,000 tensors.
const MOST_KEYS = 16_384;
const MOST_TENSORS = 65_536;
const LONGEST_KEY = 1024;
const LONGEST_KEPT_STRING = 4096;
const LONGEST_KEPT_TEMPLATE = 256 * 1024;
const LONGEST_KEPT_ARRAY = 1024;
/** All that is kept, together; what would be too much is passed over. */
const MOST_KEPT_BYTES = 4 * 1024 * 1024;
/** llama.cpp's own limit for a string's bytes and an array's length. */
const LONGEST_ANYTHING = 2 ** 30;

export interface GgufReadOptions {
  /** The file's name, for messages: never used as a path. */
  file: string;
  /** Milliseconds after which reading is given up; 2,000 if left out. */
  withinMs?: number;
  /** Told of each tensor. */
  onTensor?: TensorTableOptions["onTensor"];
}

/** Throws AppError `model_file_invalid`, with `values.reason` a GgufProblem, for any other file. */
export function readGgufHeader(source: ByteSource, options: GgufReadOptions): GgufHeader {
  const { file, onTensor } = options;
  const deadline = performance.now() + (options.withinMs ?? 2000);
  const cursor = new GgufCursor(source, { file, deadline });
  const version = readVersion(cursor, { source, file });
  const tensorCount = cursor.u64();
  const keyCount = cursor.u64();
  if (tensorCount > MOST_TENSORS || keyCount > MOST_KEYS) {
    throw cursor.corrupt(`it claims ${tensorCount} tensors and ${keyCount} keys`);
  }
  const { metadata, tokenCount } = readMetadata(cursor, keyCount);
  const alignment = metadata.get("general.alignment") ?? DEFAULT_ALIGNMENT;
  if (typeof alignment !== "number" || !isPowerOfTwo(alignment)) {
    throw cursor.corrupt("its alignment is no power of two");
  }
  const { sums, dataBytes } = readTensorTable(cursor, { file, tensorCount, alignment, onTensor });
  const headerBytes = sums.count === 0 ? cursor.position : padded(cursor.position, alignment);
  const requiredFileBytes = headerBytes + dataBytes;
  if (requiredFileBytes > source.size) {
    const missing = requiredFileBytes - source.size;
    throw ggufError(file, "cut_off", {
      sentence: `it is cut off, with ${formatBytes(missing)} of ` +
        `${formatBytes(requiredFileBytes)} still missing. Download it again`,
      size_bytes: source.size,
      required_bytes: requiredFileBytes,
    });
  }
  return { version, metadata, tokenCount, tensors: sums, headerBytes, requiredFileBytes };
}

interface VersionOptions {
  source: ByteSource;
  file: string;
}

function readVersion(cursor: GgufCursor, { source, file }: VersionOptions): number {
  const start = source.read(0, Math.min(64, source.size));
  const length = Math.min(start.length, GGUF_MAGIC.length);
  if (length === 0) {
    throw ggufError(file, "cut_off", {
      sentence: "it is empty. Download it again",
      size_bytes: 0,
      required_bytes: null,
    });
  }
  if (GGUF_MAGIC.some((byte, index) => index < length && start[index] !== byte)) {
    throw ggufError(file, "not_gguf", { sentence: describeOther(start) });
  }
  cursor.skip(GGUF_MAGIC.length);
  const version = cursor.u32();
  if (version === 2 || version === 3) return version;
  if (version !== 0 && version % 65_536 === 0) {
    throw ggufError(file, "big_endian", {
      sentence: "it was made for big-endian computers. Choose another file of the same model",
    });
  }
  throw ggufError(file, "unsupported_version", {
    sentence: `its GGUF version is ${version}, and 2 and 3 can be read. ` +
      "Choose another file of the same model",
    version,
  });
}

// What people find under the name of a model most often: the page or pointer that a plain download
// gives instead.
function describeOther(start: Uint8Array): string {
  const text = new TextDecoder().decode(start).trimStart().toLowerCase();
  if (text.startsWith("version https://git-lfs")) {
    return "it is a Git LFS pointer, not the model itself. Download the model's own file";
  }
  if (text.startsWith("<!doctype html") || text.startsWith("<html")) {
    return "it is a web page, not a model. Download the model's own file";
  }
  if (start.every((byte) => byte === 0)) {
    return "it begins with zeros, as an unfinished download does. Download it again";
  }
  return "it is not a GGUF file. Choose a file of the GGUF format";
}

function readMetadata(cursor: GgufCursor, keyCount: number) {
  const metadata = new Map<string, string | number | boolean | readonly number[]>();
  const seen = new Set<string>();
  let tokenCount: number | null = null;
  let room = MOST_KEPT_BYTES;
  for (let index = 0; index < keyCount; index++) {
    const key = readName(cursor, LONGEST_KEY);
    if (seen.has(key)) throw cursor.corrupt(`it has the key ${JSON.stringify(key)} twice`);
    seen.add(key);
    const type = cursor.u32();
    if (type === VALUE_TYPE.array) {
      const { length, values } = readArray(cursor, room);
      if (key === "tokenizer.ggml.tokens") tokenCount = length;
      if (!values || key.startsWith("tokenizer.")) continue;
      room -= 8 * length;
      metadata.set(key, values);
    } else if (type === VALUE_TYPE.string) {
      const isTemplate = key.startsWith("tokenizer.chat_template");
      const most = isTemplate ? LONGEST_KEPT_TEMPLATE : LONGEST_KEPT_STRING;
      const value = readString(cursor, { most: Math.min(most, room), cut: isTemplate });
      if (value === null) continue;
      room -= value.length;
      metadata.set(key, value);
    } else {
      const value = readScalar(cursor.view(bytesOf(cursor, type)), { type, at: 0 });
      if (value !== null) metadata.set(key, value);
    }
  }
  return { metadata, tokenCount };
}

function readName(cursor: GgufCursor, longest: number): string {
  const length = cursor.u64();
  if (length === 0 || length > longest) {
    throw cursor.corrupt("it holds a name of impossible length");
  }
  return cursor.text(length);
}

interface StringOptions {
  /** Bytes to keep. */
  most: number;
  /** Keep the beginning of a longer one, instead of nothing. */
  cut: boolean;
}

function readString(cursor: GgufCursor, { most, cut }: StringOptions): string | null {
  const length = cursor.u64();
  if (length > LONGEST_ANYTHING) throw cursor.corrupt("it holds a text of impossible length");
  if (length > cursor.remaining) throw cursor.cutOff();
  if (length > most && !cut) {
    cursor.skip(length);
    return null;
  }
  const text = cursor.text(Math.min(length, most));
  cursor.skip(Math.max(0, length - most));
  return text;
}

function readArray(cursor: GgufCursor, room: number): { length: number; values: number[] | null } {
  const type = cursor.u32();
  const length = cursor.u64();
  if (length > LONGEST_ANYTHING) throw cursor.corrupt("it holds a list of impossible length");
  if (type === VALUE_TYPE.string) {
    cursor.skipStrings(length);
    return { length, values: null };
  }
  const each = bytesOf(cursor, type);
  if (length > LONGEST_KEPT_ARRAY || 8 * length > room) {
    cursor.skip(length * each);
    return { length, values: null };
  }
  const view = cursor.view(length * each);
  const values: number[] = [];
  for (let index = 0; index < length; index++) {
    values.push(Number(readScalar(view, { type, at: index * each }) ?? 0));
  }
  return { length, values };
}

function bytesOf(cursor: GgufCursor, type: number): number {
  const bytes = VALUE_BYTES[type];
  if (bytes === undefined) throw cursor.corrupt(`it holds a value of unknown type ${type}`);
  return bytes;
}

interface ScalarPlace {
  type: number;
  at: number;
}

/** Null for a number that JavaScript cannot hold exactly, and for infinities. */
function readScalar(view: DataView, { type, at }: ScalarPlace): number | boolean | null {
  switch (type) {
    case VALUE_TYPE.u8:
      return view.getUint8(at);
    case VALUE_TYPE.i8:
      return view.getInt8(at);
    case VALUE_TYPE.u16:
      return view.getUint16(at, true);
    case VALUE_TYPE.i16:
      return view.getInt16(at, true);
    case VALUE_TYPE.u32:
      return view.getUint32(at, true);
    case VALUE_TYPE.i32:
      return view.getInt32(at, true);
    case VALUE_TYPE.bool:
      return view.getUint8(at) !== 0;
    case VALUE_TYPE.f32:
      return finite(view.getFloat32(at, true));
    case VALUE_TYPE.f64:
      return finite(view.getFloat64(at, true));
    case VALUE_TYPE.u64:
      return exact(view.getBigUint64(at, true));
    default:
      return exact(view.getBigInt64(at, true));
  }
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function exact(value: bigint): number | null {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : null;
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}

function formatBytes(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(1)} MB`;
  if (bytes >= 1e3) return `${(bytes / 1e3).toFixed(1)} kB`;
  return `${bytes} B`;
}
