// What the host knows of its machine. Cheap parts are read each time; tools that may take
// seconds run in the background, and a reading never waits for a GPU unless it is asked to.

import type { CpuInfo, GpuInfo, HostReading, MemoryInfo } from "../../api_types.ts";
import { denoMemory } from "./deno_memory.ts";
import { cpuUsage } from "./linux_cpu.ts";
import { LinuxMachine } from "./linux_machine.ts";
import { MacMachine } from "./mac_machine.ts";
import type { CpuTimes, Machine, MachineFacts } from "./machine.ts";
import { within } from "../../within.ts";
import { type RunCommand, runCommand } from "./run_command.ts";
import { SystemFiles } from "./system_files.ts";
import { WindowsMachine } from "./windows_machine.ts";

/** Free GPU memory is asked for at most this often, and only while someone reads. */
const GPU_REFRESH_MS = 10_000;
/** After a tool that hung, or where nothing in the answer changes. */
const GPU_SELDOM_MS = 300_000;
/** How long the first reading waits for the CPU's name and the like; PowerShell is the slow one. */
const FIRST_WAIT_MS = 2000;
/** Two readings closer than this say nothing about the load between them. */
const USAGE_SPAN_MS = 200;

export interface HostProbeOptions {
  /** Deno's word for the system; this one by default. */
  platform?: typeof Deno.build.os;
  /** Put before every path that is read. */
  root?: string;
  run?: RunCommand;
  /** Monotonic milliseconds. */
  now?: () => number;
}

export interface ReadOptions {
  /** Wait for everything, and ask for the GPUs' free memory now. */
  fresh?: boolean;
}

export class HostProbe implements AsyncDisposable {
  readonly #platform: typeof Deno.build.os;
  readonly #machine: Machine;
  readonly #now: () => number;
  /** This computer, not a described one. */
  readonly #isReal: boolean;

  #facts: MachineFacts | null = null;
  #factsReading: Promise<void> | null = null;
  #firstWait: Promise<unknown> | null = null;

  #gpus: GpuInfo[] = [];
  #gpuReading: Promise<void> | null = null;
  #gpusDueMs = -Infinity;

  #times: (CpuTimes & { atMs: number }) | null = null;
  #usage: number | null = null;

  constructor(options: HostProbeOptions = {}) {
    this.#platform = options.platform ?? Deno.build.os;
    const files = new SystemFiles(options.root);
    this.#machine = machineOf(this.#platform, { files, run: options.run ?? runCommand });
    this.#now = options.now ?? (() => performance.now());
    this.#isReal = options.root === undefined && options.run === undefined;
  }

  /** Never throws for what it cannot find out: that is null. */
  async read(options: ReadOptions = {}): Promise<HostReading> {
    const facts = this.#startFacts();
    if (options.fresh) {
      await Promise.all([facts, this.#freshGpus()]);
    } else {
      this.#refreshGpus();
      this.#firstWait ??= within(facts, FIRST_WAIT_MS);
      await this.#firstWait;
    }
    const memory = await this.#memory();
    const known = this.#facts;
    const cpu: CpuInfo = {
      model: known?.cpu.model ?? null,
      physical_cores: known?.cpu.physical_cores ?? null,
      logical_cores: known?.cpu.logical_cores ?? null,
      features: [...known?.cpu.features ?? []],
      usage: this.#readUsage(),
    };
    return {
      cpu,
      memory,
      gpus: this.#gpus.map((gpu) => ({ ...gpu })),
      os: known === null
        ? {
          family: this.#platform,
          name: null,
          arch: Deno.build.arch,
          kernel: null,
          container: null,
        }
        : { ...known.os },
      cpu_quota_cores: this.#machine.cpuQuotaCores(),
      disk_free_bytes: null,
    };
  }

  /** Of all cores since the start; null where the system does not tell. */
  cpuTimes(): CpuTimes | null {
    return this.#machine.cpuTimes();
  }

  /** Waits for tools that still run; each has its own limit. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#factsReading, this.#gpuReading]);
  }

  /** Where the system's files are closed to us, Deno itself may know it. */
  async #memory(): Promise<MemoryInfo> {
    const memory = await this.#machine.memory();
    return memory.total_bytes === null && this.#isReal ? denoMemory() : memory;
  }

  #startFacts(): Promise<void> {
    this.#factsReading ??= this.#machine.facts().then((facts) => {
      this.#facts = facts;
    });
    return this.#factsReading;
  }

  #refreshGpus(): void {
    if (this.#gpuReading === null && this.#now() >= this.#gpusDueMs) this.#startGpus();
  }

  /** One that is under way may have begun before the caller's question: it does not count. */
  async #freshGpus(): Promise<void> {
    await this.#gpuReading;
    await (this.#gpuReading ?? this.#startGpus());
  }

  #startGpus(): Promise<void> {
    const startMs = this.#now();
    this.#gpuReading = this.#machine.gpus().then(({ gpus, changes }) => {
      this.#gpus = gpus;
      this.#gpusDueMs = startMs + (changes ? GPU_REFRESH_MS : GPU_SELDOM_MS);
    }).finally(() => {
      this.#gpuReading = null;
    });
    return this.#gpuReading;
  }

  #readUsage(): number | null {
    const atMs = this.#now();
    if (this.#times !== null && atMs - this.#times.atMs < USAGE_SPAN_MS) return this.#usage;
    const times = this.#machine.cpuTimes();
    if (times === null) return null;
    this.#usage = this.#times === null ? null : cpuUsage(this.#times, times);
    this.#times = { ...times, atMs };
    return this.#usage;
  }
}

function machineOf(
  platform: typeof Deno.build.os,
  options: { files: SystemFiles; run: RunCommand },
): Machine {
  if (platform === "darwin") return new MacMachine(options.run);
  if (platform === "windows") return new WindowsMachine(options.files, options.run);
  return new LinuxMachine(options.files, options.run);
}
