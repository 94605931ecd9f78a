// Facts of a model whose header nobody has read yet: approximate, from its shape in the catalogue and
// the size of its file. What the Hub or the file says replaces them.

import type { GgufFacts } from "./gguf.ts";
import type { GgufKind } from "./gguf_kind.ts";
import { type ModelShape, type ParameterCounts, parametersOf, perLayer } from "./model_shape.ts";

export interface ShapeFactsOptions {
  name: string;
  kind: Extract<GgufKind, "chat" | "embedding" | "rerank">;
  contextLength: number | null;
  /** Of all parts, without the projector. */
  sizeBytes: number;
  /** `Q4_K_M`; null = unknown. */
  quantization: string | null;
}

/** What a header takes for each token: its text, score and type, and the rules that join it. */
const HEADER_BYTES_PER_TOKEN = 40;
/** Of the file, at most: a made-up vocabulary must not leave nothing for the weights. */
const MOST_HEADER_SHARE = 0.1;

export function factsFromShape(shape: ModelShape, options: ShapeFactsOptions): GgufFacts {
  const { kind, sizeBytes, quantization } = options;
  const layers = shape.block_count;
  const headerBytes = Math.ceil(
    Math.min(shape.vocab_size * HEADER_BYTES_PER_TOKEN, sizeBytes * MOST_HEADER_SHARE),
  );
  const weightsBytes = sizeBytes - headerBytes;
  const counts = parametersOf(shape);
  const bytes = bytesOf(counts, { weightsBytes, quantization });
  return {
    version: 3,
    architecture: shape.architecture,
    name: options.name,
    sizeLabel: null,
    quantization,
    kind,
    capabilities: kind === "chat" ? ["chat", "completion"] : [kind],
    contextLength: options.contextLength,
    embeddingLength: shape.embedding_length,
    blockCount: layers,
    headCount: new Array<number>(layers).fill(shape.head_count),
    headCountKv: Array.from({ length: layers }, (_, layer) => perLayer(shape.head_count_kv, layer)),
    keyLength: shape.key_length,
    valueLength: shape.value_length,
    feedForwardLength: widest(shape),
    vocabSize: shape.vocab_size,
    expertCount: shape.expert_count ?? null,
    expertUsedCount: shape.expert_used_count ?? null,
    expertFeedForwardLength: shape.expert_feed_forward_length ?? null,
    slidingWindow: shape.sliding_window ?? null,
    pooling: kind === "rerank" ? "rank" : null,
    causal: shape.output !== "none",
    chatTemplate: null,
    splitCount: 1,
    splitNo: 0,
    tensorCount: 0,
    weightsBytes,
    ...bytes,
    hasOutputTensor: counts.output > 0,
    headerBytes,
    requiredFileBytes: sizeBytes,
    metadata: metadataOf(shape),
  };
}

type PartBytes = Pick<GgufFacts, "tokenEmbeddingBytes" | "expertBytes" | "blockBytes">;

// The embedding and the output often have another number format than the layers. Where the label
// tells which, they are counted in it; the layers share what is left.
function bytesOf(
  counts: ParameterCounts,
  { weightsBytes, quantization }: Pick<GgufFacts, "weightsBytes" | "quantization">,
): PartBytes {
  const average = weightsBytes / Math.max(1, counts.total);
  let embedding = embeddingBits(quantization, counts.output === 0);
  let output = OUTPUT_BITS.find(([label]) => label.test(quantization ?? ""))?.[1] ?? null;
  const known = (counts.tokenEmbedding * (embedding ?? 0) + counts.output * (output ?? 0)) / 8;
  if (embedding === null || output === null || known > weightsBytes) embedding = output = null;
  const embeddingBytes = counts.tokenEmbedding * (embedding === null ? average : embedding / 8);
  const outputBytes = counts.output * (output === null ? average : output / 8);
  const rest = Math.max(1, counts.total - counts.tokenEmbedding - counts.output);
  const perParameter = Math.max(0, weightsBytes - embeddingBytes - outputBytes) / rest;
  return {
    tokenEmbeddingBytes: Math.floor(embeddingBytes),
    expertBytes: Math.floor(counts.experts * perParameter),
    blockBytes: counts.blocks.map((count) => Math.floor(count * perParameter)),
  };
}

/** Bits of one number, by the label's beginning: what llama.cpp's quantizer chooses for the output. */
const OUTPUT_BITS: readonly (readonly [label: RegExp, bits: number])[] = [
  [/^F32$/, 32],
  [/^B?F16$/, 16],
  [/^(Q8_0|MXFP4)/, 8.5],
  [/^(UD-)?(Q[2-6]|IQ)/, 6.5625],
];

const EMBEDDING_BITS: typeof OUTPUT_BITS = [
  [/^(UD-)?Q6_K/, 6.5625],
  [/^(UD-)?Q5/, 5.5],
  [/^(UD-)?(Q4|IQ4)/, 4.5],
  [/^(UD-)?(Q3|IQ3)/, 3.4375],
  [/^(UD-)?(Q2|IQ)/, 2.625],
];

function embeddingBits(quantization: string | null, isOutput: boolean): number | null {
  const label = quantization ?? "";
  const own = isOutput ? [] : EMBEDDING_BITS;
  return [...own, ...OUTPUT_BITS].find(([pattern]) => pattern.test(label))?.[1] ?? null;
}

function widest({ feed_forward_length: width }: ModelShape): number {
  return typeof width === "number" ? width : Math.max(0, ...width);
}

/** The keys that the rules for caches read beyond the facts themselves. */
function metadataOf(shape: ModelShape): GgufFacts["metadata"] {
  const { architecture, ssm, shortconv } = shape;
  const keys: Record<string, number | undefined> = {
    "attention.sliding_window_pattern": shape.sliding_window_pattern,
    "attention.key_length_swa": shape.key_length_swa,
    "attention.value_length_swa": shape.value_length_swa,
    "attention.shared_kv_layers": shape.shared_kv_layers,
    full_attention_interval: shape.full_attention_interval,
    "ssm.conv_kernel": ssm?.conv_kernel,
    "ssm.inner_size": ssm?.inner_size,
    "ssm.state_size": ssm?.state_size,
    "ssm.group_count": ssm?.group_count,
    "shortconv.l_cache": shortconv?.l_cache,
    embedding_length_per_layer_input: shape.embedding_length_per_layer_input,
  };
  return new Map(
    Object.entries(keys).flatMap(([key, value]) =>
      value === undefined ? [] : [[`${architecture}.${key}`, value] as const]
    ),
  );
}
