// The registry: one SQLite file with what we know of models, instances and settings. Rows in, typed
// values out. It alone knows `node:sqlite`; opening is registry_file.ts, rows are registry_rows.ts.

import { DatabaseSync } from "node:sqlite";

import type { ModelSettings } from "../api_types.ts";
import { AppError, messageOf } from "../errors.ts";
import type { LeftoverProcess } from "../host/messages.ts";
import type { Log } from "../log.ts";
import { readModelSettings } from "./model_settings.ts";
import { RegistryDownloads } from "./registry_downloads.ts";
import { RegistryImports } from "./registry_imports.ts";
import { RegistryKeys } from "./registry_keys.ts";
import { RegistryMeasurements } from "./registry_measurements.ts";
import {
  DURABLE_MODE,
  MIRROR_MODE,
  type OpenedFile,
  openRegistryFile,
  type Recovery,
  type RegistryTable,
  type Statements,
} from "./registry_file.ts";
import {
  factsToJson,
  instanceFrom,
  type InstanceRecord,
  modelFrom,
  type ModelRecord,
  type Row,
  statusOf,
  toJson,
} from "./registry_rows.ts";
import { registryFailure } from "./sqlite_failure.ts";

/** Activity is written at most this often: a request must not wait for a file. */
const TOUCH_MS = 250;

const INSTANCE_DEFAULTS: Omit<InstanceRecord, "modelId"> = {
  status: "stopped",
  door: null,
  pid: null,
  startTime: null,
  boot: null,
  token: null,
  lastActivity: null,
  error: null,
};

export interface RegistryOptions {
  log: Log;
}

/** Columns of one instance's row; what is left out stays as it is. */
export type InstanceChange = Partial<Omit<InstanceRecord, "modelId">>;

export class Registry implements Disposable {
  readonly path: string;
  /** Set where the file was damaged and a fresh one was made. */
  readonly recovered: Recovery | null;
  readonly downloads: RegistryDownloads;
  readonly imports: RegistryImports;
  readonly keys: RegistryKeys;
  readonly measurements: RegistryMeasurements;
  /** Counts the changes of settings, for those who keep what they read. */
  settingsRevision = 0;

  readonly #database: OpenedFile["database"];
  readonly #log: Log;
  readonly #sql: Statements;
  /** Tokens that were in the file when it was opened: processes of an earlier life. */
  readonly #earlierTokens: ReadonlySet<string>;
  /** Models whose state was written in this life: somebody may ask before the earlier one is ended. */
  readonly #ownRows = new Set<string>();
  readonly #touched = new Map<string, string>();
  #touchTimer: ReturnType<typeof setTimeout> | null = null;
  #mirrorFails = false;

