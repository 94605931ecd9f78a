// A home folder with model files, a folder of another program beside it, and a library over both.
// All gone when it goes out of scope.

import { dirname, join } from "node:path";

import { Library, type LibraryOptions, type ModelChange } from "../../src/models/library.ts";
import { Registry } from "../../src/models/registry.ts";
import { ggufFile } from "./gguf_files.ts";
import { type LogEntries, logEntries } from "./log_entries.ts";

export type LibrarySettings = Partial<
  Pick<
    LibraryOptions,
    "builtin" | "readFacts" | "settleMs" | "gatherMs" | "folders" | "importRoots"
  >
>;

/** A sound model file of this architecture. */
export function modelBytes(architecture = "llama"): Uint8Array<ArrayBuffer> {
  return ggufFile({ "general.architecture": { string: architecture } });
}

/** A sound part of a split model, `no` from 0. */
export function partBytes(no: number, count: number): Uint8Array<ArrayBuffer> {
  return ggufFile({ "split.no": { u32: no }, "split.count": { u32: count } });
}

export class ModelHome implements AsyncDisposable {
  readonly root = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "models বাংলা " }));
  readonly home = join(this.root, "home");
  readonly folder = join(this.root, "extra");
  readonly logged: LogEntries = logEntries();
  readonly changes: ModelChange[] = [];
  #library: Library | null = null;
  #registry: Registry | null = null;
  readonly #waiting = new Set<() => void>();

  constructor() {
    Deno.mkdirSync(this.home);
    Deno.mkdirSync(this.folder);
  }

  get library(): Library {
    if (this.#library === null) throw new Error("open() comes first");
    return this.#library;
  }

  get registry(): Registry {
    this.#registry ??= Registry.open(join(this.home, "registry.db"), { log: this.logged.log });
    return this.#registry;
  }

  /** Writes a file below the root, such as `home/a.gguf`, in one step; by default a sound model. */
  write(path: string, bytes: Uint8Array = modelBytes()): string {
    const target = join(this.root, path);
    Deno.mkdirSync(dirname(target), { recursive: true });
    const aside = join(this.root, "aside");
    Deno.writeFileSync(aside, bytes);
    Deno.renameSync(aside, target);
    return target;
  }

  /** The same, a minute old: it is not taken for one that is still being written. */
  writeOld(path: string, bytes?: Uint8Array): string {
    const target = this.write(path, bytes);
    const time = (Date.now() - 60_000) / 1000;
    Deno.utimeSync(target, time, time);
    return target;
  }

  async open(settings: LibrarySettings = {}): Promise<Library> {
    await this.close();
    this.#library = await Library.open({
      home: this.home,
      folders: [this.folder],
      builtin: null,
      registry: this.registry,
      log: this.logged.log,
      gatherMs: 20,
      settleMs: 300,
      ...settings,
    });
    this.#library.onChange((change) => {
      this.changes.push(change);
      for (const check of this.#waiting) check();
    });
    return this.#library;
  }

  /** Opens, and reads every header. */
  async openWhole(settings: LibrarySettings = {}): Promise<Library> {
    const library = await this.open(settings);
    await library.upToDate();
    return library;
  }

  ids(): string[] {
    return this.library.list().map((model) => model.id);
  }

  /** Waits for the change after which this holds. */
  async until(holds: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    function check() {
      if (holds()) resolve();
    }
    this.#waiting.add(check);
    check();
    await promise;
    this.#waiting.delete(check);
  }

  /** Every file below the root, sorted. */
  files(): string[] {
    return filesBelow(this.root).filter((path) => !path.includes("registry.db")).sort();
  }

  async close(): Promise<void> {
    await this.#library?.[Symbol.asyncDispose]();
    this.#library = null;
    this.#registry?.[Symbol.dispose]();
    this.#registry = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    await Deno.remove(this.root, { recursive: true });
  }
}

function filesBelow(folder: string, prefix = ""): string[] {
  return [...Deno.readDirSync(folder)].flatMap((entry) =>
    entry.isDirectory
      ? filesBelow(join(folder, entry.name), `${prefix}${entry.name}/`)
      : [prefix + entry.name]
  );
}
