// What HostProbe asks of each platform. Types only.

import type { CpuInfo, GpuInfo, MemoryInfo, OsInfo } from "../../api_types.ts";

/** Facts that do not change while the program runs. */
export interface MachineFacts {
  cpu: Omit<CpuInfo, "usage">;
  os: OsInfo;
}

/** Time that all cores together have spent since the start, in one unit of the platform. */
export interface CpuTimes {
  busy: number;
  total: number;
}

export interface GpuReading {
  gpus: GpuInfo[];
  /** False where asking again soon is no use: a tool hung, or nothing in the answer changes. */
  changes: boolean;
}

export interface Machine {
  /** Cheap: asked at each reading. */
  memory(): MemoryInfo | Promise<MemoryInfo>;
  cpuTimes(): CpuTimes | null;
  /** CPU time that is granted, in cores; null without a limit. */
  cpuQuotaCores(): number | null;
  /** May take seconds; asked once. */
  facts(): Promise<MachineFacts>;
  /** May take seconds. */
  gpus(): Promise<GpuReading>;
}
