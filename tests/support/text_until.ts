/**
 * An answer's text as it comes, until the signal fires: then the connection is closed. An abort of `fetch`
 * alone can be lost once the head is there (`src/abort.ts`).
 */
export async function* textUntil(
  response: Response,
  signal: AbortSignal,
): AsyncGenerator<string, void> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const leave = () => void reader.cancel().catch(() => {});
  signal.addEventListener("abort", leave);
  if (signal.aborted) leave();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
  } finally {
    signal.removeEventListener("abort", leave);
    leave();
  }
}
