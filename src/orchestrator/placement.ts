// planPlacement(): how one model is loaded on this machine: context, slots, batch, offload, memory
// (pure). Formulas are memory_need.ts and kv_cache.ts; who must go for it is eviction.ts.

import type { ModelSettings } from "../api_types.ts";
import { AppError } from "../errors.ts";
import { CACHE_TYPES, type CacheType, type LaunchSpec } from "../host/messages.ts";
import type { GgufFacts } from "../models/gguf.ts";
import {
  formatNeed,
  formatRoom,
  type MemoryNeed,
  memoryNeed,
  type MemoryShape,
  summed,
} from "./memory_need.ts";
import { promptBatchTokens } from "./prompt_batch.ts";

/** What is chosen here of a launch, and what that will take. */
export interface Placement extends PlacedLaunch {
  memory: MemoryNeed;
}

type PlacedLaunch = Pick<
  LaunchSpec,
  | "mode"
  | "contextTokens"
  | "parallel"
  | "threads"
  | "gpuLayers"
  | "batchTokens"
  | "ubatchTokens"
  | "cacheTypeK"
  | "cacheTypeV"
  | "cacheRamMiB"
>;

type PlacementSettings = Pick<
  ModelSettings,
  "threads" | "context" | "gpu_layers" | "parallel" | "cache_type_k" | "cache_type_v"
>;

export interface PlacementOptions {
  facts: GgufFacts;
  settings: PlacementSettings;
  /** Where the settings name none. */
  threads: number;
  /** Null = unknown. */
  totalRamBytes: number | null;
  /** What all instances together may use; null = unknown: then nothing is made smaller to fit. */
  budgetBytes: number | null;
  /** The runtime lists a GPU. */
  hasDevices: boolean;
  /** Size of the projector's file; 0 = none. */
  mmprojBytes: number;
  /** Sizes of adapters and of a draft model. */
  extraBytes?: number;
  /** The runtime's build number; null or left out = a new one. */
  build?: number | null;
  /** Instruction sets of the CPU, as in `CpuInfo`. */
  cpuFeatures?: readonly string[];
  /** Speed at which this model was seen to read prompts here. */
  measuredPromptTokensPerSecond?: number | null;
}

/** Without a wish: enough for a long talk, and small enough for most machines. */
const DEFAULT_CONTEXT = 8192;
/** Less is of no use; a model that was trained for less gets its own length. */
const LEAST_CONTEXT = 512;
/** llama.cpp rounds up to whole blocks anyway. */
const CONTEXT_STEP = 256;
/** Beyond it the work space of an input that is read in one piece would outgrow the model. */
const MOST_EMBEDDING_CONTEXT = 32_768;
const MOST_UBATCH = 512;
const MIB = 1024 ** 2;
/** Below it, no memory for prompts whose slot went to another talk. */
const CACHE_RAM_FROM_BYTES = 16e9;
const MOST_CACHE_RAM_MIB = 512;

/**
 * Chooses how to load the model. The context is the user's, else as much as was trained for, up to
 * 8,192, less where the budget is short but never below 512: whether that fits is `checkFits`'s
 * and `planEviction`'s to say. Throws `invalid_request` for a cache type that does not exist.
 */
export function planPlacement(options: PlacementOptions): Placement {
  const { facts, settings } = options;
  const mode = modeOf(facts);
  const threads = settings.threads ?? options.threads;
  const gpuLayers = options.hasDevices ? settings.gpu_layers ?? "auto" : 0;
  const draft = {
    mode,
    parallel: settings.parallel ?? 1,
    cacheTypeK: cacheType("cache_type_k", settings.cache_type_k),
    cacheTypeV: cacheType("cache_type_v", settings.cache_type_v),
    mmprojBytes: options.mmprojBytes,
    extraBytes: options.extraBytes ?? 0,
    build: options.build ?? null,
    promptTokens: promptBatchTokens(facts, {
      threads,
      contextTokens: settings.context ?? defaultContext(facts),
      cpuFeatures: options.cpuFeatures ?? [],
      isOffloaded: gpuLayers !== 0,
      measuredTokensPerSecond: options.measuredPromptTokensPerSecond ?? null,
    }),
  };
  const contextTokens = contextOf(draft, options);
  const shape = shapeOf(draft, contextTokens);
  // Layers on a GPU take less RAM than this says. How many there will be is llama.cpp's choice at
  // the load ("auto"), so nothing is taken off: too careful, never too bold.
  const need = memoryNeed(facts, shape);
  const cacheRamMiB = cacheRamOf(need, { mode, ...options });
  return {
    mode,
    contextTokens,
    parallel: shape.parallel,
    threads,
    gpuLayers,
    batchTokens: batchOf(draft, contextTokens),
    ubatchTokens: shape.ubatchTokens,
    cacheTypeK: shape.cacheTypeK,
    cacheTypeV: shape.cacheTypeV,
    cacheRamMiB,
    memory: summed({ ...need, overheadBytes: need.overheadBytes + cacheRamMiB * MIB }),
  };
}

