// What the page knows of the server, as signals that its views read. Only live.js writes them.

import { batch, computed, signal } from "@preact/signals";

/** @import { DownloadRow, ModelRow, RequestRow, SystemInfo } from "../src/api_types.ts" */
/** @typedef {import("@preact/signals").Signal<ModelRow | null>} ModelSignal */
/** @typedef {{ time: number, level: string, part: string, message: string }} LogLine */
/**
 * @typedef {object} Reading One point of the live history; unknown is null.
 * @property {number} at Milliseconds since 1970.
 * @property {number | null} cpu 0 to 1.
 * @property {number | null} usedBytes RAM in use by everything.
 * @property {number} modelsBytes
 * @property {number | null} vramUsedBytes
 */

export { needsKey } from "./api.js";

const MOST_LOGS = 500;
const MOST_READINGS = 180;
const MOST_REQUESTS = 200;

/** True until the server was asked for the first time: then `online` tells. */
export const connecting = signal(true);
export const online = signal(false);
export const port = signal(Number(location.port) || (location.protocol === "https:" ? 443 : 80));
/** @type {import("@preact/signals").Signal<SystemInfo | null>} */
export const system = signal(null);
/** Oldest first. @type {import("@preact/signals").Signal<Reading[]>} */
export const history = signal([]);
/** Sorted by name, the builtin last. A row that did not change is the same object. @type {import("@preact/signals").Signal<ModelRow[]>} */
export const models = signal([]);
/** In the order of the queue. @type {import("@preact/signals").Signal<DownloadRow[]>} */
export const downloads = signal([]);
/** Newest first. @type {import("@preact/signals").Signal<RequestRow[]>} */
export const requests = signal([]);
/** Oldest first, the last 500 since the page was opened. @type {import("@preact/signals").Signal<LogLine[]>} */
export const logs = signal([]);

/** Those that hold memory now. */
export const loadedModels = computed(() =>
  models.value.filter(({ state }) =>
    state === "ready" || state === "loading" || state === "stopping"
  )
);
/** Those that can be talked to, the user's own first. */
export const chatModels = computed(() =>
  models.value.filter(({ capabilities, state }) =>
    state !== "missing" && (capabilities.length === 0 || capabilities.includes("chat") ||
      capabilities.includes("completion"))
  )
);

/** @type {Map<string, ModelSignal>} */
const modelSignals = new Map();

/**
 * One model's row, for what shows only this one; null where there is no such model.
 *
 * @param {string} id
 * @returns {ModelSignal}
 */
export function modelById(id) {
  let found = modelSignals.get(id);
  if (found === undefined) {
    /** @type {ModelSignal} */
    const made = signal(models.peek().find((row) => row.id === id) ?? null);
    modelSignals.set(id, found = made);
  }
  return found;
}

/**
 * Puts a row into its place, as an event would: for the answer to an action, which comes earlier.
 *
 * @param {ModelRow} row
 */
export function putModel(row) {
  applyModels([row]);
}

/**
 * @param {(ModelRow | { id: string, removed: true })[]} changes
 * @param {{ whole?: boolean }} [options] They are all that there are.
 */
export function applyModels(changes, { whole = false } = {}) {
  const rows = new Map(whole ? [] : models.peek().map((row) => [row.id, row]));
  for (const change of changes) {
    if ("removed" in change) rows.delete(change.id);
    else rows.set(change.id, change);
  }
  batch(() => {
    models.value = [...rows.values()].sort(byName);
    for (const [id, each] of modelSignals) each.value = rows.get(id) ?? null;
  });
}

/**
 * @param {(DownloadRow | { id: string, removed: true })[]} changes
 * @param {{ whole?: boolean }} [options]
 */
export function applyDownloads(changes, { whole = false } = {}) {
  const rows = new Map(whole ? [] : downloads.peek().map((row) => [row.id, row]));
  for (const change of changes) {
    if ("removed" in change) rows.delete(change.id);
    else rows.set(change.id, change);
  }
  downloads.value = [...rows.values()].sort((a, b) => a.position - b.position);
}

/** @param {RequestRow[]} changes */
export function applyRequests(changes) {
  const rows = new Map(requests.peek().map((row) => [row.id, row]));
  for (const change of changes) rows.set(change.id, change);
  requests.value = [...rows.values()]
    .sort((a, b) => b.started_at.localeCompare(a.started_at)).slice(0, MOST_REQUESTS);
}

/** @param {LogLine[]} lines */
export function applyLogs(lines) {
  logs.value = [...logs.peek(), ...lines].slice(-MOST_LOGS);
}

/** @param {SystemInfo} info */
export function applySystem(info) {
  const { memory, cpu, gpus } = info;
  const own = gpus.filter(({ unified }) => unified !== true);
  const vram = sumOf(own.map((gpu) => usedOf(gpu.vram_total_bytes, gpu.vram_free_bytes)));
  batch(() => {
    system.value = info;
    history.value = [...history.peek(), {
      at: Date.now(),
      cpu: cpu.usage,
      usedBytes: usedOf(memory.total_bytes, memory.available_bytes),
      modelsBytes: memory.models_bytes,
      vramUsedBytes: own.length === 0 ? null : vram,
    }].slice(-MOST_READINGS);
  });
}

/**
 * @param {ModelRow} a
 * @param {ModelRow} b
 */
function byName(a, b) {
  if (a.builtin !== b.builtin) return a.builtin ? 1 : -1;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/**
 * @param {number | null} total
 * @param {number | null} free
 */
function usedOf(total, free) {
  return total === null || free === null ? null : total - free;
}

/** @param {(number | null)[]} values */
function sumOf(values) {
  return values.reduce((sum, value) => sum === null || value === null ? null : sum + value, 0);
}
