// The body of a request, read with a limit and a deadline, and as JSON. What its fields mean is each
// dialect's.

import { AppError } from "../errors.ts";
import { StallTimer } from "../stall_timer.ts";
import { findJsonError } from "./json_error.ts";

export type JsonObject = Record<string, unknown>;

/** A body of which nothing more came for this long is given up. */
export const BODY_STALL_MS = 30_000;

const EMPTY = new Uint8Array();

/**
 * The whole body, at most `limitBytes`, counted while it comes in.
 *
 * Errors: `body_too_large`, at once where the size is announced; `body_stalled`; `cancelled` where
 * the client left in the middle.
 */
export async function readBody(
  request: Request,
  limitBytes: number,
  options: { stallMs?: number } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const { body, headers } = request;
  if (Number(headers.get("content-length") ?? 0) > limitBytes) throw tooLarge(limitBytes);
  if (body === null) return EMPTY;
  const reader = body.getReader();
  const stallMs = options.stallMs ?? BODY_STALL_MS;
  let stall: AppError | null = null;
  using timer = new StallTimer(stallMs, () => {
    stall = stalled(stallMs);
    // It ends the read that is waited for.
    void reader.cancel(stall).catch(() => {});
  });
  try {
    timer.begin();
    const first = await reader.read();
    if (stall !== null) throw stall;
    if (first.done) return EMPTY;
    // Nearly every body is one chunk.
    const chunks = [first.value];
    let sizeBytes = first.value.length;
    for (;;) {
      if (sizeBytes > limitBytes) {
        void reader.cancel().catch(() => {});
        throw tooLarge(limitBytes);
      }
      timer.begin();
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
      sizeBytes += value.length;
    }
    if (stall !== null) throw stall;
    return chunks.length === 1 ? chunks[0]! : concatenate(chunks, sizeBytes);
  } catch (error) {
    if (stall !== null) throw stall;
    if (error instanceof AppError) throw error;
    throw new AppError("cancelled", "The client left before its request was complete", {
      cause: error,
    });
  }
}

/**
 * The object that the bytes are in JSON.
 *
 * Errors: `invalid_request` with line and column, and a few characters, never the text.
 */
export function parseJson(bytes: Uint8Array): JsonObject {
  if (bytes.length === 0) {
    throw new AppError("invalid_request", "Cannot read the body: it is empty. Send a JSON object");
  }
  const value = parse(bytes);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as JsonObject;
  }
  const kind = value === null ? "null" : Array.isArray(value) ? "an array" : `a ${typeof value}`;
  throw new AppError("invalid_request", `Cannot use the body: it is ${kind}. Send a JSON object`);
}

function parse(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new AppError("invalid_request", "Cannot read the body: it is not text in UTF-8", {
      cause: error,
    });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    const found = findJsonError(text);
    // Both read the same grammar; were they ever to differ, the answer is still a 400.
    if (found === null) throw new AppError("invalid_request", "Cannot read the body as JSON");
    const { line, column, position, excerpt } = found;
    const what = excerpt === "" ? "it ends too early" : `unexpected ${JSON.stringify(excerpt)}`;
    throw new AppError(
      "invalid_request",
      `Cannot read the body as JSON: ${what} at line ${line}, column ${column}`,
      { values: { line, column, position }, cause },
    );
  }
}

function concatenate(chunks: Uint8Array[], sizeBytes: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(sizeBytes);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}

function stalled(stallMs: number): AppError {
  const seconds = stallMs / 1_000;
  return new AppError(
    "body_stalled",
    `Cannot read the body: nothing more of it came for ${seconds} seconds. Send it again`,
    { values: { seconds } },
  );
}

function tooLarge(limitBytes: number): AppError {
  return new AppError(
    "body_too_large",
    `Cannot take this body: it is larger than ${limitBytes} bytes. Raise "body_limit" in the settings`,
    { values: { limit_bytes: limitBytes } },
  );
}
