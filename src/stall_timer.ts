// Tells of a wait that lasts too long. Time in which this process itself did not run is no part of it:
// a computer that slept is not a peer that fell silent.

/** Looks in one stall time: a computer that slept, or was busy, has missed all but one of them. */
const LOOKS = 10;

export class StallTimer implements Disposable {
  readonly #onStalled: () => void;
  // One for many waits: with a timer for each they would be what takes the time.
  readonly #timer: ReturnType<typeof setInterval>;
  /** Looks since the present wait began; null while nothing is waited for. */
  #looks: number | null = null;

  /** `onStalled` is called once, after which it waits no more. */
  constructor(stallMs: number, onStalled: () => void) {
    this.#onStalled = onStalled;
    this.#timer = setInterval(() => this.#look(), stallMs / LOOKS);
  }

  /** A wait begins, anew where one went on. */
  begin(): void {
    this.#looks = 0;
  }

  /** What was waited for is here. */
  pause(): void {
    this.#looks = null;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    if (this.#looks === null || this.#looks++ < LOOKS) return;
    clearInterval(this.#timer);
    this.#onStalled();
  }
}
