// NVIDIA's own tool, the same on Linux and Windows: names and memory of its GPUs.

import type { GpuInfo } from "../../api_types.ts";
import type { RunCommand } from "./run_command.ts";
import type { SystemFiles } from "./system_files.ts";

/** A broken driver lets the tool hang. */
const TIMEOUT_MS = 3000;

const MIB = 1024 * 1024;

/** Full paths only: a program of this name elsewhere is not NVIDIA's. */
export const NVIDIA_SMI_LINUX = [
  "/usr/bin/nvidia-smi",
  "/usr/local/bin/nvidia-smi",
  "/usr/local/nvidia/bin/nvidia-smi",
  "/usr/lib/wsl/lib/nvidia-smi",
  "/run/current-system/sw/bin/nvidia-smi",
  "/opt/bin/nvidia-smi",
];
export const NVIDIA_SMI_WINDOWS = [
  "C:\\Windows\\System32\\nvidia-smi.exe",
  "C:\\Program Files\\NVIDIA Corporation\\NVSMI\\nvidia-smi.exe",
];

/** Chips whose GPU uses the system's RAM; the tool then has no memory to tell. */
const SHARED_MEMORY = /\b(GB10|Orin|Xavier|Thor|Tegra|nvgpu)\b/i;

/** One line for each GPU: `name, total MiB, free MiB`; a name may hold commas. */
export function parseNvidiaSmi(text: string): GpuInfo[] {
  const gpus: GpuInfo[] = [];
  for (const line of text.split("\n")) {
    const [, name, total, free] = /^(.*), *([^,]*), *([^,]*)$/.exec(line.trim()) ?? [];
    if (name === undefined) continue;
    const totalBytes = bytes(total);
    gpus.push({
      name: name.startsWith("[") || name === "" ? null : name,
      vendor: "nvidia",
      vram_total_bytes: totalBytes,
      vram_free_bytes: bytes(free),
      unified: SHARED_MEMORY.test(name) ? true : totalBytes === null ? null : false,
    });
  }
  return gpus;
}

export interface NvidiaReading {
  gpus: GpuInfo[];
  /** False where the tool is there and gave no answer in time. */
  answered: boolean;
}

/** Null where the tool is not installed. */
export async function readNvidiaSmi(
  files: SystemFiles,
  options: { run: RunCommand; candidates: readonly string[] },
): Promise<NvidiaReading | null> {
  const tool = options.candidates.find((path) => files.exists(path));
  if (tool === undefined) return null;
  const result = await options.run(tool, [
    "--query-gpu=name,memory.total,memory.free",
    "--format=csv,noheader,nounits",
  ], TIMEOUT_MS);
  if (result === null) return { gpus: [], answered: false };
  // Without a driver it prints a sentence and exits with a code of its own.
  return { gpus: result.code === 0 ? parseNvidiaSmi(result.stdout) : [], answered: true };
}

/** `[N/A]`, `[Not Supported]` and `[Unknown Error]` are unknown. */
function bytes(mebibytes: string | undefined): number | null {
  return /^\d{1,9}$/.test(mebibytes ?? "") ? Number(mebibytes) * MIB : null;
}
