// Calls to the server: JSON in, JSON out, streams of events, with the key where one is kept. What its
// answers mean is for those who call.

import { signal } from "@preact/signals";
import { EventBlocks } from "./event_blocks.js";

/** @import { StreamEvent } from "./event_blocks.js" */
/** @typedef {Record<string, unknown>} Values */

/**
 * Null, or why the server wants a key before it goes on: `missing`, `wrong`, or one for answers only
 * (`scope`).
 *
 * @type {import("@preact/signals").Signal<null | "missing" | "wrong" | "scope">}
 */
export const needsKey = signal(null);

/** What the server refused, or that it was not reached (`code` "unreachable", status 0). */
export class ApiError extends Error {
  /**
   * @param {{ status: number, code: string, message: string, values?: Values }} told
   */
  constructor({ status, code, message, values = {} }) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    /** @type {Values} */
    this.values = values;
  }
}

/** Events of one stream, until everything else has its turn. */
const MOST_AT_ONCE_MS = 5;

const KEY = "zombie.key";
/** @type {string | null} */
let keyInMemory = null;

/** @returns {string | null} */
export function apiKey() {
  try {
    return sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY);
  } catch {
    return keyInMemory;
  }
}

/**
 * @param {string | null} key Null forgets it.
 * @param {{ remember?: boolean }} [options] Beyond this tab.
 */
export function setApiKey(key, { remember = false } = {}) {
  keyInMemory = key;
  try {
    sessionStorage.removeItem(KEY);
    localStorage.removeItem(KEY);
    if (key !== null) (remember ? localStorage : sessionStorage).setItem(KEY, key);
  } catch {
    // The browser keeps nothing: it holds until the page is closed.
  }
  needsKey.value = null;
}

let keyChanges = 0;

/**
 * Makes or revokes keys: what is refused meanwhile for want of one asks nobody for it. From the first
 * key on the server is closed, a moment before this page knows it.
 *
 * @param {() => Promise<void>} run
 */
export async function changeKeys(run) {
  keyChanges++;
  try {
    await run();
  } finally {
    keyChanges--;
  }
}

/**
 * The answer as it comes; throws an ApiError for any that is not 2xx.
 *
 * @param {string} method
 * @param {string} path
 * @param {{ body?: unknown, signal?: AbortSignal, headers?: Record<string, string> }} [options]
 * @returns {Promise<Response>}
 */
export async function request(method, path, { body, signal: abort, headers = {} } = {}) {
  const key = apiKey();
  /** @type {RequestInit} */
  const init = {
    method,
    cache: "no-store",
    headers: {
      ...(key !== null && { authorization: `Bearer ${key}` }),
      ...(body !== undefined && { "content-type": "application/json" }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(abort !== undefined && { signal: abort }),
  };
  /** @type {Response} */
  let response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (abort?.aborted) throw error;
    throw unreachable(error);
  }
  if (response.ok) return response;
  const error = await errorOf(response);
  if (keyChanges > 0) throw error;
  if (error.code === "invalid_api_key") needsKey.value = key === null ? "missing" : "wrong";
  if (error.code === "key_scope_too_small") needsKey.value = "scope";
  throw error;
}

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @returns {Promise<any>} Null where the answer has no body.
 */
async function json(method, path, body) {
  const response = await request(method, path, body === undefined ? {} : { body });
  if (response.status === 204) return null;
  const text = await response.text();
  return text === "" ? null : JSON.parse(text);
}

export const api = {
  /** @param {string} path */
  get: (path) => json("GET", path),
  /**
   * @param {string} path
   * @param {unknown} [body]
   */
  post: (path, body = {}) => json("POST", path, body),
  /**
   * @param {string} path
   * @param {unknown} body
   */
  put: (path, body) => json("PUT", path, body),
  /** @param {string} path */
  del: (path) => json("DELETE", path),

  /**
   * Calls `onEvent` with each event of the answer, until it ends. A comment of the server is `null`.
   * Resolves at its end; throws an ApiError, or what `signal` was aborted with.
   *
   * @param {string} path
   * @param {unknown} body Undefined asks by GET.
   * @param {{
   *   signal?: AbortSignal,
   *   headers?: Record<string, string>,
   *   onOpen?: () => void,
   *   onEvent: (event: StreamEvent | null) => void,
   * }} options
   */
  async stream(path, body, { signal: abort, headers, onOpen, onEvent }) {
    const response = await request(body === undefined ? "GET" : "POST", path, {
      ...(body !== undefined && { body }),
      ...(abort !== undefined && { signal: abort }),
      ...(headers !== undefined && { headers }),
    });
    onOpen?.();
    const blocks = new EventBlocks();
    const decoder = new TextDecoder();
    const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        let sinceMs = performance.now();
        for (const event of blocks.take(decoder.decode(value, { stream: true }))) {
          onEvent(event);
          if (performance.now() - sinceMs < MOST_AT_ONCE_MS) continue;
          // What piled up while the page was busy must not keep it busy: a frame comes between.
          await new Promise((resolve) => setTimeout(resolve));
          abort?.throwIfAborted();
          sinceMs = performance.now();
        }
      }
    } catch (error) {
      if (abort?.aborted || !(error instanceof TypeError)) throw error;
      // A connection that broke, as the browser tells it.
      throw unreachable(error);
    } finally {
      reader.cancel().catch(() => {});
    }
  },
};

/**
 * A piece of a path: names of models hold `/`, `:` and more.
 *
 * @param {string} name
 */
export function segment(name) {
  return encodeURIComponent(name);
}

/**
 * @param {Response} response
 * @returns {Promise<ApiError>}
 */
async function errorOf(response) {
  const { status } = response;
  try {
    const { error } = await response.json();
    return toldError(status, error);
  } catch {
    // What stands between us and the server answers in its own words.
    return new ApiError({ status, code: "unexpected_answer", message: `HTTP ${status}` });
  }
}

/**
 * An error as the server tells it, in an answer or in a stream. llama-server's own have a number for a
 * code, and their facts beside it.
 *
 * @param {number} status
 * @param {any} error
 */
export function toldError(status, { code, type, message, values, ...others }) {
  return new ApiError({
    status,
    code: typeof code === "string" ? code : String(type ?? "unexpected_answer"),
    message: String(message),
    values: values ?? others,
  });
}

/** @param {unknown} cause */
function unreachable(cause) {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new ApiError({ status: 0, code: "unreachable", message });
}
