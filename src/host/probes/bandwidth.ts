// Measures what the memory gives to as many threads as an instance has: under a second, in Workers
// that go with all they held. When that is done, and what follows, is the server's.

import { within } from "../../within.ts";
import { workerModule } from "../program_files.ts";
import type { BandwidthResult, BandwidthTask } from "./bandwidth_worker.ts";
import type { HostProbe } from "./host_probe.ts";
import { cpuUsage } from "./linux_cpu.ts";
import type { CpuTimes } from "./machine.ts";

export interface BandwidthOptions {
  /** Of an instance. */
  threads: number;
  /** Memory that can be had now; null = unknown. */
  availableBytes: number | null;
  /** Time of all cores; null where the system does not tell. */
  cpuTimes?: () => CpuTimes | null;
}

export interface Bandwidth {
  /** All threads together; null where there was no time or memory for it. */
  bytesPerSecond: number | null;
  /** Others worked beside it: it may be more. */
  busy: boolean;
}

const MIB = 1024 ** 2;
/** Together more than the caches of nearly all CPUs, which would answer faster than the memory. */
const BUFFERS_BYTES = 128 * MIB;
/** A single thread would be too long at writing more of it for the first time. */
const MOST_BUFFER_BYTES = 96 * MIB;
/** Less than this might lie in a cache, and is not measured. */
const LEAST_BUFFERS_BYTES = 32 * MIB;
/** Less than this lies in the caches of some CPUs: a figure to be measured again. */
const SURE_BUFFERS_BYTES = 90 * MIB;
const MOST_MEMORY_SHARE = 0.1;
/** What a Worker takes besides. */
const WORKER_BYTES = 8 * MIB;
/** They take the memory of all but large servers to its end. */
const MOST_WORKERS = 8;
/** What the reader goes over in one turn of its loop, and a page besides. */
const BUFFER_STEP_BYTES = 4096;

/** Looking at what others do, getting ready, and the rounds: together under a second. */
const LOOK_MS = 60;
const FILL_MS = 350;
const ROUND_MS = 40;
const ROUNDS = 4;
const LIMIT_MS = 900;

/** More than this of one core, and somebody else is at work. */
const MOST_OTHERS_CORES = 0.4;
/** A round this far below the best was disturbed. */
const QUIET_SHARE = 0.75;

export class BandwidthProbe {
  readonly #probe: Pick<HostProbe, "read" | "cpuTimes">;
  #reading: Promise<Bandwidth> | null = null;

  constructor(probe: Pick<HostProbe, "read" | "cpuTimes">) {
    this.#probe = probe;
  }

  /** Two at a time would measure each other: who asks meanwhile gets the same answer. */
  read(threads: number): Promise<Bandwidth> {
    this.#reading ??= this.#measure(threads).finally(() => this.#reading = null);
    return this.#reading;
  }

  async #measure(threads: number): Promise<Bandwidth> {
    const { memory } = await this.#probe.read();
    return await measureBandwidth({
      threads,
      availableBytes: memory.available_bytes,
      cpuTimes: () => this.#probe.cpuTimes(),
    });
  }
}

export async function measureBandwidth(options: BandwidthOptions): Promise<Bandwidth> {
  const endMs = performance.now() + LIMIT_MS;
  const threads = threadsOf(options.threads);
  const bufferBytes = bufferBytesOf(threads, options.availableBytes);
  if (bufferBytes === null) return { bytesPerSecond: null, busy: false };
  const othersBusy = await isBusy(options.cpuTimes ?? (() => null));
  using readers = new Readers({ threads, bufferBytes, endMs });
  await readers.start();
  const rounds: number[] = [];
  while (rounds.length < ROUNDS) {
    const bytesPerSecond = await readers.read(ROUND_MS);
    if (bytesPerSecond === null) break;
    rounds.push(bytesPerSecond);
  }
  const { bytesPerSecond, busy } = summarised(rounds);
  return { bytesPerSecond, busy: busy || othersBusy || readers.heldBytes < SURE_BUFFERS_BYTES };
}

function threadsOf(threads: number): number {
  const most = Math.min(MOST_WORKERS, navigator.hardwareConcurrency);
  return Math.max(1, Math.min(most, Math.floor(threads) || 1));
}

