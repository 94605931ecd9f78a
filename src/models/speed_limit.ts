// One allowance of bytes per second for all connections together. The limit is asked for each time,
// so that a change holds at once.

import { abortableDelay } from "../within.ts";

/** So much of an unused second may be used later. */
const BURST_SECONDS = 0.25;
/** A wait is looked at again after this: the limit may have been raised. */
const LOOK_MS = 200;
const LEAST_READ_BYTES = 4 * 1024;

export class SpeedLimit {
  readonly #bytesPerSecond: () => number;
  readonly #now: () => number;
  #allowance = 0;
  #atMs: number;
  /** Since the start, whether there is a limit or not. */
  receivedBytes = 0;

  /** 0 = no limit. */
  constructor(bytesPerSecond: () => number, now: () => number = () => performance.now()) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#now = now;
    this.#atMs = now();
  }

  /** How much to read at once, at most `mostBytes`: a slow line must not come in gusts. */
  portion(mostBytes: number): number {
    const limit = this.#bytesPerSecond();
    if (limit === 0) return mostBytes;
    return Math.min(mostBytes, Math.max(LEAST_READ_BYTES, Math.floor(limit / 10)));
  }

  /** Counts bytes that came, and waits while they were too many. Ends early with the signal. */
  async take(byteCount: number, signal: AbortSignal): Promise<void> {
    this.receivedBytes += byteCount;
    this.#allowance -= byteCount;
    for (;;) {
      const waitMs = this.#owedMs();
      if (waitMs <= 0 || signal.aborted) return;
      await abortableDelay(Math.min(waitMs, LOOK_MS), signal);
    }
  }

  #owedMs(): number {
    const limit = this.#bytesPerSecond();
    const nowMs = this.#now();
    const passedMs = nowMs - this.#atMs;
    this.#atMs = nowMs;
    if (limit === 0) {
      this.#allowance = 0;
      return 0;
    }
    this.#allowance = Math.min(limit * BURST_SECONDS, this.#allowance + limit * passedMs / 1_000);
    return -this.#allowance / limit * 1_000;
  }
}
