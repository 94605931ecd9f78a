// The tensor table of a GGUF header, in sums: how many bytes of what. Each tensor's place is checked
// as llama.cpp checks it, so that no file is believed to hold more than it does.

import { type GgufCursor, ggufError } from "./gguf_cursor.ts";
import { TENSOR_TYPES, tensorBytes, type TensorType } from "./gguf_types.ts";

/** All in bytes. */
export interface TensorSums {
  count: number;
  bytes: number;
  tokenEmbeddingBytes: number;
  /** The experts of mixture-of-experts models: of them only some are read for each token. */
  expertBytes: number;
  /** By layer. */
  blockBytes: number[];
  /** False = the output uses the token embedding. */
  hasOutput: boolean;
  /** True for what ranks texts instead of writing them. */
  hasClassifier: boolean;
  /** Names of number formats -> bytes stored in them. */
  bytesByType: Map<string, number>;
}

/** One line of the table. */
export interface TensorEntry {
  name: string;
  /** `Q4_K` */
  type: string;
  dimensions: readonly number[];
}

export interface TensorTableOptions {
  /** The file's name, for messages. */
  file: string;
  tensorCount: number;
  alignment: number;
  /** Told of each, in order: nothing else keeps them. */
  onTensor?: ((tensor: TensorEntry) => void) | undefined;
}

export interface TensorTable {
  sums: TensorSums;
  /** From where the data begins to the end of the last tensor. */
  dataBytes: number;
}

const LONGEST_TENSOR_NAME = 255;
const MOST_DIMENSIONS = 4;
/** llama.cpp takes 512. */
export const MOST_LAYERS = 1024;

export function readTensorTable(cursor: GgufCursor, options: TensorTableOptions): TensorTable {
  const sums: TensorSums = {
    count: options.tensorCount,
    bytes: 0,
    tokenEmbeddingBytes: 0,
    expertBytes: 0,
    blockBytes: [],
    hasOutput: false,
    hasClassifier: false,
    bytesByType: new Map(),
  };
  const seen = new Set<string>();
  let dataBytes = 0;
  for (let index = 0; index < options.tensorCount; index++) {
    const { name, type, dimensions, bytes, offset } = readTensor(cursor, options.file);
    if (seen.has(name)) throw cursor.corrupt(`it has the tensor ${JSON.stringify(name)} twice`);
    seen.add(name);
    // One after the other, each at the next multiple of the alignment: anything else would let
    // tensors overlap, or lie outside.
    if (offset !== padded(dataBytes, options.alignment)) {
      throw cursor.corrupt(`its tensor ${JSON.stringify(name)} is not where it should be`);
    }
    dataBytes = offset + bytes;
    if (!Number.isSafeInteger(dataBytes)) {
      throw cursor.corrupt(`its tensor ${JSON.stringify(name)} has an impossible size`);
    }
    addTensor(sums, { name, bytes, typeName: type.name });
    options.onTensor?.({ name, type: type.name, dimensions });
  }
  return { sums, dataBytes };
}

/** `length` rounded up. */
export function padded(length: number, alignment: number): number {
  return Math.ceil(length / alignment) * alignment;
}

interface Tensor {
  name: string;
  type: TensorType;
  dimensions: number[];
  bytes: number;
  offset: number;
}

function readTensor(cursor: GgufCursor, file: string): Tensor {
  const nameLength = cursor.u64();
  if (nameLength === 0 || nameLength > LONGEST_TENSOR_NAME) {
    throw cursor.corrupt("it holds a tensor with a name of impossible length");
  }
  const name = cursor.text(nameLength);
  const dimensionCount = cursor.u32();
  if (dimensionCount > MOST_DIMENSIONS) {
    throw cursor.corrupt(`its tensor ${JSON.stringify(name)} has ${dimensionCount} dimensions`);
  }
  const dimensions: number[] = [];
  for (let index = 0; index < dimensionCount; index++) dimensions.push(cursor.u64());
  const typeId = cursor.u32();
  const type = TENSOR_TYPES.get(typeId);
  if (!type) {
    throw ggufError(file, "unknown_tensor_type", {
      sentence: `it holds numbers of a format (${typeId}) that is not known here. ` +
        "Choose another quantization of the same model",
      tensor_type: typeId,
    });
  }
  const bytes = tensorBytes(type, dimensions);
  if (bytes === null) {
    throw cursor.corrupt(`its tensor ${JSON.stringify(name)} has impossible dimensions`);
  }
  return { name, type, dimensions, bytes, offset: cursor.u64() };
}

interface SizedTensor {
  name: string;
  bytes: number;
  typeName: string;
}

function addTensor(sums: TensorSums, { name, bytes, typeName }: SizedTensor): void {
  sums.bytes += bytes;
  sums.bytesByType.set(typeName, (sums.bytesByType.get(typeName) ?? 0) + bytes);
  if (name === "token_embd.weight") sums.tokenEmbeddingBytes += bytes;
  if (name === "output.weight") sums.hasOutput = true;
  if (name === "cls.weight" || name === "cls.output.weight") sums.hasClassifier = true;
  if (name.includes("_exps.")) sums.expertBytes += bytes;
  const layer = Number(/^blk\.(\d{1,4})\./.exec(name)?.[1] ?? NaN);
  if (!(layer < MOST_LAYERS)) return;
  while (sums.blockBytes.length <= layer) sums.blockBytes.push(0);
  sums.blockBytes[layer]! += bytes;
}
