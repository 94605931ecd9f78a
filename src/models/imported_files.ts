// The files of imported models as they lie there now. Nothing watches them: they are looked at when
// somebody asks, each look with a limit, since the drive that they are on may hang.

import { basename } from "node:path";

import type { ImportRoot } from "../host/messages.ts";
import { within } from "../within.ts";
import type { FoundFile } from "./folder_scan.ts";
import type { ModelFiles } from "./model_files.ts";
import type { ImportRecord } from "./registry_imports.ts";
import { isInside } from "./safe_join.ts";

/** A disk that wakes up takes seconds, one that is gone takes none; all are looked at together. */
const PATIENCE_MS = 2_000;

export interface ImportedFilesOptions {
  roots: readonly ImportRoot[];
  patienceMs?: number;
}

/** The record's files; null where one of them is gone, or not in a place that we may read. */
export async function lookAtImport(
  record: ImportRecord,
  { roots, patienceMs = PATIENCE_MS }: ImportedFilesOptions,
): Promise<ModelFiles | null> {
  const paths = record.mmprojPath === null ? record.parts : [record.mmprojPath, ...record.parts];
  const looked = Promise.all(paths.map((path) => lookAtFile(path, roots)));
  const files = await within(looked, patienceMs);
  if (files === null || files.some((file) => file === null)) return null;
  const [projector, parts] = record.mmprojPath === null
    ? [null, files as FoundFile[]]
    : [files[0]!, files.slice(1) as FoundFile[]];
  return {
    id: record.modelId,
    source: "import",
    parts,
    missing: [],
    projector,
    isBeingWritten: false,
    hasTemporaryBeside: false,
    folderName: ownerOf(record),
    repo: record.repo,
  };
}

/** What tells an imported model from another one of its name. */
export function ownerOf({ repo, program }: ImportRecord): string {
  return repo?.split("/")[0] ?? program;
}

async function lookAtFile(path: string, roots: readonly ImportRoot[]): Promise<FoundFile | null> {
  const root = roots.find((each) => isInside(each.path, path));
  if (root === undefined) return null;
  try {
    const realPath = await Deno.realPath(path);
    if (!isInside(root.path, realPath)) return null;
    const { isFile, size, mtime } = await Deno.lstat(realPath);
    if (!isFile) return null;
    return {
      name: basename(path),
      path,
      realPath,
      sizeBytes: size,
      mtimeMs: mtime?.getTime() ?? 0,
    };
  } catch {
    // Wide on purpose: a drive that was pulled out fails in many ways, and is gone in each of them.
    return null;
  }
}

/** How the files looked: another text means that something changed. */
export function signatureOfFiles(files: ModelFiles | null): string {
  if (files === null) return "missing";
  return JSON.stringify([files.parts, files.projector]);
}
