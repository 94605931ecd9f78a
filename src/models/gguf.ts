// What a GGUF file's header says of the model in it, in typed values with the format's defaults
// filled in. Memory formulas, names and folders are others'.

import { basename } from "node:path";
import type { Capability } from "../api_types.ts";
import type { AppError } from "../errors.ts";
import { type ByteSource, ggufError } from "./gguf_cursor.ts";
import {
  type GgufHeader,
  type GgufMetadata,
  type GgufReadOptions,
  readGgufHeader,
} from "./gguf_header.ts";
import { capabilitiesOf, type GgufKind, kindOf, type Pooling, POOLINGS } from "./gguf_kind.ts";
import { MOST_LAYERS } from "./gguf_tensors.ts";
import { quantizationOf } from "./gguf_types.ts";

/** Null = the file does not say, and the format has no default. */
export interface GgufFacts {
  /** Of the format: 2 or 3. */
  version: number;
  /** Null only in the later parts of a split model. */
  architecture: string | null;
  name: string | null;
  /** `0.6B` */
  sizeLabel: string | null;
  /** `Q4_K_M`; the most used number format where the file has no label. */
  quantization: string | null;
  kind: GgufKind;
  capabilities: Capability[];

  /** Tokens that the model was trained for. */
  contextLength: number | null;
  embeddingLength: number | null;
  blockCount: number | null;
  /** One entry per layer. */
  headCount: number[];
  /** One entry per layer; 0 = a layer without attention. */
  headCountKv: number[];
  keyLength: number | null;
  valueLength: number | null;
  /** The largest of all layers. */
  feedForwardLength: number | null;
  vocabSize: number | null;
  expertCount: number | null;
  expertUsedCount: number | null;
  expertFeedForwardLength: number | null;
  /** Tokens; which layers have it depends on the architecture. */
  slidingWindow: number | null;
  pooling: Pooling | null;
  causal: boolean;
  /** Jinja, at most its first 256 KiB. */
  chatTemplate: string | null;

  /** 1 = not split. */
  splitCount: number;
  /** From 0. */
  splitNo: number;
  tensorCount: number;
  /** All tensors. */
  weightsBytes: number;
  tokenEmbeddingBytes: number;
  expertBytes: number;
  /** Bytes of each layer's tensors. */
  blockBytes: number[];
  /** False = the output uses the token embedding. */
  hasOutputTensor: boolean;
  /** Where the tensors' data begins. */
  headerBytes: number;
  /** The end of the last tensor: a shorter file is cut off, and was refused. */
  requiredFileBytes: number;
  /** Everything else that the header says: scalars, short texts, arrays of up to 1,024 numbers. */
  metadata: GgufMetadata;
}

/**
 * Reads the header of a regular file (a link is refused). Throws AppError `model_file_invalid` with
 * `values.reason` (GgufProblem), and Deno's own errors where the file cannot be opened.
 */
export async function readGgufFacts(
  path: string,
  options: Pick<GgufReadOptions, "onTensor"> = {},
): Promise<GgufFacts> {
  const file = basename(path);
  // Before it is opened: to open a pipe waits for its writer.
  if (!(await Deno.lstat(path)).isFile) throw notAFile(file);
  using opened = await Deno.open(path, { read: true });
  const { isFile, size } = await opened.stat();
  if (!isFile) throw notAFile(file);
  return parseGguf(fileSource(opened, size), { ...options, file });
}

function notAFile(file: string): AppError {
  const sentence = "it is not a regular file. Choose the model's file itself";
  return ggufError(file, "not_a_file", { sentence });
}

/** What it gives is good until the next call: one piece of memory serves for the whole header. */
function fileSource(file: Deno.FsFile, size: number): ByteSource {
  let memory = new Uint8Array(0);
  return {
    size,
    read(offset, length) {
      if (memory.length < length) memory = new Uint8Array(length);
      const bytes = memory.subarray(0, length);
      file.seekSync(offset, Deno.SeekMode.Start);
      let done = 0;
      while (done < length) {
        const count = file.readSync(bytes.subarray(done));
        if (count === null) break;
        done += count;
      }
      return bytes.subarray(0, done);
    },
  };
}

