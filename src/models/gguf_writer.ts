// Lays out a GGUF version 3 file: metadata, tensor table, data. What the tensors mean is the
// caller's; putting the bytes on disk too.

import {
  DEFAULT_ALIGNMENT,
  GGUF_MAGIC,
  TENSOR_TYPES,
  tensorBytes,
  VALUE_TYPE,
} from "./gguf_types.ts";

/** A metadata value together with the type it is stored as. */
export type GgufValue =
  | { u32: number }
  | { i32: number }
  | { u64: number }
  | { f32: number }
  | { bool: boolean }
  | { string: string }
  | { u32s: readonly number[] }
  | { i32s: readonly number[] }
  | { f32s: readonly number[] }
  | { bools: readonly boolean[] }
  | { strings: readonly string[] };

export interface GgufTensor {
  readonly name: string;
  /** The row's length first, as ggml counts. */
  readonly dimensions: readonly number[];
  /** ggml's id of the number format; 0 = F32 if left out. */
  readonly typeId?: number;
  /** The tensor's bytes; zeros if left out. */
  readonly data?: Uint8Array;
}

export interface GgufLayout {
  /** All before the first tensor, padding included. */
  readonly header: Uint8Array;
  /** Where each tensor with data begins in the file; all other bytes are zero. */
  readonly parts: readonly { readonly offset: number; readonly data: Uint8Array }[];
  /** Bytes of the whole file. */
  readonly sizeBytes: number;
}

export interface GgufContent {
  readonly metadata: Readonly<Record<string, GgufValue>>;
  readonly tensors: readonly GgufTensor[];
}

/** Where every byte of the file goes. Throws a RangeError for a tensor whose data does not fit it. */
export function layOutGguf(content: GgufContent): GgufLayout {
  const alignment = alignmentOf(content.metadata);
  const out = new ByteList();
  out.bytes(GGUF_MAGIC);
  out.u32(3);
  out.u64(content.tensors.length);
  out.u64(Object.keys(content.metadata).length);
  for (const [key, value] of Object.entries(content.metadata)) {
    out.string(key);
    putValue(out, value);
  }
  const starts: number[] = [];
  let dataBytes = 0;
  for (const tensor of content.tensors) {
    starts.push(dataBytes);
    out.string(tensor.name);
    out.u32(tensor.dimensions.length);
    for (const length of tensor.dimensions) out.u64(length);
    out.u32(tensor.typeId ?? 0);
    out.u64(dataBytes);
    dataBytes += padded(sizeOf(tensor), alignment);
  }
  const written = out.joined();
  const header = new Uint8Array(padded(written.length, alignment));
  header.set(written);
  const parts = content.tensors.flatMap(({ data }, index) =>
    data ? [{ offset: header.length + starts[index]!, data }] : []
  );
  return { header, parts, sizeBytes: header.length + dataBytes };
}

/** The file as one block of memory: for small ones. */
export function ggufBytes(layout: GgufLayout): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(layout.sizeBytes);
  bytes.set(layout.header);
  for (const { offset, data } of layout.parts) bytes.set(data, offset);
  return bytes;
}

function alignmentOf(metadata: GgufContent["metadata"]): number {
  const value = metadata["general.alignment"];
  return value && "u32" in value ? value.u32 : DEFAULT_ALIGNMENT;
}

function sizeOf(tensor: GgufTensor): number {
  const type = TENSOR_TYPES.get(tensor.typeId ?? 0);
  const size = type ? tensorBytes(type, tensor.dimensions) : null;
  if (size === null || (tensor.data && tensor.data.length !== size)) {
    throw new RangeError(`Tensor "${tensor.name}" has dimensions that do not fit its data or type`);
  }
  return size;
}

function padded(length: number, alignment: number): number {
  return Math.ceil(length / alignment) * alignment;
}

function putValue(out: ByteList, value: GgufValue): void {
  if ("u32" in value) {
    out.u32(VALUE_TYPE.u32);
    out.u32(value.u32);
  } else if ("i32" in value) {
    out.u32(VALUE_TYPE.i32);
    out.i32(value.i32);
  } else if ("u64" in value) {
    out.u32(VALUE_TYPE.u64);
    out.u64(value.u64);
  } else if ("f32" in value) {
    out.u32(VALUE_TYPE.f32);
    out.f32(value.f32);
  } else if ("bool" in value) {
    out.u32(VALUE_TYPE.bool);
    out.bool(value.bool);
  } else if ("string" in value) {
    out.u32(VALUE_TYPE.string);
    out.string(value.string);
  } else {
    out.u32(VALUE_TYPE.array);
    putArray(out, value);
  }
}

type GgufArray = Extract<
  GgufValue,
  | { u32s: unknown }
  | { i32s: unknown }
  | { f32s: unknown }
  | { bools: unknown }
  | { strings: unknown }
>;

function putArray(out: ByteList, value: GgufArray): void {
  if ("u32s" in value) {
    out.array(VALUE_TYPE.u32, value.u32s, (item) => out.u32(item));
  } else if ("i32s" in value) {
    out.array(VALUE_TYPE.i32, value.i32s, (item) => out.i32(item));
  } else if ("f32s" in value) {
    out.array(VALUE_TYPE.f32, value.f32s, (item) => out.f32(item));
  } else if ("bools" in value) {
    out.array(VALUE_TYPE.bool, value.bools, (item) => out.bool(item));
  } else {
    out.array(VALUE_TYPE.string, value.strings, (item) => out.string(item));
  }
}

// Growing replaces the view: each method grows first and takes the view after.
/** Bytes that grow at the end; little-endian whatever the machine is. */
class ByteList {
  #block = new Uint8Array(4096);
  #view = new DataView(this.#block.buffer);
  #length = 0;

  u32(value: number): void {
    const at = this.#grow(4);
    this.#view.setUint32(at, value, true);
  }

  i32(value: number): void {
    const at = this.#grow(4);
    this.#view.setInt32(at, value, true);
  }

  u64(value: number): void {
    const at = this.#grow(8);
    this.#view.setBigUint64(at, BigInt(value), true);
  }

  f32(value: number): void {
    const at = this.#grow(4);
    this.#view.setFloat32(at, value, true);
  }

  bool(value: boolean): void {
    const at = this.#grow(1);
    this.#view.setUint8(at, value ? 1 : 0);
  }

  bytes(value: Uint8Array): void {
    const at = this.#grow(value.length);
    this.#block.set(value, at);
  }

  string(value: string): void {
    const bytes = new TextEncoder().encode(value);
    this.u64(bytes.length);
    this.bytes(bytes);
  }

  array<T>(type: number, items: readonly T[], put: (item: T) => void): void {
    this.u32(type);
    this.u64(items.length);
    for (const item of items) put(item);
  }

  joined(): Uint8Array {
    return this.#block.subarray(0, this.#length);
  }

  /** Makes room at the end and says where it begins. */
  #grow(length: number): number {
    const at = this.#length;
    this.#length += length;
    if (this.#length > this.#block.length) {
      const larger = new Uint8Array(Math.max(this.#length, this.#block.length * 2));
      larger.set(this.#block);
      this.#block = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}
