// Waiting with a limit, and waiting that can be cut short.

/** The promise's value, or null after `limitMs`. */
export async function within<T>(promise: Promise<T>, limitMs: number): Promise<T | null> {
  const late = Promise.withResolvers<null>();
  // A negative one is a warning on standard error.
  const timer = setTimeout(() => late.resolve(null), Math.max(0, limitMs));
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves after the delay, or as soon as the signal fires; it never rejects. */
export function abortableDelay(delayMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  // A signal may outlive thousands of waits: none leaves its listener behind.
  const end = () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    resolve();
  };
  const timer = setTimeout(end, signal.aborted ? 0 : delayMs);
  signal.addEventListener("abort", end);
  return promise;
}
