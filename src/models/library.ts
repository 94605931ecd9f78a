// The library: every model that this machine has, kept true while files come and go. It alone
// decides what is offered; headers are header_reader.ts, walking is folder_scan.ts.

import { isDeepStrictEqual } from "node:util";

import type { ImportRoot } from "../host/messages.ts";
import type { Log } from "../log.ts";
import { FolderWatch } from "./folder_watch.ts";
import type { GgufFacts } from "./gguf.ts";
import {
  type Contents,
  FACTS_VERSION,
  HeaderReader,
  placeOf,
  type ReadFacts,
} from "./header_reader.ts";
import { type Model, type ModelChange, modelMissing } from "./model.ts";
import { deleteModelFiles } from "./model_deletion.ts";
import type { ModelFiles } from "./model_files.ts";
import { modelNotFound, sortedForListing } from "./model_names.ts";
import { ModelRecords } from "./model_records.ts";
import { ModelResolver } from "./model_resolver.ts";
import { ModelSearch } from "./model_search.ts";
import type { Registry } from "./registry.ts";
import type { ImportRecord } from "./registry_imports.ts";

export type { Model, ModelChange } from "./model.ts";

export interface LibraryOptions {
  /** Absolute; read and written. */
  home: string;
  /** Absolute; only read. */
  folders: readonly string[];
  /** Absolute and real; only read, and of them only what was imported is offered. */
  importRoots?: readonly ImportRoot[];
  /** The built-in test model's file, left out of the scan; null = none. */
  builtin: { path: string } | null;
  registry: Registry;
  log: Log;
  /** Instead of the real one, for tests. */
  readFacts?: ReadFacts;
  /** How long a file that cannot be read must lie still before it is listed as failed; 3,000. */
  settleMs?: number;
  /** From an event in a folder to the scan, so that a thousand events are one; 200. */
  gatherMs?: number;
}

type Listener = (change: ModelChange) => void;

export class Library implements AsyncDisposable {
  readonly #options: LibraryOptions;
  readonly #log: Log;
  readonly #search: ModelSearch;
  readonly #reader: HeaderReader;
  readonly #watch: FolderWatch;
  readonly #settleMs: number;
  readonly #models = new Map<string, Model>();
  readonly #records: ModelRecords;
  readonly #listeners = new Set<Listener>();
  readonly #resolver: ModelResolver;
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | null = null;
  #timer: { id: ReturnType<typeof setTimeout>; dueMs: number } | null = null;
  #isClosed = false;

