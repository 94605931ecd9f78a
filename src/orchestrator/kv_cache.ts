// What one instance keeps of a conversation: the KV cache of each layer, windows and recurrent
// states included. llama.cpp's own rules (pure); weights and work space are memory_need.ts.

import type { CacheType } from "../host/messages.ts";
import type { GgufFacts } from "../models/gguf.ts";
import { attentionOf, isRecurrent, slidingWindowOf } from "./layer_kinds.ts";
import { ModelKeys } from "./model_keys.ts";

export interface KvShape {
  /** Tokens that one slot can hold. */
  contextTokens: number;
  /** Slots, each with cells of its own. */
  parallel: number;
  ubatchTokens: number;
  /** Null = f16. */
  cacheTypeK: CacheType | null;
  cacheTypeV: CacheType | null;
}

export interface KvCache {
  /** All slots. */
  bytes: number;
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
  const cells = padded(shape.contextTokens);
  const window = slidingWindowOf(facts);
  const slidingCells = window === null ? 0 : Math.min(cells, padded(window + shape.ubatchTokens));
  const layers = facts.blockCount ?? 0;
  const perState = stateNumbers(facts) * STATE_BYTES;
  let full = 0;
  let sliding = 0;
  let states = 0;
  let hasFull = false;
  let hasSliding = false;
  for (let layer = 0; layer < layers; layer++) {
    const attention = attentionOf(facts, layer);
    if (attention === "full") {
      hasFull = true;
      full += cells * cellBytes(facts, { layer, isSliding: false, shape });
    } else if (attention === "sliding") {
      hasSliding = true;
      sliding += slidingCells * cellBytes(facts, { layer, isSliding: true, shape });
    }
    if (isRecurrent(facts, layer)) states += perState;
  }
  return {
    bytes: Math.ceil((full + sliding + states) * shape.parallel),
    cells: hasFull ? cells : 0,
    slidingCells: hasSliding ? slidingCells : 0,
    checkpointBytes: Math.ceil(sliding + states),
  };
}

interface CellOptions {
  layer: number;
  isSliding: boolean;
  shape: KvShape;
}

function cellBytes(facts: GgufFacts, { layer, isSliding, shape }: CellOptions): number {
  const keys = new ModelKeys(facts);
  const heads = facts.headCountKv[layer] ?? 0;
  const own = (name: string) => isSliding ? keys.count(name) : null;
  const keyLength = own("attention.key_length_swa") ?? facts.keyLength ?? 0;
  const valueLength = own("attention.value_length_swa") ?? facts.valueLength ?? 0;
  const keyBytes = heads * keyLength * BYTES_OF[shape.cacheTypeK ?? "f16"];
  // MLA keeps one latent vector, from which values are computed again (DeepSeek-V2, section 2.1).
  if (keys.count("attention.key_length_mla") !== null) return keyBytes;
  return keyBytes + heads * valueLength * BYTES_OF[shape.cacheTypeV ?? "f16"];
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
