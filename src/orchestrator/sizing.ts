// What one model takes on one set of devices, for any context and offload (pure): its mode, its
// batches, its memory. Which context and offload it gets is placement.ts's.

import type { ModelSettings } from "../api_types.ts";
import { AppError } from "../errors.ts";
import { CACHE_TYPES, type CacheType, type LaunchSpec } from "../host/messages.ts";
import type { GgufFacts } from "../models/gguf.ts";
import { type MemoryNeed, memoryNeedOf, type MemorySize } from "./memory_need.ts";
import type { GpuKind } from "./offload.ts";
import { promptBatchTokens } from "./prompt_batch.ts";

export interface SizingOptions {
  facts: GgufFacts;
  /** Null or left out = what the model is for. */
  mode?: LaunchSpec["mode"] | null;
  settings: SizingSettings;
  /** Where the settings name none. */
  threads: number;
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

export type SizingSettings = Pick<
  ModelSettings,
  "threads" | "context" | "parallel" | "cache_type_k" | "cache_type_v"
>;

/** Without a wish: enough for a long talk, and small enough for most machines. */
const DEFAULT_CONTEXT = 8192;
/** Beyond it the work space of an input that is read in one piece would outgrow the model. */
const MOST_EMBEDDING_CONTEXT = 32_768;
const MOST_UBATCH = 512;

export class Sizing {
  readonly mode: LaunchSpec["mode"];
  readonly parallel: number;
  readonly threads: number;
  readonly cacheTypeK: CacheType | null;
  readonly cacheTypeV: CacheType | null;
  readonly #facts: GgufFacts;
  readonly #promptTokens: number;
  readonly #needOf: (size: MemorySize) => MemoryNeed;

  /**
   * `gpu` is null where nothing goes to a GPU. Throws `invalid_request` for a cache type that does
   * not exist.
   */
  constructor(options: SizingOptions, gpu: GpuKind | null | "unknown") {
    const { facts, settings } = options;
    this.#facts = facts;
    this.mode = options.mode ?? ownMode(facts);
    this.parallel = settings.parallel ?? 1;
    this.threads = settings.threads ?? options.threads;
    this.cacheTypeK = cacheType("cache_type_k", settings.cache_type_k);
    this.cacheTypeV = cacheType("cache_type_v", settings.cache_type_v);
    this.#promptTokens = promptBatchTokens(facts, {
      threads: this.threads,
      contextTokens: settings.context ?? defaultContext(facts),
      cpuFeatures: options.cpuFeatures ?? [],
      isOffloaded: gpu !== null,
      measuredTokensPerSecond: options.measuredPromptTokensPerSecond ?? null,
    });
    this.#needOf = memoryNeedOf(facts, {
      mode: this.mode,
      cacheTypeK: this.cacheTypeK,
      cacheTypeV: this.cacheTypeV,
      mmprojBytes: options.mmprojBytes,
      extraBytes: options.extraBytes ?? 0,
      build: options.build ?? null,
      gpu: gpu === "unknown" ? null : gpu,
    });
  }

  /** The user's context as far as the model can use it. */
  limited(contextTokens: number): number {
    if (this.mode === "chat") return contextTokens;
    // An encoder has no positions beyond those that it was trained with.
    const trained = this.#facts.contextLength || DEFAULT_CONTEXT;
    return Math.min(contextTokens, trained, MOST_EMBEDDING_CONTEXT);
  }

  /** Layers are units as in `Fit.gpu_layers`. */
  need(contextTokens: number, gpuLayers = 0): MemoryNeed {
    const { parallel } = this;
    const ubatchTokens = this.ubatchTokens(contextTokens);
    return this.#needOf({ contextTokens, parallel, ubatchTokens, gpuLayers });
  }

  ubatchTokens(contextTokens: number): number {
    const batch = this.batchTokens(contextTokens);
    return this.mode === "chat" ? Math.min(MOST_UBATCH, batch) : batch;
  }

  // An input of which an embedding is made must fit one micro-batch: llama-server refuses it else.
  batchTokens(contextTokens: number): number {
    return this.mode === "chat" ? this.#promptTokens : contextTokens;
  }
}

/** What an instance of the model runs for unless it is asked for something else. */
export function ownMode({ kind }: Pick<GgufFacts, "kind">): LaunchSpec["mode"] {
  return kind === "embedding" || kind === "rerank" ? kind : "chat";
}

/** Where nobody wished for one. */
export function defaultContext(facts: GgufFacts): number {
  return Math.min(facts.contextLength || DEFAULT_CONTEXT, DEFAULT_CONTEXT);
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
