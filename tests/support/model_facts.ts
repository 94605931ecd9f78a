// Headers of well-known models as facts, by their shapes: for formulas that must match what was
// published or measured for them.

import type { GgufFacts } from "../../src/models/gguf.ts";

export interface ModelShape extends Partial<GgufFacts> {
  architecture: string;
  layers: number;
  /** KV heads, of all layers or one by one. */
  kvHeads: number | number[];
  /** Length of a key and of a value. */
  head: number;
  embedding?: number;
  feedForward?: number;
  vocabulary?: number;
  /** Without the architecture's name. */
  keys?: Record<string, number | readonly number[]>;
}

export function modelFacts(shape: ModelShape): GgufFacts {
  const { architecture, layers, kvHeads, head, embedding, feedForward, vocabulary, keys, ...rest } =
    shape;
  const headCountKv = typeof kvHeads === "number" ? new Array(layers).fill(kvHeads) : kvHeads;
  return {
    version: 3,
    architecture,
    name: null,
    sizeLabel: null,
    quantization: "Q4_K_M",
    kind: "chat",
    capabilities: ["chat"],
    contextLength: 131_072,
    embeddingLength: embedding ?? 4096,
    blockCount: layers,
    headCount: new Array(layers).fill(32),
    headCountKv,
    keyLength: head,
    valueLength: head,
    feedForwardLength: feedForward ?? 14_336,
    vocabSize: vocabulary ?? 32_000,
    expertCount: null,
    expertUsedCount: null,
    expertFeedForwardLength: null,
    slidingWindow: null,
    pooling: null,
    causal: true,
    chatTemplate: null,
    splitCount: 1,
    splitNo: 0,
    tensorCount: 291,
    weightsBytes: 4_000_000_000,
    tokenEmbeddingBytes: 0,
    expertBytes: 0,
    blockBytes: [],
    hasOutputTensor: true,
    headerBytes: 4096,
    requiredFileBytes: 4_000_004_096,
    metadata: new Map(
      Object.entries(keys ?? {}).map(([key, value]) => [`${architecture}.${key}`, value]),
    ),
    ...rest,
  };
}

export const LLAMA_3_8B = modelFacts({
  architecture: "llama",
  layers: 32,
  kvHeads: 8,
  head: 128,
  embedding: 4096,
  feedForward: 14_336,
  vocabulary: 128_256,
  contextLength: 8192,
  weightsBytes: 4_912_898_048,
  tokenEmbeddingBytes: 295_501_824,
});

export const LLAMA_32_3B = modelFacts({
  architecture: "llama",
  layers: 28,
  kvHeads: 8,
  head: 128,
  embedding: 3072,
  feedForward: 8192,
  vocabulary: 128_256,
  weightsBytes: 2_011_539_456,
  hasOutputTensor: false,
});

export const QWEN_25_7B = modelFacts({
  architecture: "qwen2",
  layers: 28,
  kvHeads: 4,
  head: 128,
  embedding: 3584,
  feedForward: 18_944,
  vocabulary: 152_064,
  weightsBytes: 4_677_120_000,
});

export const QWEN_3_8B = modelFacts({
  architecture: "qwen3",
  layers: 36,
  kvHeads: 8,
  head: 128,
  embedding: 4096,
  feedForward: 12_288,
  vocabulary: 151_936,
  weightsBytes: 5_021_827_072,
});

export const QWEN_3_30B_A3B = modelFacts({
  architecture: "qwen3moe",
  layers: 48,
  kvHeads: 4,
  head: 128,
  embedding: 2048,
  feedForward: 6144,
  vocabulary: 151_936,
  expertCount: 128,
  expertUsedCount: 8,
  expertFeedForwardLength: 768,
  weightsBytes: 18_550_716_416,
  expertBytes: 17_000_000_000,
});

export const MIXTRAL = modelFacts({
  architecture: "llama",
  layers: 32,
  kvHeads: 8,
  head: 128,
  embedding: 4096,
  feedForward: 14_336,
  expertCount: 8,
  expertUsedCount: 2,
  weightsBytes: 28_380_618_752,
});

export const PHI_3_MINI = modelFacts({
  architecture: "phi3",
  layers: 32,
  kvHeads: 32,
  head: 96,
  embedding: 3072,
  feedForward: 8192,
  vocabulary: 32_064,
  slidingWindow: 2047,
  contextLength: 4096,
  weightsBytes: 2_392_493_568,
});

export const GEMMA_2_9B = modelFacts({
  architecture: "gemma2",
  layers: 42,
  kvHeads: 8,
  head: 256,
  embedding: 3584,
  feedForward: 14_336,
  vocabulary: 256_000,
  slidingWindow: 4096,
  contextLength: 8192,
  weightsBytes: 5_755_000_832,
});

export const GEMMA_3_4B = modelFacts({
  architecture: "gemma3",
  layers: 34,
  kvHeads: 4,
  head: 256,
  embedding: 2560,
  feedForward: 10_240,
  vocabulary: 262_144,
  slidingWindow: 1024,
  weightsBytes: 2_483_352_832,
});

export const GPT_OSS_20B = modelFacts({
  architecture: "gpt-oss",
  layers: 24,
  kvHeads: 8,
  head: 64,
  embedding: 2880,
  feedForward: 2880,
  vocabulary: 201_088,
  expertCount: 32,
  expertUsedCount: 4,
  expertFeedForwardLength: 2880,
  slidingWindow: 128,
  weightsBytes: 12_096_558_336,
});

/** 36 layers with a state, 12 that attend. */
export const QWEN_3_NEXT_80B = modelFacts({
  architecture: "qwen3next",
  layers: 48,
  kvHeads: 2,
  head: 256,
  embedding: 2048,
  keys: {
    "ssm.conv_kernel": 4,
    "ssm.inner_size": 4096,
    "ssm.group_count": 16,
    "ssm.state_size": 128,
    full_attention_interval: 4,
  },
});

/** With the newer keys: one latent vector of 576 in each layer, and no values. */
export const DEEPSEEK_V2_LITE = modelFacts({
  architecture: "deepseek2",
  layers: 27,
  kvHeads: 1,
  head: 576,
  valueLength: 512,
  embedding: 2048,
  keys: { "attention.key_length_mla": 192, "attention.value_length_mla": 128 },
});

/** An encoder: it keeps nothing of what it read. */
export const BGE_M3 = modelFacts({
  architecture: "bert",
  layers: 24,
  kvHeads: 16,
  head: 64,
  embedding: 1024,
  feedForward: 4096,
  vocabulary: 250_002,
  contextLength: 8192,
  kind: "embedding",
  causal: false,
  weightsBytes: 437_000_000,
});
