// Linux: the CPUs that this process may run on, their name and features, and how busy all are.

import type { CpuInfo } from "../../api_types.ts";
import type { CpuTimes } from "./machine.ts";
import { parseWhole, type SystemFiles } from "./system_files.ts";

const CPU = "/sys/devices/system/cpu";

/** More CPUs than Linux can have: a list that claims them is garbage. */
const MOST_CPUS = 16_384;

/** Instruction sets that llama.cpp has code for, as Linux names them. */
export const LLAMA_FEATURES: ReadonlySet<string> = new Set(
  ("ssse3 sse4_2 avx avx2 avx_vnni bmi2 f16c fma avx512f avx512vl avx512bw avx512vbmi " +
    "avx512_vnni avx512_bf16 amx_tile amx_int8 amx_bf16 " +
    "asimd asimddp asimdhp bf16 i8mm sve sve2 sme").split(" "),
);

/** `0-3,8,10-11`; null for text that is no such list. */
export function parseCpuList(text: string): number[] | null {
  const cpus: number[] = [];
  for (const part of text.trim().split(",")) {
    const [, first, last] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
    if (first === undefined || Number(last ?? first) >= MOST_CPUS) return null;
    for (let cpu = Number(first); cpu <= Number(last ?? first); cpu++) cpus.push(cpu);
  }
  return cpus;
}

export interface Cpuinfo {
  model: string | null;
  features: string[];
  logicalCores: number | null;
  /** Distinct pairs of `physical id` and `core id`; null where the file has none (ARM). */
  physicalCores: number | null;
}

/** `/proc/cpuinfo`, of x86 (`model name`, `flags`) or ARM (`Features`, mostly without a name). */
export function parseCpuinfo(text: string): Cpuinfo {
  const values = (name: string) =>
    [...text.matchAll(new RegExp(`^${name}[ \\t]*:[ \\t]*(.*)$`, "gm"))].map((match) =>
      (match[1] ?? "").trim()
    );
  const [flags] = [...values("flags"), ...values("Features")];
  const sockets = values("physical id");
  const cores = new Set(values("core id").map((core, index) => `${sockets[index]}/${core}`));
  return {
    model: [...values("model name"), ...values("Hardware")].find((name) => name !== "") ?? null,
    features: (flags ?? "").split(" ").filter((flag) => LLAMA_FEATURES.has(flag)),
    logicalCores: values("processor").length || null,
    physicalCores: cores.size || null,
  };
}

/** First line of `/proc/stat`: ticks of all cores since the start. */
export function parseCpuTimes(text: string): CpuTimes | null {
  const line = /^cpu +(\d+(?: \d+){3,})/.exec(text)?.[1];
  if (line === undefined) return null;
  // user nice system idle iowait irq softirq steal; guest time is in user already.
  const ticks = line.split(" ").slice(0, 8).map(Number);
  const total = ticks.reduce((sum, value) => sum + value, 0);
  return { busy: total - (ticks[3] ?? 0) - (ticks[4] ?? 0), total };
}

/** Share of time that the cores were busy between two readings, 0 to 1; null without progress. */
export function cpuUsage(before: CpuTimes, after: CpuTimes): number | null {
  const total = after.total - before.total;
  if (total <= 0) return null;
  // `iowait` may run backwards, so the share can leave its range by a hair.
  return Math.min(1, Math.max(0, (after.busy - before.busy) / total));
}

/** Cores are counted as this process may use them: online, in its cpuset and in its affinity. */
export function readLinuxCpu(files: SystemFiles): Omit<CpuInfo, "usage"> {
  const cpuinfo = parseCpuinfo(files.read("/proc/cpuinfo") ?? "");
  const cpus = usableCpus(files);
  return {
    model: cpuinfo.model,
    features: cpuinfo.features,
    logical_cores: cpus?.length ?? cpuinfo.logicalCores,
    physical_cores: (cpus && countCores(files, cpus)) ?? cpuinfo.physicalCores,
  };
}

function usableCpus(files: SystemFiles): number[] | null {
  const online = parseCpuList(files.readLine(`${CPU}/online`) ?? "");
  const status = files.read("/proc/self/status") ?? "";
  const allowed = parseCpuList(/^Cpus_allowed_list:[ \t]*(\S+)$/m.exec(status)?.[1] ?? "");
  if (online === null || allowed === null) return online ?? allowed;
  const both = new Set(allowed);
  const usable = online.filter((cpu) => both.has(cpu));
  return usable.length === 0 ? online : usable;
}

/** Threads of one core name the same siblings. */
function countCores(files: SystemFiles, cpus: number[]): number | null {
  const cores = new Set<string>();
  for (const cpu of cpus) {
    const topology = `${CPU}/cpu${cpu}/topology`;
    const siblings = files.readLine(`${topology}/core_cpus_list`) ??
      files.readLine(`${topology}/thread_siblings_list`);
    if (siblings === null || parseWhole(siblings[0]) === null) return null;
    cores.add(siblings);
  }
  return cores.size;
}
