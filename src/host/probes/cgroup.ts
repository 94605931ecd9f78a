// Linux control groups, v1 and v2: how much memory and CPU time this process may use.
// A limit of any parent holds for the children too, so every level is read.

import { parseWhole, type SystemFiles } from "./system_files.ts";

const ROOT = "/sys/fs/cgroup";

/** v1 writes "no limit" as the largest page-aligned number; nothing real is near it. */
const UNLIMITED_BYTES = 2 ** 60;

/** Path of this process in each hierarchy; null where the hierarchy is not there. */
export interface CgroupPaths {
  unified: string | null;
  memory: string | null;
  cpu: string | null;
}

export interface MemoryLimit {
  limitBytes: number;
  /** The limit less what is used and cannot be dropped, never below 0. */
  availableBytes: number;
}

/** `/proc/self/cgroup`: lines of `id:controllers:path`; v2 has no controllers. */
export function parseCgroupPaths(text: string): CgroupPaths {
  const paths: CgroupPaths = { unified: null, memory: null, cpu: null };
  for (const line of text.split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    if (controllers === "") paths.unified = path;
    const names = controllers.split(",");
    if (names.includes("memory")) paths.memory = path;
    if (names.includes("cpu")) paths.cpu = path;
  }
  return paths;
}

/**
 * The path and all its parents, up to `/`. A path that leads out of the namespace (`/../x`) is not
 * visible from here: only the root is.
 */
export function cgroupLevels(path: string): string[] {
  const parts = path.split("/").filter((part) => part !== "");
  if (parts.includes("..")) return [""];
  return [...parts.keys(), parts.length].reverse().map((count) =>
    parts.slice(0, count).map((part) => `/${part}`).join("")
  );
}

/** `cpu.max` of v2: `max 100000` or `quota period`, in cores. */
export function parseCpuMax(text: string): number | null {
  const [quota, period] = text.trim().split(/\s+/).map(parseWhole);
  return quota && period ? quota / period : null;
}

/** `memory.stat`: file pages that the kernel drops first; v1 counts the children under `total_`. */
export function parseInactiveFile(text: string): number {
  const counts = new Map(
    [...text.matchAll(/^(\w+) (\d+)$/gm)].map((match) => [match[1], match[2]]),
  );
  return Number(counts.get("total_inactive_file") ?? counts.get("inactive_file") ?? 0);
}

export class Cgroups {
  readonly #files: SystemFiles;
  readonly #memoryFolders: { path: string; unified: boolean }[];
  readonly #cpuFolders: { path: string; unified: boolean }[];

  constructor(files: SystemFiles) {
    this.#files = files;
    const paths = parseCgroupPaths(files.read("/proc/self/cgroup") ?? "");
    const unified = files.exists(`${ROOT}/cgroup.controllers`)
      ? folders(ROOT, paths.unified ?? "/", true)
      : [];
    // In a v1 container the path is the one outside, while the mount shows only our own part:
    // levels that are not there are dropped, the root remains.
    this.#memoryFolders = [...unified, ...folders(`${ROOT}/memory`, paths.memory, false)]
      .filter(({ path, unified }) =>
        files.exists(path + (unified ? "/memory.max" : "/memory.limit_in_bytes"))
      );
    this.#cpuFolders = [
      ...unified,
      ...folders(`${ROOT}/cpu`, paths.cpu, false),
      ...folders(`${ROOT}/cpu,cpuacct`, paths.cpu, false),
    ].filter(({ path, unified }) =>
      files.exists(path + (unified ? "/cpu.max" : "/cpu.cfs_quota_us"))
    );
  }

  /** The tightest of all levels, each number on its own; null where nothing limits us. */
  memory(): MemoryLimit | null {
    const tightest: MemoryLimit = { limitBytes: Infinity, availableBytes: Infinity };
    for (const { path, unified } of this.#memoryFolders) {
      const limitBytes = unified ? this.#limitV2(path) : this.#limitV1(path);
      if (limitBytes === null) continue;
      const used = this.#files.readNumber(
        path + (unified ? "/memory.current" : "/memory.usage_in_bytes"),
      ) ?? 0;
      const inactive = parseInactiveFile(this.#files.read(`${path}/memory.stat`) ?? "");
      const availableBytes = Math.max(0, limitBytes - Math.max(0, used - inactive));
      tightest.limitBytes = Math.min(limitBytes, tightest.limitBytes);
      tightest.availableBytes = Math.min(availableBytes, tightest.availableBytes);
    }
    return tightest.limitBytes === Infinity ? null : tightest;
  }

  /** CPU time granted, in cores; null without a limit. */
  cpuQuotaCores(): number | null {
    let least: number | null = null;
    for (const { path, unified } of this.#cpuFolders) {
      const cores = unified
        ? parseCpuMax(this.#files.readLine(`${path}/cpu.max`) ?? "")
        // v1 writes "no limit" as -1, which is no whole number.
        : parseCpuMax(
          `${this.#files.readLine(`${path}/cpu.cfs_quota_us`)} ` +
            `${this.#files.readLine(`${path}/cpu.cfs_period_us`)}`,
        );
      if (cores !== null) least = Math.min(cores, least ?? Infinity);
    }
    return least;
  }

  /** Above `memory.high` the kernel slows a process down until it shrinks: a limit as well. */
  #limitV2(path: string): number | null {
    const limits = [`${path}/memory.max`, `${path}/memory.high`]
      .map((file) => this.#files.readNumber(file))
      .filter((limit) => limit !== null);
    return limits.length === 0 ? null : Math.min(...limits);
  }

  #limitV1(path: string): number | null {
    const limit = this.#files.readNumber(`${path}/memory.limit_in_bytes`);
    return limit === null || limit >= UNLIMITED_BYTES ? null : limit;
  }
}

function folders(root: string, path: string | null, unified: boolean) {
  if (path === null) return [];
  return cgroupLevels(path).map((level) => ({ path: root + level, unified }));
}
