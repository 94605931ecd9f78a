// By what the orchestrator keeps a model's entries: one for what the model is for, and one for each
// mode that it serves beside.

import type { LaunchSpec } from "../host/messages.ts";

/** What a model can be served for beside what it is for: an instance has one mode. */
export type BesideMode = Exclude<LaunchSpec["mode"], "chat">;

const BESIDE_MODES: readonly BesideMode[] = ["embedding", "rerank"];

/** The model's ID for its main entry; no ID has a slash. */
export function entryKey(modelId: string, beside: BesideMode | null): string {
  return beside === null ? modelId : `${modelId}/${beside}`;
}

/** Of all entries that a model may have, the main one first. */
export function entryKeys(modelId: string): string[] {
  return [modelId, ...BESIDE_MODES.map((mode) => entryKey(modelId, mode))];
}
