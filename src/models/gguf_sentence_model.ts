// What is in the file of a test model: a tokenizer and weights that answer any prompt with one
// sentence. Writing the file is hello_model.ts, the format gguf_writer.ts.
//
// Attention and feed-forward weights are zero, so what the layers hand on is the token's own
// embedding. Each piece of the sentence has one of its own, every other token the one that means
// "start"; the output matrix sends each to the piece that follows, the last to the end.

import { type GgufLayout, type GgufTensor, type GgufValue, layOutGguf } from "./gguf_writer.ts";

export interface SentenceModelOptions {
  /** The answer to every prompt, exactly. At least one character. */
  sentence: string;
  /** `general.name`; `test` if left out. */
  name?: string;
  /** Jinja; null = a model without one. */
  chatTemplate?: string | null;
  /** After the last word comes the first again, until the context or the client's limit ends it. */
  endless?: boolean;
  /** A model for `/v1/embeddings`: texts of different letters get different vectors. */
  embedding?: boolean;
  /** Tokens; 8,192 if left out. The KV cache takes 128 bytes per token and layer. */
  contextLength?: number;
  layers?: number;
  embeddingLength?: number;
  /**
   * Attention heads: their cost grows with the square of the prompt, the file hardly. 64 of them
   * in 4 layers are a 5 MB model that takes about 5 s for a prompt of 2,000 bytes on one thread.
   */
  heads?: number;
  /** How large the file shall be, about: weights beyond what the sentence needs are zero. */
  sizeBytes?: number;
}

/** Says who speaks and nothing else, so that any list of messages is accepted. */
export const PLAIN_CHAT_TEMPLATE =
  "{%- for message in messages -%}{{ message.role }}: {{ message.content }}\n{% endfor -%}" +
  "{%- if add_generation_prompt -%}assistant:{% endif -%}";

const END = 2;
const FIRST_BYTE = 3;
const FIRST_PIECE = FIRST_BYTE + 256;

/** llama.cpp's token types. */
const TOKEN_TYPE = { normal: 1, unknown: 2, control: 3, byte: 6 } as const;

const POOLING_MEAN = 1;
const HEAD_LENGTH = 32;

/**
 * How far the next piece's logit is above all others. No temperature or penalty in use closes the
 * gap, and e^-80 is still above zero for the samplers that take its logarithm.
 */
const LOGIT_GAP = 80;

interface Token {
  text: string;
  type: number;
}

interface Shape {
  embedding: number;
  heads: number;
  layers: number;
  feedForward: number;
}

/** Throws a RangeError for an empty sentence or one of more pieces than `embeddingLength` allows. */
export function layOutSentenceModel(options: SentenceModelOptions): GgufLayout {
  const tokens = [...basicTokens(), ...splitSentence(options.sentence)];
  const shape = chooseShape(options, tokens.length);
  return layOutGguf({
    metadata: metadataOf(options, { tokens, shape }),
    tensors: tensorsOf(options, { tokens, shape }),
  });
}

function basicTokens(): Token[] {
  const tokens: Token[] = [
    { text: "<unk>", type: TOKEN_TYPE.unknown },
    { text: "<s>", type: TOKEN_TYPE.control },
    { text: "</s>", type: TOKEN_TYPE.control },
  ];
  for (let byte = 0; byte < 256; byte++) {
    tokens.push({ text: byteText(byte), type: TOKEN_TYPE.byte });
  }
  return tokens;
}

function byteText(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}

/**
 * Tokens whose texts joined are the sentence: words with the space before them, where that gives
 * each a text of its own. No prompt may contain one of them, or it would go on from there: the
 * tokenizer joins two neighbours at a time, so a token of three characters is out of its reach
 * while there is none of two.
 */
