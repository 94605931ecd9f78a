// A verdict on a model as people read it (pure): level, code, the numbers, one English sentence. The
// verdict is fit.ts's.

import type { Badge, BadgeCode, BadgeLevel } from "../api_types.ts";
import { formatNear, formatNeed, formatRoom, type MemoryPools } from "./memory_need.ts";

export interface Verdict {
  code: BadgeCode;
  need: MemoryPools;
  /** What is free for it now, other models left as they are; null = unknown. */
  free: { ramBytes: number | null; vramBytes: number | null };
  /** RAM that all models together may use. */
  budgetBytes: number | null;
  /** What empty GPUs have for models; null = unknown, or none of their own. */
  vramBytes: number | null;
  /** Tokens that one slot could hold. */
  context: number;
  gpuLayers: number;
  tokensPerSecond: number | null;
  /** Of a model that is too large: what would fit. */
  instead?: {
    /** Weights of this size would; 0 = none would. */
    weightsBytes: number;
    /** A smaller quantization of the same model could be so small. */
    byQuantization: boolean;
  };
}

const LEVELS: Readonly<Record<BadgeCode, BadgeLevel>> = {
  fits: "recommended",
  slow: "compatible",
  short_context: "compatible",
  needs_unload: "compatible",
  memory_in_use: "compatible",
  too_large: "not_recommended",
  unusable: "not_recommended",
};

export function badgeOf(verdict: Verdict): Badge {
  const { code, need, free, instead } = verdict;
  return {
    level: LEVELS[code],
    code,
    values: {
      need_bytes: need.ramBytes,
      free_bytes: free.ramBytes,
      budget_bytes: verdict.budgetBytes,
      need_vram_bytes: need.vramBytes,
      free_vram_bytes: free.vramBytes,
      context: verdict.context,
      gpu_layers: verdict.gpuLayers,
      tokens_per_second: verdict.tokensPerSecond,
      ...(instead !== undefined && {
        largest_weights_bytes: instead.weightsBytes,
        choose: choiceOf(verdict),
      }),
    },
    reason: reasonOf(verdict),
  };
}

/** The largest recommended one of these; null where none is. The first of equals. */
export function bestForThisComputer<
  Row extends { size_bytes: number; badge: Pick<Badge, "level"> | null },
>(rows: readonly Row[]): Row | null {
  return rows.reduce<Row | null>((best, row) => {
    if (row.badge?.level !== "recommended") return best;
    return best === null || row.size_bytes > best.size_bytes ? row : best;
  }, null);
}

function reasonOf(verdict: Verdict): string {
  const memory = memoryWords(verdict);
  const speed = verdict.tokensPerSecond === null ? "" : speedWords(verdict.tokensPerSecond);
  const andSpeed = speed === "" ? "" : `; ${speed}`;
  switch (verdict.code) {
    case "fits":
      return memory + andSpeed;
    case "slow":
      return `${memory}, but writes only ${speed}`;
    case "short_context":
      return `${memory}, but with room for only ${grouped(verdict.context)} tokens of context` +
        andSpeed;
    case "needs_unload":
      return `${memory}: fits after other models are unloaded${andSpeed}`;
    case "memory_in_use":
      return `${memory}: fits after other programs are closed${andSpeed}`;
    case "too_large":
      return tooLarge(verdict);
    case "unusable":
      return "This file is no model that can be loaded by itself";
  }
}

/** `Needs 2.4 GB, you have 5.1 GB free` */
function memoryWords({ need, free }: Verdict): string {
  const ram = words(need.ramBytes, free.ramBytes);
  if (need.vramBytes === 0) {
    return ram.free === null ? `Needs ${ram.need}` : `Needs ${ram.need}, you have ${ram.free} free`;
  }
  const vram = words(need.vramBytes, free.vramBytes);
  const both = `Needs ${vram.need} on the GPU and ${ram.need} of RAM`;
  return ram.free === null || vram.free === null
    ? both
    : `${both}, you have ${vram.free} and ${ram.free} free`;
}

/** Rounded in such a way that what fits looks as if it fitted, and what does not does not. */
function words(needBytes: number, freeBytes: number | null) {
  if (freeBytes === null) return { need: formatNeed(needBytes), free: null };
  return needBytes <= freeBytes
    ? { need: formatNear(needBytes), free: formatNear(freeBytes) }
    : { need: formatNeed(needBytes), free: formatRoom(freeBytes) };
}

/** What would help, in the words of `values.choose`. */
function choiceOf({ need, budgetBytes, instead }: Verdict): string {
  // More layers than fit are only there where a user asked for them.
  if (budgetBytes === null || need.ramBytes <= budgetBytes) return "fewer_gpu_layers";
  return instead?.byQuantization ? "smaller_quantization" : "smaller_model";
}

function tooLarge(verdict: Verdict): string {
  const { need, budgetBytes, vramBytes, instead } = verdict;
  const choice = choiceOf(verdict);
  if (choice === "fewer_gpu_layers") {
    return `Needs ${formatNeed(need.vramBytes)} on the GPU, which has ` +
      `${formatRoom(vramBytes ?? 0)} for models. Set fewer GPU layers`;
  }
  const part = need.vramBytes === 0
    ? ""
    : ` of RAM beside ${formatNeed(need.vramBytes)} on the GPU`;
  const most = instead === undefined || instead.weightsBytes === 0
    ? ""
    : `, of at most ${formatRoom(instead.weightsBytes)}`;
  return `Needs ${formatNeed(need.ramBytes)}${part}, this computer has ` +
    `${formatRoom(budgetBytes ?? 0)} for models. Choose a ${choice.replace("_", " ")}${most}`;
}

/** Rounded down, so that what is below a limit never looks as if it reached it. */
function speedWords(tokensPerSecond: number): string {
  const whole = Math.floor(tokensPerSecond);
  if (whole === 0) return "less than one token a second";
  return whole === 1 ? "about 1 token a second" : `about ${grouped(whole)} tokens a second`;
}

/** `4,096` */
function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}
