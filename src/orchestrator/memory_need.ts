// What one instance will take of the memory, from its header alone (pure): weights, KV cache, work
// space, and what each process costs. Rules fitted to what llama-server itself printed.

import type { GgufFacts } from "../models/gguf.ts";
import { kvCache, type KvShape } from "./kv_cache.ts";
import { keepsNothing } from "./layer_kinds.ts";

export interface MemoryShape extends KvShape {
  mode: "chat" | "embedding" | "rerank";
  /** Size of the projector's file; 0 = none. */
  mmprojBytes: number;
  /** Other files that are loaded with the model: adapters, a draft model. */
  extraBytes: number;
  /** Of the runtime; null = unknown, which counts as new. */
  build: number | null;
}

/** All in bytes, for all slots together. */
export interface MemoryNeed {
  /** The model's tensors, the projector and other files that come with it. */
  weightsBytes: number;
  kvBytes: number;
  computeBytes: number;
  /** The process itself and what its log never counts: prompts kept aside, checkpoints. */
  overheadBytes: number;
  totalBytes: number;
}

/** Each process: code, tokenizer, threads, HTTP. Decimal, as in the contract. */
export const PROCESS_BYTES = 100_000_000;
/** An image on its way through a projector: measured between 0.2 and 1.5 GB, by image size. */
const PROJECTOR_COMPUTE_BYTES = 300_000_000;
/** The fitted rule is at most this far below what was measured, in any family. */
const COMPUTE_MARGIN = 1.1;
/** Queries, keys and values come out of one tensor, so less is held at the widest moment. */
const FUSED: ReadonlySet<string> = new Set(["phi3"]);
/** Since this build the logits of only those tokens are kept that someone wants. */
const FEW_LOGITS_BUILD = 10362;
/** llama-server's own: a checkpoint at most every so many tokens, and so many for one slot. */
const CHECKPOINT_TOKENS = 8192;
const MOST_CHECKPOINTS = 32;

export function memoryNeed(facts: GgufFacts, shape: MemoryShape): MemoryNeed {
  const kv = kvCache(facts, shape);
  const weightsBytes = facts.weightsBytes + shape.mmprojBytes + shape.extraBytes;
  const computeBytes = Math.ceil(computeNeed(facts, shape));
  const checkpoints = Math.min(
    MOST_CHECKPOINTS,
    1 + Math.ceil(shape.contextTokens / CHECKPOINT_TOKENS),
  );
  const overheadBytes = PROCESS_BYTES + checkpoints * kv.checkpointBytes * shape.parallel;
  return summed({ weightsBytes, kvBytes: kv.bytes, computeBytes, overheadBytes });
}

export function summed(parts: Omit<MemoryNeed, "totalBytes">): MemoryNeed {
  const totalBytes = parts.weightsBytes + parts.kvBytes + parts.computeBytes + parts.overheadBytes;
  return { ...parts, totalBytes };
}

function computeNeed(facts: GgufFacts, shape: MemoryShape): number {
  const { ubatchTokens: ubatch } = shape;
  const embedding = facts.embeddingLength ?? 0;
  const vocabulary = facts.vocabSize ?? 0;
  const logits = isOldBuild(shape.build) ? 4 * ubatch * (vocabulary + 2 * embedding) : 0;
  const graph = Math.max(graphBytes(facts, shape), logits) * COMPUTE_MARGIN;
  // A generating slot has one row of logits; an embedding keeps a row for each token of the input.
  const output = shape.mode === "chat"
    ? 4 * vocabulary * shape.parallel
    : 4 * ubatch * embedding * shape.parallel;
  return graph + output + (shape.mmprojBytes > 0 ? PROJECTOR_COMPUTE_BYTES : 0);
}

/** The widest moment of one micro-batch, and the masks over all cells; flash attention is on. */
export function graphBytes(facts: GgufFacts, shape: KvShape): number {
  const { ubatchTokens: ubatch } = shape;
  const embedding = facts.embeddingLength ?? 0;
  const kv = kvCache(facts, shape);
  const cells = keepsNothing(facts) ? ubatch : kv.cells;
  const { width, expertWidth } = feedForward(facts);
  const rows = FUSED.has(facts.architecture ?? "") ? 3 : 4;
  // Only where heads are many and the feed-forward network is narrow, as in test models.
  const queries = Math.max(0, ...facts.headCount) * (facts.keyLength ?? 0);
  const widest = Math.max(
    3 * width + rows * embedding,
    expertWidth,
    keepsNothing(facts) ? 0 : 3 * (queries + embedding),
  );
  return 4 * ubatch * widest +
    2 * ubatch * (cells + kv.slidingCells);
}

function feedForward(facts: GgufFacts): { width: number; expertWidth: number } {
  const dense = facts.feedForwardLength ?? 0;
  const used = facts.expertUsedCount ?? 0;
  if (!facts.expertCount || used === 0) return { width: dense, expertWidth: 0 };
  // Mixtral and its like give the width of an expert as the feed-forward's.
  const expert = facts.expertFeedForwardLength ?? dense;
  const hasDenseLayers = Number(
    facts.metadata.get(`${facts.architecture}.leading_dense_block_count`) ?? 0,
  ) > 0;
  return {
    width: Math.max(used * expert, hasDenseLayers ? dense : 0),
    expertWidth: 2 * used * ((facts.embeddingLength ?? 0) + expert),
  };
}

function isOldBuild(build: number | null): boolean {
  return build !== null && build < FEW_LOGITS_BUILD;
}

/** `5.1 GB`, rounded up: what is needed never looks as if it would fit. */
export function formatNeed(bytes: number): string {
  return format(bytes, Math.ceil);
}

/** `4.2 GB`, rounded down: what there is. */
export function formatRoom(bytes: number): string {
  return format(bytes, Math.floor);
}

function format(bytes: number, round: (value: number) => number): string {
  if (bytes < 1e9) {
    const megabytes = round(bytes / 1e6);
    if (megabytes < 1000) return `${megabytes} MB`;
  }
  return `${(round(bytes / 1e8) / 10).toFixed(1)} GB`;
}
