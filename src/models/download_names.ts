// Names that come from the Hub or from whoever asks, before they become addresses or files: checked
// against a grammar, and one that nobody has yet.

import { basename, join } from "node:path";
import { AppError } from "../errors.ts";
import type { WantedModel } from "./download_source.ts";
import { checkHubPath, checkRepoName, checkRevision, isHubPath } from "./hub_names.ts";
import { modelIdOf } from "./model_names.ts";
import { isSafeSegment } from "./safe_join.ts";

/** Folders in `<home>` that are no models. */
const OWN_FOLDERS = new Set(["builtin", "downloads", "logs", "run"]);
const MOST_NAMES = 100;

/** @throws {AppError} `invalid_request`, `file_name_refused`. */
export function checkWanted({ repo, revision, file }: WantedModel): void {
  checkRepoName(repo);
  checkRevision(revision);
  checkHubPath(file);
  checkNames([file]);
}

export interface NameOptions {
  home: string;
  repo: string;
  files: readonly { name: string }[];
  /** By another model, here or still on its way. */
  isTaken(id: string): boolean;
}

/** @throws {AppError} `file_name_refused`: names from the Hub are not trusted. */
export function checkNames(names: readonly string[]): void {
  const bases = names.map((name) => basename(name));
  const bad = names.find((name, index) => !isHubPath(name) || modelIdOf(bases[index]!) === null);
  const twice = bases.find((name, index) => bases.indexOf(name) !== index);
  const refused = bad ?? twice;
  if (refused === undefined && names.length > 0) return;
  const shown = (refused ?? "").slice(0, 100);
  throw new AppError(
    "file_name_refused",
    `Cannot download ${JSON.stringify(shown)}: ${
      bad === undefined
        ? "two files of the model have this name"
        : "this cannot be the name of a model file here. Names have letters, digits and . _ + ( ) @ = -, and end in .gguf"
    }`,
    { param: "file", values: { file: shown } },
  );
}

/** The ID under which the model will be offered: its own name, else with the owner's, else numbered. */
export function freeId(options: NameOptions): string {
  const { home, repo, files, isTaken } = options;
  const own = modelIdOf(basename(files[0]!.name))!;
  const owned = `${own}--${repo.split("/")[0]}`;
  for (let n = 0; n < MOST_NAMES; n++) {
    const id = n === 0 ? own : n === 1 ? owned : `${owned}-${n}`;
    if (!isSafeSegment(`${id}.gguf`) || OWN_FOLDERS.has(id.toLowerCase())) continue;
    if (isTaken(id) || isThere(join(home, id)) || isThere(join(home, `${id}.gguf`))) continue;
    return id;
  }
  throw new AppError(
    "file_name_refused",
    `Cannot download ${
      JSON.stringify(own)
    }: there are too many models of this name. Delete one of them first`,
    { values: { file: own } },
  );
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
