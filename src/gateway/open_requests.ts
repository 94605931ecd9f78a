// How many requests are open at once, over all ports: beyond the limit the answer is 503, not a slow
// death of everything.

import { AppError } from "../errors.ts";

export class OpenRequests {
  readonly #limit: number;
  #count = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get count(): number {
    return this.#count;
  }

  /** Counts a request until its answer has gone out whole; throws `overloaded` beyond the limit. */
  enter(info: Deno.ServeHandlerInfo): void {
    if (this.#count >= this.#limit) {
      throw new AppError(
        "overloaded",
        `Cannot take more than ${this.#limit} requests at once. Try again in a moment`,
        { retryAfterSeconds: 2, values: { limit: this.#limit } },
      );
    }
    this.#count++;
    const leave = () => {
      this.#count--;
    };
    info.completed.then(leave, leave);
  }
}
