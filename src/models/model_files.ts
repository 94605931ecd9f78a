// Which files make one model: split parts together, a projector with the model beside it, the ID by
// the names. Pure; nothing here knows what is in a file.

import { compareText, type FoundFile, type FoundFolder } from "./folder_scan.ts";
import { isModelId, modelIdOf, splitFileName, splitNameOf } from "./model_names.ts";
import type { ModelSource } from "./registry_rows.ts";

export interface ModelFiles {
  /** What the names say; another model may have it already. */
  id: string;
  source: ModelSource;
  /** In order; a part that is missing is left out and named in `missing`. */
  parts: readonly FoundFile[];
  missing: readonly string[];
  projector: FoundFile | null;
  /** A download program says that it is still writing one of the files. */
  isBeingWritten: boolean;
  /** The file beside it says so, but may be old. */
  hasTemporaryBeside: boolean;
  /** The folder that they lie in, by name: told behind the ID where another model has it. */
  folderName: string;
  /** `org/name` on the Hub, where another program says so. */
  repo?: string | null;
}

export interface GroupOptions {
  source: ModelSource;
  /** A file that cannot be named in a request. */
  onUnusableName: (path: string) => void;
}

// Written by browsers and download tools beside the final name. aria2 alone writes into the final
// name itself, so its file beside is certain.
const TEMPORARY = [".part", ".tmp", ".crdownload", ".download", ".incomplete"];
const ARIA2 = ".aria2";

const PROJECTOR = /(^|[-_. ])mmproj([-_. ]|$)/i;

/** A projector's own number format, which says nothing about whose it is. */
const FORMAT = /[-_. ](f16|bf16|f32|q\d\w*)$/i;

/** Best first: where several formats of one projector lie side by side. */
const FORMAT_ORDER = ["f16", "bf16", "q8_0", "f32"];

/** Enough to say what is missing; the total stands in a name that anyone may have written. */
const MOST_MISSING = 20;

/** The models of one folder. */
export function groupModelFiles(folder: FoundFolder, options: GroupOptions): ModelFiles[] {
  const groups = new Map<string, FoundFile[]>();
  const projectors: FoundFile[] = [];
  for (const file of folder.files) {
    if (modelIdOf(file.name) === null) {
      options.onUnusableName(file.path);
    } else if (isProjectorName(file.name)) {
      projectors.push(file);
    } else {
      const split = splitNameOf(file.name);
      const key = split === null ? file.name : splitFileName(split.base, 0, split.total);
      groups.set(key, [...groups.get(key) ?? [], file]);
    }
  }
  const isAlone = groups.size === 1;
  return [...groups.values()].map((parts) => {
    const id = modelIdOf(parts[0]!.name)!;
    const missing = missingParts(parts);
    const names = [...parts.map((file) => file.name), ...missing];
    // `<home>` keeps each model with several files in a folder named by its ID.
    const isIdFolder = options.source === "home" && !folder.isRoot;
    return {
      id: isIdFolder && folder.name.startsWith(`${id}--`) ? folder.name.normalize("NFC") : id,
      source: options.source,
      parts,
      missing,
      projector: projectorOf(id, projectors, isAlone || !folder.isRoot),
      isBeingWritten: names.some((name) => folder.names.has(name + ARIA2)),
      hasTemporaryBeside: names.some((name) =>
        TEMPORARY.some((suffix) => folder.names.has(name + suffix))
      ),
      folderName: folder.name,
    };
  });
}

/**
 * IDs for all: who comes first keeps the name; the next is `<id>--<folder>`, then with a number.
 * Files that two paths lead to are one model.
 */
export function assignIds(
  models: readonly ModelFiles[],
  onRenamed: (model: ModelFiles, id: string) => void,
): Map<string, ModelFiles> {
  const byId = new Map<string, ModelFiles>();
  const seen = new Set<string>();
  for (const model of models) {
    const file = model.parts[0]!.realPath;
    if (seen.has(file)) continue;
    seen.add(file);
    const id = freeId(model.id, {
      owner: model.folderName.normalize("NFC"),
      isTaken: (other) => byId.has(other),
    });
    if (id !== model.id) onRenamed(model, id);
    byId.set(id, model);
  }
  return byId;
}

export interface FreeIdOptions {
  /** What tells this model from the one that has its name. */
  owner: string;
  isTaken(id: string): boolean;
}

/** The ID itself where it is free, else `<id>--<owner>`, then with a number. */
export function freeId(id: string, { owner, isTaken }: FreeIdOptions): string {
  if (!isTaken(id)) return id;
  // A folder's name may be one that no request can hold.
  const other = isModelId(owner) ? shortened(owner, LONGEST_OWNER) : "other";
  const base = `${shortened(id, LONGEST_BASE)}--${other}`;
  let free = base;
  for (let n = 2; isTaken(free); n++) free = `${base}-${n}`;
  return free;
}

/** Together with a number they are short enough for an ID. */
const LONGEST_BASE = 140;
const LONGEST_OWNER = 96;

function shortened(text: string, length: number): string {
  return text.length <= length
    ? text
    : text.slice(0, length).replace(/[\uD800-\uDBFF]$/, "").trim();
}

/** Whether a file belongs to a vision model, by its name. */
export function isProjectorName(fileName: string): boolean {
  return PROJECTOR.test(withoutExtension(fileName));
}

function missingParts(parts: readonly FoundFile[]): string[] {
  const split = splitNameOf(parts[0]!.name);
  if (split === null) return [];
  const there = new Set(parts.map((file) => splitNameOf(file.name)?.part));
  const missing: string[] = [];
  for (let part = 1; part <= split.total && missing.length < MOST_MISSING; part++) {
    if (!there.has(part)) missing.push(splitFileName(split.base, part, split.total));
  }
  return missing;
}

/**
 * The projector that names the model, else one that names none (`mmproj-model-f16.gguf`) where it
 * can only be this model's.
 */
function projectorOf(
  id: string,
  projectors: readonly FoundFile[],
  mayTakeNameless: boolean,
): FoundFile | null {
  const own = projectors.filter((file) => {
    const owner = ownerOf(file);
    return owner === "" ? mayTakeNameless : plain(id).startsWith(owner);
  });
  own.sort((a, b) =>
    ownerOf(b).length - ownerOf(a).length || formatRank(a) - formatRank(b) ||
    compareText(a.name, b.name)
  );
  return own[0] ?? null;
}

function ownerOf(file: FoundFile): string {
  const owner = plain(nameOf(file).replace(FORMAT, "").replace(PROJECTOR, " "));
  return owner === "model" ? "" : owner;
}

function formatRank(file: FoundFile): number {
  const rank = FORMAT_ORDER.indexOf(FORMAT.exec(nameOf(file))?.[1]?.toLowerCase() ?? "");
  return rank < 0 ? FORMAT_ORDER.length : rank;
}

function nameOf(file: FoundFile): string {
  return withoutExtension(file.name);
}

function withoutExtension(name: string): string {
  return name.replace(/\.gguf$/i, "");
}

function plain(text: string): string {
  return text.toLowerCase().replace(/[^\p{L}\p{M}\p{N}]/gu, "");
}