/**
 * Throws `out_of_memory`, with both numbers, for a model that could not be loaded even alone.
 * With an unknown budget everything passes.
 */
export function checkFits(
  placement: Pick<Placement, "memory">,
  options: { budgetBytes: number | null; name: string },
): void {
  const { budgetBytes, name } = options;
  const needBytes = placement.memory.totalBytes;
  if (budgetBytes === null || needBytes <= budgetBytes) return;
  throw new AppError("out_of_memory", tooLargeMessage(name, { needBytes, budgetBytes }), {
    values: { model: name, need_bytes: needBytes, budget_bytes: budgetBytes },
  });
}

/** The one sentence for a model that is larger than all that models may use. */
export function tooLargeMessage(
  name: string,
  { needBytes, budgetBytes }: { needBytes: number; budgetBytes: number },
): string {
  return `Cannot load "${name}": it needs ${formatNeed(needBytes)} and the memory budget is ` +
    `${formatRoom(budgetBytes)}. Choose a smaller quantization or a smaller context`;
}

type Draft = Omit<MemoryShape, "contextTokens" | "ubatchTokens"> & { promptTokens: number };

function modeOf(facts: GgufFacts): Placement["mode"] {
  return facts.kind === "embedding" || facts.kind === "rerank" ? facts.kind : "chat";
}

function contextOf(draft: Draft, options: PlacementOptions): number {
  const { facts, settings, budgetBytes } = options;
  if (settings.context !== null) {
    if (draft.mode === "chat") return settings.context;
    // An encoder has no positions beyond those that it was trained with.
    const trained = facts.contextLength || DEFAULT_CONTEXT;
    return Math.min(settings.context, trained, MOST_EMBEDDING_CONTEXT);
  }
  const wanted = defaultContext(facts);
  const least = Math.min(wanted, LEAST_CONTEXT);
  if (budgetBytes === null) return wanted;
  for (let tokens = wanted; tokens > least; tokens = stepDown(tokens)) {
    if (memoryNeed(facts, shapeOf(draft, tokens)).totalBytes <= budgetBytes) return tokens;
  }
  return least;
}

function defaultContext(facts: GgufFacts): number {
  return Math.min(facts.contextLength || DEFAULT_CONTEXT, DEFAULT_CONTEXT);
}

function stepDown(tokens: number): number {
  return (Math.ceil(tokens / CONTEXT_STEP) - 1) * CONTEXT_STEP;
}

function shapeOf(draft: Draft, contextTokens: number): MemoryShape {
  const ubatchTokens = draft.mode === "chat"
    ? Math.min(MOST_UBATCH, draft.promptTokens)
    : batchOf(draft, contextTokens);
  return { ...draft, contextTokens, ubatchTokens };
}

// An input of which an embedding is made must fit one micro-batch: llama-server refuses it else.
function batchOf(draft: Draft, contextTokens: number): number {
  return draft.mode === "chat" ? draft.promptTokens : contextTokens;
}

// Room for the prompt of one more talk per slot, so that two that alternate need not read theirs
// again each time; given only where it costs neither context nor another program's memory.
function cacheRamOf(
  need: MemoryNeed,
  options: Pick<PlacementOptions, "totalRamBytes" | "budgetBytes"> & { mode: Placement["mode"] },
): number {
  if (options.mode !== "chat" || (options.totalRamBytes ?? 0) < CACHE_RAM_FROM_BYTES) return 0;
  const wantedMiB = Math.min(MOST_CACHE_RAM_MIB, Math.ceil(need.kvBytes / MIB));
  const fits = need.totalBytes + wantedMiB * MIB <= (options.budgetBytes ?? Infinity);
  return fits ? wantedMiB : 0;
}

function cacheType(param: string, value: string | null): CacheType | null {
  const known = CACHE_TYPES.find((type) => type === value);
  if (value === null || known !== undefined) return known ?? null;
  throw new AppError(
    "invalid_request",
    `Cannot use the cache type "${value.slice(0, 40)}": choose one of ${CACHE_TYPES.join(", ")}`,
    { param, values: { param } },
  );
}
