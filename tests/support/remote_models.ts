// Layouts of real models: every tensor of a Llama of some size in one number format, a tokenizer of
// real length, in one file or in several. No data: for what headers say.

import { type GgufLayout, type GgufTensor, layOutGguf } from "../../src/models/gguf_writer.ts";

export interface LlamaShape {
  layers: number;
  embedding: number;
  feedForward: number;
  heads: number;
  kvHeads: number;
  /** Tokens of the tokenizer. */
  vocabulary: number;
}

export const LLAMA_70B: LlamaShape = {
  layers: 80,
  embedding: 8192,
  feedForward: 28_672,
  heads: 64,
  kvHeads: 8,
  vocabulary: 128_256,
};

/** Small, and with a header of some 100 kB. */
export const LLAMA_TINY: LlamaShape = {
  layers: 4,
  embedding: 256,
  feedForward: 768,
  heads: 4,
  kvHeads: 2,
  vocabulary: 2_000,
};

/** The smallest, with a header of some 20 kB: to be damaged in ten thousand ways. */
export const LLAMA_MINUTE: LlamaShape = {
  layers: 1,
  embedding: 256,
  feedForward: 256,
  heads: 4,
  kvHeads: 2,
  vocabulary: 256,
};

/** ggml's tensor type and the file's label for it. */
export const FORMATS = {
  F16: { type: 1, file: 1 },
  Q8_0: { type: 8, file: 7 },
  Q4_K_M: { type: 12, file: 15, output: 14 },
  Q5_K_M: { type: 13, file: 17, output: 14 },
  Q6_K: { type: 14, file: 18 },
  Q2_K: { type: 10, file: 10, output: 14 },
} as const;

export type FormatName = keyof typeof FORMATS;

/** One layout for each part. */
export function layOutLlama(
  shape: LlamaShape,
  { format, parts = 1 }: { format: FormatName; parts?: number },
): GgufLayout[] {
  const all = tensorsOf(shape, format);
  const each = Math.ceil(all.length / parts);
  return Array.from({ length: parts }, (_, no) =>
    layOutGguf({
      metadata: {
        ...(no === 0 && metadataOf(shape, format)),
        ...(parts > 1 && {
          "split.no": { u32: no },
          "split.count": { u32: parts },
          "split.tensors.count": { i32: all.length },
        }),
      },
      tensors: all.slice(no * each, (no + 1) * each),
    }));
}

function metadataOf(shape: LlamaShape, format: FormatName) {
  const tokens = Array.from({ length: shape.vocabulary }, (_, n) => `▁token${n.toString(36)}`);
  const merges = Array.from(
    { length: Math.floor(shape.vocabulary * 1.5) },
    (_, n) => `${tokens[n % tokens.length]} ${tokens[(n * 7) % tokens.length]}`,
  );
  return {
    "general.architecture": { string: "llama" },
    "general.name": { string: "A model of the tests" },
    "general.file_type": { u32: FORMATS[format].file },
    "llama.block_count": { u32: shape.layers },
    "llama.context_length": { u32: 131_072 },
    "llama.embedding_length": { u32: shape.embedding },
    "llama.feed_forward_length": { u32: shape.feedForward },
    "llama.attention.head_count": { u32: shape.heads },
    "llama.attention.head_count_kv": { u32: shape.kvHeads },
    "llama.rope.freq_base": { f32: 500_000 },
    "tokenizer.ggml.model": { string: "gpt2" },
    "tokenizer.ggml.tokens": { strings: tokens },
    "tokenizer.ggml.token_type": { i32s: tokens.map(() => 1) },
    "tokenizer.ggml.merges": { strings: merges },
    "tokenizer.ggml.add_bos_token": { bool: true },
    "tokenizer.chat_template": { string: "{{ messages[0].content }}{{ tools }}" },
  };
}

function tensorsOf(shape: LlamaShape, format: FormatName): GgufTensor[] {
  const { embedding, feedForward, heads, kvHeads, vocabulary } = shape;
  const formats: { type: number; output?: number } = FORMATS[format];
  const { type: typeId } = formats;
  const kv = (embedding / heads) * kvHeads;
  const layers = Array.from({ length: shape.layers }, (_, layer) => {
    const name = (part: string) => `blk.${layer}.${part}.weight`;
    return [
      { name: name("attn_norm"), dimensions: [embedding] },
      { name: name("attn_q"), dimensions: [embedding, embedding], typeId },
      { name: name("attn_k"), dimensions: [embedding, kv], typeId },
      { name: name("attn_v"), dimensions: [embedding, kv], typeId },
      { name: name("attn_output"), dimensions: [embedding, embedding], typeId },
      { name: name("ffn_norm"), dimensions: [embedding] },
      { name: name("ffn_gate"), dimensions: [embedding, feedForward], typeId },
      { name: name("ffn_up"), dimensions: [embedding, feedForward], typeId },
      { name: name("ffn_down"), dimensions: [feedForward, embedding], typeId },
    ];
  });
  return [
    { name: "token_embd.weight", dimensions: [embedding, vocabulary], typeId },
    { name: "output_norm.weight", dimensions: [embedding] },
    ...layers.flat(),
    {
      name: "output.weight",
      dimensions: [embedding, vocabulary],
      typeId: formats.output ?? typeId,
    },
  ];
}
