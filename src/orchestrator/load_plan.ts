// planLoad(): into which room of this machine a model goes (pure): beside what runs where that is
// room enough, else in the place of others. How it lies there is placement.ts's, who goes eviction.ts's.

import { type GpuRoom, vramFree, withFreed } from "./gpu_room.ts";
import type { Machine } from "./machine.ts";
import type { MemoryPools } from "./memory_need.ts";
import {
  type Placement,
  type PlacementOptions,
  planPlacement,
  usefulContext,
} from "./placement.ts";

/** One model as it would be loaded. */
export type LoadOptions = Pick<
  PlacementOptions,
  "facts" | "mode" | "settings" | "mmprojBytes" | "extraBytes" | "measuredPromptTokensPerSecond"
>;

/** What one load needs and what there is for it, as the orchestrator decides over it. */
export interface LoadPlan {
  placement: Placement;
  need: MemoryPools;
  budgetBytes: number | null;
  availableBytes: number | null;
  vramFreeBytes: number | null;
}

/**
 * From the narrowest to the widest: `beside` what runs; with the models gone that may `go`; with
 * `all` models of ours gone; `alone` on this computer, other programs closed.
 */
export type RoomName = "beside" | "go" | "all" | "alone";

export interface Room {
  ramBytes: number | null;
  gpu: GpuRoom | null;
}

export function roomOf(machine: Machine, name: RoomName): Room {
  const { budgetBytes, availableBytes, gpu, evictable, pinned } = machine;
  const all = evictable.ramBytes + pinned.ramBytes;
  switch (name) {
    case "beside":
      return { ramBytes: least(less(budgetBytes, all), availableBytes), gpu };
    case "go":
      return {
        ramBytes: least(
          less(budgetBytes, pinned.ramBytes),
          less(availableBytes, -evictable.ramBytes),
        ),
        gpu: withFreed(gpu, evictable.vramBytes),
      };
    case "all":
      return {
        ramBytes: least(budgetBytes, less(availableBytes, -all)),
        gpu: withFreed(gpu, evictable.vramBytes + pinned.vramBytes),
      };
    case "alone":
      return { ramBytes: budgetBytes, gpu: withFreed(gpu, Infinity) };
  }
}

export function placeIn(machine: Machine, name: RoomName, options: LoadOptions): Placement {
  const { ramBytes, gpu } = roomOf(machine, name);
  const { totalRamBytes, threads, cpuFeatures, build } = machine;
  return planPlacement({
    ...options,
    totalRamBytes,
    threads,
    cpuFeatures,
    build,
    budgetBytes: ramBytes,
    gpu,
  });
}

/**
 * How the model is loaded now: beside the others if a useful context has room there and no layer
 * would be kept from the GPU by them; else in their place. Where it fits in neither, the plan is for
 * the wider one, and `planEviction` says with numbers why that is impossible.
 */
export function planLoad(machine: Machine, options: LoadOptions): LoadPlan {
  const { placement } = chooseRoom(machine, options);
  const { ramBytes, vramBytes } = placement.memory;
  const { budgetBytes, availableBytes, gpu } = machine;
  // Layers that the user asked for are tried: others make what room they can, and llama.cpp says.
  const mostVram = vramFree(roomOf(machine, "go").gpu) ?? Infinity;
  return {
    placement,
    need: { ramBytes, vramBytes: Math.min(vramBytes, mostVram) },
    budgetBytes,
    availableBytes,
    vramFreeBytes: vramFree(gpu),
  };
}

export interface ChosenRoom {
  /** Null = it fits in neither. */
  room: "beside" | "go" | null;
  placement: Placement;
  /** How it would be beside the others; null where it does not fit there. */
  beside: Placement | null;
}

export function chooseRoom(machine: Machine, options: LoadOptions): ChosenRoom {
  const placement = placeIn(machine, "beside", options);
  const hasRoom = fitsRoom(placement, roomOf(machine, "beside"));
  const beside = hasRoom ? placement : null;
  const { ramBytes, vramBytes } = machine.evictable;
  // With the others gone it would have no more layers on the GPU, and needs no more context.
  const isEnough = hasRoom && placement.contextTokens >= usefulContext(options.facts);
  if (vramBytes === 0 && (ramBytes === 0 || isEnough)) {
    return { room: hasRoom ? "beside" : null, placement, beside };
  }
  const go = placeIn(machine, "go", options);
  const fitsGo = fitsRoom(go, roomOf(machine, "go"));
  if (beside !== null && (!fitsGo || isAsGood(beside, go, options.facts))) {
    return { room: "beside", placement: beside, beside };
  }
  return { room: fitsGo ? "go" : null, placement: go, beside };
}

function isAsGood(beside: Placement, go: Placement, facts: LoadOptions["facts"]): boolean {
  const enough = Math.min(go.contextTokens, usefulContext(facts));
  return beside.contextTokens >= enough && (beside.layersOnGpu ?? 0) >= (go.layersOnGpu ?? 0);
}

export function fitsRoom({ memory }: Placement, { ramBytes, gpu }: Room): boolean {
  return memory.ramBytes <= (ramBytes ?? Infinity) &&
    memory.vramBytes <= (vramFree(gpu) ?? Infinity);
}

/** Null is no limit. */
function least(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.min(a, b);
}

function less(bytes: number | null, taken: number): number | null {
  return bytes === null ? null : Math.max(0, bytes - taken);
}
