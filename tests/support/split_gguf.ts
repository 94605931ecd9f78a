// Cuts a model file into two parts as llama.cpp's own tool does, so that a real llama-server loads it.

import { TENSOR_TYPES, tensorBytes } from "../../src/models/gguf_types.ts";

const ALIGNMENT = 32;
/** Numbers of the format: types of values, and how long those of a fixed length are. */
const [U16, I32, STRING] = [2, 5, 8];
const FIXED = new Map([[0, 1], [1, 1], [2, 2], [3, 2], [4, 4], [5, 4], [6, 4], [7, 1]]
  .concat([[10, 8], [11, 8], [12, 8]]) as [number, number][]);

interface Tensor {
  name: string;
  dimensions: number[];
  typeId: number;
  data: Uint8Array;
}

export function splitGguf(bytes: Uint8Array): [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>] {
  const { keyCount, keys, tensors } = parse(bytes);
  const half = Math.ceil(tensors.length / 2);
  function split(no: number) {
    return [["split.no", no], ["split.count", 2], ["split.tensors.count", tensors.length]] as const;
  }
  return [
    build({ keyCount, keys, split: split(0), tensors: tensors.slice(0, half) }),
    build({ keyCount: 0, keys: new Uint8Array(), split: split(1), tensors: tensors.slice(half) }),
  ];
}

function parse(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 8;
  const u32 = () => view.getUint32((at += 4) - 4, true);
  const u64 = () => Number(view.getBigUint64((at += 8) - 8, true));
  function text(): string {
    const length = u64();
    return new TextDecoder().decode(bytes.subarray(at, at += length));
  }
  function skipValue(type: number): void {
    const size = FIXED.get(type);
    if (size !== undefined) at += size;
    else if (type === STRING) text();
    else for (let element = u32(), left = u64(); left > 0; left--) skipValue(element);
  }
  const [tensorCount, keyCount] = [u64(), u64()];
  const keysAt = at;
  for (let n = 0; n < keyCount; n++) {
    text();
    skipValue(u32());
  }
  const keys = bytes.subarray(keysAt, at);
  const infos = Array.from({ length: tensorCount }, () => {
    const name = text();
    const dimensions = Array.from({ length: u32() }, u64);
    return { name, dimensions, typeId: u32(), offset: u64() };
  });
  const dataAt = Math.ceil(at / ALIGNMENT) * ALIGNMENT;
  const tensors = infos.map(({ offset, ...info }): Tensor => {
    const size = tensorBytes(TENSOR_TYPES.get(info.typeId)!, info.dimensions)!;
    return { ...info, data: bytes.subarray(dataAt + offset, dataAt + offset + size) };
  });
  return { keyCount, keys, tensors };
}

interface Part {
  keyCount: number;
  keys: Uint8Array;
  split: readonly (readonly [string, number])[];
  tensors: Tensor[];
}

function build({ keyCount, keys, split, tensors }: Part): Uint8Array<ArrayBuffer> {
  const out: number[] = [];
  const number = (value: number, bytes: number) => {
    for (let n = 0; n < bytes; n++) out.push(Math.floor(value / 2 ** (8 * n)) % 256);
  };
  const text = (value: string) => {
    const encoded = new TextEncoder().encode(value);
    number(encoded.length, 8);
    out.push(...encoded);
  };
  const pad = () => {
    while (out.length % ALIGNMENT !== 0) out.push(0);
  };
  out.push(...new TextEncoder().encode("GGUF"));
  number(3, 4);
  number(tensors.length, 8);
  number(keyCount + split.length, 8);
  for (const byte of keys) out.push(byte);
  for (const [key, value] of split) {
    text(key);
    const isWide = key === "split.tensors.count";
    number(isWide ? I32 : U16, 4);
    number(value, isWide ? 4 : 2);
  }
  let offset = 0;
  for (const { name, dimensions, typeId, data } of tensors) {
    text(name);
    number(dimensions.length, 4);
    for (const length of dimensions) number(length, 8);
    number(typeId, 4);
    number(offset, 8);
    offset += Math.ceil(data.length / ALIGNMENT) * ALIGNMENT;
  }
  pad();
  for (const { data } of tensors) {
    for (const byte of data) out.push(byte);
    pad();
  }
  return new Uint8Array(out);
}
