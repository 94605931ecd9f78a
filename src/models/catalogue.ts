// The catalogue: models that we recommend from, those that a user added, and what the Hub last said
// of their repositories. One file in the home folder, read at the first question, written seldom.

import { join } from "node:path";
import { durableWrite } from "../durable_write.ts";
import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import type { CatalogueEntry } from "./catalogue_entry.ts";
import {
  CATALOGUE_FILE,
  type CatalogueProblem,
  catalogueStamp,
  catalogueText,
  entriesOf,
  type FileStamp,
  FORMAT_VERSION,
  isSameStamp,
  type JsonObject,
  MOST_FILE_BYTES,
  readCatalogueFile,
  SCHEMA_FILE,
  tidyCatalogueFiles,
  versionOf,
  withDefaults,
} from "./catalogue_file.ts";
import { isExact } from "./json_field.ts";
import { type CachedRepo, RepoCache } from "./repo_cache.ts";
import { withKnownHeaders, withRepoInfo } from "./catalogue_repo.ts";
import { type HubRepoInfo, parseHubRepoInfo } from "./hub_repo_info.ts";

export type { CatalogueEntry, CatalogueFile } from "./catalogue_entry.ts";
export type { CatalogueProblem } from "./catalogue_file.ts";

export interface CatalogueOptions {
  /** Absolute; read and written. */
  home: string;
  log: Log;
  /** From a change to the write, so that many are one; 5,000. */
  gatherMs?: number;
}

interface State {
  document: JsonObject;
  entries: CatalogueEntry[];
  problems: CatalogueProblem[];
  /** Null = there was no file. */
  stamp: FileStamp | null;
  /** The file stays as it is. */
  isReadOnly: boolean;
}

const WRITE_TRIES = 3;

export class Catalogue implements AsyncDisposable {
  readonly #home: string;
  readonly #log: Log;
  readonly #gatherMs: number;
  readonly #cache: RepoCache<HubRepoInfo>;
  readonly #joined = new WeakMap<CatalogueEntry, { info: HubRepoInfo; entry: CatalogueEntry }>();
  #state: State | null = null;
  #isChanged = false;
  #isClosed = false;
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** Reads and writes, one after the other. */
  #running: Promise<unknown> = Promise.resolve();

  /** Touches nothing: the file is read when somebody asks. */
  constructor(options: CatalogueOptions) {
    this.#home = options.home;
    this.#log = options.log;
    this.#gatherMs = options.gatherMs ?? 5_000;
    this.#cache = new RepoCache({ parse: parseHubRepoInfo });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.flush();
  }

  /**
   * Each as the Hub knows it, as far as it was asked. The same objects as long as nothing changes. A
   * file that was changed by hand is read again.
   */
  async entries(): Promise<CatalogueEntry[]> {
    return (await this.#current()).entries.map((entry) => this.#known(entry));
  }

  /** What in the file cannot be used, and why. */
  async userProblems(): Promise<CatalogueProblem[]> {
    return (await this.#current()).problems;
  }

  /** What the Hub last said of `org/name`; null where it was never asked. */
  async cachedRepo(repo: string): Promise<CachedRepo<HubRepoInfo> | null> {
    await this.#current();
    return this.#cache.get(repo);
  }

  async rememberRepo(info: HubRepoInfo): Promise<void> {
    await this.#current();
    const fetchedAt = new Date().toISOString();
    const older = this.#cache.get(info.repo)?.info ?? null;
    if (!this.#cache.put(info.repo, { info: withKnownHeaders(info, older), fetchedAt })) return;
    this.#isChanged = true;
    this.#writeSoon();
  }

  /** Writes what has not been written yet. A disk that refuses is logged, and tried again later. */
  async flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#inTurn(async () => {
      if (this.#isChanged) await this.#write();
    });
  }

  #known(entry: CatalogueEntry): CatalogueEntry {
    const info = this.#cache.get(entry.repo)?.info;
    if (info === undefined) return entry;
    const joined = this.#joined.get(entry);
    if (joined?.info === info) return joined.entry;
    const known = withRepoInfo(entry, info);
    this.#joined.set(entry, { info, entry: known });
    return known;
  }

  #writeSoon(): void {
    if (!this.#isChanged || this.#isClosed) return;
    this.#timer ??= setTimeout(() => void this.flush(), this.#gatherMs);
  }

