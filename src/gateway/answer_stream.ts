// A streamed answer on its way through: bytes untouched, its end noticed exactly once.

import { joinBytes } from "../join_bytes.ts";
import type { UpstreamStream } from "../runtime/upstream_client.ts";

/** How a stream ended: by itself, broken, or because the client left. */
export interface AnswerEnd {
  /** The last bytes, where llama-server writes what it counted. */
  tail: Uint8Array;
  failed: { cause: unknown } | null;
  left: boolean;
}

/**
 * Passes the chunks on. `onEnd` is called once; the text it answers after a failure is sent as the
 * last event, since the status is long gone.
 */
export function streamAnswer(
  source: UpstreamStream,
  onEnd: (end: AnswerEnd) => string | null,
): ReadableStream<Uint8Array> {
  // What counts stands in the last event but one: two chunks are kept, never the text before.
  let last = new Uint8Array();
  let before = new Uint8Array();
  let ended = false;
  function end(failed: AnswerEnd["failed"], left: boolean): string | null {
    if (ended) return null;
    ended = true;
    return onEnd({ tail: joinBytes(before, last), failed, left });
  }
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const bytes = await source.next();
        if (bytes === null) {
          end(null, false);
          controller.close();
          return;
        }
        before = last;
        last = bytes;
        controller.enqueue(bytes);
      } catch (cause) {
        const event = end({ cause }, false);
        // A line of its own: the chunk before it may have ended in the middle of an event.
        if (event !== null) controller.enqueue(new TextEncoder().encode(`\n\n${event}`));
        controller.close();
      }
    },
    cancel() {
      end(null, true);
      source.cancel();
    },
  });
}
