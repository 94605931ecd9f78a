// Processes on Linux, from `/proc/PID`: stat, status and environ.

import { userId } from "../rights.ts";
import { isToken, type ProcessFacts, type ProcessProbe, tokenIn } from "./process_identity.ts";
import { SystemFiles } from "./system_files.ts";

/** `/proc/PID/stat`. The name may hold spaces and parentheses: what counts begins after its last. */
export function parseProcStat(
  text: string,
): { state: string; parent: number; startTime: string } | null {
  const close = text.lastIndexOf(")");
  if (close === -1) return null;
  // Field 3 is the first after the name, so field 22 (start time, clock ticks) is the 20th.
  const fields = text.slice(close + 1).trim().split(/\s+/);
  const [state, parent, startTime] = [fields[0], Number(fields[1]), fields[19]];
  if (state === undefined || startTime === undefined) return null;
  return /^[A-Za-z]$/.test(state) && /^\d+$/.test(startTime) ? { state, parent, startTime } : null;
}

/**
 * Resident bytes by `/proc/PID/status`: RssAnon + RssFile + RssShmem, or VmRSS where an old kernel
 * has not the parts. RssFile holds the pages of a mapped model, which other processes may share.
 * Null for a process that has no memory left.
 */
export function parseStatusRss(text: string): number | null {
  const kibibytes = new Map(
    [...text.matchAll(/^(\w+):\s+(\d+) kB$/gm)].map((match) => [match[1], Number(match[2])]),
  );
  const parts = ["RssAnon", "RssFile", "RssShmem"].map((name) => kibibytes.get(name));
  const sum = parts.includes(undefined)
    ? kibibytes.get("VmRSS")
    : parts.reduce<number>((total, part) => total + (part ?? 0), 0);
  return sum === undefined ? null : sum * 1024;
}

const NEAR = 32;

/** By `/proc/PID/status`: its number here, then in each namespace that it is in. */
export function isFirstInside(text: string): boolean {
  return /^NSpid:\t\d+(?:\t\d+)*\t1$/m.test(text);
}

export class LinuxProcessProbe implements ProcessProbe {
  readonly #files: SystemFiles;

  constructor(files: SystemFiles = new SystemFiles()) {
    this.#files = files;
  }

  bootId(): Promise<string> {
    return Promise.resolve(this.#files.readLine("/proc/sys/kernel/random/boot_id") ?? "");
  }

  readProcess(pid: number): Promise<ProcessFacts | null> {
    return Promise.resolve(this.#read(pid));
  }

  innermost(pid: number, thorough = false): Promise<number | null> {
    const first = this.#childOf(pid, thorough);
    return Promise.resolve(first === null ? null : this.#childOf(first, thorough));
  }

  // Numbers are given in order: a child's is seldom far from its parent's. To ask all would hold up a
  // load by milliseconds.
  #childOf(parent: number, thorough: boolean): number | null {
    const near = Array.from({ length: NEAR }, (_, index) => parent + 1 + index);
    const pids = thorough
      ? this.#files.names("/proc").map(Number).filter((each) => each > 1)
      : near;
    return pids.find((pid) => this.#stat(pid)?.parent === parent) ?? null;
  }

  findByToken(token: string): Promise<number[]> {
    return Promise.resolve(isToken(token) ? this.#find(token) : []);
  }

  async findCages(token: string): Promise<number[]> {
    const pids = await this.findByToken(token);
    return pids.filter((pid) => isFirstInside(this.#files.read(`/proc/${pid}/status`) ?? ""));
  }

  #read(pid: number): ProcessFacts | null {
    if (!Number.isSafeInteger(pid) || pid < 1) return null;
    const before = this.#stat(pid);
    if (before === null) return null;
    const token = this.#token(pid);
    const rssBytes = parseStatusRss(this.#files.read(`/proc/${pid}/status`) ?? "");
    // The number may have gone to another process between two files.
    const after = this.#stat(pid);
    if (after === null || after.startTime !== before.startTime) return null;
    const { state, startTime } = after;
    return { state, startTime, rssBytes, token };
  }

  /** Processes come and go meanwhile: one that vanished reads as null, and is passed over. */
  #find(token: string): number[] {
    const uid = userId();
    return this.#files.names("/proc")
      .filter((name) => /^[1-9]\d*$/.test(name))
      .map(Number)
      .filter((pid) => pid > 1 && pid !== Deno.pid && this.#files.owner(`/proc/${pid}`) === uid)
      .filter((pid) => this.#token(pid) === token && this.#read(pid)?.token === token)
      .sort((first, second) => first - second);
  }

  #stat(pid: number) {
    return parseProcStat(this.#files.read(`/proc/${pid}/stat`) ?? "");
  }

  #token(pid: number): string | null {
    return tokenIn((this.#files.read(`/proc/${pid}/environ`) ?? "").split("\0"));
  }
}
