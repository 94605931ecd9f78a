// Ends a wait for the network that lasts too long. Waits for the disk or for the speed limit are none,
// nor is time in which this process itself did not run.

import { AppError } from "../errors.ts";

/** Looks in one stall time: a computer that slept, or was busy, has missed all but one of them. */
const LOOKS = 10;

export class StallWatch implements Disposable {
  readonly #stallMs: number;
  readonly #controller = new AbortController();
  readonly #timer: ReturnType<typeof setInterval>;
  /** Looks since the present wait began; null while nothing is waited for. */
  #looks: number | null = null;

  constructor(stallMs: number) {
    this.#stallMs = stallMs;
    this.#timer = setInterval(() => this.#look(), stallMs / LOOKS);
  }

  /** Fires when a wait was too long. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  async during<T>(wait: Promise<T>): Promise<T> {
    this.#looks = 0;
    try {
      return await wait;
    } finally {
      this.#looks = null;
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    if (this.#looks === null || this.#looks++ < LOOKS) return;
    const seconds = this.#stallMs / 1_000;
    this.#controller.abort(
      new AppError(
        "download_stalled",
        `Cannot go on with the download: nothing came for ${seconds} seconds. It is tried again by itself`,
        { values: { seconds } },
      ),
    );
  }
}
