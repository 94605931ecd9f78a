// CPU time of all cores through the runtime itself, where no file of the system tells it.

import { cpus } from "node:os";
import type { CpuTimes } from "./machine.ts";

export interface CoreTimes {
  times: { user: number; nice: number; sys: number; idle: number; irq: number };
}

/** Null where the system gives no times: all of them are then 0. */
export function sumCoreTimes(cores: readonly CoreTimes[]): CpuTimes | null {
  let busy = 0;
  let idle = 0;
  for (const { times } of cores) {
    busy += times.user + times.nice + times.sys + times.irq;
    idle += times.idle;
  }
  return idle === 0 ? null : { busy, total: busy + idle };
}

/** Null where narrow flags refuse it. */
export function readCoreTimes(): CpuTimes | null {
  try {
    return sumCoreTimes(cpus());
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return null;
    throw error;
  }
}
