// The registry's schema, one step per release that changed it, and how a file is brought up to date.
// Opening the file, and what to do with a damaged one, is the registry's.

import { AppError } from "../errors.ts";

/** What a migration needs of a database. */
export interface SchemaTarget {
  exec(sql: string): void;
  prepare(sql: string): { get(): Record<string, unknown> | undefined };
}

/**
 * Step N brings a file from `user_version` N to N + 1. A released step is never edited: a change is
 * a new step, with a stored file of the schema before it in `tests/fixtures/registry/`.
 */
export const MIGRATIONS: readonly string[] = [
  // Times are ISO 8601 text and states are capitalised words, so that people can read them in any
  // SQLite tool. Settings and instances have no foreign key on models on purpose: a disk that is not
  // plugged in must cost nobody their settings, nor a running process its row.
  `
  CREATE TABLE models (
    id TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    parts TEXT NOT NULL,
    mmproj_path TEXT,
    source TEXT NOT NULL,
    repo TEXT,
    size_bytes INTEGER NOT NULL,
    mtime_ms INTEGER NOT NULL,
    facts TEXT,
    facts_version INTEGER NOT NULL,
    error TEXT,
    updated_at TEXT NOT NULL
  ) STRICT;

  CREATE TABLE instances (
    model_id TEXT PRIMARY KEY,
    status TEXT NOT NULL
      CHECK (status IN ('Stopped', 'Loading', 'Ready', 'Stopping', 'Failed', 'Missing')),
    door INTEGER,
    pid INTEGER,
    process_start_time TEXT,
    boot TEXT,
    token TEXT,
    last_activity TEXT,
    error TEXT
  ) STRICT;

  CREATE TABLE model_settings (
    model_id TEXT PRIMARY KEY,
    settings TEXT NOT NULL,
    updated_at TEXT NOT NULL
  ) STRICT;

  CREATE TABLE downloads (
    id TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    repo TEXT NOT NULL,
    revision TEXT NOT NULL,
    file TEXT NOT NULL,
    model_id TEXT,
    status TEXT NOT NULL,
    size_bytes INTEGER,
    bytes_done INTEGER NOT NULL DEFAULT 0,
    part_map TEXT NOT NULL DEFAULT '[]',
    etag TEXT,
    sha256 TEXT,
    error TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
  ) STRICT;

  CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('use', 'admin')),
    hash TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL,
    last_used_at TEXT
  ) STRICT;
  `,
];

/** The schema that this release reads and writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;

export function schemaVersionOf(database: SchemaTarget): number {
  return Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
}

/**
 * Takes the steps that are missing, each in its own transaction with its version, so that a cut
 * between two of them is a file of the schema in between.
 *
 * @throws {AppError} `folder_unusable` where a newer release wrote the file; nothing is changed then.
 */
export function migrate(database: SchemaTarget, path: string): void {
  const version = schemaVersionOf(database);
  if (version > SCHEMA_VERSION) {
    throw new AppError(
      "folder_unusable",
      `Cannot use ${
        JSON.stringify(path)
      }: a newer release wrote it (schema ${version}, this one knows ${SCHEMA_VERSION}). Update ZombieCoder, or choose another folder with --home`,
      { values: { path, version, known: SCHEMA_VERSION } },
    );
  }
  for (let step = version; step < SCHEMA_VERSION; step++) {
    database.exec("BEGIN IMMEDIATE");
    try {
      database.exec(MIGRATIONS[step]!);
      database.exec(`PRAGMA user_version = ${step + 1}`);
      database.exec("COMMIT");
    } catch (error) {
      database.exec("ROLLBACK");
      throw error;
    }
  }
}
