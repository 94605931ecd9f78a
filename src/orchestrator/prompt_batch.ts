// How many tokens of a prompt are read between two chances to stop (pure). llama-server ends a
// prompt that nobody waits for only between batches, so one batch must not take long.

import type { GgufFacts } from "../models/gguf.ts";
import { activeBytes } from "./bytes_per_token.ts";

export interface PromptBatchOptions {
  threads: number;
  /** The longest prompt: its last tokens attend to all before them. */
  contextTokens: number;
  /** Instruction sets, such as `avx2`; empty = unknown. */
  cpuFeatures: readonly string[];
  /** Some layers may be on a GPU. */
  isOffloaded: boolean;
  /** Measured for this model on this machine; null = estimate it. */
  measuredTokensPerSecond: number | null;
}

/** Below a second with room for what else the machine does. */
const BATCH_SECONDS = 0.7;
const LEAST_TOKENS = 32;
const MOST_TOKENS = 2048;
/** A GPU reads this many at nearly full speed, and its micro-batch is no larger. */
const GPU_TOKENS = 512;

// Multiply-adds of one thread while it reads a prompt, in 1e9 operations per second. Low on purpose:
// what was measured lies between one and four times these, and the error of a small batch is small.
const QUANTISED_GFLOPS = 40;
const FLOAT_GFLOPS = 8;
const ATTENTION_GFLOPS = 12;
/** A CPU without 256-bit integer vectors takes about four times as long. */
const NARROW_SHARE = 0.25;
const LONG_PROMPT_TOKENS = 4096;
/** Instructions made for small integers double it at least; float formats do not use them. */
const FAST_SHARE = 2;
const FAST_FEATURES = ["avx512_vnni", "avx_vnni", "i8mm"];
const WIDE_FEATURES = ["avx2", "neon", "asimd"];

/** A power of two from 32 to 2048. */
export function promptBatchTokens(facts: GgufFacts, options: PromptBatchOptions): number {
  const measured = options.measuredTokensPerSecond;
  if (measured === null && options.isOffloaded) return GPU_TOKENS;
  const perSecond = measured ?? estimatedTokensPerSecond(facts, options);
  const exponent = Math.floor(Math.log2(Math.max(1, perSecond * BATCH_SECONDS)));
  return Math.min(MOST_TOKENS, Math.max(LEAST_TOKENS, 2 ** exponent));
}

/**
 * Tokens of a prompt per second on the CPU, near the end of the longest prompt: two operations for
 * each weight that a token uses, and for each number of keys and values that it attends to.
 */
export function estimatedTokensPerSecond(
  facts: GgufFacts,
  options: Pick<PromptBatchOptions, "threads" | "contextTokens" | "cpuFeatures">,
): number {
  const bits = bitsPerWeight(facts.quantization);
  const features = options.cpuFeatures.map((feature) => feature.toLowerCase());
  const has = (names: readonly string[]) => names.some((name) => features.includes(name));
  const isNarrow = features.length > 0 && !has(WIDE_FEATURES);
  const quantised = QUANTISED_GFLOPS * (has(FAST_FEATURES) ? FAST_SHARE : 1);
  const perSecond = options.threads * (isNarrow ? NARROW_SHARE : 1) * 1e9;
  const weights = 2 * activeBytes(facts) * 8 / bits;
  const seconds = weights / (perSecond * (bits >= 16 ? FLOAT_GFLOPS : quantised)) +
    attentionOperations(facts, options.contextTokens) / (perSecond * ATTENTION_GFLOPS);
  return 1 / Math.max(seconds, 1e-9);
}

// Windows are passed over, and beyond a long prompt nobody expects a quick answer.
function attentionOperations(facts: GgufFacts, contextTokens: number): number {
  const heads = facts.headCount.reduce((sum, each) => sum + each, 0);
  const numbers = (facts.keyLength ?? 0) + (facts.valueLength ?? 0);
  return 2 * heads * numbers * Math.min(contextTokens, LONG_PROMPT_TOKENS);
}

/** By the label's own number: `Q4_K_M` has scales and some larger layers on top of 4 bits. */
function bitsPerWeight(quantization: string | null): number {
  const label = quantization ?? "";
  if (label === "F32") return 32;
  if (label === "F16" || label === "BF16") return 16;
  const bits = Number(/^(?:I?Q|TQ|MXFP|NVFP)(\d)/.exec(label)?.[1] ?? 4);
  return bits + 0.6;
}
