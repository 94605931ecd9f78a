// The host's readings as the server sees them, and what may be spent of them. Null is unknown.

import type { HostReading } from "../api_types.ts";
import type { Config } from "../config.ts";

const GIB = 1024 ** 3;

/** Part of the memory that is left to the system and other programs, at least 1 GiB. */
const RESERVE_SHARE = 0.2;

export interface HardwareSnapshot {
  /** The host's last reading; null before the first. */
  reading: HostReading | null;
  /** RAM or the cgroup's limit, whichever is less. */
  totalBytes: number | null;
  /** What can be had without swapping, at the last reading. */
  availableBytes: number | null;
  /** What all instances together may use. */
  budgetBytes: number | null;
  /** Threads of an instance whose user set none. */
  threads: number;
}

/**
 * The configured budget in bytes, or the memory less max(1 GiB, 20 %); null where neither is known.
 * GPU memory is no part of it: where it is shared it is this same RAM.
 */
export function memoryBudgetBytes(
  reading: HostReading | null,
  configuredBytes: number | null,
): number | null {
  if (configuredBytes !== null) return configuredBytes;
  const totalBytes = reading?.memory.total_bytes ?? null;
  if (totalBytes === null) return null;
  return Math.max(0, totalBytes - Math.max(GIB, Math.ceil(totalBytes * RESERVE_SHARE)));
}

/**
 * The configured number, or the physical cores, at most the CPU time granted (rounded up: a part of
 * a core still runs one thread). Where cores are unknown, half of the logical ones, since most
 * CPUs run two threads on a core; never less than 1.
 */
export function defaultThreads(reading: HostReading | null, configured: number | null): number {
  if (configured !== null) return configured;
  const logical = reading?.cpu.logical_cores ?? navigator.hardwareConcurrency;
  const cores = reading?.cpu.physical_cores ?? Math.ceil(logical / 2);
  return Math.max(1, Math.min(cores, Math.ceil(reading?.cpu_quota_cores ?? Infinity)));
}

/** What can be had without swapping now; null where it is unknown. */
export function availableBytes(reading: HostReading | null): number | null {
  return reading?.memory.available_bytes ?? null;
}

export class Hardware {
  readonly #config: () => Pick<Config, "memoryBudgetBytes" | "threads">;
  #reading: HostReading | null = null;

  /** The settings are asked for each time: a user may change them. */
  constructor(config: () => Pick<Config, "memoryBudgetBytes" | "threads">) {
    this.#config = config;
  }

  update(reading: HostReading): void {
    this.#reading = reading;
  }

  snapshot(): HardwareSnapshot {
    const reading = this.#reading;
    const config = this.#config();
    return {
      reading,
      totalBytes: reading?.memory.total_bytes ?? null,
      availableBytes: availableBytes(reading),
      budgetBytes: memoryBudgetBytes(reading, config.memoryBudgetBytes),
      threads: defaultThreads(reading, config.threads),
    };
  }
}
