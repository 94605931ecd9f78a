// What the registry holds of models, kept beside the library: files as they were last seen, and what
// their headers said then. A disk that is full costs knowledge, never a model.

import { basename } from "node:path";
import { isDeepStrictEqual } from "node:util";

import { AppError } from "../errors.ts";
import type { Log } from "../log.ts";
import { FACTS_VERSION, type ModelPlace } from "./header_reader.ts";
import type { Model } from "./model.ts";
import type { Registry } from "./registry.ts";
import type { ModelRecord } from "./registry_rows.ts";
import { isInside } from "./safe_join.ts";

export interface ModelRecordsOptions {
  registry: Registry;
  log: Log;
}

export interface Kept {
  /** Models that there are. */
  ids: ReadonlySet<string>;
  /** Folders that cannot be read now: a disk that is not plugged in takes no knowledge along. */
  unreadable: readonly string[];
}

export class ModelRecords {
  readonly #registry: Registry;
  readonly #log: Log;
  readonly #byId: Map<string, ModelRecord>;
  #isFull = false;

  constructor({ registry, log }: ModelRecordsOptions) {
    this.#registry = registry;
    this.#log = log;
    this.#byId = new Map(registry.models().map((record) => [record.id, record]));
  }

  all(): ModelRecord[] {
    return [...this.#byId.values()];
  }

  /** Null where none is of a file at this path. */
  of(id: string, path: string): ModelRecord | null {
    const record = this.#byId.get(id);
    return record?.path === path ? record : null;
  }

  /** The repo on record for this very file, in whatever folder: that may have had another name. */
  repoOf(id: string, { path, sizeBytes, mtimeMs }: ModelPlace): string | null {
    const record = this.#byId.get(id);
    const isSame = record !== undefined && basename(record.path) === basename(path) &&
      record.sizeBytes === sizeBytes && record.mtimeMs === mtimeMs;
    return isSame ? record.repo : null;
  }

  /** Throws where it cannot be written. */
  save(model: Model): void {
    const { builtin: _builtin, mmprojBytes: _mmprojBytes, isMissing: _isMissing, ...rest } = model;
    const record: ModelRecord = { ...rest, factsVersion: FACTS_VERSION };
    if (isDeepStrictEqual(this.#byId.get(model.id), record)) return;
    this.#registry.upsertModel(record);
    this.#byId.set(model.id, record);
  }

  /** The same for what can be read again: headers, at the next start. */
  saveIfPossible(model: Model): void {
    this.#unlessFull(() => this.save(model));
  }

  removeAllBut({ ids, unreadable }: Kept): void {
    for (const { id, path } of this.all()) {
      if (ids.has(id) || unreadable.some((folder) => isInside(folder, path))) continue;
      this.#byId.delete(id);
      this.#unlessFull(() => this.#registry.removeModel(id));
    }
  }

  #unlessFull(write: () => void): void {
    try {
      write();
      this.#isFull = false;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (!this.#isFull) this.#log.warn(error.message);
      this.#isFull = true;
    }
  }
}
