// Fetches one file over HTTP to disk: hashed on the way, resumed after a cut, bounded in size and
// in silence. Whether its digest is right is the caller's.

import { createHash } from "node:crypto";
import { headUntilAborted, untilAborted } from "../abort.ts";
import { messageOf } from "../errors.ts";
import { writeAll } from "../durable_write.ts";

export interface FetchLimits {
  /** Until the headers of an answer. */
  connectMs: number;
  /** Without a byte of a body. */
  stallMs: number;
}

export const FETCH_LIMITS: Readonly<FetchLimits> = { connectMs: 5_000, stallMs: 30_000 };

export interface RequestOptions {
  limits: Readonly<FetchLimits>;
  signal: AbortSignal;
}

export interface DownloadOptions extends RequestOptions {
  /** Must not exist. */
  path: string;
  sizeBytes: number;
  onBytes(receivedBytes: number): void;
}

/** A server's answer whose body must be read or cancelled. */
export interface Answer {
  status: number;
  headers: Headers;
  /** Chunks; throws where the body is cut off or falls silent. */
  body(): AsyncGenerator<Uint8Array>;
  cancel(): Promise<void>;
}

const ATTEMPTS = 4;
const REDIRECTS = 5;

/**
 * GET with redirects followed by hand: none may lead from HTTPS to HTTP. Throws an Error with the
 * reason, and the signal's reason after an abort.
 */
export async function get(
  url: URL,
  headers: Record<string, string>,
  { limits, signal }: RequestOptions,
): Promise<Answer> {
  const own = new AbortController();
  const either = AbortSignal.any([signal, own.signal]);
  const silence = (ms: number) =>
    setTimeout(() => own.abort(new Error(`no answer within ${ms / 1000} s`)), ms);
  for (let target = url, hops = 0; hops <= REDIRECTS; hops++) {
    const timer = silence(limits.connectMs);
    let response: Response;
    try {
      const answer = fetch(target, { headers, redirect: "manual", signal: either });
      response = await headUntilAborted(answer, either);
    } catch (error) {
      signal.throwIfAborted();
      throw new Error(`cannot reach ${target.host}: ${messageOf(error)}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
    const location = response.headers.get("location");
    if (response.status < 300 || response.status > 399 || location === null) {
      return answerOf(response, { host: target.host, ended: either, silence, limits });
    }
    await response.body?.cancel();
    target = new URL(location, target);
    if (target.protocol !== "https:" && (url.protocol !== "http:" || target.protocol !== "http:")) {
      throw new Error(`${url.host} redirects to an address that is not encrypted`);
    }
  }
  throw new Error(`${url.host} redirects too often`);
}

function answerOf(
  response: Response,
  { host, ended, silence, limits }: {
    host: string;
    ended: AbortSignal;
    silence(ms: number): ReturnType<typeof setTimeout>;
    limits: Readonly<FetchLimits>;
  },
): Answer {
  async function* body(): AsyncGenerator<Uint8Array> {
    if (response.body === null) return;
    const reader = response.body.getReader();
    try {
      while (true) {
        const timer = silence(limits.stallMs);
        const { value, done } = await untilAborted(reader.read(), ended).finally(() =>
          clearTimeout(timer)
        );
        if (done) return;
        yield value;
      }
    } catch (error) {
      throw new Error(`the answer of ${host} broke off: ${messageOf(error)}`, { cause: error });
    } finally {
      // Of a broken body nothing is left to cancel.
      await reader.cancel().catch(() => {});
    }
  }
  return {
    status: response.status,
    headers: response.headers,
    body,
    cancel: async () => await response.body?.cancel(),
  };
}

/** Downloads `sizeBytes` bytes to `path` and returns their SHA-256 as 64 hex digits. */
export async function downloadAsset(url: URL, options: DownloadOptions): Promise<string> {
  const { path, sizeBytes, signal } = options;
  using file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
  let hash = createHash("sha256");
  let received = 0;
  for (let attempt = 1;; attempt++) {
    const headers: Record<string, string> = { "accept-encoding": "identity" };
    if (received > 0) headers.range = `bytes=${received}-`;
    try {
      const answer = await get(url, headers, options);
      const resumed = answer.status === 206 && received > 0 &&
        answer.headers.get("content-range")?.startsWith(`bytes ${received}-`) === true;
      if (!resumed && answer.status !== 200) {
        await answer.cancel();
        throw new Error(`${url.host} answered ${answer.status}`);
      }
      if (!resumed && received > 0) {
        received = 0;
        hash = createHash("sha256");
        await file.seek(0, Deno.SeekMode.Start);
        await file.truncate(0);
      }
      for await (const bytes of answer.body()) {
        received += bytes.length;
        if (received > sizeBytes) break;
        hash.update(bytes);
        await writeAll(file, bytes);
        options.onBytes(received);
      }
      if (received === sizeBytes) return hash.digest("hex");
      if (received < sizeBytes) throw new Error(`${url.host} sent a part only`);
    } catch (error) {
      signal.throwIfAborted();
      if (attempt === ATTEMPTS) throw error;
      continue;
    }
    throw new Error(`${url.host} sent more than ${sizeBytes} bytes`);
  }
}
