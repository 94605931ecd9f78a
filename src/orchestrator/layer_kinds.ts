// Which layers of a model attend to everything, which to a window, and which keep a state instead.
// The rules are llama.cpp's, by architecture; what is not known here counts in full.

import type { GgufFacts } from "../models/gguf.ts";
import { ENCODER_ARCHITECTURES } from "../models/gguf_kind.ts";
import { ModelKeys } from "./model_keys.ts";

export type Attention = "full" | "sliding" | "none";

interface Sliding {
  /** One layer of so many attends to everything; null = only the file's own list says which. */
  period: number | null;
  /** It is the first of each group instead of the last. */
  isFullFirst?: boolean;
  /** Where the file has no key for it; null = then there is no window. */
  windowTokens: number | null;
  /** Only models of this many layers have one. */
  onlyBlockCount?: number;
}

// phi3 is missing on purpose: its key is there, and llama.cpp does not use it.
const SLIDING: Readonly<Record<string, Sliding>> = {
  gemma2: { period: 2, windowTokens: 4096 },
  gemma3: { period: 6, windowTokens: null },
  gemma3n: { period: 5, windowTokens: null },
  gemma4: { period: null, windowTokens: null },
  "gpt-oss": { period: 2, windowTokens: 128 },
  cohere2: { period: 4, windowTokens: null },
  cohere2moe: { period: 4, isFullFirst: true, windowTokens: null },
  olmo2: { period: 4, windowTokens: null },
  exaone4: { period: 4, windowTokens: 4096, onlyBlockCount: 64 },
  "exaone-moe": { period: 4, windowTokens: 128 },
  llama4: { period: 4, windowTokens: 8192 },
  smallthinker: { period: 4, isFullFirst: true, windowTokens: 4096 },
  afmoe: { period: 4, windowTokens: null },
  mellum: { period: 4, windowTokens: null },
  "muse-glimmer": { period: 4, windowTokens: null },
  laguna: { period: 4, isFullFirst: true, windowTokens: null },
  plamo3: { period: 8, windowTokens: null },
  mimo2: { period: null, windowTokens: null },
  step35: { period: null, windowTokens: null },
  granite_swa: { period: null, windowTokens: null },
  dots3note: { period: null, windowTokens: null },
  lfm2: { period: null, windowTokens: null },
};

const RECURRENT: ReadonlySet<string> = new Set([
  "mamba",
  "mamba2",
  "rwkv6",
  "rwkv6qwen2",
  "rwkv7",
  "arwkv7",
]);

/** A layer without KV heads has a state. */
const HYBRID: ReadonlySet<string> = new Set([
  "jamba",
  "plamo2",
  "granitehybrid",
  "lfm2",
  "lfm2moe",
  "nemotron_h",
  "nemotron_h_moe",
  "kimi-linear",
]);

/** All layers but every fourth have a state, where the file names no other interval. */
const INTERVAL: ReadonlySet<string> = new Set(["qwen3next", "qwen35", "qwen35moe"]);
const DEFAULT_INTERVAL = 4;

/** Attention and a state side by side in each layer. */
const FALCON_H1 = "falcon-h1";

/** Gemma 3n: the layers after these reuse what the first ones keep. */
const GEMMA3N_OWN_LAYERS = 20;

export function keepsNothing(facts: GgufFacts): boolean {
  return ENCODER_ARCHITECTURES.has(facts.architecture ?? "");
}

/** Tokens; null where no layer of the model has a window that llama.cpp uses. */
export function slidingWindowOf(facts: GgufFacts): number | null {
  const rule = slidingRuleOf(facts);
  if (rule === null) return null;
  return facts.slidingWindow || rule.windowTokens;
}

export interface LayerKind {
  attention: Attention;
  /** It keeps a state, alone or beside its attention. */
  isRecurrent: boolean;
}

/** Each layer's kind, by its number from 0. The header is asked once for all of them. */
export function layerKindsOf(facts: GgufFacts): (layer: number) => LayerKind {
  const architecture = facts.architecture ?? "";
  const isRecurrent = recurrentOf(facts);
  const isSliding = slidingOf(facts);
  const ownLayers = layersWithOwnKv(facts);
  const isBlind = ENCODER_ARCHITECTURES.has(architecture) || RECURRENT.has(architecture);
  const hasBoth = architecture === FALCON_H1;
  return (layer) => {
    const recurrent = isRecurrent(layer);
    const attends = !isBlind && (facts.headCountKv[layer] ?? 0) > 0 && layer < ownLayers &&
      (hasBoth || !recurrent);
    return {
      attention: !attends ? "none" : isSliding(layer) ? "sliding" : "full",
      isRecurrent: recurrent,
    };
  };
}

type Ask = (layer: number) => boolean;

function recurrentOf(facts: GgufFacts): Ask {
  const architecture = facts.architecture ?? "";
  if (RECURRENT.has(architecture) || architecture === FALCON_H1) return () => true;
  const keys = new ModelKeys(facts);
  const listed = keys.list("attention.recurrent_layers");
  if (listed !== null) {
    const isByLayer = listed.length === facts.blockCount;
    return (layer) => isByLayer ? listed[layer] === 1 : listed.includes(layer);
  }
  const interval = keys.count("full_attention_interval") ??
    (INTERVAL.has(architecture) ? DEFAULT_INTERVAL : null);
  if (interval !== null && interval > 0) return (layer) => (layer + 1) % interval !== 0;
  if (!HYBRID.has(architecture)) return () => false;
  // Nemotron-H also has layers that are nothing but a feed-forward network.
  const feedForward = architecture.startsWith("nemotron") ? keys.list("feed_forward_length") : null;
  return (layer) => (facts.headCountKv[layer] ?? 0) === 0 && (feedForward?.[layer] ?? 0) === 0;
}

function layersWithOwnKv(facts: GgufFacts): number {
  const layers = facts.blockCount ?? 0;
  const shared = new ModelKeys(facts).count("attention.shared_kv_layers");
  if (shared !== null) return layers - shared;
  return facts.architecture === "gemma3n" ? Math.min(layers, GEMMA3N_OWN_LAYERS) : layers;
}

function slidingRuleOf(facts: GgufFacts): Sliding | null {
  const architecture = facts.architecture ?? "";
  const rule = Object.hasOwn(SLIDING, architecture) ? SLIDING[architecture]! : null;
  const only = rule?.onlyBlockCount ?? null;
  return only === null || only === facts.blockCount ? rule : null;
}

function slidingOf(facts: GgufFacts): Ask {
  const rule = slidingRuleOf(facts);
  if (rule === null || slidingWindowOf(facts) === null) return () => false;
  const keys = new ModelKeys(facts);
  const pattern = keys.list("attention.sliding_window_pattern");
  if (pattern !== null) return (layer) => pattern[layer] === 1;
  const period = keys.count("attention.sliding_window_pattern") ?? rule.period;
  if (period === null || period === 0) return () => false;
  return (layer) => rule.isFullFirst ? layer % period !== 0 : layer % period < period - 1;
}
