// Rows of the registry and the typed values that they become. A row may have been written by hand:
// what cannot be read becomes null and never throws.

import type { DownloadState, ModelState } from "../api_types.ts";
import type { AppErrorData } from "../errors.ts";
import type { GgufFacts } from "./gguf.ts";

export type ModelSource = "home" | "folder" | "import" | "builtin";

/** A model as it was last seen on the disk, with what its header said then. */
export interface ModelRecord {
  id: string;
  /** Absolute path of the first part. */
  path: string;
  parts: readonly string[];
  mmprojPath: string | null;
  source: ModelSource;
  /** `org/name` on the Hub; null keeps what is on record as long as the file stays the same. */
  repo: string | null;
  sizeBytes: number;
  mtimeMs: number;
  facts: GgufFacts | null;
  /** Version of the reader of those facts: what another one read is read again. */
  factsVersion: number;
  error: AppErrorData | null;
}

/** The mirror of one instance, for people and for the start after a crash. */
export interface InstanceRecord {
  modelId: string;
  status: ModelState;
  /** The model's port, while it has one. */
  door: number | null;
  pid: number | null;
  startTime: string | null;
  boot: string | null;
  token: string | null;
  /** ISO 8601. */
  lastActivity: string | null;
  error: AppErrorData | null;
}

export type Row = Record<string, unknown>;

/** `ready` -> `Ready`: in SQLite, states are capitalised. */
export function statusOf(state: ModelState | DownloadState): string {
  return state.charAt(0).toUpperCase() + state.slice(1);
}

export function modelFrom(row: Row): ModelRecord {
  const path = String(row["path"]);
  const parts = jsonOf(row["parts"]);
  return {
    id: String(row["id"]),
    path,
    parts: Array.isArray(parts) ? parts.map(String) : [path],
    mmprojPath: textOf(row["mmproj_path"]),
    source: String(row["source"]) as ModelSource,
    repo: textOf(row["repo"]),
    sizeBytes: Number(row["size_bytes"]),
    mtimeMs: Number(row["mtime_ms"]),
    facts: factsOf(row["facts"]),
    factsVersion: Number(row["facts_version"]),
    error: jsonOf(row["error"]) as AppErrorData | null,
  };
}

export function instanceFrom(row: Row): InstanceRecord {
  return {
    modelId: String(row["model_id"]),
    status: String(row["status"]).toLowerCase() as ModelState,
    door: countOf(row["door"]),
    pid: countOf(row["pid"]),
    startTime: textOf(row["process_start_time"]),
    boot: textOf(row["boot"]),
    token: textOf(row["token"]),
    lastActivity: textOf(row["last_activity"]),
    error: jsonOf(row["error"]) as AppErrorData | null,
  };
}

export function toJson(value: unknown): string | null {
  return value === null ? null : JSON.stringify(value);
}

/** The header's own keys are a map, which JSON has not: they stand as pairs. */
export function factsToJson(facts: GgufFacts | null): string | null {
  if (facts === null) return null;
  // Infinity and NaN would come back as null, which no key may be.
  const metadata = [...facts.metadata].filter(([, value]) => [value].flat().every(isJsonSafe));
  return JSON.stringify({ ...facts, metadata });
}

function isJsonSafe(value: unknown): boolean {
  return typeof value !== "number" || Number.isFinite(value);
}

function factsOf(value: unknown): GgufFacts | null {
  const facts = jsonOf(value) as GgufFacts | null;
  const entries: unknown = facts?.metadata;
  if (facts === null || !Array.isArray(entries)) return null;
  return { ...facts, metadata: new Map(entries) };
}

export function jsonOf(value: unknown): unknown {
  if (typeof value !== "string") return null;
  try {
    return JSON.parse(value);
  } catch {
    return null;
  }
}

export function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function countOf(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}
