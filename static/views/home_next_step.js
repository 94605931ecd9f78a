// What a person should do next, out of what the server is doing: one thing only.

/** @import { DownloadRow, ErrorBody, ModelRow, SystemInfo } from "../../src/api_types.ts" */
/**
 * @typedef {{ kind: "no_engine", error: ErrorBody | null }
 *   | { kind: "engine_on_its_way", progress: number | null }
 *   | { kind: "model_on_its_way", download: DownloadRow }
 *   | { kind: "download_stuck", download: DownloadRow }
 *   | { kind: "get_a_model" }
 *   | { kind: "talk", model: ModelRow }} NextStep
 */

/**
 * @param {object} state
 * @param {SystemInfo | null} state.system
 * @param {readonly ModelRow[]} state.chatModels
 * @param {readonly DownloadRow[]} state.downloads
 * @returns {NextStep}
 */
export function nextStep({ system, chatModels, downloads }) {
  const { phase, error = null, progress = null } = system?.runtime ?? { phase: "unknown" };
  if (phase === "failed") return { kind: "no_engine", error };
  if (phase === "installing") return { kind: "engine_on_its_way", progress };
  const own = chatModels.filter(({ builtin }) => !builtin);
  const model = own.find(({ state }) => state === "ready") ??
    own.find(({ state }) => state === "loading") ?? own.find(({ state }) => state !== "failed");
  if (model !== undefined) return { kind: "talk", model };
  const stuck = downloads.find(({ state }) => state === "failed");
  if (stuck !== undefined) return { kind: "download_stuck", download: stuck };
  const download = downloads.find(({ state }) => state !== "done");
  if (download !== undefined) return { kind: "model_on_its_way", download };
  return { kind: "get_a_model" };
}
