// The Hub's JSON as typed values (pure). What is missing or of another kind is null: a field that the
// Hub drops must not take a whole list away.

import type { Capability } from "../api_types.ts";
import type { HubFile } from "./hub_files.ts";
import { isRepoName } from "./hub_names.ts";
import { isObject } from "./json_field.ts";

/** What the Hub says of a repository, but for its files. */
export interface HubRepoSummary {
  /** `org/name` */
  repo: string;
  downloads: number | null;
  likes: number | null;
  /** ISO time. */
  updatedAt: string | null;
  /** False, or who opens it: `auto` at once, `manual` its owner. */
  gated: false | "auto" | "manual";
  license: string | null;
  /** Count, of the file that the Hub chose to look at. */
  parameters: number | null;
  architecture: string | null;
  contextLength: number | null;
  capabilities: Capability[];
  languages: string[];
}

/** The fields of a list that `summaryIn` reads. */
export const SUMMARY_FIELDS = [
  ...["downloads", "likes", "lastModified", "gated", "tags", "pipeline_tag", "gguf"],
] as const;

const MOST_TAGS = 2000;
const LONGEST_TEXT = 200;
const COMMIT = /^[0-9a-f]{40}$/;
const SHA256 = /^[0-9a-f]{64}$/;
const LARGEST_FILE_BYTES = 1e14;

/** Languages by tags: two letters alone; three letters would take other tags for languages. */
const LANGUAGE = /^[a-z]{2}$/;

const CAPABILITIES: Readonly<Record<string, Capability[]>> = {
  "text-generation": ["chat", "completion"],
  "image-text-to-text": ["chat", "completion", "vision"],
  "any-to-any": ["chat", "completion", "vision"],
  "audio-text-to-text": ["chat", "completion", "audio"],
  "feature-extraction": ["embedding"],
  "sentence-similarity": ["embedding"],
  "text-ranking": ["rerank"],
};

/** Null for what is no repository. */
export function summaryIn(value: unknown): HubRepoSummary | null {
  if (!isObject(value)) return null;
  const repo = textIn(value["id"]);
  if (repo === null || !isRepoName(repo)) return null;
  const tags = Array.isArray(value["tags"])
    ? value["tags"].slice(0, MOST_TAGS).filter((tag) => textIn(tag) !== null) as string[]
    : [];
  const gguf = isObject(value["gguf"]) ? value["gguf"] : {};
  const gated = value["gated"];
  return {
    repo,
    downloads: countIn(value["downloads"]),
    likes: countIn(value["likes"]),
    updatedAt: timeIn(value["lastModified"]),
    gated: gated === "auto" || gated === "manual" ? gated : false,
    license: licenseIn(value["cardData"], tags),
    parameters: countIn(gguf["total"]),
    architecture: textIn(gguf["architecture"]),
    contextLength: countIn(gguf["context_length"]),
    capabilities: capabilitiesIn(value["pipeline_tag"], tags),
    languages: tags.filter((tag) => LANGUAGE.test(tag)),
  };
}

/** The commit that a revision means; null where the answer names none. */
export function commitIn(value: unknown): string | null {
  const commit = isObject(value) ? value["sha"] : null;
  return isCommit(commit) ? commit : null;
}

export function isCommit(value: unknown): value is string {
  return typeof value === "string" && COMMIT.test(value);
}

export function isSha256(value: unknown): value is string {
  return typeof value === "string" && SHA256.test(value);
}

/** The files of one page of a tree. */
export function filesIn(value: unknown): HubFile[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((each) => {
    const { type, path, lfs } = isObject(each) ? each : {};
    if (type !== "file" || typeof path !== "string") return [];
    const stored = isObject(lfs) ? lfs : {};
    const sizeBytes = countIn(stored["size"] ?? (each as Record<string, unknown>)["size"]);
    if (sizeBytes === null || sizeBytes > LARGEST_FILE_BYTES) return [];
    return [{ path, sizeBytes, sha256: isSha256(stored["oid"]) ? stored["oid"] : null }];
  });
}

/** The address of the next page; null on the last one. */
export function nextPage(headers: Headers): string | null {
  for (const link of (headers.get("link") ?? "").split(",")) {
    const found = /<([^>]+)>\s*;\s*rel="?next"?/.exec(link);
    if (found !== null) return found[1]!;
  }
  return null;
}

function textIn(value: unknown): string | null {
  if (typeof value !== "string" || value === "" || value.length > LONGEST_TEXT) return null;
  return value.isWellFormed() && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(value) ? value : null;
}

function countIn(value: unknown): number | null {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? value as number : null;
}

function timeIn(value: unknown): string | null {
  const text = textIn(value);
  return text === null || Number.isNaN(Date.parse(text)) ? null : text;
}

function licenseIn(card: unknown, tags: readonly string[]): string | null {
  const tagged = tags.find((tag) => tag.startsWith("license:"))?.slice("license:".length);
  if (!isObject(card)) return tagged ?? null;
  const license = textIn(card["license"]) ?? tagged ?? null;
  return license === "other" ? textIn(card["license_name"]) ?? license : license;
}

function capabilitiesIn(pipeline: unknown, tags: readonly string[]): Capability[] {
  const kinds = [...typeof pipeline === "string" ? [pipeline] : [], ...tags];
  const kind = kinds.find((each) => Object.hasOwn(CAPABILITIES, each));
  return kind === undefined ? [] : [...CAPABILITIES[kind]!];
}
