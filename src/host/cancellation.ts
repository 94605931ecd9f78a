// The end that somebody may put to an installation: heard until the new build takes its place, and no
// longer.

import { AppError } from "../errors.ts";

export class Cancellation {
  readonly #wish = new AbortController();
  #isLate = false;

  get signal(): AbortSignal {
    return this.#wish.signal;
  }

  get isCancelled(): boolean {
    return this.signal.aborted;
  }

  /** False where it comes too late. A second one changes nothing. */
  cancel(): boolean {
    if (this.#isLate) return false;
    this.#wish.abort(new AppError("cancelled", "The installation was cancelled"));
    return true;
  }

  /** From here on the build takes its place. Throws where somebody was faster. */
  close(): void {
    this.signal.throwIfAborted();
    this.#isLate = true;
  }

  /** It did not come to that: another build may be tried. */
  reopen(): void {
    this.#isLate = false;
  }
}
