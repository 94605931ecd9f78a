// What one token reads of a model (pure): weights it is multiplied with, and the conversation so far.
// How long that takes is speed.ts's, where it lies placement.ts's.

import type { CacheType } from "../host/messages.ts";
import type { GgufFacts } from "../models/gguf.ts";
import { kvCache } from "./kv_cache.ts";
import { ModelKeys } from "./model_keys.ts";

export interface ReadShape {
  /** Tokens that a slot can hold. */
  contextTokens: number;
  cacheTypeK: CacheType | null;
  cacheTypeV: CacheType | null;
  /** Units on the GPU, counted from the end: the output first, then the last layers. */
  gpuLayers: number;
}

export interface BytesRead {
  ram: number;
  gpu: number;
}

/**
 * Most conversations are short, whatever the context could hold: a badge is about the usual one. A
 * quarter of the context, since small ones do get full.
 */
const LIVE_SHARE = 1 / 4;
const MOST_LIVE_TOKENS = 2048;

export function liveTokens(contextTokens: number): number {
  return Math.min(MOST_LIVE_TOKENS, Math.ceil(contextTokens * LIVE_SHARE));
}

/** Bytes of the weights that one token of a prompt is multiplied with: no tables, only chosen experts. */
export function activeBytes(facts: GgufFacts): number {
  return Math.max(
    0,
    facts.weightsBytes - facts.tokenEmbeddingBytes - lookupBytes(facts) - idleExpertBytes(facts),
  );
}

/** What an answer's next token reads, by where it lies. */
export function bytesPerToken(facts: GgufFacts, shape: ReadShape): BytesRead {
  const kv = kvCache(facts, {
    contextTokens: liveTokens(shape.contextTokens),
    parallel: 1,
    ubatchTokens: 0,
    cacheTypeK: shape.cacheTypeK,
    cacheTypeV: shape.cacheTypeV,
  }).bytes;
  const layers = facts.blockCount ?? facts.blockBytes.length;
  const gpuBlocks = Math.max(0, Math.min(layers, shape.gpuLayers - 1));
  const total = answerBytes(facts) + kv;
  if (shape.gpuLayers <= 0) return { ram: total, gpu: 0 };
  if (gpuBlocks === layers) return { ram: 0, gpu: total };
  const { head, blocks } = units(facts, layers);
  const own = blocks.slice(layers - gpuBlocks).reduce((sum, each) => sum + each, 0);
  const gpu = Math.min(total, head + own + kv * gpuBlocks / Math.max(1, layers));
  return { ram: total - gpu, gpu };
}

// With tied embeddings the table is the output, too: an answer's token is multiplied with all of it.
function answerBytes(facts: GgufFacts): number {
  return activeBytes(facts) + (facts.hasOutputTensor ? 0 : facts.tokenEmbeddingBytes);
}

/** The output and each layer; even shares where the header's own sums are not there. */
function units(facts: GgufFacts, layers: number): { head: number; blocks: number[] } {
  const answer = answerBytes(facts);
  const stored = sum(facts.blockBytes);
  if (facts.blockBytes.length !== layers || stored <= 0) {
    const each = answer / (layers + 1);
    return { head: each, blocks: new Array<number>(layers).fill(each) };
  }
  const read = Math.max(0, stored - idleExpertBytes(facts));
  const blocks = facts.blockBytes.map((bytes) => bytes * read / stored);
  return { head: Math.max(0, answer - read), blocks };
}

function idleExpertBytes(facts: GgufFacts): number {
  const { expertCount, expertUsedCount } = facts;
  if (!expertCount || !expertUsedCount) return 0;
  return facts.expertBytes * (1 - Math.min(1, expertUsedCount / expertCount));
}

/** Gemma 3n and 4 keep an embedding table for each layer: of it, too, one row is read. */
function lookupBytes(facts: GgufFacts): number {
  if (!new ModelKeys(facts).count("embedding_length_per_layer_input")) return 0;
  const output = facts.hasOutputTensor ? facts.tokenEmbeddingBytes : 0;
  const stored = sum(facts.blockBytes);
  if (stored <= 0) return 0;
  return Math.max(0, facts.weightsBytes - facts.tokenEmbeddingBytes - output - stored);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, each) => total + each, 0);
}
