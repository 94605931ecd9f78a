// Linux: memory, CPU and GPUs from `/proc`, `/sys` and nvidia-smi. File reads only but for the last.

import type { MemoryInfo } from "../../api_types.ts";
import { Cgroups } from "./cgroup.ts";
import { parseCpuTimes, readLinuxCpu } from "./linux_cpu.ts";
import { readDrm, readNvidiaDriver } from "./linux_gpus.ts";
import { readLinuxOs } from "./linux_os.ts";
import type { CpuTimes, GpuReading, Machine, MachineFacts } from "./machine.ts";
import { parseMeminfo } from "./meminfo.ts";
import { NVIDIA_SMI_LINUX, readNvidiaSmi } from "./nvidia_smi.ts";
import type { RunCommand } from "./run_command.ts";
import type { SystemFiles } from "./system_files.ts";

export class LinuxMachine implements Machine {
  readonly #files: SystemFiles;
  readonly #run: RunCommand;
  readonly #cgroups: Cgroups;

  constructor(files: SystemFiles, run: RunCommand) {
    this.#files = files;
    this.#run = run;
    this.#cgroups = new Cgroups(files);
  }

  memory(): MemoryInfo {
    const ram = parseMeminfo(this.#files.read("/proc/meminfo") ?? "");
    const limit = this.#cgroups.memory();
    return {
      total_bytes: atMost(ram.totalBytes, limit?.limitBytes),
      available_bytes: atMost(ram.availableBytes, limit?.availableBytes),
    };
  }

  cpuTimes(): CpuTimes | null {
    return parseCpuTimes(this.#files.read("/proc/stat") ?? "");
  }

  cpuQuotaCores(): number | null {
    return this.#cgroups.cpuQuotaCores();
  }

  facts(): Promise<MachineFacts> {
    return Promise.resolve({ cpu: readLinuxCpu(this.#files), os: readLinuxOs(this.#files) });
  }

  async gpus(): Promise<GpuReading> {
    const nvidia = await readNvidiaSmi(this.#files, {
      run: this.#run,
      candidates: NVIDIA_SMI_LINUX,
    });
    const drm = readDrm(this.#files);
    const others = drm.filter((gpu) => gpu.vendor !== "nvidia");
    // nvidia-smi knows most, then the driver's own files, then the bus.
    const known = [nvidia?.gpus ?? [], readNvidiaDriver(this.#files)]
      .find((gpus) => gpus.length > 0) ?? drm.filter((gpu) => gpu.vendor === "nvidia");
    return { gpus: [...known, ...others], changes: nvidia?.answered ?? true };
  }
}

/** Unknown stays unknown: a limit says nothing about RAM that was not read. */
function atMost(bytes: number | null, limitBytes: number | undefined): number | null {
  return bytes === null ? null : Math.min(bytes, limitBytes ?? Infinity);
}
