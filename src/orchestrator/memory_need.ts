// What one instance will take of the memory, from its header alone (pure): weights, KV cache, work
// space, and what each process costs. Rules fitted to what llama-server itself printed.

import type { GgufFacts } from "../models/gguf.ts";
import {
  type KvCache,
  kvCache,
  kvCacheOf,
  type KvShape,
  type KvSize,
  type KvTypes,
} from "./kv_cache.ts";
import { keepsNothing } from "./layer_kinds.ts";
import { firstGpuBlock, type GpuKind, type GpuShare, modelUnits } from "./offload.ts";

/** What is the same for every context and offload of one model. */
export interface MemoryBase extends KvTypes {
  mode: "chat" | "embedding" | "rerank";
  /** Size of the projector's file; 0 = none. */
  mmprojBytes: number;
  /** Other files that are loaded with the model: adapters, a draft model. */
  extraBytes: number;
  /** Of the runtime; null = unknown, which counts as new. */
  build: number | null;
  /** Null or left out = none. */
  gpu?: GpuKind | null;
}

export interface MemorySize extends KvSize {
  /** Layers on the GPU, the output counted and moved first; left out = 0. */
  gpuLayers?: number;
}

export interface MemoryShape extends MemoryBase, MemorySize {}

/** Memory by where it is. What a GPU shares with the system is RAM. */
export interface MemoryPools {
  ramBytes: number;
  vramBytes: number;
}

/** As llama-server says itself, without what it never counts. */
export interface LoggedMemory {
  totalBytes: number;
  /** Of the total, what is on GPUs. */
  gpuBytes: number;
}

/** All in bytes, for all slots together. */
export interface MemoryNeed extends MemoryPools {
  /** The model's tensors, the projector and other files; twice what a GPU has a copy of. */
  weightsBytes: number;
  kvBytes: number;
  computeBytes: number;
  /** The process itself, GPU drivers, and what its log never counts: prompts, checkpoints. */
  overheadBytes: number;
  /** The same as RAM and VRAM together. */
  totalBytes: number;
  /** Of the overhead, what drivers take of the cards. */
  vramOverheadBytes: number;
  /** Null where nothing lies on a GPU. */
  gpu: GpuShare | null;
}

/** Each process: code, tokenizer, threads, HTTP. Decimal, as in the contract. */
export const PROCESS_BYTES = 100_000_000;
/** What a driver takes of each card as soon as a process uses it: 300 to 500 MiB were seen. */
export const GPU_CONTEXT_BYTES = 457 * 1024 ** 2;
/** And what its libraries take of the RAM. */
const GPU_PROCESS_BYTES = 150 * 1024 ** 2;
/** An image on its way through a projector: measured between 0.2 and 1.5 GB, by image size. */
const PROJECTOR_COMPUTE_BYTES = 300_000_000;
/** The fitted rule is at most this far below what was measured, in any family. */
const COMPUTE_MARGIN = 1.1;
/** A long prompt is read on the GPU: the weights in RAM pass through it, one tensor at a time. */
const LARGEST_TENSOR_SHARE = 0.4;
/** Queries, keys and values come out of one tensor, so less is held at the widest moment. */
const FUSED: ReadonlySet<string> = new Set(["phi3"]);
/** Since this build the logits of only those tokens are kept that someone wants. */
const FEW_LOGITS_BUILD = 10362;
/** llama-server's own: a checkpoint at most every so many tokens, and so many for one slot. */
const CHECKPOINT_TOKENS = 8192;
const MOST_CHECKPOINTS = 32;

export function memoryNeed(facts: GgufFacts, shape: MemoryShape): MemoryNeed {
  return memoryNeedOf(facts, shape)(shape);
}

/** The same for many contexts and offloads of one model: what they share is worked out once. */
export function memoryNeedOf(
  facts: GgufFacts,
  base: MemoryBase,
): (size: MemorySize) => MemoryNeed {
  const kvOf = kvCacheOf(facts, base);
  const units = modelUnits(facts);
  const gpu = base.gpu ?? null;
  return (size) => {
    const kv = kvOf(size);
    const layers = gpu === null ? 0 : Math.min(units.blocks.length + 1, size.gpuLayers ?? 0);
    const overheadBytes = PROCESS_BYTES + checkpointsOf(kv, size);
    const files = base.mmprojBytes + base.extraBytes;
    const graph = computeNeed(facts, { base, size, kv });
    if (gpu === null || layers <= 0) {
      const weightsBytes = facts.weightsBytes + files;
      const computeBytes = Math.ceil(graph.layers + graph.output + graph.projector);
      return summed({ weightsBytes, kvBytes: kv.bytes, computeBytes, overheadBytes, gpu: null });
    }
    const first = firstGpuBlock(units, layers);
    const isWhole = first === 0;
    const inRam = sumOf(units.blocks, { to: first });
    const onGpu = sumOf(units.blocks, { from: first });
    const kvOnGpu = sumOf(kv.layerBytes, { from: first });
    const share: GpuShare = {
      layersBytes: Math.ceil(units.headBytes + onGpu.sum + kvOnGpu.sum + base.extraBytes),
      eachBytes: Math.ceil(graph.layers + LARGEST_TENSOR_SHARE * inRam.largest) +
        (gpu.unified ? 0 : GPU_CONTEXT_BYTES),
      firstBytes: base.mmprojBytes + graph.projector,
      largestLayerBytes: Math.ceil(Math.max(units.headBytes, onGpu.largest) + kvOnGpu.largest),
    };
    const contextsBytes = gpu.unified ? 0 : gpu.count * GPU_CONTEXT_BYTES;
    const onGpus = share.layersBytes + share.eachBytes * gpu.count + share.firstBytes;
    return summed({
      weightsBytes: facts.weightsBytes + files + (gpu.mapsFile ? 0 : units.tiedBytes),
      kvBytes: kv.bytes,
      computeBytes: share.eachBytes * gpu.count - contextsBytes + graph.projector +
        Math.ceil(graph.output + (isWhole ? graph.staging : graph.layers)),
      overheadBytes: overheadBytes + GPU_PROCESS_BYTES + contextsBytes,
      vramBytes: gpu.unified ? 0 : onGpus,
      vramOverheadBytes: contextsBytes,
      gpu: share,
    });
  };
}

