// Opening the registry's file: checked, brought up to date, its statements prepared; a damaged one is
// moved aside, never deleted. Reading and writing rows is registry.ts.

import { AppError, messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { migrate, SCHEMA_VERSION, schemaVersionOf } from "./migrations.ts";
import type { Row } from "./registry_rows.ts";
import { meansDamage, registryFailure } from "./sqlite_failure.ts";

// Waiting for a stranger's lock blocks our only thread. What a user saved is worth a wait and must
// outlive a power cut; the mirror of states can be written later, and no process of ours outlives a
// power cut either.
export const DURABLE_MODE = "PRAGMA synchronous = FULL; PRAGMA busy_timeout = 2000";
export const MIRROR_MODE = "PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 100";

type Cell = string | number | null;

export interface Statement {
  all(...values: Cell[]): Row[];
  get(...values: Cell[]): Row | undefined;
  run(...values: Cell[]): unknown;
}

/** What is used of `node:sqlite`'s database. */
export interface Database {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

/** What the owner of one table gets of the registry: a statement fails as `folder_unusable`. */
export interface RegistryTable {
  prepare(sql: string): Statement;
  /** What can be found out again after a power cut. */
  write(statement: () => void): void;
  /** On the disk when it returns. */
  writeDurably(statement: () => void): void;
}

/** Where a damaged file was put. */
export interface Recovery {
  /** The damaged file's new path. */
  path: string;
  reason: string;
}

export interface OpenedFile {
  database: Database;
  sql: Statements;
  recovered: Recovery | null;
}

export interface OpenOptions {
  connect: (path: string) => Database;
  log: Log;
}

const SQL = {
  models: "SELECT * FROM models ORDER BY id",
  // A file that changed did not come from the repo on record.
  upsertModel: `
    INSERT INTO models (id, path, parts, mmproj_path, source, repo, size_bytes, mtime_ms, facts,
      facts_version, error, updated_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET path = excluded.path, parts = excluded.parts,
      mmproj_path = excluded.mmproj_path, source = excluded.source,
      repo = CASE
        WHEN excluded.repo IS NOT NULL THEN excluded.repo
        WHEN path = excluded.path AND size_bytes = excluded.size_bytes
          AND mtime_ms = excluded.mtime_ms THEN repo
      END,
      size_bytes = excluded.size_bytes, mtime_ms = excluded.mtime_ms, facts = excluded.facts,
      facts_version = excluded.facts_version, error = excluded.error,
      updated_at = excluded.updated_at`,
  removeModel: "DELETE FROM models WHERE id = ?",
  settings: "SELECT model_id, settings FROM model_settings",
  settingsOf: "SELECT settings FROM model_settings WHERE model_id = ?",
  setSettings: `
    INSERT INTO model_settings (model_id, settings, updated_at) VALUES (?, ?, ?)
    ON CONFLICT (model_id) DO UPDATE SET settings = excluded.settings,
      updated_at = excluded.updated_at`,
  instances: "SELECT * FROM instances ORDER BY model_id",
  instanceOf: "SELECT * FROM instances WHERE model_id = ?",
  setInstance: `
    INSERT INTO instances (model_id, status, door, pid, process_start_time, boot, token,
      last_activity, error)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (model_id) DO UPDATE SET status = excluded.status, door = excluded.door,
      pid = excluded.pid, process_start_time = excluded.process_start_time, boot = excluded.boot,
      token = excluded.token, last_activity = excluded.last_activity, error = excluded.error`,
} as const;

export type Statements = { readonly [K in keyof typeof SQL]: Statement };

/** @throws {AppError} `folder_unusable`. */
export function openRegistryFile(path: string, options: OpenOptions): OpenedFile {
  try {
    return { ...openChecked(path, options.connect), recovered: null };
  } catch (error) {
    if (!(error instanceof DamagedError)) throw error;
    const recovered = { path: moveAside(path), reason: error.message };
    options.log.warn("The registry was damaged: it is kept aside and a fresh one is made", {
      kept: recovered.path,
      reason: recovered.reason,
    });
    return { ...openChecked(path, options.connect), recovered };
  }
}

/** What is at the path cannot be our registry any more. */
class DamagedError extends Error {}

function openChecked(path: string, connect: OpenOptions["connect"]): Omit<OpenedFile, "recovered"> {
  let database: Database | null = null;
  try {
    // SQLite takes an empty file for a new database: settings would be gone without a word.
    if (isEmptyFile(path)) throw new DamagedError("the file is empty");
    database = connect(path);
    database.exec(DURABLE_MODE);
    checkWhole(database);
    database.exec("PRAGMA journal_mode = WAL; PRAGMA fullfsync = 1");
    migrate(database, path);
    const sql = prepareAll(database);
    database.exec(MIRROR_MODE);
    return { database, sql };
  } catch (error) {
    database?.close();
    if (meansDamage(error)) throw new DamagedError(messageOf(error), { cause: error });
    throw registryFailure(error, path) ?? error;
  }
}

function isEmptyFile(path: string): boolean {
  try {
    return Deno.lstatSync(path).size === 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function checkWhole(database: Database): void {
  const verdict = String(database.prepare("PRAGMA quick_check(1)").get()?.["quick_check"]);
  if (verdict !== "ok") throw new DamagedError(verdict);
  const version = schemaVersionOf(database);
  const tables = database.prepare("SELECT count(*) AS n FROM sqlite_schema").get()?.["n"];
  if (version < 0 || (version === 0) !== (tables === 0)) {
    throw new DamagedError(`schema version ${version} with ${tables} tables`);
  }
}

function prepareAll(database: Database): Statements {
  const prepared: Record<string, Statement> = {};
  for (const [name, sql] of Object.entries(SQL)) {
    try {
      prepared[name] = database.prepare(sql);
    } catch (error) {
      // The version says that the tables are there, and they are not.
      throw new DamagedError(`schema ${SCHEMA_VERSION} is incomplete: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }
  return prepared as Statements;
}

/** The new path. The log goes first: alone it would be taken for the fresh file's. */
function moveAside(path: string): string {
  const kept = `${path}.corrupt-${new Date().toISOString().replaceAll(":", "")}`;
  for (const suffix of ["-wal", "-shm", ""]) {
    try {
      Deno.renameSync(`${path}${suffix}`, `${kept}${suffix}`);
    } catch (error) {
      if (suffix !== "" && error instanceof Deno.errors.NotFound) continue;
      throw new AppError(
        "folder_unusable",
        `Cannot move the damaged ${JSON.stringify(path)} aside (${
          messageOf(error)
        }). Move it by hand and start again`,
        { values: { path, reason: "damaged" }, cause: error },
      );
    }
  }
  return kept;
}
