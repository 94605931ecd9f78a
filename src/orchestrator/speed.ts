// How fast a model answers (pure): the bytes that it reads for one token over what the memory gives,
// and what each token costs beside. What was measured or learnt is handed in.

import type { CacheType } from "../host/messages.ts";
import type { GgufFacts } from "../models/gguf.ts";
import { bytesPerToken } from "./bytes_per_token.ts";
import { cpuRate } from "./cpu_rate.ts";

export interface SpeedInputs {
  facts: GgufFacts;
  /** Tokens that a slot can hold. */
  contextTokens: number;
  /** Tokens of the conversation so far; by default those of a usual one. */
  liveTokens?: number;
  /** Null = f16. */
  cacheTypeK: CacheType | null;
  cacheTypeV: CacheType | null;
  /** Layers counted as in `Fit.gpu_layers`: from the end, the output first. Null = CPU only. */
  gpu: { layers: number; bytesPerSecond: number | null } | null;
  /** Measured, by as many threads as an instance has; null = not known. */
  ramBytesPerSecond: number | null;
  /** Real speed by expected speed, learnt on this machine; 1 = nothing learnt. */
  correction: number;
  /** What computes the part that is not on a GPU. */
  cpu: { threads: number; features: readonly string[] };
}

/** What llama.cpp reaches of a GPU's bandwidth: 0.55 to 0.8 in published figures. */
const GPU_SHARE = 0.7;
/** Experts are small and lie apart: published figures are about this much lower than for the rest. */
const EXPERTS_SHARE = 0.7;
/** Starting a layer's operations, and waiting for the last thread; what shows in tiny models only. */
const CPU_LAYER_SECONDS = 30e-6;
const GPU_LAYER_SECONDS = 40e-6;
/** Choosing the token and sending it. */
const TOKEN_SECONDS = 100e-6;

/**
 * Tokens per second of one answer. Null where a bandwidth that counts is not known, and for models
 * that do not write.
 */
export function expectedTokensPerSecond(inputs: SpeedInputs): number | null {
  const { facts, gpu, ramBytesPerSecond } = inputs;
  if (facts.kind !== "chat" && facts.kind !== "completion") return null;
  const read = bytesPerToken(facts, { ...inputs, gpuLayers: gpu?.layers ?? 0 });
  if (read.ramBytes + read.gpuBytes <= 0) return null;
  let seconds = 0;
  if (read.gpuBytes > 0) {
    if (!gpu?.bytesPerSecond) return null;
    seconds += read.gpuBytes / (gpu.bytesPerSecond * GPU_SHARE);
  }
  if (read.ramBytes > 0) {
    if (!ramBytesPerSecond) return null;
    // A thread multiplies what it has read while the next is on its way, but not all of the time:
    // measured, the two add up.
    seconds += read.ramBytes / ramBytesPerSecond +
      read.ramBytes / cpuRate(facts.quantization, inputs.cpu);
  }
  if (facts.expertCount) seconds /= EXPERTS_SHARE;
  seconds += read.ramBlocks * CPU_LAYER_SECONDS + read.gpuBlocks * GPU_LAYER_SECONDS +
    TOKEN_SECONDS;
  return inputs.correction / seconds;
}
