// How fast a CPU multiplies weights with one token (pure): what keeps an old one from what its memory
// could give. Prompts, many tokens at once, are prompt_batch.ts's.

/**
 * Bytes of weights per second and thread, from the cache. Measured and published figures of CPUs with
 * 256-bit vectors lie between 25 and 45 GB/s; the formats differ less than the CPUs.
 */
const WIDE_BYTES_PER_SECOND = 30e9;
/**
 * CPUs with the newer 512-bit instructions multiply while they read: one thread of a Zen 4 answers at
 * 26 GB/s from the memory and at 27 to 30 from the cache (measured).
 */
const WIDEST_SHARE = 3;
/** Small ARM cores have wide registers and few of them at work. */
const SMALL_ARM_SHARE = 0.25;
const NARROW_SHARE = 0.25;
/** These are looked up in tables, number by number. */
const TABLE_SHARE = 0.4;
const TABLE_FORMAT = /^IQ[123]/;

export interface Cpu {
  threads: number;
  /** Instruction sets, such as `avx2`; empty = unknown, which counts as wide. */
  features: readonly string[];
}

/** Bytes per second that all threads together can multiply. */
export function cpuRate(quantization: string | null, { threads, features }: Cpu): number {
  const format = TABLE_FORMAT.test(quantization ?? "") ? TABLE_SHARE : 1;
  return Math.max(1, threads) * WIDE_BYTES_PER_SECOND * shareOf(features) * format;
}

function shareOf(features: readonly string[]): number {
  const names = new Set(features.map((feature) => feature.toLowerCase()));
  if (names.has("avx512_vnni")) return WIDEST_SHARE;
  if (names.size === 0 || names.has("avx2")) return 1;
  // Arm's fast cores came with the instructions for matrices of small integers.
  if (names.has("neon") || names.has("asimd")) return names.has("i8mm") ? 1 : SMALL_ARM_SHARE;
  return NARROW_SHARE;
}
