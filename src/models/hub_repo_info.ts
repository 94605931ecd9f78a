// All that the Hub said of one revision of a repository, as plain JSON that can be kept for days
// without a network; and how it is believed again.

import type { GgufFacts } from "./gguf.ts";
import { type HubRepoSummary, isCommit, isSha256, summaryIn } from "./hub_answers.ts";
import type { HubFile } from "./hub_files.ts";
import { isHubPath } from "./hub_names.ts";
import { isObject } from "./json_field.ts";

export interface HubRepoInfo extends HubRepoSummary {
  /** The commit that `files` are of. */
  commit: string;
  /** The GGUF files, projectors and all. */
  files: HubFile[];
  /** Headers that were read: one for each model in the repository, whatever its quantizations. */
  headers: HubHeader[];
}

export interface HubHeader {
  /** The file that it was read from: the first part of a model. */
  file: string;
  /** Of that file: another one of this name has other facts. */
  sha256: string | null;
  facts: StoredFacts;
}

/** Facts without the texts that nothing here needs; a map is no JSON. */
export type StoredFacts = Omit<GgufFacts, "metadata" | "chatTemplate"> & {
  metadata: [string, string | number | boolean | readonly number[]][];
};

const MOST_FILES = 5000;
const MOST_HEADERS = 20;
const MOST_LAYERS = 1024;
const MOST_METADATA = 2000;

export function storeFacts({ metadata, chatTemplate: _, ...facts }: GgufFacts): StoredFacts {
  const kept = [...metadata].filter(([key, value]) =>
    !key.startsWith("tokenizer.") && [value].flat().every(isJsonSafe)
  );
  return { ...facts, metadata: kept };
}

export function restoreFacts(facts: StoredFacts): GgufFacts {
  return { ...facts, chatTemplate: null, metadata: new Map(facts.metadata) };
}

/** Of what was kept in a file that anyone may have changed; null = not to be believed. */
export function parseHubRepoInfo(value: unknown): HubRepoInfo | null {
  if (!isObject(value) || !isCommit(value["commit"])) return null;
  const { commit, files, headers } = value;
  if (!Array.isArray(files) || files.length > MOST_FILES || !files.every(isFile)) return null;
  if (!Array.isArray(headers) || headers.length > MOST_HEADERS) return null;
  // The same check as for the Hub's own answer.
  const summary = summaryIn({
    id: value["repo"],
    downloads: value["downloads"],
    likes: value["likes"],
    lastModified: value["updatedAt"],
    gated: value["gated"],
    cardData: { license: value["license"] },
    gguf: {
      total: value["parameters"],
      architecture: value["architecture"],
      context_length: value["contextLength"],
    },
    tags: value["languages"],
  });
  if (summary === null || !isTextList(value["capabilities"])) return null;
  return {
    ...summary,
    capabilities: value["capabilities"] as HubRepoInfo["capabilities"],
    commit,
    files,
    headers: headers.filter(isHeader),
  };
}

function isFile(value: unknown): value is HubFile {
  return isObject(value) && typeof value["path"] === "string" && isHubPath(value["path"]) &&
    isCount(value["sizeBytes"]) && (value["sha256"] === null || isSha256(value["sha256"]));
}

function isHeader(value: unknown): value is HubHeader {
  return isObject(value) && typeof value["file"] === "string" && isHubPath(value["file"]) &&
    (value["sha256"] === null || isSha256(value["sha256"])) && isStoredFacts(value["facts"]);
}

const COUNTS = [
  ...["version", "splitCount", "splitNo", "tensorCount", "weightsBytes", "tokenEmbeddingBytes"],
  ...["expertBytes", "headerBytes", "requiredFileBytes"],
];
const COUNTS_OR_NULL = [
  ...["contextLength", "embeddingLength", "blockCount", "keyLength", "valueLength"],
  ...["feedForwardLength", "vocabSize", "expertCount", "expertUsedCount"],
  ...["expertFeedForwardLength", "slidingWindow"],
];
const TEXTS_OR_NULL = ["architecture", "name", "sizeLabel", "quantization", "pooling"];
const LISTS = ["headCount", "headCountKv", "blockBytes"];
const KINDS = [
  ...["chat", "completion", "embedding", "rerank", "projector", "adapter", "other"],
];

function isStoredFacts(facts: unknown): facts is StoredFacts {
  if (!isObject(facts)) return false;
  const { metadata, blockCount } = facts;
  return COUNTS.every((name) => isCount(facts[name])) &&
    COUNTS_OR_NULL.every((name) => facts[name] === null || isCount(facts[name])) &&
    TEXTS_OR_NULL.every((name) => facts[name] === null || isText(facts[name])) &&
    LISTS.every((name) => isCountList(facts[name])) &&
    isTextList(facts["capabilities"]) && KINDS.includes(facts["kind"] as string) &&
    typeof facts["causal"] === "boolean" && typeof facts["hasOutputTensor"] === "boolean" &&
    (blockCount === null || blockCount as number <= MOST_LAYERS) &&
    Array.isArray(metadata) && metadata.length <= MOST_METADATA && metadata.every(isPair);
}

function isPair(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 2 || !isText(value[0])) return false;
  const [, held] = value;
  return typeof held === "boolean" || typeof held === "number" || typeof held === "string" ||
    (Array.isArray(held) && held.length <= MOST_LAYERS &&
      held.every((each) => typeof each === "number"));
}

function isCountList(value: unknown): boolean {
  return Array.isArray(value) && value.length <= MOST_LAYERS && value.every(isCount);
}

function isTextList(value: unknown): boolean {
  return Array.isArray(value) && value.length <= 100 && value.every(isText);
}

function isText(value: unknown): boolean {
  return typeof value === "string" && value.length <= 4096;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isJsonSafe(value: unknown): boolean {
  return typeof value !== "number" || Number.isFinite(value);
}
