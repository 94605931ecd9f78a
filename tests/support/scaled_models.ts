// Well-known architectures, scaled down to some hundred MB: every tensor that llama.cpp asks for, in
// its true proportions, and nothing but zeros in it. For what a model takes, not for what it says.

import { dirname } from "node:path";
import { type GgufTensor, type GgufValue, layOutGguf } from "../../src/models/gguf_writer.ts";

export type ScaledArchitecture = "llama" | "qwen3moe" | "gemma3";

const F16 = 1;
const Q8_0 = 8;
const VOCABULARY = 16_000;
const CONTEXT = 32_768;

interface Scaled {
  layers: number;
  embedding: number;
  heads: number;
  kvHeads: number;
  head: number;
  feedForward: number;
  /** ggml's number of the format of all large tensors. */
  typeId: number;
  isTied: boolean;
  experts?: { count: number; used: number; feedForward: number };
  window?: number;
}

const SHAPES: Readonly<Record<ScaledArchitecture, Scaled>> = {
  llama: {
    layers: 10,
    embedding: 1024,
    heads: 16,
    kvHeads: 4,
    head: 64,
    feedForward: 2816,
    typeId: F16,
    isTied: false,
  },
  qwen3moe: {
    layers: 8,
    embedding: 1024,
    heads: 16,
    kvHeads: 4,
    head: 128,
    feedForward: 3072,
    typeId: Q8_0,
    isTied: false,
    experts: { count: 32, used: 4, feedForward: 256 },
  },
  gemma3: {
    layers: 13,
    embedding: 1024,
    heads: 4,
    kvHeads: 1,
    head: 256,
    feedForward: 2816,
    typeId: F16,
    isTied: true,
    window: 512,
  },
};

/** Writes the file; its zeros take no room on the disk. */
export async function writeScaledModel(path: string, architecture: ScaledArchitecture) {
  const shape = SHAPES[architecture];
  const { header, parts, sizeBytes } = layOutGguf({
    metadata: metadataOf(architecture, shape),
    tensors: tensorsOf(architecture, shape),
  });
  await Deno.mkdir(dirname(path), { recursive: true });
  using file = await Deno.open(path, { write: true, createNew: true });
  for (const { offset, data } of [{ offset: 0, data: header }, ...parts]) {
    await file.seek(offset, Deno.SeekMode.Start);
    for (let done = 0; done < data.length;) done += await file.write(data.subarray(done));
  }
  await file.truncate(sizeBytes);
}

function metadataOf(architecture: ScaledArchitecture, shape: Scaled): Record<string, GgufValue> {
  const { experts, window } = shape;
  const own: Record<string, GgufValue> = {
    context_length: { u32: CONTEXT },
    embedding_length: { u32: shape.embedding },
    block_count: { u32: shape.layers },
    feed_forward_length: { u32: shape.feedForward },
    "attention.head_count": { u32: shape.heads },
    "attention.head_count_kv": { u32: shape.kvHeads },
    "attention.key_length": { u32: shape.head },
    "attention.value_length": { u32: shape.head },
    "attention.layer_norm_rms_epsilon": { f32: 1e-6 },
    "rope.dimension_count": { u32: shape.head },
    "rope.freq_base": { f32: 1e6 },
    vocab_size: { u32: VOCABULARY },
    ...(experts && {
      expert_count: { u32: experts.count },
      expert_used_count: { u32: experts.used },
      expert_feed_forward_length: { u32: experts.feedForward },
    }),
    ...(window !== undefined && { "attention.sliding_window": { u32: window } }),
  };
  const tokens = tokenTexts();
  return {
    "general.architecture": { string: architecture },
    "general.type": { string: "model" },
    "general.name": { string: `${architecture} scaled down` },
    ...Object.fromEntries(
      Object.entries(own).map(([key, value]) => [`${architecture}.${key}`, value]),
    ),
    "tokenizer.ggml.model": { string: "llama" },
    "tokenizer.ggml.tokens": { strings: tokens },
    "tokenizer.ggml.scores": { f32s: tokens.map(() => 0) },
    "tokenizer.ggml.token_type": { i32s: tokens.map((_, n) => n < 3 ? 3 : n < 259 ? 6 : 1) },
    "tokenizer.ggml.unknown_token_id": { u32: 0 },
    "tokenizer.ggml.bos_token_id": { u32: 1 },
    "tokenizer.ggml.eos_token_id": { u32: 2 },
  };
}

function tokenTexts(): string[] {
  const bytes = Array.from(
    { length: 256 },
    (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
  );
  const special = ["<unk>", "<s>", "</s>", ...bytes];
  const words = Array.from({ length: VOCABULARY - special.length }, (_, n) => `word${n}`);
  return [...special, ...words];
}

function tensorsOf(architecture: ScaledArchitecture, shape: Scaled): GgufTensor[] {
  const { embedding, heads, kvHeads, head, feedForward, typeId, experts } = shape;
  const large = (name: string, ...dimensions: number[]) => ({ name, dimensions, typeId });
  const norm = (name: string, length = embedding) => ({ name, dimensions: [length] });
  const tensors: GgufTensor[] = [
    large("token_embd.weight", embedding, VOCABULARY),
    norm("output_norm.weight"),
    ...(shape.isTied ? [] : [large("output.weight", embedding, VOCABULARY)]),
  ];
  for (let layer = 0; layer < shape.layers; layer++) {
    const at = (name: string) => `blk.${layer}.${name}.weight`;
    tensors.push(
      norm(at("attn_norm")),
      large(at("attn_q"), embedding, heads * head),
      large(at("attn_k"), embedding, kvHeads * head),
      large(at("attn_v"), embedding, kvHeads * head),
      large(at("attn_output"), heads * head, embedding),
      norm(at("ffn_norm")),
    );
    if (architecture !== "llama") {
      tensors.push(norm(at("attn_q_norm"), head), norm(at("attn_k_norm"), head));
    }
    if (architecture === "gemma3") {
      tensors.push(norm(at("post_attention_norm")), norm(at("post_ffw_norm")));
    }
    if (experts === undefined) {
      tensors.push(
        large(at("ffn_gate"), embedding, feedForward),
        large(at("ffn_up"), embedding, feedForward),
        large(at("ffn_down"), feedForward, embedding),
      );
    } else {
      tensors.push(
        { name: at("ffn_gate_inp"), dimensions: [embedding, experts.count] },
        large(at("ffn_gate_exps"), embedding, experts.feedForward, experts.count),
        large(at("ffn_up_exps"), embedding, experts.feedForward, experts.count),
        large(at("ffn_down_exps"), experts.feedForward, embedding, experts.count),
      );
    }
  }
  return tensors;
}
