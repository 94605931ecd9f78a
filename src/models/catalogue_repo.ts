// What the catalogue takes from the Hub's answer about a repository: sizes and checksums as they are
// now, terms, and which files are still there.

import { basename, dirname, join } from "node:path/posix";
import type { CatalogueEntry, CatalogueFile, KnownFile } from "./catalogue_entry.ts";
import { isObject } from "./json_field.ts";
import { splitFileName, splitNameOf } from "./model_names.ts";

/** The part of `HubRepoInfo` that counts here. */
export interface HubRepoInfo {
  /** `org/name` */
  repo: string;
  license: string | null;
  gated: false | "auto" | "manual";
  files: readonly { path: string; sizeBytes: number; sha256: string | null }[];
}

const LONGEST_LICENSE = 100;

type RepoFile = HubRepoInfo["files"][number];

/** Of what was kept in a file that anyone may have changed; null = not to be believed. */
export function parseHubRepoInfo(value: unknown): HubRepoInfo | null {
  if (!isObject(value)) return null;
  const { repo, license, gated, files } = value;
  const isKnown = typeof repo === "string" &&
    (license === null || typeof license === "string") &&
    (gated === false || gated === "auto" || gated === "manual") &&
    Array.isArray(files) && files.every(isRepoFile);
  return isKnown ? value as unknown as HubRepoInfo : null;
}

function isRepoFile(value: unknown): value is RepoFile {
  return isObject(value) && typeof value["path"] === "string" &&
    Number.isSafeInteger(value["sizeBytes"]) && value["sizeBytes"] as number >= 0 &&
    (value["sha256"] === null || typeof value["sha256"] === "string");
}

/** The entry as the Hub knows it now. */
export function withRepoInfo(entry: CatalogueEntry, info: HubRepoInfo): CatalogueEntry {
  const byPath = new Map(info.files.map((file) => [file.path, file]));
  const files = entry.files.flatMap((file) => fileNow(file, byPath) ?? []);
  return {
    ...entry,
    license: licenseOf(info) ?? entry.license,
    gated: info.gated !== false,
    // Where none is left, the list is wrong, and who asks for one is told so by the Hub.
    files: files.length === 0 ? entry.files : files.sort((a, b) => a.sizeBytes - b.sizeBytes),
  };
}

/** Null where it says less than what we know. */
function licenseOf({ license }: HubRepoInfo): string | null {
  return license === "other" || (license?.length ?? 0) > LONGEST_LICENSE ? null : license;
}

function fileNow(file: CatalogueFile, byPath: ReadonlyMap<string, RepoFile>): CatalogueFile | null {
  const known = knownNow(file, byPath);
  if (known === null) return null;
  const projector = file.projector === null ? null : knownNow(file.projector, byPath);
  return { ...file, ...known, projector: projector ?? file.projector };
}

/** All parts; null where one is not there any more. */
function knownNow({ file }: KnownFile, byPath: ReadonlyMap<string, RepoFile>): KnownFile | null {
  const parts = partsOf(file).map((path) => byPath.get(path));
  if (!parts.every((part) => part !== undefined)) return null;
  const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
  return sizeBytes === 0
    ? null
    : { file, sizeBytes, sizeExact: true, sha256: parts.length === 1 ? parts[0]!.sha256 : null };
}

function partsOf(file: string): string[] {
  const split = splitNameOf(basename(file));
  if (split === null || split.part !== 1) return [file];
  return Array.from(
    { length: split.total },
    (_, index) => join(dirname(file), splitFileName(split.base, index + 1, split.total)),
  );
}
