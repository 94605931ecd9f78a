// Computers as a plan sees them, none of which is this one.

import type { GpuInfo, RuntimeDevice } from "../../src/api_types.ts";
import { memoryBudgetBytes } from "../../src/hardware/hardware.ts";
import type { FitMachine } from "../../src/orchestrator/fit.ts";
import { gpuRoom } from "../../src/orchestrator/gpu_room.ts";

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;

export interface Description {
  ramGib: number;
  freeGib: number;
  /** Measured: what programs really get of the memory. */
  gbPerSecond: number | null;
  threads?: number;
  /** As the system says it, together with llama.cpp's own line. */
  gpus?: { device: RuntimeDevice; gpu: GpuInfo; gbPerSecond: number | null }[];
}

export function describedComputer(description: Description): FitMachine {
  const { ramGib, freeGib, gbPerSecond, gpus = [] } = description;
  const totalRamBytes = ramGib * GIB;
  return {
    totalRamBytes,
    budgetBytes: memoryBudgetBytes({ memory: { total_bytes: totalRamBytes } } as never, null),
    availableBytes: freeGib * GIB,
    gpu: gpuRoom(gpus.map(({ device }) => device), gpus.map(({ gpu }) => gpu)),
    evictable: { ramBytes: 0, vramBytes: 0 },
    pinned: { ramBytes: 0, vramBytes: 0 },
    threads: description.threads ?? 4,
    cpuFeatures: ["avx2"],
    build: null,
    ramBytesPerSecond: gbPerSecond === null ? null : gbPerSecond * 1e9,
    gpuBytesPerSecond: gpus[0]?.gbPerSecond ? gpus[0].gbPerSecond * 1e9 : null,
  };
}

export interface Card {
  name: string;
  totalMib: number;
  freeMib: number;
  gbPerSecond: number | null;
}

/** A card of NVIDIA's with memory of its own. */
export function card({ name, totalMib, freeMib, gbPerSecond }: Card, index = 0) {
  return {
    device: {
      name: `CUDA${index}`,
      description: name,
      total_bytes: totalMib * MIB,
      free_bytes: totalMib * MIB,
    },
    gpu: {
      name,
      vendor: "nvidia" as const,
      vram_total_bytes: totalMib * MIB,
      vram_free_bytes: freeMib * MIB,
      unified: false,
    },
    gbPerSecond,
  };
}

/** What is part of an Intel processor, reached by Vulkan: half of the RAM is open to it. */
export function integrated(sharedMib: number) {
  return {
    device: {
      name: "Vulkan0",
      description: "Intel(R) Iris(R) Xe Graphics (TGL GT2)",
      total_bytes: sharedMib * MIB,
      free_bytes: sharedMib * MIB,
    },
    gpu: {
      name: null,
      vendor: "intel" as const,
      vram_total_bytes: null,
      vram_free_bytes: null,
      unified: true,
    },
    gbPerSecond: null,
  };
}

/** Apple's: of the shared memory, this much is for Metal. */
export function apple(name: string, workingSetMib: number) {
  return {
    device: {
      name: "MTL0",
      description: name,
      total_bytes: workingSetMib * MIB,
      free_bytes: workingSetMib * MIB,
    },
    gpu: {
      name,
      vendor: "apple" as const,
      vram_total_bytes: null,
      vram_free_bytes: null,
      unified: true,
    },
    gbPerSecond: null,
  };
}

/** The eight of the table: 4 GB to 64 GB. */
export const COMPUTERS = {
  "4 GB, old laptop": { ramGib: 4, freeGib: 2.6, gbPerSecond: 11, threads: 2 },
  "8 GB DDR4, two channels": { ramGib: 8, freeGib: 5.5, gbPerSecond: 33 },
  "16 GB, integrated GPU": {
    ramGib: 16,
    freeGib: 11,
    gbPerSecond: 45,
    gpus: [integrated(8192)],
  },
  "16 GB, GTX 1650": {
    ramGib: 16,
    freeGib: 12,
    gbPerSecond: 35,
    threads: 6,
    gpus: [card({
      name: "NVIDIA GeForce GTX 1650",
      totalMib: 4096,
      freeMib: 3700,
      gbPerSecond: 128,
    })],
  },
  "16 GB, Apple M2": {
    ramGib: 16,
    freeGib: 10,
    gbPerSecond: 100,
    gpus: [apple("Apple M2", 11_453)],
  },
  "32 GB, RTX 3060": {
    ramGib: 32,
    freeGib: 26,
    gbPerSecond: 45,
    threads: 8,
    gpus: [card({
      name: "NVIDIA GeForce RTX 3060",
      totalMib: 12_288,
      freeMib: 11_600,
      gbPerSecond: 360,
    })],
  },
  "64 GB, Apple M2 Max": {
    ramGib: 64,
    freeGib: 50,
    gbPerSecond: 400,
    threads: 8,
    gpus: [apple("Apple M2 Max", 49_152)],
  },
  "64 GB, RTX 4090": {
    ramGib: 64,
    freeGib: 56,
    gbPerSecond: 70,
    threads: 8,
    gpus: [card({
      name: "NVIDIA GeForce RTX 4090",
      totalMib: 24_564,
      freeMib: 23_500,
      gbPerSecond: 1008,
    })],
  },
} satisfies Record<string, Description>;