  private constructor(options: LibraryOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#settleMs = options.settleMs ?? 3_000;
    this.#records = new ModelRecords(options);
    this.#resolver = new ModelResolver(this.#models, options.registry);
    this.#search = new ModelSearch({
      ...options,
      imports: () => options.registry.imports.list(),
      importRoots: options.importRoots ?? [],
    });
    this.#reader = new HeaderReader({
      readFacts: options.readFacts,
      settleMs: this.#settleMs,
      log: options.log,
    }, this.#records.all());
    this.#watch = new FolderWatch({
      home: options.home,
      log: options.log,
      onEvent: () => this.#scanWithin(options.gatherMs ?? 200),
    });
  }

  /**
   * Every file is found and every known header is in place when this returns; new headers are read
   * afterwards, see `upToDate()`.
   */
  static async open(options: LibraryOptions): Promise<Library> {
    const library = new Library(options);
    const looked = Promise.withResolvers<void>();
    library.#running = library.#scan(looked.resolve);
    await Promise.race([looked.promise, library.#running]);
    return library;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer.id);
    await this.#watch[Symbol.asyncDispose]();
    await this.#next;
    await this.#running;
  }

  /** By name; the built-in model last. */
  list(): Model[] {
    return sortedForListing([...this.#models.values()]);
  }

  get(id: string): Model | undefined {
    return this.#models.get(id);
  }

  /**
   * The model that a request means by this name; see `resolveModelName()`. Ask again after
   * `upToDate()` before an unknown one is answered: its header may be just being read.
   *
   * @throws {AppError} `model_not_found`, `model_required`.
   */
  resolve(requested: string | null | undefined): Model {
    return this.#resolver.resolve(requested);
  }

  /** Waits for headers that are being read and changes that were seen; at once if there are none. */
  async upToDate(): Promise<void> {
    this.#watch.look();
    if (this.#next === null && this.#timer === null && await this.#search.hasImportsChanged()) {
      return this.rescan();
    }
    return this.#next ?? (this.#timer === null ? this.#running : this.rescan());
  }

  /**
   * The model as its file lies there now, for who is about to use it: nothing tells of a drive that
   * is pulled out.
   *
   * @throws {AppError} `model_missing`.
   */
  async present(model: Model): Promise<Model> {
    if (model.source !== "import") return model;
    await this.upToDate();
    const now = this.#models.get(model.id) ?? model;
    if (now.isMissing) throw modelMissing(now);
    return now;
  }

  /** Looks through all folders again; the five-minute sweep calls it for events that never came. */
  rescan(): Promise<void> {
    // A scan that runs may have passed the file in question: one more follows, for all who ask.
    this.#next ??= this.#running.catch(() => {}).then(() => {
      this.#next = null;
      this.#running = this.#scan();
      return this.#running;
    });
    return this.#next;
  }

  /** Tells of every change from now on; the answer ends it. */
  onChange(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Notes where a model came from, so that `hf.co/org/name` finds it. On disk when it returns. */
  recordRepo(id: string, repo: string): void {
    const model = this.#existing(id);
    this.#records.save({ ...model, repo });
    this.#put({ ...model, repo });
  }

  /**
   * Removes the model's files, and nothing else. An imported one is only forgotten.
   *
   * @throws {AppError} `model_not_found`; `invalid_request` for a model that is not in `<home>`.
   */
  async deleteModel(id: string): Promise<void> {
    const model = this.#existing(id);
    if (model.source === "import") return await this.#forget(model);
    const others = this.list().filter((other) => other.id !== id);
    await deleteModelFiles(model, { home: this.#options.home, others });
    this.#log.info("Model is deleted", { model: id, path: model.path });
    await this.rescan();
  }

  async #forget(model: Model): Promise<void> {
    const { imports } = this.#options.registry;
    // By its file: it may be offered under another name than it was imported by.
    for (const { modelId, parts } of imports.list()) {
      if (parts[0] === model.path) imports.remove(modelId);
    }
    this.#log.info("Imported model is forgotten", { model: model.id, path: model.path });
    await this.rescan();
  }

  #existing(id: string): Model {
    // By its exact ID only: what is taken away must be what was named.
    const model = this.#models.get(id);
    if (model === undefined) throw modelNotFound(id, this.list());
    return model;
  }

  #scanWithin(delayMs: number): void {
    if (this.#isClosed) return;
    const dueMs = performance.now() + delayMs;
    if (this.#timer !== null) {
      if (this.#timer.dueMs <= dueMs) return;
      clearTimeout(this.#timer.id);
    }
    this.#timer = { id: setTimeout(() => this.rescan(), delayMs), dueMs };
  }

  async #scan(onLooked: () => void = () => {}): Promise<void> {
    if (this.#isClosed) return;
    if (this.#timer !== null) clearTimeout(this.#timer.id);
    this.#timer = null;
    const { home, folders } = this.#options;
    // Before the look: what changes during it is an event.
    for (const folder of [home, ...folders]) this.#watch.watch(folder);
    const { found, missing, unreadable } = await this.#search.look();
    for (const folder of unreadable) this.#watch.unwatch(folder);
    this.#reader.retain(found.values());
    const ids = new Set([...found.keys(), ...missing.keys()]);
    for (const id of this.#models.keys()) if (!ids.has(id)) this.#remove(id);
    this.#records.removeAllBut({ ids, unreadable });
    for (const [id, record] of missing) this.#offerMissing(id, record);
    const unread: [string, ModelFiles][] = [];
    for (const [id, files] of found) {
      const contents = files.isBeingWritten ? null : this.#reader.known(files);
      if (contents !== null) this.#offer(id, { files, contents });
      else if (files.isBeingWritten) this.#remove(id);
      else unread.push([id, files]);
    }
    onLooked();
    for (const [id, files] of unread) {
      if (this.#isClosed) return;
      const isTooSoon = this.#reader.isTooSoon(files);
      const contents = isTooSoon ? null : await this.#reader.read(files);
      if (contents !== null) this.#offer(id, { files, contents });
      else if (isTooSoon) this.#scanWithin(this.#settleMs / 3);
    }
    this.#reader.isFirstScan = false;
  }

  #offer(id: string, { files, contents }: { files: ModelFiles; contents: Contents }): void {
    if (contents.facts !== null && !isOffered(contents.facts)) return this.#remove(id);
    if (contents.error !== null && !this.#reader.isSettled(files)) {
      if (!files.hasTemporaryBeside) this.#scanWithin(this.#settleMs / 3);
      return this.#remove(id);
    }
    const place = placeOf(files);
    const { facts, error, isPassing } = contents;
    const model: Model = {
      id,
      ...place,
      mmprojBytes: files.projector?.sizeBytes ?? 0,
      source: files.source,
      builtin: files.source === "builtin",
      repo: files.repo ?? this.#records.repoOf(id, place),
      facts,
      error,
      isMissing: false,
    };
    this.#put(model);
    if (!isPassing) this.#records.saveIfPossible(model);
  }

  /** With all that is known from when its file was there. */
  #offerMissing(id: string, { parts, mmprojPath, repo }: ImportRecord): void {
    const [path = ""] = parts;
    const record = this.#records.of(id, path);
    this.#put({
      ...{ id, path, parts, mmprojPath, repo },
      mmprojBytes: this.#models.get(id)?.mmprojBytes ?? 0,
      sizeBytes: record?.sizeBytes ?? 0,
      mtimeMs: record?.mtimeMs ?? 0,
      source: "import",
      builtin: false,
      facts: record?.factsVersion === FACTS_VERSION ? record.facts : null,
      error: null,
      isMissing: true,
    });
  }

  #put(model: Model): void {
    const before = this.#models.get(model.id);
    if (isDeepStrictEqual(before, model)) return;
    this.#models.set(model.id, model);
    this.#tell(before === undefined ? { added: model } : { updated: model });
  }

  #remove(id: string): void {
    if (this.#models.delete(id)) this.#tell({ removed: id });
  }

  #tell(change: ModelChange): void {
    this.#resolver.forget();
    for (const listener of this.#listeners) listener(change);
  }
}

/** Adapters and projectors are files for a model, not models. */
export function isOffered({ kind }: GgufFacts): boolean {
  return kind !== "adapter" && kind !== "projector";
}
