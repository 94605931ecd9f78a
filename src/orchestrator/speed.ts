// How fast a model answers (pure): the bytes that it reads for one token over what the memory gives,
// and what each token costs beside. What was measured or learnt is handed in.

import type { CacheType } from "../host/messages.ts";
import type { GgufFacts } from "../models/gguf.ts";
import { bytesPerToken } from "./bytes_per_token.ts";

export interface SpeedInputs {
  facts: GgufFacts;
  /** Tokens that a slot can hold. */
  contextTokens: number;
  /** Null = f16. */
  cacheTypeK: CacheType | null;
  cacheTypeV: CacheType | null;
  /** Layers counted as in `Fit.gpu_layers`: from the end, the output first. Null = CPU only. */
  gpu: { layers: number; bytesPerSecond: number | null } | null;
  /** Measured, by as many threads as an instance has; null = not known. */
  ramBytesPerSecond: number | null;
  /** Real speed by expected speed, learnt on this machine; 1 = nothing learnt. */
  correction: number;
  /** What the CPU's part is computed with; without it the memory alone is the limit. */
  cpu?: { threads: number; features: readonly string[] };
}

/**
 * Tokens per second of one answer. Null where a bandwidth that counts is not known, and for models
 * that do not write.
 */
export function expectedTokensPerSecond(inputs: SpeedInputs): number | null {
  const { facts, gpu, ramBytesPerSecond, correction } = inputs;
  if (facts.kind !== "chat" && facts.kind !== "completion") return null;
  const bytes = bytesPerToken(facts, { ...inputs, gpuLayers: gpu?.layers ?? 0 });
  if (bytes.ram + bytes.gpu <= 0) return null;
  if (bytes.gpu > 0 && !gpu?.bytesPerSecond) return null;
  if (bytes.ram > 0 && !ramBytesPerSecond) return null;
  const seconds = (bytes.gpu > 0 ? bytes.gpu / gpu!.bytesPerSecond! : 0) +
    (bytes.ram > 0 ? bytes.ram / ramBytesPerSecond! : 0);
  return correction / seconds;
}