/** The best round: whatever else a computer does takes of its bandwidth, nothing adds to it. */
export function summarised(rounds: readonly number[]): Bandwidth {
  const sorted = rounds.toSorted((a, b) => a - b);
  const best = sorted.at(-1);
  if (best === undefined) return { bytesPerSecond: null, busy: true };
  const median = sorted[Math.floor(sorted.length / 2)]!;
  return { bytesPerSecond: best, busy: rounds.length < ROUNDS || median < best * QUIET_SHARE };
}

/** Bytes of each thread's block; null where there is not memory enough to measure anything. */
export function bufferBytesOf(threads: number, availableBytes: number | null): number | null {
  const room = availableBytes === null
    ? BUFFERS_BYTES
    : availableBytes * MOST_MEMORY_SHARE - threads * WORKER_BYTES;
  const together = Math.min(BUFFERS_BYTES, threads * MOST_BUFFER_BYTES, room);
  if (together < LEAST_BUFFERS_BYTES) return null;
  return Math.floor(together / threads / BUFFER_STEP_BYTES) * BUFFER_STEP_BYTES;
}

// Before it begins: with as many threads as cores, nothing of others would be seen in the middle.
async function isBusy(cpuTimes: () => CpuTimes | null): Promise<boolean> {
  const before = cpuTimes();
  if (before === null) return false;
  await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  const after = cpuTimes();
  const usage = after === null ? null : cpuUsage(before, after);
  return usage !== null && usage * navigator.hardwareConcurrency > MOST_OTHERS_CORES;
}

interface ReadersOptions {
  threads: number;
  bufferBytes: number;
  /** Of the whole measurement. */
  endMs: number;
}

/** The Workers of one measurement. Disposed, they and their memory are gone. */
class Readers implements Disposable {
  readonly #options: ReadersOptions;
  readonly #workers: Worker[] = [];
  /** Of all threads; known with the first reading. */
  heldBytes = 0;
  #held: Promise<BandwidthResult>[] = [];

  constructor(options: ReadersOptions) {
    this.#options = options;
  }

  /** Starts them one by one: each takes this thread for some milliseconds, and others need it, too. */
  async start(): Promise<void> {
    const { threads, bufferBytes, endMs } = this.#options;
    while (this.#workers.length < threads && performance.now() < endMs) {
      const worker = new Worker(workerModule("bandwidth_worker"), {
        type: "module",
        name: "bandwidth",
        deno: { permissions: "none" },
      } as WorkerOptions);
      this.#workers.push(worker);
      this.#held.push(ask(worker, { bufferBytes, fillMs: FILL_MS }));
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }

  /** What all of them reach at the same time; null where one was not ready in time, or died. */
  async read(readMs: number): Promise<number | null> {
    if (this.#workers.length < this.#options.threads) return null;
    const held = await this.#inTime(this.#held);
    this.heldBytes = held?.reduce((sum, each) => sum + each.heldBytes, 0) ?? 0;
    if (this.heldBytes < LEAST_BUFFERS_BYTES) return null;
    const results = await this.#inTime(this.#workers.map((worker) => ask(worker, { readMs })));
    return results?.reduce((sum, each) => sum + each.bytesPerSecond, 0) ?? null;
  }

  async #inTime(answers: Promise<BandwidthResult>[]): Promise<BandwidthResult[] | null> {
    try {
      return await within(Promise.all(answers), this.#options.endMs - performance.now());
    } catch (error) {
      if (error instanceof ReaderDied) return null;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    for (const worker of this.#workers) worker.terminate();
  }
}

/** It got no memory. */
class ReaderDied extends Error {}

function ask(worker: Worker, task: BandwidthTask): Promise<BandwidthResult> {
  const { promise, resolve, reject } = Promise.withResolvers<BandwidthResult>();
  // One that dies while another is waited for is no bug.
  promise.catch(() => {});
  worker.onmessage = ({ data }: MessageEvent<BandwidthResult>) => resolve(data);
  worker.onerror = (event) => {
    event.preventDefault();
    reject(new ReaderDied(event.message));
  };
  worker.postMessage(task);
  return promise;
}