  async #current(): Promise<State> {
    const state = await this.#inTurn(() => this.#upToDate());
    this.#writeSoon();
    return state;
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#running.then(task);
    this.#running = turn.catch(() => {});
    return turn;
  }

  async #upToDate(): Promise<State> {
    if (this.#state === null || !isSameStamp(this.#state.stamp, catalogueStamp(this.#home))) {
      this.#state = await this.#read();
      this.#cache.merge(this.#state.document["hub"]);
    }
    return this.#state;
  }

  async #read(): Promise<State> {
    tidyCatalogueFiles(this.#home);
    const found = await readCatalogueFile(this.#home);
    const defaults = await loadDefaults();
    if (found.kind === "closed") {
      this.#log.warn("Cannot use the catalogue file", {
        file: CATALOGUE_FILE,
        reason: found.reason,
      });
      return { ...stateOf(defaults), stamp: catalogueStamp(this.#home), isReadOnly: true };
    }
    if (found.kind === "broken") {
      const isAside = this.#setAside(found.reason);
      if (!isAside) return { ...stateOf(defaults), stamp: found.stamp, isReadOnly: true };
    }
    if (found.kind !== "document") {
      this.#isChanged = true;
      return { ...stateOf(withDefaults({}, defaults)), stamp: null, isReadOnly: false };
    }
    return this.#believe(found, defaults);
  }

  #believe(
    { document, stamp }: Pick<State, "document"> & { stamp: FileStamp },
    defaults: JsonObject,
  ): State {
    const isNewer = versionOf(document, "version") > FORMAT_VERSION;
    const { hub: _, ...written } = document;
    const isReadOnly = isNewer || !isExact(written);
    const isOutdated = versionOf(document, "catalogue_version") <
      versionOf(defaults, "catalogue_version");
    if (isOutdated && !isReadOnly) this.#isChanged = true;
    const state = stateOf(isOutdated && !isNewer ? withDefaults(document, defaults) : document);
    if (isNewer) {
      this.#log.warn("The catalogue file is of a newer release: it is only read", {
        file: CATALOGUE_FILE,
      });
    }
    for (const { path, reason } of state.problems) {
      this.#log.warn("A model in the catalogue file cannot be used", {
        file: CATALOGUE_FILE,
        path,
        reason,
      });
    }
    return { ...state, stamp, isReadOnly };
  }

  #setAside(reason: string): boolean {
    const time = new Date().toISOString().replace(/[-:.]/g, "");
    const aside = `${CATALOGUE_FILE}.broken-${time}`;
    try {
      Deno.renameSync(join(this.#home, CATALOGUE_FILE), join(this.#home, aside));
    } catch (error) {
      this.#log.warn("Cannot use the catalogue file, and cannot set it aside", {
        file: CATALOGUE_FILE,
        reason,
        cause: messageOf(error),
      });
      return false;
    }
    this.#log.warn("The catalogue file is broken and was set aside", {
      file: CATALOGUE_FILE,
      reason,
      aside,
    });
    return true;
  }

  async #write(): Promise<void> {
    try {
      for (let tries = 0; tries < WRITE_TRIES; tries++) {
        // What was changed by hand since it was read is taken in first, never written over.
        const state = await this.#upToDate();
        this.#isChanged = false;
        if (state.isReadOnly || await this.#replace(state)) return;
      }
    } catch (error) {
      this.#isChanged = true;
      this.#log.warn("Cannot write the catalogue file", {
        file: CATALOGUE_FILE,
        reason: messageOf(error),
      });
    }
  }

  /** False where the file became another one meanwhile. */
  async #replace(state: State): Promise<boolean> {
    const text = this.#textOf(state.document);
    if (text === null) {
      this.#log.warn(
        "Cannot write the catalogue file: it would be over 5 MiB. Remove some models",
        {
          file: CATALOGUE_FILE,
        },
      );
      return true;
    }
    const path = join(this.#home, CATALOGUE_FILE);
    const isOther = () => !isSameStamp(state.stamp, catalogueStamp(this.#home));
    if (!await durableWrite(path, text, { unless: isOther })) return false;
    state.stamp = catalogueStamp(this.#home);
    await this.#writeSchema();
    return true;
  }

  #textOf(document: JsonObject): string | null {
    const bare = new TextEncoder().encode(catalogueText(document, [])).length;
    if (bare > MOST_FILE_BYTES) return null;
    return catalogueText(document, this.#cache.lines(MOST_FILE_BYTES - bare));
  }

  /** Beside the file, so that an editor helps who adds a model. */
  async #writeSchema(): Promise<void> {
    const { default: schema } = await import("./models_registry.schema.json", {
      with: { type: "json" },
    });
    const path = join(this.#home, SCHEMA_FILE);
    const text = `${JSON.stringify(schema, null, 2)}\n`;
    if (await isText(path, text)) return;
    await durableWrite(path, text);
  }
}

// Only who asks for the catalogue pays for it.
async function loadDefaults(): Promise<JsonObject> {
  return (await import("./default_catalogue.json", { with: { type: "json" } })).default;
}

function stateOf(document: JsonObject): Pick<State, "document" | "entries" | "problems"> {
  return { document, ...entriesOf(document) };
}

async function isText(path: string, text: string): Promise<boolean> {
  try {
    const { isFile, size } = await Deno.lstat(path);
    return isFile && size === new TextEncoder().encode(text).length &&
      await Deno.readTextFile(path) === text;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
