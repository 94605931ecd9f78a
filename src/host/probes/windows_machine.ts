// Windows: one PowerShell inventory, nvidia-smi for NVIDIA's memory, the runtime for what changes.

import type { MemoryInfo } from "../../api_types.ts";
import { denoMemory } from "./deno_memory.ts";
import { readCoreTimes } from "./core_times.ts";
import type { CpuTimes, GpuReading, Machine, MachineFacts } from "./machine.ts";
import { NVIDIA_SMI_WINDOWS, readNvidiaSmi } from "./nvidia_smi.ts";
import { runPowershell } from "./powershell.ts";
import type { RunCommand } from "./run_command.ts";
import type { SystemFiles } from "./system_files.ts";
import {
  INVENTORY_SCRIPT,
  parseWindowsInventory,
  type WindowsInventory,
} from "./windows_inventory.ts";

export class WindowsMachine implements Machine {
  readonly #files: SystemFiles;
  readonly #run: RunCommand;
  #inventory: Promise<WindowsInventory | null> | null = null;

  constructor(files: SystemFiles, run: RunCommand) {
    this.#files = files;
    this.#run = run;
  }

  /** The runtime asks the system itself: PowerShell at each reading would take a second. */
  memory(): MemoryInfo {
    return denoMemory();
  }

  cpuTimes(): CpuTimes | null {
    return readCoreTimes();
  }

  cpuQuotaCores(): null {
    return null;
  }

  async facts(): Promise<MachineFacts> {
    const inventory = await this.#read();
    return inventory ?? {
      cpu: { model: null, physical_cores: null, logical_cores: null, features: [] },
      os: {
        family: "windows",
        name: null,
        arch: Deno.build.arch,
        kernel: null,
        container: null,
      },
    };
  }

  async gpus(): Promise<GpuReading> {
    const [inventory, nvidia] = await Promise.all([
      this.#read(),
      readNvidiaSmi(this.#files, { run: this.#run, candidates: NVIDIA_SMI_WINDOWS }),
    ]);
    const known = inventory?.gpus ?? [];
    // The tool knows what is free; the registry only the size.
    const gpus = nvidia !== null && nvidia.gpus.length > 0
      ? [...nvidia.gpus, ...known.filter((gpu) => gpu.vendor !== "nvidia")]
      : known;
    return { gpus, changes: nvidia?.answered ?? false };
  }

  #read(): Promise<WindowsInventory | null> {
    this.#inventory ??= runPowershell(this.#run, INVENTORY_SCRIPT).then((text) =>
      text === null ? null : parseWindowsInventory(text)
    );
    return this.#inventory;
  }
}
