// Well-known models by the tensors of their published files: headers of the true shapes and number
// formats, read by the product's own reader. For figures that were published or printed for them.

import { type GgufFacts, parseGguf } from "../../src/models/gguf.ts";
import { type GgufTensor, type GgufValue, layOutGguf } from "../../src/models/gguf_writer.ts";

const F32 = 0;
const Q8_0 = 8;
const Q4_K = 12;
const Q5_K = 13;
const Q6_K = 14;
const MXFP4 = 39;
const Q4_K_M_FILE = 15;
const MXFP4_FILE = 38;

interface Shape {
  architecture: string;
  layers: number;
  embedding: number;
  heads: number;
  kvHeads: number;
  head: number;
  feedForward: number;
  vocabulary: number;
  context: number;
  isTied?: boolean;
  experts?: { count: number; used: number; feedForward?: number };
  window?: number;
  /** Queries, keys and values in one tensor, gate and up in one. */
  isFused?: boolean;
  hasBiases?: boolean;
  /** Norms of queries and keys, norms behind attention and feed-forward. */
  norms?: readonly ("qk" | "post")[];
}

export function publishedFacts(shape: Shape): GgufFacts {
  const { header, sizeBytes } = layOutGguf({
    metadata: metadataOf(shape),
    tensors: tensorsOf(shape),
  });
  const source = {
    size: sizeBytes,
    read: (offset: number, length: number) => header.subarray(offset, offset + length),
  };
  return parseGguf(source, { file: "published.gguf" });
}

function metadataOf(shape: Shape): Record<string, GgufValue> {
  const { architecture, experts, window } = shape;
  const own: Record<string, GgufValue> = {
    context_length: { u32: shape.context },
    embedding_length: { u32: shape.embedding },
    block_count: { u32: shape.layers },
    feed_forward_length: { u32: shape.feedForward },
    "attention.head_count": { u32: shape.heads },
    "attention.head_count_kv": { u32: shape.kvHeads },
    "attention.key_length": { u32: shape.head },
    "attention.value_length": { u32: shape.head },
    vocab_size: { u32: shape.vocabulary },
    ...(experts && {
      expert_count: { u32: experts.count },
      expert_used_count: { u32: experts.used },
      ...(experts.feedForward && { expert_feed_forward_length: { u32: experts.feedForward } }),
    }),
    ...(window !== undefined && { "attention.sliding_window": { u32: window } }),
  };
  return {
    "general.architecture": { string: architecture },
    "general.file_type": { u32: architecture === "gpt-oss" ? MXFP4_FILE : Q4_K_M_FILE },
    "tokenizer.chat_template": { string: "{{ messages }}" },
    ...Object.fromEntries(
      Object.entries(own).map(([key, value]) => [`${architecture}.${key}`, value]),
    ),
  };
}

/** As Q4_K_M is made: some layers keep more bits of what matters most. */
function hasMoreBits(layer: number, layers: number): boolean {
  const eighth = Math.floor(layers / 8);
  return layer < eighth || layer >= Math.floor(7 * layers / 8) || (layer - eighth) % 3 === 2;
}

function tensorsOf(shape: Shape): GgufTensor[] {
  const { embedding, heads, kvHeads, head, layers, vocabulary, experts } = shape;
  const isOss = shape.architecture === "gpt-oss";
  const isMixtral = experts?.count === 8;
  const format = (typeId: number) => isOss ? Q8_0 : typeId;
  const tensors: GgufTensor[] = [];
  const add = (name: string, dimensions: number[], typeId: number = F32) =>
    tensors.push({ name: `${name}.weight`, dimensions, typeId });
  const bias = (name: string, dimensions: number[]) =>
    tensors.push({ name: `${name}.bias`, dimensions, typeId: F32 });
  add("token_embd", [embedding, vocabulary], format(shape.isTied ? Q6_K : Q4_K));
  add("output_norm", [embedding]);
  if (!shape.isTied) add("output", [embedding, vocabulary], format(Q6_K));
  for (let layer = 0; layer < layers; layer++) {
    const at = (name: string) => `blk.${layer}.${name}`;
    const better = hasMoreBits(layer, layers) ? Q6_K : Q4_K;
    add(at("attn_norm"), [embedding]);
    add(at("ffn_norm"), [embedding]);
    if (shape.isFused) {
      add(at("attn_qkv"), [embedding, (heads + 2 * kvHeads) * head], Q5_K);
    } else {
      add(at("attn_q"), [embedding, heads * head], format(Q4_K));
      add(at("attn_k"), [embedding, kvHeads * head], format(isMixtral ? Q8_0 : Q4_K));
      add(at("attn_v"), [embedding, kvHeads * head], format(isMixtral ? Q8_0 : better));
    }
    add(at("attn_output"), [heads * head, embedding], format(Q4_K));
    if (shape.hasBiases || isOss) {
      bias(at("attn_q"), [heads * head]);
      bias(at("attn_k"), [kvHeads * head]);
      bias(at("attn_v"), [kvHeads * head]);
    }
    if (isOss) {
      bias(at("attn_output"), [embedding]);
      add(at("attn_sinks"), [heads]);
    }
    if (shape.norms?.includes("qk")) {
      add(at("attn_q_norm"), [head]);
      add(at("attn_k_norm"), [head]);
    }
    if (shape.norms?.includes("post")) {
      add(at("post_attention_norm"), [embedding]);
      add(at("post_ffw_norm"), [embedding]);
    }
    addFeedForward(shape, { at, add, bias, better });
  }
  return tensors;
}

