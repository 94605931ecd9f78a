// planEviction(): which instances must go before another one is loaded (pure), so that there is room
// in RAM and on the GPU. Stopping them, and waiting until it is really back, is make_room.ts's.

import { formatNeed, formatRoom, type MemoryPools } from "./memory_need.ts";
import { tooLargeMessage } from "./placement.ts";

/** An instance that holds memory now. */
export interface LoadedInstance extends MemoryPools {
  id: string;
  /** Requests hold leases on it. */
  busy: boolean;
  pinned: boolean;
  /** Any clock, as long as it is the same for all. */
  lastUsedMs: number;
  /** It is going already, but is not gone: its memory still counts. */
  leaving: boolean;
}

export interface EvictionOptions {
  /** What the new instance will take. */
  need: MemoryPools;
  /** RAM that all instances together may use; null = unknown, no limit. */
  budgetBytes: number | null;
  /** RAM that the system can give now without swapping; null = unknown, no limit. */
  availableBytes: number | null;
  /** What may be planned with on the GPUs now; null = unknown, or no limit of its own. */
  vramFreeBytes: number | null;
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
  const { need, budgetBytes, availableBytes, vramFreeBytes, instances } = options;
  const freed = heldBy(gone);
  if (budgetBytes !== null) {
    const staying = heldBy(instances).ramBytes - freed.ramBytes;
    if (staying + need.ramBytes > budgetBytes) return false;
  }
  if (availableBytes !== null && need.ramBytes > availableBytes + freed.ramBytes) return false;
  return vramFreeBytes === null || need.vramBytes === 0 ||
    need.vramBytes <= vramFreeBytes + freed.vramBytes;
}

export function heldBy(instances: Iterable<MemoryPools>): MemoryPools {
  let ramBytes = 0;
  let vramBytes = 0;
  for (const instance of instances) {
    ramBytes += instance.ramBytes;
    vramBytes += instance.vramBytes;
  }
  return { ramBytes, vramBytes };
}

function impossible(options: EvictionOptions): Impossible {
  const { need, budgetBytes, availableBytes, vramFreeBytes, instances } = options;
  const staying = instances.filter((instance) => instance.pinned && !instance.leaving);
  const held = heldBy(staying);
  const all = heldBy(instances);
  const pinned = staying.map((instance) => `"${instance.id}"`).join(", ");
  const roomBytes = availableBytes === null ? null : availableBytes + all.ramBytes - held.ramBytes;
  const vramBytes = vramFreeBytes === null ? null : vramFreeBytes + all.vramBytes - held.vramBytes;
  const values = {
    need_bytes: need.ramBytes,
    budget_bytes: budgetBytes,
    available_bytes: availableBytes,
    need_vram_bytes: need.vramBytes,
    free_vram_bytes: vramFreeBytes,
    pinned_bytes: held.ramBytes,
    pinned_vram_bytes: held.vramBytes,
    pinned_models: staying.map((instance) => instance.id).join(", "),
  };
  const smaller = "choose a smaller quantization or a smaller context";
  const others = pinned === "" ? "every other model" : `all but the pinned models ${pinned}`;
  return {
    values,
    message(name) {
      const needBytes = need.ramBytes;
      if (budgetBytes !== null && needBytes > budgetBytes) {
        return tooLargeMessage(name, { needBytes, budgetBytes });
      }
      const start = `Cannot load "${name}": it needs ${formatNeed(needBytes)}`;
      if (budgetBytes !== null && needBytes + held.ramBytes > budgetBytes) {
        return `${start}, and of the memory budget of ${formatRoom(budgetBytes)} pinned models ` +
          `hold ${formatNeed(held.ramBytes)}: ${pinned}. Unpin one, or ${smaller}`;
      }
      if (roomBytes !== null && needBytes > roomBytes) {
        return `${start} and ${formatRoom(roomBytes)} would be free with ${others} unloaded. ` +
          `Close other programs, or ${smaller}`;
      }
      return `Cannot load "${name}": its layers on the GPU need ${
        formatNeed(need.vramBytes)
      } and ` +
        `${formatRoom(vramBytes ?? 0)} of GPU memory would be free with ${others} unloaded. ` +
        "Set fewer GPU layers, or close other programs";
    },
  };
}