/** The need with more of what its log never counts, in RAM. */
export function withOverhead(need: MemoryNeed, bytes: number): MemoryNeed {
  return summed({ ...need, overheadBytes: need.overheadBytes + bytes });
}

type Summands =
  & Pick<MemoryNeed, "weightsBytes" | "kvBytes" | "computeBytes" | "overheadBytes" | "gpu">
  & Partial<Pick<MemoryNeed, "vramBytes" | "vramOverheadBytes">>;

function summed(parts: Summands): MemoryNeed {
  const { vramBytes = 0, vramOverheadBytes = 0 } = parts;
  const totalBytes = parts.weightsBytes + parts.kvBytes + parts.computeBytes + parts.overheadBytes;
  const ramBytes = totalBytes - vramBytes;
  return { ...parts, totalBytes, ramBytes, vramBytes, vramOverheadBytes };
}

/** What a process has taken: what it logged itself, else what was expected. */
export function takenBy(need: MemoryNeed, logged: LoggedMemory | null): MemoryPools {
  const { ramBytes, vramBytes, overheadBytes, vramOverheadBytes } = need;
  if (logged === null) return { ramBytes, vramBytes };
  // Where nothing was planned on a card, a GPU shares the RAM, or we cannot tell.
  const onCards = vramBytes > 0 ? logged.gpuBytes + vramOverheadBytes : 0;
  return { ramBytes: logged.totalBytes + overheadBytes - onCards, vramBytes: onCards };
}

function checkpointsOf(kv: KvCache, size: KvSize): number {
  const count = Math.min(MOST_CHECKPOINTS, 1 + Math.ceil(size.contextTokens / CHECKPOINT_TOKENS));
  return count * kv.checkpointBytes * size.parallel;
}

interface ComputeNeed {
  /** Where layers are computed; the largest of them is enough for all. */
  layers: number;
  /** In RAM even where all layers are on a GPU: what goes in, and what is wanted of the output. */
  staging: number;
  output: number;
  projector: number;
}

function computeNeed(
  facts: GgufFacts,
  { base, size, kv }: { base: MemoryBase; size: MemorySize; kv: KvCache },
): ComputeNeed {
  const { ubatchTokens: ubatch } = size;
  const embedding = facts.embeddingLength ?? 0;
  const vocabulary = facts.vocabSize ?? 0;
  const logits = isOldBuild(base.build) ? 4 * ubatch * (vocabulary + 2 * embedding) : 0;
  return {
    layers: Math.max(graphOf(facts, ubatch, kv), logits) * COMPUTE_MARGIN,
    staging: (4 * ubatch * embedding + masks(facts, ubatch, kv)) * COMPUTE_MARGIN,
    // A generating slot has one row of logits; an embedding keeps a row for each token of the input.
    output: base.mode === "chat"
      ? 4 * vocabulary * size.parallel
      : 4 * ubatch * embedding * size.parallel,
    projector: base.mmprojBytes > 0 ? PROJECTOR_COMPUTE_BYTES : 0,
  };
}

/** The widest moment of one micro-batch, and the masks over all cells; flash attention is on. */
export function graphBytes(facts: GgufFacts, shape: KvShape): number {
  return graphOf(facts, shape.ubatchTokens, kvCache(facts, shape));
}

function graphOf(facts: GgufFacts, ubatch: number, kv: KvCache): number {
  const embedding = facts.embeddingLength ?? 0;
  const { width, expertWidth } = feedForward(facts);
  const rows = FUSED.has(facts.architecture ?? "") ? 3 : 4;
  // Only where heads are many and the feed-forward network is narrow, as in test models.
  const queries = Math.max(0, ...facts.headCount) * (facts.keyLength ?? 0);
  const widest = Math.max(
    3 * width + rows * embedding,
    expertWidth,
    keepsNothing(facts) ? 0 : 3 * (queries + embedding),
  );
  return 4 * ubatch * widest + masks(facts, ubatch, kv);
}

function masks(facts: GgufFacts, ubatch: number, kv: KvCache): number {
  const cells = keepsNothing(facts) ? ubatch : kv.cells;
  return 2 * ubatch * (cells + kv.slidingCells);
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

function sumOf(values: readonly number[], { from = 0, to = values.length }) {
  let sum = 0;
  let largest = 0;
  for (let index = from; index < to; index++) {
    sum += values[index]!;
    if (values[index]! > largest) largest = values[index]!;
  }
  return { sum, largest };
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

/** `4.2 GB`, to the nearest: where two sizes are set side by side. */
export function formatNear(bytes: number): string {
  return format(bytes, Math.round);
}

function format(bytes: number, round: (value: number) => number): string {
  if (bytes < 1e9) {
    const megabytes = round(bytes / 1e6);
    if (megabytes < 1000) return `${megabytes} MB`;
  }
  return `${(round(bytes / 1e8) / 10).toFixed(1)} GB`;
}
