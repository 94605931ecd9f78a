// How a process of ours is known again after a crash, and the decision whether one is ours (pure).

import type { LeftoverProcess } from "../messages.ts";

/** Set in the environment of every process that we start; its value is the instance's token. */
export const TOKEN_VARIABLE = "ZOMBIE_INSTANCE_TOKEN";

export interface ProcessFacts {
  /** As the system writes it; compared as text, never as a time. */
  startTime: string;
  /** First letter of the system's state; `Z` has ended and only waits for its parent. */
  state: string;
  /** Resident memory: private, file-backed and shared pages; null where unknown. */
  rssBytes: number | null;
  /** From the process's own environment; null where it has none or it cannot be read. */
  token: string | null;
}

export interface ProcessProbe {
  /** Identifies this start of the system; "" where unknown, which matches nothing. */
  bootId(): Promise<string>;
  /** Null where no such process is there. */
  readProcess(pid: number): Promise<ProcessFacts | null>;
  /**
   * The process that a caged start is all about: the wrapper `pid` starts one that starts it. Null
   * where it is not there yet, or not any more. `thorough` looks at every process there is.
   */
  innermost?(pid: number, thorough?: boolean): Promise<number | null>;
  /** Living processes of this user that carry the token. */
  findByToken(token: string): Promise<number[]>;
  /** Those of them that are the first of a namespace of their own: the insides of cages. */
  findCages?(token: string): Promise<number[]>;
}

/** Tokens are 32 hex digits: an empty or short one would match by accident. */
export function isToken(token: string): boolean {
  return /^[0-9a-f]{32}$/.test(token);
}

/** The token in an environment, given as its `NAME=value` entries. */
export function tokenIn(entries: Iterable<string>): string | null {
  for (const entry of entries) {
    if (!entry.startsWith(`${TOKEN_VARIABLE}=`)) continue;
    const token = entry.slice(TOKEN_VARIABLE.length + 1);
    return isToken(token) ? token : null;
  }
  return null;
}

/** What was seen under `pid` just now. */
export interface SeenProcess {
  pid: number;
  boot: string;
  process: ProcessFacts | null;
}

/**
 * True only where boot, start time and token all match, so that a number that the system gave to
 * another program is never taken for ours. A row without pid was written before the process was
 * there: it has no start time, and the token alone, found in the environment, must do.
 */
export function isSameProcess(row: LeftoverProcess, seen: SeenProcess): boolean {
  const { pid, boot, process } = seen;
  // 1 is the system's first process; 0 and less mean groups to kill(2).
  if (process === null || !Number.isSafeInteger(pid) || pid <= 1) return false;
  if (process.state.startsWith("Z") || process.state.startsWith("X")) return false;
  if (row.boot === "" || row.boot !== boot) return false;
  if (!isToken(row.token) || row.token !== process.token) return false;
  if (row.pid === null) return row.startTime === null;
  return row.pid === pid && row.startTime !== null && row.startTime === process.startTime;
}

/**
 * The pids that `row` left running: none, its own, or those found by its token. Of a cage whose
 * wrapper is gone the inside may be left, where the wrapper was killed while it made the cage.
 */
export async function leftoverPids(row: LeftoverProcess, probe: ProcessProbe): Promise<number[]> {
  const boot = await probe.bootId();
  if (row.boot === "" || row.boot !== boot) return [];
  async function same(wanted: LeftoverProcess, candidates: readonly number[]): Promise<number[]> {
    const pids: number[] = [];
    for (const pid of candidates) {
      const process = await probe.readProcess(pid);
      if (isSameProcess(wanted, { pid, boot, process })) pids.push(pid);
    }
    return pids;
  }
  const unborn = { ...row, pid: null, startTime: null };
  if (row.pid === null) {
    return row.startTime === null ? await same(row, await probe.findByToken(row.token)) : [];
  }
  const own = await same(row, [row.pid]);
  if (own.length > 0 || probe.findCages === undefined) return own;
  return await same(unborn, await probe.findCages(row.token));
}
