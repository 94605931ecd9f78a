// A verdict on a model as people read it (pure): level, code, the numbers, one English sentence. The
// verdict is fit.ts's.

import type { Badge, BadgeCode, BadgeLevel } from "../api_types.ts";
import { formatNeed, formatRoom, type MemoryPools } from "./memory_need.ts";

export interface Verdict {
  code: BadgeCode;
  need: MemoryPools;
  /** What is free for it now, other models left as they are; null = unknown. */
  free: { ramBytes: number | null; vramBytes: number | null };
  budgetBytes: number | null;
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
        choose: instead.byQuantization ? "smaller_quantization" : "smaller_model",
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
  const ram = formatNeed(need.ramBytes);
  if (need.vramBytes === 0) {
    return free.ramBytes === null
      ? `Needs ${ram}`
      : `Needs ${ram}, you have ${formatRoom(free.ramBytes)} free`;
  }
  const both = `Needs ${formatNeed(need.vramBytes)} on the GPU and ${ram} of RAM`;
  return free.ramBytes === null || free.vramBytes === null
    ? both
    : `${both}, you have ${formatRoom(free.vramBytes)} and ${formatRoom(free.ramBytes)} free`;
}

function tooLarge({ need, budgetBytes, instead }: Verdict): string {
  const part = need.vramBytes === 0
    ? ""
    : ` of RAM beside ${formatNeed(need.vramBytes)} on the GPU`;
  const choice = instead?.byQuantization ? "smaller quantization" : "smaller model";
  const most = instead === undefined || instead.weightsBytes === 0
    ? ""
    : `, of at most ${formatRoom(instead.weightsBytes)}`;
  return `Needs ${formatNeed(need.ramBytes)}${part}, this computer has ` +
    `${formatRoom(budgetBytes ?? 0)} for models. Choose a ${choice}${most}`;
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
