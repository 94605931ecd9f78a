// Ends a wait for the network that lasts too long. Waits for the disk or for the speed limit are none,
// nor is time in which this process itself did not run.

import { untilAborted } from "../abort.ts";
import { AppError } from "../errors.ts";

/** Looks in one stall time: a computer that slept, or was busy, has missed all but one of them. */
const LOOKS = 10;

export class StallWatch implements Disposable {
  readonly #stallMs: number;
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #onOuter = () => this.#controller.abort(this.#outer.reason);
  /** Looks since the present wait began; null while nothing is waited for. */
  #looks: number | null = null;

  /** `outer` ends the waits as well, for its own reason. */
  constructor(stallMs: number, outer: AbortSignal) {
    this.#stallMs = stallMs;
    this.#outer = outer;
    this.#timer = setInterval(() => this.#look(), stallMs / LOOKS);
    if (outer.aborted) this.#onOuter();
    else outer.addEventListener("abort", this.#onOuter);
  }

  /** Fires when a wait was too long, and with `outer`. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Rejects with the signal's reason when it fires, whatever becomes of `wait`. */
  async during<T>(wait: Promise<T>): Promise<T> {
    this.#looks = 0;
    try {
      return await untilAborted(wait, this.signal);
    } finally {
      this.#looks = null;
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#outer.removeEventListener("abort", this.#onOuter);
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
