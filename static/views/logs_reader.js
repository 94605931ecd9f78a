// Where log lines come from: the server's own, and each model's process. Goes on after a break.

import { api, ApiError, request, segment } from "../api.js";

const RETRY_MS = 700;

/**
 * Reads until `signal` ends it. `onStart` comes before the first line of each connection, which begins
 * with the last lines that are kept.
 *
 * @param {string | null} model Null = the server itself.
 * @param {{
 *   signal: AbortSignal,
 *   onStart: () => void,
 *   onLines: (lines: string[]) => void,
 *   onFailure: (error: ApiError) => void,
 * }} options
 */
export async function readLog(model, { signal, onStart, onLines, onFailure }) {
  while (!signal.aborted) {
    try {
      if (model === null) await readServer({ signal, onStart, onLines });
      else await readModel(model, { signal, onStart, onLines });
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      // Not there, or not for this key: asking again changes nothing.
      if (error.status >= 400 && error.status < 500) return onFailure(error);
    }
    await delay(RETRY_MS, signal);
  }
}

/**
 * @param {{ signal: AbortSignal, onStart: () => void, onLines: (lines: string[]) => void }} options
 */
async function readServer({ signal, onStart, onLines }) {
  const response = await request("GET", "/logs/stream/proxy", { signal });
  onStart();
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      if (lines.length > 0) onLines(lines);
    }
  } catch (error) {
    if (signal.aborted || !(error instanceof TypeError)) throw error;
    // The connection broke: the next one tells whether the server is there.
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * @param {string} model
 * @param {{ signal: AbortSignal, onStart: () => void, onLines: (lines: string[]) => void }} options
 */
async function readModel(model, { signal, onStart, onLines }) {
  await api.stream(`/admin/models/${segment(model)}/log?follow=true`, undefined, {
    signal,
    onOpen: onStart,
    onEvent: (event) => {
      if (event?.type === "line") onLines([JSON.parse(event.data).line]);
    },
  });
}

/**
 * @param {number} ms
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function delay(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}
