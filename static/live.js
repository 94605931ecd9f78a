// Keeps the store up to date from /admin/events: notices within two seconds that the server is gone,
// within five that it hangs, and goes on by itself when it is back.

import { batch } from "@preact/signals";
import { api, ApiError, needsKey } from "./api.js";
import * as store from "./store.js";

/** @import { ServerEvent } from "../src/api_types.ts" */
/** @import { StreamEvent } from "./event_blocks.js" */

/** So long a silence is asked about: where nobody listens any more, that is told at once. */
const SILENCE_MS = 800;
/** A weak computer whose cores all work for a model answers late, but it is there. */
const ANSWER_MS = 4_000;
const RETRY_MS = 500;
/** Changes of one such moment are drawn together. */
const GATHER_MS = 30;

/** Starts to watch the server; returns what stops it. */
export function startLive() {
  const stopping = new AbortController();
  void watch(stopping.signal);
  return () => stopping.abort();
}

/** @param {AbortSignal} stopped */
async function watch(stopped) {
  /** @type {string | null} */
  let lastId = null;
  while (!stopped.aborted) {
    const connection = new AbortController();
    const leave = () => connection.abort();
    stopped.addEventListener("abort", leave);
    let isLeft = false;
    // Kept by the browser for a step back, a page would hold one of the six connections that there are.
    const hide = () => {
      isLeft = true;
      leave();
    };
    addEventListener("pagehide", hide);
    /** @type {EventReader} */
    const reader = new EventReader(lastId);
    const pulse = setInterval(() => reader.checkPulse(connection), SILENCE_MS / 4);
    try {
      await api.stream("/admin/events", undefined, {
        signal: connection.signal,
        ...(lastId !== null && { headers: { "last-event-id": lastId } }),
        onOpen: () => reader.opened(),
        onEvent: (event) => reader.take(event),
      });
    } catch (error) {
      if (!(error instanceof ApiError) && !connection.signal.aborted) throw error;
    } finally {
      clearInterval(pulse);
      stopped.removeEventListener("abort", leave);
      removeEventListener("pagehide", hide);
    }
    lastId = reader.lastId;
    reader.flush();
    if (isLeft) {
      await new Promise((shown) => addEventListener("pageshow", shown, { once: true }));
      continue;
    }
    batch(() => {
      store.connecting.value = false;
      // Who refuses for want of a key is there.
      store.online.value = needsKey.peek() !== null;
    });
    await keyOrTime(stopped);
  }
}

/** One connection: the first events up to the first comment are a snapshot, or what was missed. */
class EventReader {
  /** @type {string | null} */
  lastId;
  #expectedId;
  /** @type {StreamEvent[] | null} */
  #first = [];
  /** @type {ServerEvent[]} */
  #gathered = [];
  /** @type {ReturnType<typeof setTimeout> | null} */
  #timer = null;
  #heardMs = performance.now();
  #isOpen = false;
  #isAsking = false;

  /** @param {string | null} lastId */
  constructor(lastId) {
    this.lastId = lastId;
    this.#expectedId = lastId === null ? null : nextId(lastId);
  }

  opened() {
    this.#heardMs = performance.now();
    this.#isOpen = true;
    needsKey.value = null;
  }

  /** @param {StreamEvent | null} event */
  take(event) {
    this.#heardMs = performance.now();
    if (event?.id) this.lastId = event.id;
    if (this.#first === null) {
      if (event === null) return;
      this.#gathered.push(parsed(event));
      this.#timer ??= setTimeout(() => this.flush(), GATHER_MS);
      return;
    }
    if (event !== null) return void this.#first.push(event);
    const first = this.#first;
    this.#first = null;
    const isSnapshot = first.length > 0 && first[0]?.id !== this.#expectedId;
    apply(first.map(parsed), { isSnapshot });
    batch(() => {
      store.connecting.value = false;
      store.online.value = true;
    });
    if (isSnapshot) void loadRequests();
  }

  flush() {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const events = this.#gathered;
    this.#gathered = [];
    if (events.length > 0) apply(events, { isSnapshot: false });
  }

  /**
   * A server that hangs closes nothing: after a silence it is asked whether it lives.
   *
   * @param {AbortController} connection
   */
  async checkPulse(connection) {
    const silentMs = performance.now() - this.#heardMs;
    if (this.#isAsking || silentMs < SILENCE_MS || document.hidden) return;
    this.#isAsking = true;
    try {
      await fetch("/health", { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
      this.#heardMs = performance.now();
      // It lives: a stream that has not begun by now is still being made ready.
      if (this.#isOpen && this.#first === null) store.online.value = true;
    } catch {
      connection.abort();
    } finally {
      this.#isAsking = false;
    }
  }
}

/**
 * @param {ServerEvent[]} events
 * @param {{ isSnapshot: boolean }} options
 */
function apply(events, { isSnapshot: whole }) {
  batch(() => {
    const models = events.flatMap((event) => event.type === "model" ? [event.data] : []);
    const downloads = events.flatMap((event) => event.type === "download" ? [event.data] : []);
    const requests = events.flatMap((event) => event.type === "request" ? [event.data] : []);
    const lines = events.flatMap((event) => event.type === "log" ? [event.data] : []);
    const system = events.findLast((event) => event.type === "system");
    if (whole || models.length > 0) store.applyModels(models, { whole });
    if (whole || downloads.length > 0) store.applyDownloads(downloads, { whole });
    if (requests.length > 0) store.applyRequests(requests);
    if (lines.length > 0) store.applyLogs(lines);
    if (system?.type === "system") store.applySystem(system.data);
  });
}

async function loadRequests() {
  try {
    store.applyRequests(await api.get("/admin/requests"));
  } catch (error) {
    // The connection is gone again: the next one asks again.
    if (!(error instanceof ApiError)) throw error;
  }
}

/**
 * @param {StreamEvent} event
 * @returns {ServerEvent}
 */
function parsed({ type, data }) {
  return /** @type {ServerEvent} */ ({ type, data: JSON.parse(data) });
}

/** @param {string} id */
function nextId(id) {
  const dash = id.lastIndexOf("-");
  return `${id.slice(0, dash)}-${Number(id.slice(dash + 1)) + 1}`;
}

/**
 * Waits before the next try; where a key is wanted until there is one, for each try counts as wrong.
 *
 * @param {AbortSignal} stopped
 * @returns {Promise<void>}
 */
function keyOrTime(stopped) {
  return new Promise((resolve) => {
    const timer = needsKey.peek() === null ? setTimeout(done, RETRY_MS) : undefined;
    const unsubscribe = needsKey.subscribe((why) => {
      if (why === null && timer === undefined) queueMicrotask(done);
    });
    stopped.addEventListener("abort", done, { once: true });
    function done() {
      clearTimeout(timer);
      stopped.removeEventListener("abort", done);
      queueMicrotask(() => unsubscribe());
      resolve();
    }
  });
}
