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
  /** Tokens of the conversation so far; by default those of a usual one. */
  liveTokens?: number;
}

export interface TokenRead {
  ramBytes: number;
  gpuBytes: number;
  /** Layers, the output not counted. */
  ramBlocks: number;
  gpuBlocks: number;
}

/**
 * Most conversations are short, whatever the context could hold: the figure is about the usual one. A
 * quarter, because a small context does get full.
 */
const LIVE_SHARE = 1 / 4;
const MOST_LIVE_TOKENS = 2048;

/** Tokens of the conversation that an expected speed is given for. */
export function liveTokens(contextTokens: number): number {
  return Math.min(MOST_LIVE_TOKENS, Math.ceil(contextTokens * LIVE_SHARE));
}

/** Bytes of the weights that each token of a prompt is multiplied with: no tables, chosen experts only. */
export function activeBytes(facts: GgufFacts): number {
  const bytes = facts.weightsBytes - facts.tokenEmbeddingBytes - lookupBytes(facts) -
    idleExpertBytes(facts);
  return Math.max(0, bytes);
}

/** The same for a token of an answer: tied embeddings are its output, too, and are read whole. */
export function answerBytes(facts: GgufFacts): number {
  return activeBytes(facts) + (facts.hasOutputTensor ? 0 : facts.tokenEmbeddingBytes);
}

/** What the next token of an answer reads, by where it lies. */
export function bytesPerToken(facts: GgufFacts, shape: ReadShape): TokenRead {
  const { cacheTypeK, cacheTypeV, gpuLayers } = shape;
  const kv = kvCache(facts, {
    contextTokens: shape.liveTokens ?? liveTokens(shape.contextTokens),
    parallel: 1,
    ubatchTokens: 0,
    cacheTypeK,
    cacheTypeV,
  }).layerBytes;
  const layers = facts.blockCount ?? facts.blockBytes.length;
  const totalBytes = answerBytes(facts) + sum(kv);
  const gpuBlocks = Math.max(0, Math.min(layers, gpuLayers - 1));
  const firstOnGpu = layers - gpuBlocks;
  const gpuBytes = gpuLayers <= 0
    ? 0
    : firstOnGpu === 0
    ? totalBytes
    : Math.min(totalBytes, gpuWeights(facts, firstOnGpu) + sum(kv.slice(firstOnGpu)));
  return { ramBytes: totalBytes - gpuBytes, gpuBytes, ramBlocks: firstOnGpu, gpuBlocks };
}

/** The output and the layers from this one on; even shares where the header's own sums are not there. */
function gpuWeights(facts: GgufFacts, first: number): number {
  const answer = answerBytes(facts);
  const layers = facts.blockCount ?? facts.blockBytes.length;
  const stored = sum(facts.blockBytes);
  if (facts.blockBytes.length !== layers || stored <= 0) {
    return answer * (layers - first + 1) / (layers + 1);
  }
  const read = Math.max(0, stored - idleExpertBytes(facts));
  const head = Math.max(0, answer - read);
  return head + sum(facts.blockBytes.slice(first)) * read / stored;
}

function idleExpertBytes({ expertCount, expertUsedCount, expertBytes }: GgufFacts): number {
  if (!expertCount || !expertUsedCount) return 0;
  return expertBytes * (1 - Math.min(1, expertUsedCount / expertCount));
}

/** Gemma 3n and 4 keep an embedding table for each layer outside of the layers: one row is read. */
function lookupBytes(facts: GgufFacts): number {
  const stored = sum(facts.blockBytes);
  if (!new ModelKeys(facts).count("embedding_length_per_layer_input") || stored <= 0) return 0;
  const output = facts.hasOutputTensor ? facts.tokenEmbeddingBytes : 0;
  return Math.max(0, facts.weightsBytes - facts.tokenEmbeddingBytes - output - stored);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, each) => total + each, 0);
}
