// Ends a wait for the network that lasts too long. Waits for the disk or for the speed limit are none.

import { AppError } from "../errors.ts";

export class StallWatch implements Disposable {
  readonly #stallMs: number;
  readonly #controller = new AbortController();
  #sinceMs: number | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(stallMs: number) {
    this.#stallMs = stallMs;
  }

  /** Fires when a wait was too long. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  async during<T>(wait: Promise<T>): Promise<T> {
    this.#sinceMs = performance.now();
    // One timer for many waits: it looks how long the present one lasts.
    this.#timer ??= setTimeout(() => this.#look(), this.#stallMs);
    try {
      return await wait;
    } finally {
      this.#sinceMs = null;
    }
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #look(): void {
    const waitedMs = this.#sinceMs === null ? 0 : performance.now() - this.#sinceMs;
    // A timer may fire a fraction of a millisecond early.
    const leftMs = this.#stallMs - waitedMs;
    if (leftMs > 1) {
      this.#timer = setTimeout(() => this.#look(), leftMs);
      return;
    }
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
