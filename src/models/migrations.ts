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
  // The first `downloads` had one file per row, and no release wrote one by itself.
  `
  ALTER TABLE downloads RENAME TO downloads_1;

  CREATE TABLE downloads (
    id TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    repo TEXT NOT NULL,
    revision TEXT NOT NULL,
    commit_sha TEXT,
    file TEXT NOT NULL,
    model_id TEXT,
    status TEXT NOT NULL CHECK (status IN
      ('Queued', 'Downloading', 'Verifying', 'Waiting', 'Paused', 'Failed', 'Done')),
    bytes_total INTEGER,
    bytes_done INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
  ) STRICT;

  INSERT INTO downloads
    SELECT id, position, repo, revision, NULL, file, model_id, 'Paused', size_bytes, 0, NULL,
      created_at, updated_at
    FROM downloads_1;
  DROP TABLE downloads_1;

  -- "parts" is the part map: [[start, end, done], ...] in bytes of the file, end exclusive, done
  -- counted from the start. "synced" is the same as it was when the disk last confirmed it: what
  -- is believed after a power cut, which is known by another "boot".
  CREATE TABLE download_files (
    download_id TEXT NOT NULL REFERENCES downloads (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    path TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('model', 'projector')),
    size_bytes INTEGER NOT NULL,
    sha256 TEXT,
    parts TEXT NOT NULL DEFAULT '[]',
    synced TEXT NOT NULL DEFAULT '[]',
    boot TEXT NOT NULL DEFAULT '',
    verified INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (download_id, number)
  ) STRICT;

  CREATE TABLE imports (
    model_id TEXT PRIMARY KEY,
    program TEXT NOT NULL,
    name TEXT NOT NULL,
    parts TEXT NOT NULL,
    mmproj_path TEXT,
    repo TEXT,
    added_at TEXT NOT NULL
  ) STRICT;

  -- What was measured on this machine: bandwidth of its memory, how far loads and speeds were from
  -- what was expected.
  CREATE TABLE measurements (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    measured_at TEXT NOT NULL
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
