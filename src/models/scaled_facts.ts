// The facts of one quantization from another one's header and the sizes of both (pure): all
// quantizations of a model have the same shape, and headers of nearly the same size.

import type { GgufFacts } from "./gguf.ts";

export interface ScaledTo {
  /** All parts, without the projector. */
  modelBytes: number;
  parts: number;
  quantization: string | null;
}

/** Weights are exact but for the padding; how they are spread over the layers is an estimate. */
export function scaledFacts(facts: GgufFacts, { modelBytes, parts, quantization }: ScaledTo) {
  const weightsBytes = Math.max(0, modelBytes - facts.headerBytes);
  const ratio = facts.weightsBytes === 0 ? 0 : weightsBytes / facts.weightsBytes;
  const scaled = (bytes: number) => Math.round(bytes * ratio);
  return {
    ...facts,
    quantization: quantization ?? facts.quantization,
    splitCount: parts,
    weightsBytes,
    tokenEmbeddingBytes: scaled(facts.tokenEmbeddingBytes),
    expertBytes: scaled(facts.expertBytes),
    blockBytes: facts.blockBytes.map(scaled),
    requiredFileBytes: modelBytes,
  } satisfies GgufFacts;
}
