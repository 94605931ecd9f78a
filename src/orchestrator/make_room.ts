// Carries out what `planEviction` decides, before a load: stops idle models, waits for busy ones.

import { onAborted } from "../abort.ts";
import { AppError } from "../errors.ts";
import type { Entry } from "./entry.ts";
import { planEviction } from "./eviction.ts";
import type { LoadPlan } from "./load_plan.ts";
import type { MemoryPools } from "./memory_need.ts";

export interface MakeRoomOptions {
  entries: Entry[];
  memoryOf(entry: Entry): MemoryPools | null;
  unload(entry: Entry): Promise<void>;
  signal: AbortSignal;
}

/**
 * Unloads what must go so that the plan fits. Throws `out_of_memory` with numbers when even all
 * that may go would not be enough.
 */
export async function makeRoom(
  entry: Entry,
  plan: LoadPlan,
  options: MakeRoomOptions,
): Promise<void> {
  const others = options.entries.filter((other) => other !== entry);
  const loaded = others.flatMap((other) => {
    const memory = options.memoryOf(other);
    return memory === null ? [] : [{
      ...memory,
      id: other.key,
      busy: other.busy,
      pinned: other.pinned,
      lastUsedMs: other.lastUsedMs,
      leaving: other.leaving,
    }];
  });
  const eviction = planEviction({ ...plan, instances: loaded });
  if ("impossible" in eviction) {
    throw new AppError("out_of_memory", eviction.impossible.message(entry.model.id), {
      values: { model: entry.model.id, ...eviction.impossible.values },
    });
  }
  const idle = entriesOf(eviction.victims, others);
  const busy = entriesOf(eviction.drain, others);
  for (const victim of [...idle, ...busy]) victim.leaving = true;
  await Promise.all(idle.map((victim) => options.unload(victim)));
  await drainOrStay(busy, options.signal);
  await Promise.all(
    busy.filter((victim) => victim.leaving).map((victim) => options.unload(victim)),
  );
}

function entriesOf(ids: readonly string[], entries: readonly Entry[]): Entry[] {
  return entries.filter((entry) => ids.includes(entry.key));
}

// An answer may take for ever. Whoever waited for this load and left must not hold up the others.
async function drainOrStay(busy: readonly Entry[], signal: AbortSignal): Promise<void> {
  const left = Promise.withResolvers<void>();
  const onAbort = () => left.resolve();
  onAborted(signal, onAbort);
  await Promise.race([Promise.all(busy.map((entry) => entry.drained())), left.promise]);
  signal.removeEventListener("abort", onAbort);
  if (!signal.aborted) return;
  for (const entry of busy) {
    if (entry.busy) entry.stay();
  }
}