interface FeedForwardOptions {
  at(name: string): string;
  add(name: string, dimensions: number[], typeId?: number): void;
  bias(name: string, dimensions: number[]): void;
  better: number;
}

function addFeedForward(shape: Shape, { at, add, bias, better }: FeedForwardOptions): void {
  const { embedding, experts } = shape;
  if (experts === undefined) {
    const width = shape.feedForward;
    if (shape.isFused) add(at("ffn_up"), [embedding, 2 * width], Q4_K);
    else for (const name of ["ffn_gate", "ffn_up"]) add(at(name), [embedding, width], Q4_K);
    return add(at("ffn_down"), [width, embedding], better);
  }
  const width = experts.feedForward ?? shape.feedForward;
  const isOss = shape.architecture === "gpt-oss";
  add(at("ffn_gate_inp"), [embedding, experts.count]);
  for (const name of ["ffn_gate_exps", "ffn_up_exps"]) {
    add(at(name), [embedding, width, experts.count], isOss ? MXFP4 : Q4_K);
  }
  add(at("ffn_down_exps"), [width, embedding, experts.count], isOss ? MXFP4 : better);
  if (!isOss) return;
  bias(at("ffn_gate_inp"), [experts.count]);
  bias(at("ffn_gate_exps"), [width, experts.count]);
  bias(at("ffn_up_exps"), [width, experts.count]);
  bias(at("ffn_down_exps"), [embedding, experts.count]);
}

const LLAMA_8B: Shape = {
  architecture: "llama",
  layers: 32,
  embedding: 4096,
  heads: 32,
  kvHeads: 8,
  head: 128,
  feedForward: 14_336,
  vocabulary: 128_256,
  context: 8192,
};

/** Each with all tensors together, as llama.cpp printed it for a file of these shapes. */
export const PUBLISHED = {
  "Llama-3 8B": [LLAMA_8B, 4_912_898_048],
  "Mistral 7B": [{ ...LLAMA_8B, vocabulary: 32_000, context: 32_768 }, 4_367_704_064],
  "Llama-2 7B": [
    { ...LLAMA_8B, kvHeads: 32, feedForward: 11_008, vocabulary: 32_000, context: 4096 },
    4_080_263_168,
  ],
  "Llama-3.2 3B": [
    {
      ...LLAMA_8B,
      layers: 28,
      embedding: 3072,
      heads: 24,
      feedForward: 8192,
      context: 131_072,
      isTied: true,
    },
    2_011_539_456,
  ],
  "Mixtral 8x7B": [
    { ...LLAMA_8B, vocabulary: 32_000, context: 32_768, experts: { count: 8, used: 2 } },
    28_380_618_752,
  ],
  "Qwen2.5 7B": [
    {
      ...LLAMA_8B,
      architecture: "qwen2",
      layers: 28,
      embedding: 3584,
      heads: 28,
      kvHeads: 4,
      feedForward: 18_944,
      vocabulary: 152_064,
      context: 32_768,
      hasBiases: true,
    },
    4_677_120_000,
  ],
  "Qwen3 8B": [
    {
      ...LLAMA_8B,
      architecture: "qwen3",
      layers: 36,
      feedForward: 12_288,
      vocabulary: 151_936,
      context: 40_960,
      norms: ["qk"],
    },
    5_021_827_072,
  ],
  "Qwen3-30B-A3B": [
    {
      ...LLAMA_8B,
      architecture: "qwen3moe",
      layers: 48,
      embedding: 2048,
      kvHeads: 4,
      feedForward: 6144,
      vocabulary: 151_936,
      context: 262_144,
      experts: { count: 128, used: 8, feedForward: 768 },
      norms: ["qk"],
    },
    18_550_716_416,
  ],
  "Gemma-2 9B": [
    {
      ...LLAMA_8B,
      architecture: "gemma2",
      layers: 42,
      embedding: 3584,
      heads: 16,
      head: 256,
      vocabulary: 256_000,
      window: 4096,
      isTied: true,
      norms: ["post"],
    },
    5_755_000_832,
  ],
  "Gemma-3 4B": [
    {
      ...LLAMA_8B,
      architecture: "gemma3",
      layers: 34,
      embedding: 2560,
      heads: 8,
      kvHeads: 4,
      head: 256,
      feedForward: 10_240,
      vocabulary: 262_208,
      context: 131_072,
      window: 1024,
      isTied: true,
      norms: ["qk", "post"],
    },
    2_483_352_832,
  ],
  "Phi-3 mini": [
    {
      ...LLAMA_8B,
      architecture: "phi3",
      embedding: 3072,
      kvHeads: 32,
      head: 96,
      feedForward: 8192,
      vocabulary: 32_064,
      context: 4096,
      window: 2047,
      isFused: true,
    },
    2_392_493_568,
  ],
  "gpt-oss-20b": [
    {
      ...LLAMA_8B,
      architecture: "gpt-oss",
      layers: 24,
      embedding: 2880,
      heads: 64,
      head: 64,
      feedForward: 2880,
      vocabulary: 201_088,
      context: 131_072,
      window: 128,
      experts: { count: 32, used: 4, feedForward: 2880 },
    },
    12_096_558_336,
  ],
} satisfies Record<string, [Shape, number]>;
