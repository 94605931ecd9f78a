// Ends of waits that `fetch` alone does not promise: in Deno 2.9.6 an abort can be lost that comes after
// an answer's head (the request's own signal hangs on a weak reference, as soon as nobody else holds
// it). So nobody here relies on it for a wait to end: the wait ends by itself, and its reader is
// cancelled.

/** Calls the listener when the signal fires, or now where it has fired: then no event comes any more. */
export function onAborted(signal: AbortSignal, listener: () => void): void {
  if (signal.aborted) listener();
  else signal.addEventListener("abort", listener);
}

/**
 * The promise's value; rejects with the signal's reason as soon as it fires, whatever the promise does.
 * Without a signal nobody ends it.
 */
export async function untilAborted<T>(
  wait: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return await wait;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  onAborted(signal, onAbort);
  try {
    return await Promise.race([wait, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** An answer's head. Where the signal fires first, an answer that still comes is let go of. */
export async function headUntilAborted(
  answer: Promise<Response>,
  signal: AbortSignal | undefined,
): Promise<Response> {
  try {
    return await untilAborted(answer, signal);
  } catch (error) {
    answer.then((late) => late.body?.cancel()).catch(() => {});
    throw error;
  }
}