  private constructor(opened: OpenedFile, options: RegistryOptions & { path: string }) {
    this.path = options.path;
    this.recovered = opened.recovered;
    this.#log = options.log;
    this.#database = opened.database;
    this.#sql = opened.sql;
    const table: RegistryTable = {
      prepare: (sql) => opened.database.prepare(sql),
      write: (statement) => this.#write(MIRROR_MODE, statement),
      writeDurably: (statement) => this.#write(DURABLE_MODE, statement),
    };
    this.downloads = new RegistryDownloads(table);
    this.imports = new RegistryImports(table);
    this.keys = new RegistryKeys(table);
    this.measurements = new RegistryMeasurements(table);
    this.#earlierTokens = new Set(
      this.instances().map((row) => row.token).filter((token) => token !== null),
    );
  }

  /**
   * Opens the file at `path`, or makes it. A damaged one is moved aside as
   * `<path>.corrupt-<time>`, see `recovered`.
   *
   * @throws {AppError} `folder_unusable`: written by a newer release, not writable, disk full.
   */
  static open(path: string, options: RegistryOptions): Registry {
    return new Registry(openRegistryFile(path, { connect, log: options.log }), {
      ...options,
      path,
    });
  }

  [Symbol.dispose](): void {
    this.#flushTouched();
    this.#database.close();
  }

  models(): ModelRecord[] {
    return this.#sql.models.all().map(modelFrom);
  }

  /** What only we know, the repo, is on the disk when this returns; a header can be read again. */
  upsertModel(record: ModelRecord): void {
    this.#write(record.repo === null ? MIRROR_MODE : DURABLE_MODE, () =>
      this.#sql.upsertModel.run(
        record.id,
        record.path,
        JSON.stringify(record.parts),
        record.mmprojPath,
        record.source,
        record.repo,
        record.sizeBytes,
        record.mtimeMs,
        factsToJson(record.facts),
        record.factsVersion,
        toJson(record.error),
        new Date().toISOString(),
      ));
  }

  /** Forgets the file and its header. Settings stay: the file may come back. */
  removeModel(id: string): void {
    this.#write(MIRROR_MODE, () => this.#sql.removeModel.run(id));
  }

  /** What the user chose; the defaults where there is nothing, or nothing that can be read. */
  settingsOf(id: string): ModelSettings {
    const row = this.#sql.settingsOf.get(id);
    if (row === undefined) return readModelSettings({});
    return this.#settingsFrom(id, row);
  }

  /** The aliases that users set, by model. */
  aliases(): Map<string, string[]> {
    return new Map(
      this.#sql.settings.all().map((row) => {
        const id = String(row["model_id"]);
        return [id, this.#settingsFrom(id, row).aliases];
      }),
    );
  }

  setSettings(id: string, settings: ModelSettings): void {
    const json = JSON.stringify(settings);
    this.#write(DURABLE_MODE, () => this.#sql.setSettings.run(id, json, new Date().toISOString()));
    this.settingsRevision++;
  }

  instances(): InstanceRecord[] {
    return this.#sql.instances.all().map(instanceFrom);
  }

  /**
   * Mirrors an instance's state. Never throws for a full or locked disk: that must not stop an
   * answer. It is logged, and false says that it must be written again.
   */
  setInstance(modelId: string, change: InstanceChange): boolean {
    return this.#mirror(() => this.#writeInstance(modelId, change));
  }

  /** Notes a use of the model. Written within 250 ms, all models together. */
  touch(modelId: string, isoTime: string): void {
    this.#touched.set(modelId, isoTime);
    this.#touchTimer ??= setTimeout(() => this.#flushTouched(), TOUCH_MS);
  }

  /** Processes that an earlier life may have left running, for the host to look at. */
  leftovers(): LeftoverProcess[] {
    return this.instances().flatMap(({ pid, startTime, boot, token }) =>
      token !== null && this.#earlierTokens.has(token)
        ? [{ pid, startTime, boot: boot ?? "", token }]
        : []
    );
  }

  /**
   * Rights the rows of an earlier life, once its processes are reaped: none of them runs. `missing`
   * are the models whose files are gone now.
   */
  endEarlierLife(missing: readonly string[] = []): void {
    for (const row of this.instances()) {
      if (this.#ownRows.has(row.modelId)) continue;
      const { lastActivity } = row;
      this.setInstance(row.modelId, { ...INSTANCE_DEFAULTS, lastActivity });
    }
    for (const id of missing) this.setInstance(id, { status: "missing" });
  }

  #writeInstance(modelId: string, change: InstanceChange): void {
    const stored = this.#sql.instanceOf.get(modelId);
    const before = stored === undefined ? null : instanceFrom(stored);
    const lastActivity = this.#touched.get(modelId);
    const row = {
      ...(before ?? INSTANCE_DEFAULTS),
      ...(lastActivity === undefined ? {} : { lastActivity }),
      ...change,
      modelId,
    };
    if (change.status !== undefined) this.#ownRows.add(modelId);
    if (before !== null && isSameInstance(before, row)) return;
    this.#sql.setInstance.run(
      modelId,
      statusOf(row.status),
      row.door,
      row.pid,
      row.startTime,
      row.boot,
      row.token,
      row.lastActivity,
      toJson(row.error),
    );
    this.#touched.delete(modelId);
  }

  #flushTouched(): void {
    if (this.#touchTimer !== null) clearTimeout(this.#touchTimer);
    this.#touchTimer = null;
    for (const modelId of [...this.#touched.keys()]) this.setInstance(modelId, {});
    this.#touched.clear();
  }

  #settingsFrom(id: string, row: Row): ModelSettings {
    try {
      return readModelSettings(JSON.parse(String(row["settings"])));
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof AppError)) throw error;
      this.#log.warn("The settings on record cannot be read: defaults apply", {
        model: id,
        error: messageOf(error),
      });
      return readModelSettings({});
    }
  }

  #write(mode: string, statement: () => void): void {
    try {
      if (mode !== MIRROR_MODE) this.#database.exec(mode);
      try {
        statement();
      } finally {
        if (mode !== MIRROR_MODE) this.#database.exec(MIRROR_MODE);
      }
    } catch (error) {
      throw registryFailure(error, this.path) ?? error;
    }
  }

  #mirror(write: () => void): boolean {
    try {
      write();
      if (this.#mirrorFails) this.#log.info("Instance states are written to the registry again");
      this.#mirrorFails = false;
      return true;
    } catch (error) {
      const failure = registryFailure(error, this.path);
      if (failure === null) throw error;
      // Once, not once per request.
      if (!this.#mirrorFails) this.#log.warn(failure.message);
      this.#mirrorFails = true;
      return false;
    }
  }
}

function isSameInstance(a: InstanceRecord, b: InstanceRecord): boolean {
  return JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
}

function connect(path: string): DatabaseSync {
  return new DatabaseSync(path, { enableForeignKeyConstraints: true });
}
