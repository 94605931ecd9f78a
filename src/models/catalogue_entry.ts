// One model of the catalogue, from JSON to typed values. The file that holds them is
// catalogue_file.ts's, what a shape means model_shape.ts's.

import { basename } from "node:path";
import type { CatalogueRow } from "../api_types.ts";
import { parseModelShape } from "./catalogue_shape.ts";
import type { GgufFacts } from "./gguf.ts";
import { isHubPath, isRepoName } from "./hub_names.ts";
import type { JsonField } from "./json_field.ts";
import { modelIdOf } from "./model_names.ts";
import type { ModelShape } from "./model_shape.ts";

export type CatalogueRole = CatalogueRow["roles"][number];

export interface CatalogueEntry {
  /** Its name in the catalogue; what an installed one is called follows from the file. */
  id: string;
  name: string;
  /** Came with the program. */
  builtin: boolean;
  roles: CatalogueRole[];
  /** Of the language model, without a projector. */
  parameters: number;
  activeParameters: number | null;
  contextLength: number | null;
  /** `bn` */
  languages: string[];
  license: string;
  gated: boolean;
  /** `org/name` on the Hub. */
  repo: string;
  /** Smallest first. */
  files: CatalogueFile[];
  /** Null = its fit is not known before the Hub was asked. */
  shape: ModelShape | null;
}

export interface CatalogueFile extends KnownFile {
  quantization: string | null;
  /** Needed to see. */
  projector: KnownFile | null;
  /** From a header on the Hub, or the model's of another quantization; null = none was read. */
  facts: GgufFacts | null;
}

export interface KnownFile {
  /** Path in the repository; of a split model its first part. */
  file: string;
  /** All parts. */
  sizeBytes: number;
  /** False = rounded. */
  sizeExact: boolean;
  /** As last seen: an uploader may have replaced the file since. What is downloaded is checked against the Hub. */
  sha256: string | null;
}

export const ROLES = ["chat", "code", "vision", "embedding", "rerank"] as const;

export const MOST_FILES = 50;
const MOST_LANGUAGES = 200;
const MOST_PARAMETERS = 1e14;
const MOST_BYTES = 1e14;
const MOST_CONTEXT = 1e9;

/** Throws `Misfit` for the first thing that is wrong. Fields that are not known are passed over. */
export function parseCatalogueEntry(entry: JsonField): CatalogueEntry {
  const active = entry.get("active_parameters");
  const context = entry.get("context_length");
  const gated = entry.get("gated");
  const builtin = entry.get("builtin");
  const shape = entry.get("shape");
  return {
    id: entry.get("id").text({
      longest: 100,
      pattern: /^[a-z0-9][a-z0-9._-]*$/,
      kind: 'a name of small letters, digits, ".", "_" and "-"',
    }),
    name: entry.get("name").text({ longest: 100 }),
    builtin: builtin.isMissing ? false : builtin.flag(),
    roles: entry.get("roles").list({ least: 1, most: ROLES.length })
      .map((role) => role.oneOf(ROLES)),
    parameters: entry.get("parameters").count({ least: 1, most: MOST_PARAMETERS }),
    activeParameters: active.isMissing ? null : active.count({ least: 1, most: MOST_PARAMETERS }),
    contextLength: context.isMissing ? null : context.count({ least: 1, most: MOST_CONTEXT }),
    languages: languagesOf(entry.get("languages")),
    license: entry.get("license").text({ longest: 100 }),
    gated: gated.isMissing ? false : gated.flag(),
    repo: repoOf(entry.get("repo")),
    files: entry.get("files").list({ least: 1, most: MOST_FILES }).map(fileOf)
      .sort((a, b) => a.sizeBytes - b.sizeBytes),
    shape: shape.isMissing ? null : parseModelShape(shape),
  };
}

function languagesOf(field: JsonField): string[] {
  if (field.isMissing) return [];
  return field.list({ most: MOST_LANGUAGES }).map((each) =>
    each.text({
      longest: 20,
      pattern: /^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/,
      kind: 'a language code such as "bn"',
    })
  );
}

function repoOf(field: JsonField): string {
  const repo = field.text({ longest: 193, kind: "a repository as org/name" });
  if (!isRepoName(repo)) throw field.misfit("must be a repository as org/name");
  return repo;
}

function fileOf(field: JsonField): CatalogueFile {
  const quantization = field.get("quantization");
  const projector = field.get("projector");
  return {
    ...knownFileOf(field),
    quantization: quantization.isMissing
      ? null
      : quantization.text({ longest: 40, pattern: /^[\w-]+$/, kind: "a label such as Q4_K_M" }),
    projector: projector.isMissing ? null : knownFileOf(projector),
    facts: null,
  };
}

function knownFileOf(field: JsonField): KnownFile {
  const exact = field.get("size_exact");
  const sha256 = field.get("sha256");
  return {
    file: ggufPathOf(field.get("file")),
    sizeBytes: field.get("size_bytes").count({ least: 1, most: MOST_BYTES }),
    sizeExact: exact.isMissing ? true : exact.flag(),
    sha256: sha256.isMissing
      ? null
      : sha256.text({ longest: 64, pattern: /^[0-9a-f]{64}$/, kind: "64 digits of a SHA-256" }),
  };
}

function ggufPathOf(field: JsonField): string {
  const path = field.text({ longest: 400, kind: "the path of a GGUF file in the repository" });
  if (!isHubPath(path) || modelIdOf(basename(path)) === null) {
    throw field.misfit("must be the path of a GGUF file in the repository");
  }
  return path;
}
