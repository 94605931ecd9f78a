// One job after the other: loads and unloads never overlap, so each sees the memory as it is.

/** Runs jobs strictly in the order in which they were added. */
export class JobQueue {
  #tail: Promise<void> = Promise.resolve();

  /** Adds a job; its failure is the caller's and does not stop the ones behind it. */
  add<T>(job: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(job);
    this.#tail = result.then(() => {}, () => {});
    return result;
  }

  /** Resolves when all jobs added so far have ended. */
  idle(): Promise<void> {
    return this.#tail;
  }
}
