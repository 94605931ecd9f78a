// planEviction(): which instances must go before another one is loaded (pure). Stopping them, and
// waiting until their memory is really back, is make_room.ts's.

import { formatNeed, formatRoom } from "./memory_need.ts";
import { tooLargeMessage } from "./placement.ts";

/** An instance that holds memory now. */
export interface LoadedInstance {
  id: string;
  memoryBytes: number;
  /** Requests hold leases on it. */
  busy: boolean;
  pinned: boolean;
  /** Any clock, as long as it is the same for all. */
  lastUsedMs: number;
  /** It is going already, but is not gone: its memory still counts. */
  leaving: boolean;
}

export interface EvictionOptions {
  /** Bytes that the new instance will take. */
  need: number;
  /** What all instances together may use; null = unknown, no limit. */
  budgetBytes: number | null;
  /** What the system can give now without swapping; null = unknown, no limit. */
  availableBytes: number | null;
  /** All that hold memory, without the one to be loaded. */
  instances: readonly LoadedInstance[];
}

export type EvictionPlan = {
  /** To be stopped at once: idle. */
  victims: string[];
  /** To be stopped when their answers have ended; until then they get no new leases. */
  drain: string[];
} | { impossible: Impossible };

/** Even without every instance that may go, there would be too little. */
export interface Impossible {
  /** For the user who asked for the model of that name. */
  message(name: string): string;
  values: Readonly<Record<string, string | number | null>>;
}

/**
 * The fewest that must go, in this order: those that are leaving anyway, idle ones from the least
 * recently used on, and only then busy ones, in the same order. A pinned one goes only if it is
 * leaving already, which its user asked for.
 *
 * Taking in that order until it is enough can take a small one whose place a later, larger one
 * makes needless; such ones are put back, the dearest to lose first. No single one of the plan can
 * be left out of it; a plan with a smaller number of more recently used ones may exist.
 */
export function planEviction(options: EvictionOptions): EvictionPlan {
  const candidates = options.instances
    .filter((instance) => instance.leaving || !instance.pinned)
    .toSorted((a, b) => costOf(a) - costOf(b) || a.lastUsedMs - b.lastUsedMs);
  const picked: LoadedInstance[] = [];
  for (const candidate of candidates) {
    if (isEnough(options, picked)) break;
    picked.push(candidate);
  }
  if (!isEnough(options, picked)) return { impossible: impossible(options) };
  const needed = picked.reduceRight((kept, instance) => {
    const without = kept.filter((other) => other !== instance);
    return isEnough(options, without) ? without : kept;
  }, picked);
  return {
    victims: needed.filter((instance) => !instance.busy).map((instance) => instance.id),
    drain: needed.filter((instance) => instance.busy).map((instance) => instance.id),
  };
}

function costOf({ leaving, busy }: LoadedInstance): number {
  return (busy ? 2 : 0) + (leaving ? 0 : 1);
}

function isEnough(options: EvictionOptions, gone: readonly LoadedInstance[]): boolean {
  const { need, budgetBytes, availableBytes, instances } = options;
  const freed = sum(gone);
  if (budgetBytes !== null && sum(instances) - freed + need > budgetBytes) return false;
  return availableBytes === null || need <= availableBytes + freed;
}

function sum(instances: readonly LoadedInstance[]): number {
  return instances.reduce((total, instance) => total + instance.memoryBytes, 0);
}

function impossible(options: EvictionOptions): Impossible {
  const { need, budgetBytes, availableBytes, instances } = options;
  const staying = instances.filter((instance) => instance.pinned && !instance.leaving);
  const pinnedBytes = sum(staying);
  const pinned = staying.map((instance) => `"${instance.id}"`).join(", ");
  const room = availableBytes === null ? null : availableBytes + sum(instances) - pinnedBytes;
  const values = {
    need_bytes: need,
    budget_bytes: budgetBytes,
    available_bytes: availableBytes,
    pinned_bytes: pinnedBytes,
    pinned_models: staying.map((instance) => instance.id).join(", "),
  };
  const smaller = "choose a smaller quantization or a smaller context";
  return {
    values,
    message(name) {
      if (budgetBytes !== null && need > budgetBytes) {
        return tooLargeMessage(name, { needBytes: need, budgetBytes });
      }
      const start = `Cannot load "${name}": it needs ${formatNeed(need)}`;
      if (budgetBytes !== null && need + pinnedBytes > budgetBytes) {
        return `${start}, and of the memory budget of ${formatRoom(budgetBytes)} pinned models ` +
          `hold ${formatNeed(pinnedBytes)}: ${pinned}. Unpin one, or ${smaller}`;
      }
      const others = pinned === "" ? "every other model" : `all but the pinned models ${pinned}`;
      return `${start} and ${formatRoom(room ?? 0)} would be free with ${others} unloaded. ` +
        `Close other programs, or ${smaller}`;
    },
  };
}
