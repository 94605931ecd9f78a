// Ends a wait for the network that lasts too long. Waits for the disk or for the speed limit are none.

import { onAborted, untilAborted } from "../abort.ts";
import { AppError } from "../errors.ts";
import { StallTimer } from "../stall_timer.ts";

export class StallWatch implements Disposable {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #timer: StallTimer;
  readonly #onOuter = () => this.#controller.abort(this.#outer.reason);

  /** `outer` ends the waits as well, for its own reason. */
  constructor(stallMs: number, outer: AbortSignal) {
    this.#outer = outer;
    this.#timer = new StallTimer(stallMs, () => this.#controller.abort(stalled(stallMs)));
    onAborted(outer, this.#onOuter);
  }

  /** Fires when a wait was too long, and with `outer`. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Rejects with the signal's reason when it fires, whatever becomes of `wait`. */
  async during<T>(wait: Promise<T>): Promise<T> {
    this.#timer.begin();
    try {
      return await untilAborted(wait, this.signal);
    } finally {
      this.#timer.pause();
    }
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
    this.#outer.removeEventListener("abort", this.#onOuter);
  }
}

function stalled(stallMs: number): AppError {
  const seconds = stallMs / 1_000;
  return new AppError(
    "download_stalled",
    `Cannot go on with the download: nothing came for ${seconds} seconds. It is tried again by itself`,
    { values: { seconds } },
  );
}