function splitSentence(sentence: string): Token[] {
  const taken = new Set(basicTokens().map((token) => token.text));
  const pieces: string[] = [];
  function fits(piece: string): boolean {
    // U+2581 stands for a space, and a zero byte ends a text early.
    return [...piece].length >= 3 && !taken.has(piece) && !/[\u2581\0]/.test(piece);
  }
  let rest = "";
  // Words longer than this (or text without spaces) are cut, so that they stream as well.
  for (const word of sentence.match(/\s*\S{1,24}|\s+$/gu) ?? []) {
    rest += word;
    if (!fits(rest)) continue;
    taken.add(rest);
    pieces.push(rest);
    rest = "";
  }
  while (rest !== "" && pieces.length > 0) {
    rest = pieces.pop()! + rest;
    if (!fits(rest)) continue;
    pieces.push(rest);
    rest = "";
  }
  const tokens = pieces.map((piece) => ({
    text: piece.replaceAll(" ", "\u2581"),
    type: TOKEN_TYPE.normal,
  }));
  return rest === "" ? tokens : [...tokens, ...bytewise(rest)];
}

// llama.cpp reads a byte token's value from fixed places of its text: what follows makes it another
// token than the one that the tokenizer uses for prompts.
function bytewise(text: string): Token[] {
  return [...new TextEncoder().encode(text)].map((byte, index) => ({
    text: `${byteText(byte)}${index}`,
    type: TOKEN_TYPE.byte,
  }));
}

function chooseShape(options: SentenceModelOptions, tokenCount: number): Shape {
  const pieces = tokenCount - FIRST_PIECE;
  if (pieces < 1) throw new RangeError("The sentence of a test model is empty");
  const least = Math.ceil((pieces + 1) / 64) * 64;
  const size = options.sizeBytes ?? 0;
  const wide = size < 8e6 ? 64 : size < 64e6 ? 256 : 1024;
  const embedding = options.embeddingLength ?? Math.max(least, wide);
  if (embedding < least) {
    throw new RangeError(`A sentence of ${pieces} pieces needs an embedding length of ${least}`);
  }
  const heads = options.heads ?? Math.max(1, Math.floor(embedding / HEAD_LENGTH));
  const feedForward = 4 * embedding;
  const shape = { embedding, heads, layers: options.layers ?? 1, feedForward: embedding };
  if (size === 0) return shape;
  const room = Math.max(0, size - 8 * embedding * tokenCount);
  const layers = options.layers ??
    Math.max(1, Math.round(room / layerBytes({ ...shape, feedForward })));
  const fixed = layers * layerBytes({ ...shape, feedForward: 0 });
  const each = Math.round((room - fixed) / (layers * 12 * embedding) / 32) * 32;
  return { ...shape, layers, feedForward: Math.max(32, each) };
}

function layerBytes({ embedding, heads, feedForward }: Shape): number {
  return 4 * embedding * (2 * heads * HEAD_LENGTH + 2 * HEAD_LENGTH + 3 * feedForward + 2);
}

interface Model {
  tokens: readonly Token[];
  shape: Shape;
}

function metadataOf(options: SentenceModelOptions, { tokens, shape }: Model) {
  const template = options.chatTemplate === undefined ? PLAIN_CHAT_TEMPLATE : options.chatTemplate;
  const metadata: Record<string, GgufValue> = {
    "general.architecture": { string: "llama" },
    "general.type": { string: "model" },
    "general.name": { string: options.name ?? "test" },
    "general.file_type": { u32: 0 },
    "llama.context_length": { u32: options.contextLength ?? 8192 },
    "llama.embedding_length": { u32: shape.embedding },
    "llama.block_count": { u32: shape.layers },
    "llama.feed_forward_length": { u32: shape.feedForward },
    "llama.attention.head_count": { u32: shape.heads },
    "llama.attention.head_count_kv": { u32: 1 },
    "llama.attention.key_length": { u32: HEAD_LENGTH },
    "llama.attention.value_length": { u32: HEAD_LENGTH },
    "llama.attention.layer_norm_rms_epsilon": { f32: 1e-5 },
    "llama.rope.dimension_count": { u32: HEAD_LENGTH },
    "llama.vocab_size": { u32: tokens.length },
    "tokenizer.ggml.model": { string: "llama" },
    "tokenizer.ggml.tokens": { strings: tokens.map((token) => token.text) },
    "tokenizer.ggml.scores": { f32s: tokens.map(() => 0) },
    "tokenizer.ggml.token_type": { i32s: tokens.map((token) => token.type) },
    "tokenizer.ggml.unknown_token_id": { u32: 0 },
    "tokenizer.ggml.bos_token_id": { u32: 1 },
    "tokenizer.ggml.eos_token_id": { u32: END },
    "tokenizer.ggml.add_space_prefix": { bool: false },
  };
  if (template !== null) metadata["tokenizer.chat_template"] = { string: template };
  if (options.embedding) metadata["llama.pooling_type"] = { u32: POOLING_MEAN };
  return metadata;
}