/** The same for bytes from anywhere. */
export function parseGguf(source: ByteSource, options: GgufReadOptions): GgufFacts {
  const header = readGgufHeader(source, options);
  const { metadata, tensors } = header;
  const splitCount = count(metadata, "split.count") || 1;
  const splitNo = count(metadata, "split.no") ?? 0;
  const architecture = text(metadata, "general.architecture");
  if (architecture === null && splitNo === 0) {
    throw damaged(options.file, "it does not say which architecture it has");
  }
  const model = new ModelKeys(metadata, architecture ?? "");
  const blockCount = model.count("block_count");
  if (blockCount !== null && blockCount > MOST_LAYERS) {
    throw damaged(options.file, `it claims ${blockCount} layers`);
  }
  const embeddingLength = model.count("embedding_length");
  const headCount = model.perLayer("attention.head_count", blockCount);
  const headCountKv = model.perLayer("attention.head_count_kv", blockCount);
  const heads = headCount.find((each) => each > 0);
  const headLength = embeddingLength !== null && heads ? Math.floor(embeddingLength / heads) : null;
  const chatTemplate = text(metadata, "tokenizer.chat_template");
  const evidence = {
    architecture,
    metadata,
    chatTemplate,
    pooling: POOLINGS[model.count("pooling_type") ?? -1] ?? null,
    causal: metadata.get(`${architecture}.attention.causal`) !== false,
    hasClassifier: tensors.hasClassifier,
    hasWeights: tensors.count > 0 || splitCount > 1,
  };
  const kind = kindOf(evidence);
  return {
    version: header.version,
    architecture,
    name: text(metadata, "general.name"),
    sizeLabel: text(metadata, "general.size_label"),
    quantization: quantization(header),
    kind,
    capabilities: capabilitiesOf(kind, evidence),
    contextLength: model.count("context_length"),
    embeddingLength,
    blockCount,
    headCount,
    headCountKv: headCountKv.length > 0 ? headCountKv : headCount,
    keyLength: model.count("attention.key_length") ?? headLength,
    valueLength: model.count("attention.value_length") ?? headLength,
    feedForwardLength: model.largest("feed_forward_length"),
    vocabSize: model.count("vocab_size") ?? header.tokenCount,
    expertCount: model.count("expert_count"),
    expertUsedCount: model.count("expert_used_count"),
    expertFeedForwardLength: model.count("expert_feed_forward_length"),
    slidingWindow: model.count("attention.sliding_window"),
    pooling: evidence.pooling,
    causal: evidence.causal,
    chatTemplate,
    splitCount,
    splitNo,
    tensorCount: tensors.count,
    weightsBytes: tensors.bytes,
    tokenEmbeddingBytes: tensors.tokenEmbeddingBytes,
    expertBytes: tensors.expertBytes,
    blockBytes: tensors.blockBytes,
    hasOutputTensor: tensors.hasOutput,
    headerBytes: header.headerBytes,
    requiredFileBytes: header.requiredFileBytes,
    metadata,
  };
}

function damaged(file: string, what: string): AppError {
  const sentence = `${what}, so the file is damaged. Download it again`;
  return ggufError(file, "corrupt", { sentence });
}

function quantization({ metadata, tensors }: GgufHeader): string | null {
  const fileType = count(metadata, "general.file_type");
  const label = fileType === null ? null : quantizationOf(fileType);
  if (label !== null) return label;
  const byBytes = [...tensors.bytesByType].sort(([, a], [, b]) => b - a);
  return byBytes[0]?.[0] ?? null;
}

function text(metadata: GgufMetadata, key: string): string | null {
  const value = metadata.get(key);
  return typeof value === "string" && value !== "" ? value : null;
}

function count(metadata: GgufMetadata, key: string): number | null {
  const value = metadata.get(key);
  return isCount(value) ? value : null;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The keys that begin with the architecture's name. */
class ModelKeys {
  readonly #metadata: GgufMetadata;
  readonly #architecture: string;

  constructor(metadata: GgufMetadata, architecture: string) {
    this.#metadata = metadata;
    this.#architecture = architecture;
  }

  count(key: string): number | null {
    return count(this.#metadata, `${this.#architecture}.${key}`);
  }

  /** One number for all layers or one for each; empty without the key. */
  perLayer(key: string, layers: number | null): number[] {
    const value = this.#metadata.get(`${this.#architecture}.${key}`);
    if (isCount(value)) return new Array<number>(layers ?? 1).fill(value);
    if (typeof value !== "object") return [];
    const given = value.map((each) => isCount(each) ? each : 0);
    return Array.from({ length: layers ?? given.length }, (_, layer) => given[layer] ?? 0);
  }

  largest(key: string): number | null {
    const value = this.#metadata.get(`${this.#architecture}.${key}`);
    if (isCount(value)) return value;
    if (typeof value !== "object") return null;
    return value.reduce((most, each) => isCount(each) ? Math.max(most, each) : most, 0);
  }
}
