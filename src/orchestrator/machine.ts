// What there is to load on at one moment, as plans take it: the system's reading, the runtime's GPUs,
// and what models hold already.

import type { RuntimeInfo } from "../api_types.ts";
import type { HardwareSnapshot } from "../hardware/hardware.ts";
import { type GpuRoom, gpuRoom } from "./gpu_room.ts";
import type { MemoryPools } from "./memory_need.ts";

/** Bytes; null = unknown. */
export interface Machine extends HeldMemory {
  totalRamBytes: number | null;
  /** RAM that all models together may use. */
  budgetBytes: number | null;
  /** RAM that the system can give now without swapping. */
  availableBytes: number | null;
  /** GPUs with what is free of them now; null = the runtime has none. */
  gpu: GpuRoom | null;
  /** Of an instance whose user set none. */
  threads: number;
  cpuFeatures: readonly string[];
  /** Of the runtime; null = unknown. */
  build: number | null;
}

/** By other models than the one that is planned for. */
export interface HeldMemory {
  /** Of those that may go for it. */
  evictable: MemoryPools;
  /** Of those that must stay. */
  pinned: MemoryPools;
}

export interface MachineParts extends HeldMemory {
  snapshot: HardwareSnapshot;
  runtime: Pick<RuntimeInfo, "devices" | "build">;
}

export function machineOf({ snapshot, runtime, evictable, pinned }: MachineParts): Machine {
  const { reading, totalBytes, budgetBytes, availableBytes, threads } = snapshot;
  return {
    evictable,
    pinned,
    totalRamBytes: totalBytes,
    budgetBytes,
    availableBytes,
    gpu: gpuRoom(runtime.devices, reading?.gpus ?? []),
    threads,
    cpuFeatures: reading?.cpu.features ?? [],
    build: runtime.build,
  };
}
