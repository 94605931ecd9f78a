// What one instance keeps of a conversation: the KV cache of each layer, windows and recurrent
// states included. llama.cpp's own rules (pure); weights and work space are memory_need.ts.

import type { CacheType } from "../host/messages.ts";
import type { GgufFacts } from "../models/gguf.ts";
import { type Attention, layerKindsOf, slidingWindowOf } from "./layer_kinds.ts";
import { ModelKeys } from "./model_keys.ts";

export interface KvSize {
  /** Tokens that one slot can hold. */
  contextTokens: number;
  /** Slots, each with cells of its own. */
  parallel: number;
  ubatchTokens: number;
}

export interface KvTypes {
  /** Null = f16. */
  cacheTypeK: CacheType | null;
  cacheTypeV: CacheType | null;
}

export interface KvShape extends KvSize, KvTypes {}

export interface KvCache {
  /** All slots. */
  bytes: number;
  /** The same, layer by layer. */
  layerBytes: number[];
  /** Tokens of one slot in a layer that sees all of them; 0 where no layer does. */
  cells: number;
  /** The same in a layer with a window; 0 without one. */
  slidingCells: number;
  /** The part of one slot that llama.cpp must copy aside to go back in time: windows, states. */
  checkpointBytes: number;
}

/** Bytes of one number; quantised formats store blocks of 32 with a scale. */
const BYTES_OF: Readonly<Record<CacheType, number>> = {
  f32: 4,
  f16: 2,
  bf16: 2,
  q8_0: 34 / 32,
  q5_1: 24 / 32,
  q5_0: 22 / 32,
  q4_1: 20 / 32,
  q4_0: 18 / 32,
  iq4_nl: 18 / 32,
};

/** llama.cpp rounds every cache up to whole blocks of cells. */
const CELL_BLOCK = 256;

/** States are kept in full precision, whatever the cache's type. */
const STATE_BYTES = 4;

export function kvCache(facts: GgufFacts, shape: KvShape): KvCache {
  return kvCacheOf(facts, shape)(shape);
}

/** The same for many contexts of one model: what each layer keeps is worked out once. */
export function kvCacheOf(facts: GgufFacts, types: KvTypes): (size: KvSize) => KvCache {
  const layers = keptLayers(facts, types);
  const window = slidingWindowOf(facts);
  const has = (attention: Attention) => layers.some((layer) => layer.attention === attention);
  const hasFull = has("full");
  const hasSliding = has("sliding");
  return ({ contextTokens, ubatchTokens, parallel }) => {
    const cells = padded(contextTokens);
    const slidingCells = window === null ? 0 : Math.min(cells, padded(window + ubatchTokens));
    let bytes = 0;
    let checkpointBytes = 0;
    const layerBytes = layers.map(({ attention, cellBytes, stateBytes }) => {
      const isSliding = attention === "sliding";
      const own = cellBytes * (isSliding ? slidingCells : cells);
      bytes += own + stateBytes;
      checkpointBytes += (isSliding ? own : 0) + stateBytes;
      return (own + stateBytes) * parallel;
    });
    return {
      bytes: Math.ceil(bytes * parallel),
      layerBytes,
      cells: hasFull ? cells : 0,
      slidingCells: hasSliding ? slidingCells : 0,
      checkpointBytes: Math.ceil(checkpointBytes),
    };
  };
}

interface KeptLayer {
  attention: Attention;
  /** Of one token; 0 without attention. */
  cellBytes: number;
  /** Of one slot; 0 without a state. */
  stateBytes: number;
}

function keptLayers(facts: GgufFacts, types: KvTypes): KeptLayer[] {
  const kindOf = layerKindsOf(facts);
  const headBytes = headBytesOf(facts, types);
  const perState = stateNumbers(facts) * STATE_BYTES;
  return Array.from({ length: facts.blockCount ?? 0 }, (_, layer) => {
    const { attention, isRecurrent } = kindOf(layer);
    const heads = facts.headCountKv[layer] ?? 0;
    return {
      attention,
      cellBytes: attention === "none" ? 0 : heads * headBytes[attention],
      stateBytes: isRecurrent ? perState : 0,
    };
  });
}

/** Of one head's cell, by what the layer attends to. */
function headBytesOf(facts: GgufFacts, types: KvTypes): Record<"full" | "sliding", number> {
  const keys = new ModelKeys(facts);
  const keyType = BYTES_OF[types.cacheTypeK ?? "f16"];
  // MLA keeps one latent vector, from which values are computed again (DeepSeek-V2, section 2.1).
  const valueType = keys.count("attention.key_length_mla") === null
    ? BYTES_OF[types.cacheTypeV ?? "f16"]
    : 0;
  const bytes = (key: number, value: number) => key * keyType + value * valueType;
  const key = facts.keyLength ?? 0;
  const value = facts.valueLength ?? 0;
  return {
    full: bytes(key, value),
    sliding: bytes(
      keys.count("attention.key_length_swa") ?? key,
      keys.count("attention.value_length_swa") ?? value,
    ),
  };
}

/** Numbers in the state of one recurrent layer of one slot. */
function stateNumbers(facts: GgufFacts): number {
  const keys = new ModelKeys(facts);
  const embedding = facts.embeddingLength ?? 0;
  const kernel = keys.count("ssm.conv_kernel") ?? 0;
  const kdaHead = keys.count("kda.head_dim");
  if (kdaHead !== null) {
    const heads = Math.max(0, ...facts.headCount);
    return 3 * Math.max(0, kernel - 1) * heads * kdaHead + kdaHead * kdaHead * heads;
  }
  const inner = keys.count("ssm.inner_size");
  if (inner !== null) {
    const state = keys.count("ssm.state_size") ?? 0;
    const groups = keys.count("ssm.group_count") ?? 0;
    return Math.max(0, kernel - 1) * (inner + 2 * groups * state) + state * inner;
  }
  const rwkvHead = keys.count("wkv.head_size");
  if (rwkvHead !== null) {
    return embedding * ((keys.count("token_shift_count") ?? 2) + rwkvHead);
  }
  const shortConv = keys.count("shortconv.l_cache");
  return shortConv === null ? 0 : embedding * Math.max(0, shortConv - 1);
}

function padded(tokens: number): number {
  return Math.ceil(tokens / CELL_BLOCK) * CELL_BLOCK;
}
