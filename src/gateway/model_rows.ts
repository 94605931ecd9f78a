// A model as /admin/models, the page and the events show it: what the library, the registry and the
// orchestrator each know of it, in one row.

import type { ModelRow, ModelState } from "../api_types.ts";
import { parseDuration } from "../duration.ts";
import { AppError } from "../errors.ts";
import { type Model, modelMissing } from "../models/model.ts";
import type { Entry } from "../orchestrator/entry.ts";
import { errorBody } from "./error_response.ts";
import type { Parts } from "./parts.ts";

export type ModelRowParts = Pick<Parts, "config" | "fits" | "orchestrator" | "registry">;

/** Lines of the process's log that explain an error. */
const ERROR_LINES = 20;

export function modelRow(parts: ModelRowParts, model: Model): ModelRow {
  const { orchestrator, registry } = parts;
  const entries = orchestrator.entriesOf(model.id);
  const entry = orchestrator.shownEntry(model.id);
  const settings = registry.settingsOf(model.id);
  const state = stateOf(parts, model);
  const suits = model.facts === null
    ? null
    : parts.fits.of(model.facts, { id: model.id, mmprojBytes: model.mmprojBytes, settings });
  const ownKeepAliveMs = settings.keep_alive === null ? null : parseDuration(settings.keep_alive);
  return {
    id: model.id,
    builtin: model.builtin,
    aliases: settings.aliases,
    size_bytes: model.sizeBytes,
    quantization: model.facts?.quantization ?? null,
    architecture: model.facts?.architecture ?? null,
    context_length: model.facts?.contextLength ?? null,
    capabilities: model.facts?.capabilities ?? [],
    source: model.source,
    state,
    progress: entry?.instance.progress ?? null,
    port: entry?.door?.port ?? null,
    pid: entry?.instance.process?.pid ?? null,
    memory_bytes: memoryOf(orchestrator, entries),
    leases: entries.reduce((sum, { leases }) => sum + leases, 0),
    queued: entries.reduce((sum, { queued }) => sum + queued, 0),
    keep_alive_ms: entry?.keepAliveMs ?? ownKeepAliveMs ?? parts.config().keepAliveMs,
    expires_at: entry?.expiresAt?.toISOString() ?? null,
    pinned: entry?.pinned ?? settings.pinned,
    badge: suits?.badge ?? null,
    fit: suits?.fit ?? null,
    error: state === "missing" ? missingError(model) : errorOf(model, entry),
  };
}

/**
 * A file that cannot be read shows as failed before anyone asked for it, one that is gone as missing
 * whatever became of the last load; what runs of it goes on. Where the model runs only beside what
 * it is for, it is that which is shown.
 */
export function stateOf({ orchestrator }: Pick<Parts, "orchestrator">, model: Model): ModelState {
  const shown = orchestrator.shownEntry(model.id);
  return stateWith(model, shown === null ? "stopped" : orchestrator.stateOf(shown.key));
}

/** The state of the model, given that of one of its entries. */
export function stateWith(model: Model, state: ModelState): ModelState {
  if (model.isMissing && (state === "stopped" || state === "failed")) return "missing";
  return state === "stopped" && model.error !== null ? "failed" : state;
}

function memoryOf(orchestrator: Parts["orchestrator"], entries: readonly Entry[]): number | null {
  const taken = entries.map((entry) => orchestrator.memoryOf(entry)).filter((bytes) =>
    bytes !== null
  );
  return taken.length === 0 ? null : taken.reduce((sum, bytes) => sum + bytes, 0);
}

function missingError(model: Model): ModelRow["error"] {
  return { ...errorBody(modelMissing(model)), log: [] };
}

function errorOf(model: Model, entry: Entry | null): ModelRow["error"] {
  const error = entry?.error ?? (model.error === null ? null : AppError.fromData(model.error));
  if (error === null) return null;
  return {
    ...errorBody(error),
    log: model.error === null && isOfProcess(error) ? lastLines(entry) : [],
  };
}

/** A load that was refused beforehand has no lines: those there are were another process's. */
function isOfProcess(error: AppError): boolean {
  return Object.hasOwn(error.values, "reason") || error.code === "load_stalled";
}

function lastLines(entry: Entry | null): string[] {
  return entry?.instance.lastLines.slice(-ERROR_LINES) ?? [];
}
