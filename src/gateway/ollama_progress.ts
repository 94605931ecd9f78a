// Work that takes a while and tells how far it is: lines of `status`, or the last one alone.

import type { Log } from "../log.ts";
import { errorEvent, toAppError } from "./error_response.ts";
import type { JsonObject } from "./json_body.ts";
import { LINES_TYPE } from "./ollama_stream.ts";

export interface Progress extends JsonObject {
  status: string;
}

export interface ProgressOptions {
  stream: boolean;
  log: Log;
  /** The client reads no more: the work may be given up. */
  onLeft?: () => void;
}

/**
 * Runs the work and answers with what it yields. What it throws before its first line is thrown;
 * later it is the last line.
 */
export async function progressAnswer(
  work: AsyncIterator<Progress>,
  { stream, log, onLeft }: ProgressOptions,
): Promise<Response> {
  const first = await work.next();
  if (!stream) {
    let last = first;
    for (let next = first; !next.done; next = await work.next()) last = next;
    return Response.json(last.value ?? {});
  }
  const encoder = new TextEncoder();
  const line = (progress: Progress) => encoder.encode(`${JSON.stringify(progress)}\n`);
  let next: Promise<IteratorResult<Progress>> | null = Promise.resolve(first);
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await (next ?? work.next());
        next = null;
        if (done) controller.close();
        else controller.enqueue(line(value));
      } catch (error) {
        controller.enqueue(encoder.encode(errorEvent(toAppError(error, log), "ollama")));
        controller.close();
      }
    },
    cancel() {
      onLeft?.();
      // What it holds must be let go of, also where nobody waits for its next line.
      void work.return?.().catch(() => {});
    },
  });
  return new Response(body, {
    headers: {
      "content-type": LINES_TYPE,
      "cache-control": "no-cache",
      "x-accel-buffering": "no",
    },
  });
}
