// Processes on Linux, from `/proc/PID`: stat, status and environ.

import { userId } from "../rights.ts";
import { isToken, type ProcessFacts, type ProcessProbe, tokenIn } from "./process_identity.ts";
import { SystemFiles } from "./system_files.ts";

/** `/proc/PID/stat`. The name may hold spaces and parentheses: what counts begins after its last. */
export function parseProcStat(text: string): { state: string; startTime: string } | null {
  const close = text.lastIndexOf(")");
  if (close === -1) return null;
  // Field 3 is the first after the name, so field 22 (start time, clock ticks) is the 20th.
  const fields = text.slice(close + 1).trim().split(/\s+/);
  const [state, startTime] = [fields[0], fields[19]];
  if (state === undefined || startTime === undefined) return null;
  return /^[A-Za-z]$/.test(state) && /^\d+$/.test(startTime) ? { state, startTime } : null;
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

  findByToken(token: string): Promise<number[]> {
    return Promise.resolve(isToken(token) ? this.#find(token) : []);
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
    return { ...after, rssBytes, token };
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
