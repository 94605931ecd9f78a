// The body of an answer in memory: as much as was asked for and no more, within a time.

import { untilAborted } from "../abort.ts";

/** Without a byte, and for all of it. */
const STALL_MS = 10_000;
export const BODY_MS = 30_000;

/** The first `most` bytes, or all where there are fewer; what follows is not waited for. */
export async function readBody(
  response: Response,
  most: number,
  options: { totalMs?: number; signal?: AbortSignal | undefined } = {},
): Promise<Uint8Array> {
  const endMs = performance.now() + (options.totalMs ?? BODY_MS);
  const reader = response.body?.getReader();
  if (reader === undefined) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    while (sizeBytes < most) {
      const limitMs = Math.min(STALL_MS, Math.max(0, endMs - performance.now()));
      const { value, done } = await untilAborted(readWithin(reader, limitMs), options.signal);
      if (done) break;
      chunks.push(value);
      sizeBytes += value.length;
    }
    const bytes = new Uint8Array(Math.min(sizeBytes, most));
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk.subarray(0, bytes.length - at), at);
      at += chunk.length;
    }
    return bytes;
  } finally {
    // Of a broken body nothing is left to cancel.
    await reader.cancel().catch(() => {});
  }
}

/** What silence is called, here and before an answer. */
export function noAnswer(limitMs: number): Error {
  return new Error(`no answer within ${limitMs / 1000} s`);
}

async function readWithin(reader: ReadableStreamDefaultReader<Uint8Array>, limitMs: number) {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(noAnswer(limitMs)), limitMs);
  try {
    return await Promise.race([reader.read(), promise]);
  } finally {
    clearTimeout(timer);
  }
}
