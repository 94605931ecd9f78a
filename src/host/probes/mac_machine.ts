// macOS: memory from vm_stat, CPU and system from sysctl, GPUs from system_profiler.

import type { MemoryInfo } from "../../api_types.ts";
import { readCoreTimes } from "./core_times.ts";
import type { CpuTimes, GpuReading, Machine, MachineFacts } from "./machine.ts";
import type { RunCommand } from "./run_command.ts";
import { macCpu, macOs, readSysctl, type SysctlValues } from "./sysctl.ts";
import { parseSystemProfiler } from "./system_profiler.ts";
import { parseWhole } from "./system_files.ts";
import { parseVmStat } from "./vm_stat.ts";

const VM_STAT_TIMEOUT_MS = 500;
const PROFILER_TIMEOUT_MS = 10_000;

export class MacMachine implements Machine {
  readonly #run: RunCommand;
  #sysctl: Promise<SysctlValues> | null = null;

  constructor(run: RunCommand) {
    this.#run = run;
  }

  async memory(): Promise<MemoryInfo> {
    const [sysctl, pages] = await Promise.all([
      this.#values(),
      this.#run("/usr/bin/vm_stat", [], VM_STAT_TIMEOUT_MS),
    ]);
    return {
      total_bytes: parseWhole(sysctl.get("hw.memsize")),
      available_bytes: pages?.code === 0 ? parseVmStat(pages.stdout) : null,
    };
  }

  cpuTimes(): CpuTimes | null {
    return readCoreTimes();
  }

  cpuQuotaCores(): null {
    return null;
  }

  async facts(): Promise<MachineFacts> {
    const values = await this.#values();
    return { cpu: macCpu(values), os: macOs(values) };
  }

  async gpus(): Promise<GpuReading> {
    const result = await this.#run(
      "/usr/sbin/system_profiler",
      ["SPDisplaysDataType", "-json"],
      PROFILER_TIMEOUT_MS,
    );
    return {
      gpus: result?.code === 0 ? parseSystemProfiler(result.stdout) : [],
      // What is free is not among it.
      changes: false,
    };
  }

  #values(): Promise<SysctlValues> {
    this.#sysctl ??= readSysctl(this.#run);
    return this.#sysctl;
  }
}
