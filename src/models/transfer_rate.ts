// How fast bytes came over the last seconds, as people are shown it.

const SPAN_MS = 5_000;
const SAMPLE_MS = 250;

export class TransferRate {
  readonly #now: () => number;
  /** Oldest first: time, and bytes in all until then. */
  #samples: [atMs: number, bytes: number][] = [];
  #bytes = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** From now on; what lies before is forgotten. */
  restart(): void {
    this.#bytes = 0;
    this.#samples = [[this.#now(), 0]];
  }

  add(byteCount: number): void {
    this.#bytes += byteCount;
    const nowMs = this.#now();
    const last = this.#samples.at(-1);
    if (last !== undefined && nowMs - last[0] < SAMPLE_MS) return;
    this.#samples.push([nowMs, this.#bytes]);
    // One that is older than the span stays: the rate is measured from it.
    while (this.#samples.length > 2 && nowMs - this.#samples[1]![0] > SPAN_MS) {
      this.#samples.shift();
    }
  }

  get bytesPerSecond(): number {
    const nowMs = this.#now();
    const from = this.#samples.findLast(([atMs]) => nowMs - atMs >= SPAN_MS) ?? this.#samples[0];
    if (from === undefined || nowMs - from[0] < SAMPLE_MS) return 0;
    return Math.round((this.#bytes - from[1]) / (nowMs - from[0]) * 1_000);
  }
}
