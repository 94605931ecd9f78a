// What nobody caught, in the log before the program ends: one that runs in the background is heard by
// nobody else.

import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";

export class UncaughtErrors implements Disposable {
  readonly #first = Promise.withResolvers<never>();
  readonly #listener: (event: ErrorEvent | PromiseRejectionEvent) => void;

  constructor(log: Log) {
    this.#first.promise.catch(() => {});
    this.#listener = (event) => {
      // Without this the runtime ends the process at once, and every answer with it.
      event.preventDefault();
      const error: unknown = "reason" in event ? event.reason : event.error;
      log.error("A bug", {
        reason: messageOf(error),
        stack: error instanceof Error ? error.stack ?? null : null,
      });
      this.#first.reject(error);
    };
    for (const name of ["error", "unhandledrejection"] as const) {
      globalThis.addEventListener(name, this.#listener);
    }
  }

  /** Rejects with the first one. */
  get first(): Promise<never> {
    return this.#first.promise;
  }

  [Symbol.dispose](): void {
    for (const name of ["error", "unhandledrejection"] as const) {
      globalThis.removeEventListener(name, this.#listener);
    }
  }
}
