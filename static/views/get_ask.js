// Questions to the server: asked again on wish, left when nobody wants the answer.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError, request } from "../api.js";
import { online } from "../store.js";

/**
 * @template T
 * @typedef {object} Asked
 * @property {T | null} value The last answer, also while it is asked again.
 * @property {ApiError | null} error
 * @property {boolean} isAsking
 * @property {() => void} again
 */

/**
 * The answer to GET `path`; null asks nothing.
 *
 * @template T
 * @param {string | null} path
 * @param {{ delayMs?: number }} [options] So long nothing new must be wanted before it is asked.
 * @returns {Asked<T>}
 */
export function useAnswer(path, { delayMs = 0 } = {}) {
  const [told, tell] = useState(
    /** @type {{ path: string | null, value: T | null, error: ApiError | null }} */
    ({ path: null, value: null, error: null }),
  );
  const [count, setCount] = useState(0);
  const [isAsking, setAsking] = useState(path !== null);
  const countSeen = useRef(0);

  useEffect(() => {
    if (path === null) {
      tell({ path, value: null, error: null });
      setAsking(false);
      return;
    }
    const left = new AbortController();
    const isAgain = countSeen.current !== count;
    countSeen.current = count;
    setAsking(true);
    const timer = setTimeout(ask, isAgain ? 0 : delayMs);
    return () => {
      clearTimeout(timer);
      left.abort();
    };

    async function ask() {
      try {
        const response = await request("GET", /** @type {string} */ (path), {
          signal: left.signal,
        });
        const value = await response.json();
        if (!left.signal.aborted) tell({ path, value, error: null });
      } catch (error) {
        if (left.signal.aborted) return;
        if (!(error instanceof ApiError)) throw error;
        // What was known stays, unless it was the answer to something else.
        tell((before) => ({ path, value: before.path === path ? before.value : null, error }));
      }
      if (!left.signal.aborted) setAsking(false);
    }
  }, [path, count, delayMs]);

  const again = useCallback(() => setCount((before) => before + 1), []);
  const isOnline = online.value;
  useEffect(() => {
    if (isOnline && told.error?.code === "unreachable") again();
  }, [isOnline]);
  return {
    value: told.value,
    error: told.path === path ? told.error : null,
    isAsking: isAsking || told.path !== path,
    again,
  };
}

/**
 * Loads what is kept elsewhere, and again when the server is back: `load` throws an ApiError.
 *
 * @param {() => Promise<void>} load
 * @returns {{ failure: ApiError | null, look: () => Promise<void> }}
 */
export function useLook(load) {
  const [failure, fail] = useState(/** @type {ApiError | null} */ (null));
  async function look() {
    try {
      await load();
      fail(null);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      fail(error);
    }
  }
  useEffect(() => {
    if (online.value) void look();
  }, [online.value]);
  return { failure, look };
}

const FIRST_LOOK_MS = 1_500;
const LAST_LOOK_MS = 60_000;

/**
 * How fast its memory is, the server finds out after it was asked for the first time: asks again, less
 * and less often, as long as something is unknown.
 *
 * @param {readonly { fit: { tokens_per_second: number | null } | null }[] | null} rows
 * @param {() => void} again
 */
export function useLaterSpeeds(rows, again) {
  const waitMs = useRef(FIRST_LOOK_MS);
  useEffect(() => {
    const fits = rows?.flatMap(({ fit }) => fit === null ? [] : [fit]) ?? [];
    // Those that write nothing never have one.
    const isUnknown = fits.length > 0 && fits.every((fit) => fit.tokens_per_second === null);
    if (!isUnknown || waitMs.current > LAST_LOOK_MS) return;
    const timer = setTimeout(again, waitMs.current);
    waitMs.current *= 2;
    return () => clearTimeout(timer);
  }, [rows, again]);
}
