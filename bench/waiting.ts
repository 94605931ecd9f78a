// Waiting for something that can only be asked for again and again.

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly everyMs: number;
  /** For the error: `Gave up waiting for ...`. */
  readonly what: string;
}

/** Asks until the answer is true. Throws an Error after the timeout. */
export async function waitUntil(
  check: () => boolean | Promise<boolean>,
  options: WaitOptions,
): Promise<void> {
  const deadline = performance.now() + options.timeoutMs;
  while (!await check()) {
    if (performance.now() > deadline) throw new Error(`Gave up waiting for ${options.what}`);
    await pause(options.everyMs);
  }
}

export function pause(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, ms);
  return promise;
}
