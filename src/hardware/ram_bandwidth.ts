// The memory's bandwidth as the server knows it: measured by the host when somebody first asks how
// fast a model would be, kept, and measured again when the computer is another.

import type { HardwareSnapshot } from "./hardware.ts";

export interface RamBandwidthOptions {
  /** What outlives the program. `set` throws where nothing can be written. */
  store: { get(name: string): unknown; set(name: string, value: unknown): void };
  snapshot(): HardwareSnapshot;
  measure(threads: number): Promise<{ bytesPerSecond: number | null; busy: boolean }>;
  /** A model is answering: it would be slower, and so would be what is measured. */
  isAnswering(): boolean;
  /** Not measured, or not kept: told, and tried again later. */
  onFailure(message: string, cause: unknown): void;
  /** Monotonic milliseconds. */
  now?: () => number;
}

interface Measured {
  bytesPerSecond: number;
  threads: number;
  /** Null where the system does not name it. */
  cpu: string | null;
  /** Times that it was measured while others were at work; 0 = it was quiet, and this is it. */
  busyTries: number;
}

const NAME = "ram_bandwidth";
/** After one that gave nothing, and between two on a computer that is never quiet. */
const RETRY_MS = 60_000;
/** What is reached between other programs that never rest is what a model will reach. */
const MOST_BUSY_TRIES = 5;

export class RamBandwidth {
  readonly #options: RamBandwidthOptions;
  readonly #now: () => number;
  /** Undefined = not read yet. */
  #kept: Measured | null | undefined;
  #isMeasuring = false;
  #triedAtMs = -Infinity;

  constructor(options: RamBandwidthOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Null until it was measured with the threads of an instance on this CPU. It measures nothing. */
  known(): number | null {
    return this.#current()?.bytesPerSecond ?? null;
  }

  /** The same, and sees to it that it will be known soon; it waits for nothing. */
  wanted(): number | null {
    const current = this.#current();
    if (current === null || this.#mayImprove(current)) this.#measureSoon();
    return current?.bytesPerSecond ?? null;
  }

  #current(): Measured | null {
    const { reading, threads } = this.#options.snapshot();
    if (reading === null) return null;
    if (this.#kept === undefined) this.#kept = measuredFrom(this.#options.store.get(NAME));
    const kept = this.#kept;
    if (kept === null || kept.threads !== threads) return null;
    const cpu = reading.cpu.model;
    // The CPU's name may come later than the first reading.
    return cpu === null || kept.cpu === null || kept.cpu === cpu ? kept : null;
  }

  #mayImprove({ busyTries }: Measured): boolean {
    return busyTries > 0 && busyTries < MOST_BUSY_TRIES;
  }

  #measureSoon(): void {
    const { snapshot, isAnswering } = this.#options;
    const { reading } = snapshot();
    if (reading === null || this.#isMeasuring || isAnswering()) return;
    if (this.#now() - this.#triedAtMs < RETRY_MS) return;
    this.#isMeasuring = true;
    this.#triedAtMs = this.#now();
    void this.#measure().catch((error) => {
      this.#options.onFailure("Cannot measure the memory's bandwidth, or not keep it", error);
    }).finally(() => this.#isMeasuring = false);
  }

  async #measure(): Promise<void> {
    const { snapshot, measure, isAnswering } = this.#options;
    const { threads } = snapshot();
    const { bytesPerSecond, busy } = await measure(threads);
    if (bytesPerSecond === null) return;
    const before = this.#current();
    const disturbed = busy || isAnswering();
    // Others can only have taken from it.
    const best = Math.max(bytesPerSecond, disturbed ? before?.bytesPerSecond ?? 0 : 0);
    this.#kept = {
      bytesPerSecond: best,
      threads,
      cpu: snapshot().reading?.cpu.model ?? null,
      busyTries: disturbed ? (before?.busyTries ?? 0) + 1 : 0,
    };
    this.#options.store.set(NAME, this.#kept);
  }
}

/** Null for what this program did not write. */
function measuredFrom(value: unknown): Measured | null {
  if (typeof value !== "object" || value === null) return null;
  const { bytesPerSecond, threads, cpu, busyTries } = value as Record<string, unknown>;
  const isPositive = (number: unknown) => Number.isFinite(number) && Number(number) > 0;
  if (!isPositive(bytesPerSecond) || !isPositive(threads)) return null;
  return {
    bytesPerSecond: Number(bytesPerSecond),
    threads: Number(threads),
    cpu: typeof cpu === "string" ? cpu : null,
    busyTries: isPositive(busyTries) ? Number(busyTries) : 0,
  };
}
