// Looks for the files of all models: in <home>, in the further folders, those that were imported, and
// the built-in one; and gives each its ID. Says in the log, once, what it passes over.

import { basename, dirname } from "node:path";

import { messageOf } from "../errors.ts";
import type { ImportRoot } from "../host/messages.ts";
import type { Log } from "../log.ts";
import { type FoundFile, scanFolder } from "./folder_scan.ts";
import { lookAtImport, ownerOf, signatureOfFiles } from "./imported_files.ts";
import { assignIds, freeId, groupModelFiles, type ModelFiles } from "./model_files.ts";
import { BUILTIN_ID } from "./model_names.ts";
import type { ImportRecord } from "./registry_imports.ts";

/** `<home>/<id>/` and no deeper. */
const HOME_DEPTH = 1;

/** Other programs keep files in `org/repo/`, the Hub's cache in `models--org--repo/snapshots/<id>/`. */
const FOLDER_DEPTH = 5;

export interface ModelSearchOptions {
  home: string;
  folders: readonly string[];
  builtin: { path: string } | null;
  /** What was taken over from other programs, and where it may lie. */
  imports(): readonly ImportRecord[];
  importRoots: readonly ImportRoot[];
  log: Log;
}

export interface SearchResult {
  /** By ID. */
  found: Map<string, ModelFiles>;
  /** Imported models whose files are not there now, by ID. */
  missing: Map<string, ImportRecord>;
  /** Folders of ours that cannot be read now: what lay in them is not known to be gone. */
  unreadable: string[];
}

export class ModelSearch {
  readonly #options: ModelSearchOptions;
  readonly #said = new Set<string>();
  #importsSeen = "";

  constructor(options: ModelSearchOptions) {
    this.#options = options;
  }

  async look(): Promise<SearchResult> {
    const { home, folders, builtin } = this.#options;
    const roots = [home, ...folders];
    const realRoots = await realPathsOf(roots);
    const all: ModelFiles[] = [];
    const unreadable: string[] = [];
    for (const root of roots) {
      const scanned = await scanFolder(root, {
        depth: root === home ? HOME_DEPTH : FOLDER_DEPTH,
        realRoots,
        onRefused: (path) =>
          this.#sayOnce("A link that leads out of the models folders is passed over", { path }),
        onUnreadable: (path, error) =>
          this.#sayOnce("Cannot read in a models folder", { path, error: messageOf(error) }),
      });
      if (scanned === null) unreadable.push(root);
      for (const folder of scanned ?? []) {
        const files = folder.files.filter((file) => file.path !== builtin?.path);
        all.push(...groupModelFiles({ ...folder, files }, {
          source: root === home ? "home" : "folder",
          onUnusableName: (path) =>
            this.#sayOnce("A model file whose name cannot be asked for is passed over", { path }),
        }));
      }
    }
    const imports = await this.#lookAtImports();
    this.#importsSeen = imports.signature;
    all.push(...imports.files);
    const found = assignIds(
      all,
      (model, id) =>
        this.#sayOnce("Two models have one name: the later one is offered under another", {
          name: model.id,
          offered: id,
          path: model.parts[0]?.path,
        }),
    );
    if (builtin !== null) await this.#addBuiltin(builtin.path, found);
    const missing = new Map(
      imports.missing.map((record) => {
        const isTaken = (id: string) => found.has(id);
        return [freeId(record.modelId, { owner: ownerOf(record), isTaken }), record];
      }),
    );
    return { found, missing, unreadable };
  }

  /** Whether an imported file looks otherwise than at the last look, or has come or gone. */
  async hasImportsChanged(): Promise<boolean> {
    return (await this.#lookAtImports()).signature !== this.#importsSeen;
  }

  async #lookAtImports() {
    const { importRoots: roots } = this.#options;
    const records = this.#options.imports();
    const looked = await Promise.all(records.map((record) => lookAtImport(record, { roots })));
    return {
      files: looked.filter((files) => files !== null),
      missing: records.filter((_, index) => looked[index] === null),
      signature: records
        .map((record, index) => `${record.modelId} ${signatureOfFiles(looked[index]!)}`).join("\n"),
    };
  }

  /** Last, and only where no user's model has the name, in whatever letter case. */
  async #addBuiltin(path: string, found: Map<string, ModelFiles>): Promise<void> {
    if ([...found.keys()].some((id) => id.toLowerCase() === BUILTIN_ID)) return;
    try {
      const info = await Deno.lstat(path);
      const file: FoundFile = {
        name: basename(path),
        path,
        realPath: path,
        sizeBytes: info.size,
        mtimeMs: info.mtime?.getTime() ?? 0,
      };
      found.set(BUILTIN_ID, {
        id: BUILTIN_ID,
        source: "builtin",
        parts: [file],
        missing: [],
        projector: null,
        isBeingWritten: false,
        hasTemporaryBeside: false,
        folderName: basename(dirname(path)),
      });
    } catch (error) {
      this.#sayOnce("Cannot offer the built-in test model", { path, error: messageOf(error) });
    }
  }

  #sayOnce(message: string, fields: Record<string, unknown>): void {
    const key = JSON.stringify([message, fields]);
    if (this.#said.has(key)) return;
    this.#said.add(key);
    this.#options.log.warn(message, fields);
  }
}

async function realPathsOf(paths: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    paths.map((path) => Deno.realPath(path).catch(() => null)),
  );
  return found.filter((path) => path !== null);
}