function tensorsOf(options: SentenceModelOptions, { tokens, shape }: Model): GgufTensor[] {
  const { embedding, feedForward } = shape;
  const attention = shape.heads * HEAD_LENGTH;
  const tensors: GgufTensor[] = [
    matrix("token_embd.weight", [embedding, tokens.length], (values) => {
      fillEmbeddings(values, options, embedding);
    }),
    matrix("output_norm.weight", [embedding], (values) => values.fill(1)),
    matrix("output.weight", [embedding, tokens.length], (values) => {
      fillOutput(values, options, embedding);
    }),
  ];
  for (let layer = 0; layer < shape.layers; layer++) {
    const block = `blk.${layer}`;
    tensors.push(
      matrix(`${block}.attn_norm.weight`, [embedding], (values) => values.fill(1)),
      { name: `${block}.attn_q.weight`, dimensions: [embedding, attention] },
      { name: `${block}.attn_k.weight`, dimensions: [embedding, HEAD_LENGTH] },
      { name: `${block}.attn_v.weight`, dimensions: [embedding, HEAD_LENGTH] },
      { name: `${block}.attn_output.weight`, dimensions: [attention, embedding] },
      matrix(`${block}.ffn_norm.weight`, [embedding], (values) => values.fill(1)),
      { name: `${block}.ffn_gate.weight`, dimensions: [embedding, feedForward] },
      { name: `${block}.ffn_up.weight`, dimensions: [embedding, feedForward] },
      { name: `${block}.ffn_down.weight`, dimensions: [feedForward, embedding] },
    );
  }
  return tensors;
}

function matrix(
  name: string,
  dimensions: number[],
  fill: (values: Float32Array) => void,
): GgufTensor {
  const values = new Float32Array(dimensions.reduce((product, length) => product * length, 1));
  fill(values);
  return { name, dimensions, data: littleEndian(values) };
}

function littleEndian(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(values.buffer);
  if (new Uint8Array(new Uint16Array([1]).buffer)[0] === 1) return bytes;
  const view = new DataView(values.buffer);
  for (const [index, value] of values.entries()) view.setFloat32(index * 4, value, true);
  return bytes;
}

// Place 0 of an embedding means "start", place n the n-th piece. This height survives the
// normalisation before the output as it is.
function fillEmbeddings(values: Float32Array, options: SentenceModelOptions, width: number): void {
  const height = Math.sqrt(width);
  const rows = values.length / width;
  for (let row = 0; row < rows; row++) {
    if (row >= FIRST_PIECE) values[row * width + row - FIRST_PIECE + 1] = height;
    else if (options.embedding && row >= FIRST_BYTE) {
      const byte = row - FIRST_BYTE;
      values[row * width + (byte & 31)] = height;
      values[row * width + 32 + (byte >> 3)] = height;
    } else values[row * width] = height;
  }
}

function fillOutput(values: Float32Array, options: SentenceModelOptions, width: number): void {
  const weight = LOGIT_GAP / Math.sqrt(width);
  const pieces = values.length / width - FIRST_PIECE;
  for (let piece = 0; piece < pieces; piece++) {
    values[(FIRST_PIECE + piece) * width + piece] = weight;
  }
  const next = options.endless ? FIRST_PIECE : END;
  values[next * width + pieces] = weight;
}
