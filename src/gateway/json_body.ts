// The body of a request, read with a limit and a deadline, and as JSON. What its fields mean is each
// dialect's.

import { AppError } from "../errors.ts";
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
  const stall = new Stall(
    options.stallMs ?? BODY_STALL_MS,
    (error) => void reader.cancel(error).catch(() => {}),
  );
  try {
    const first = await reader.read();
    if (first.done) return stall.error === null ? EMPTY : stall.raise();
    // Nearly every body is one chunk.
    const chunks = [first.value];
    let sizeBytes = first.value.length;
    for (;;) {
      if (sizeBytes > limitBytes) {
        void reader.cancel().catch(() => {});
        throw tooLarge(limitBytes);
      }
      stall.progress();
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
      sizeBytes += value.length;
    }
    if (stall.error !== null) stall.raise();
    return chunks.length === 1 ? chunks[0]! : concatenate(chunks, sizeBytes);
  } catch (error) {
    if (stall.error !== null) stall.raise();
    if (error instanceof AppError) throw error;
    throw new AppError("cancelled", "The client left before its request was complete", {
      cause: error,
    });
  } finally {
    stall.end();
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

/** One timer for a whole body: its deadline moves, the timer only when it fires. */
class Stall {
  readonly #stallMs: number;
  readonly #onStalled: (error: AppError) => void;
  #deadlineMs: number;
  #timer: ReturnType<typeof setTimeout>;
  error: AppError | null = null;

  constructor(stallMs: number, onStalled: (error: AppError) => void) {
    this.#stallMs = stallMs;
    this.#onStalled = onStalled;
    this.#deadlineMs = performance.now() + stallMs;
    this.#timer = setTimeout(() => this.#check(), stallMs);
  }

  progress(): void {
    this.#deadlineMs = performance.now() + this.#stallMs;
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  raise(): never {
    throw this.error;
  }

  #check(): void {
    const leftMs = this.#deadlineMs - performance.now();
    // A timer may fire a fraction of a millisecond early.
    if (leftMs > 1) {
      this.#timer = setTimeout(() => this.#check(), leftMs);
      return;
    }
    const seconds = this.#stallMs / 1_000;
    this.error = new AppError(
      "body_stalled",
      `Cannot read the body: nothing more of it came for ${seconds} seconds. Send it again`,
      { values: { seconds } },
    );
    this.#onStalled(this.error);
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

function tooLarge(limitBytes: number): AppError {
  return new AppError(
    "body_too_large",
    `Cannot take this body: it is larger than ${limitBytes} bytes. Raise "body_limit" in the settings`,
    { values: { limit_bytes: limitBytes } },
  );
}
