// Downloads as rows: the queue, each file with its part map. What a state means and when it changes
// is the downloads' own.

import type { DownloadState } from "../api_types.ts";
import type { AppErrorData } from "../errors.ts";
import type { RegistryTable, Statement } from "./registry_file.ts";
import { jsonOf, type Row, statusOf, textOf, toJson } from "./registry_rows.ts";

/** One range of a file: bytes `start` to `end` (exclusive), of which the first `done` are here. */
export type PartRange = readonly [start: number, end: number, done: number];

export interface DownloadRecord {
  id: string;
  position: number;
  repo: string;
  revision: string;
  /** Null until the Hub was asked. */
  commit: string | null;
  file: string;
  modelId: string | null;
  state: DownloadState;
  bytesTotal: number | null;
  bytesDone: number;
  error: AppErrorData | null;
  createdAt: string;
}

export interface DownloadFileRecord {
  downloadId: string;
  number: number;
  /** In the repository. */
  path: string;
  role: "model" | "projector";
  sizeBytes: number;
  /** Null for what the Hub keeps without one. */
  sha256: string | null;
  parts: readonly PartRange[];
  /** The part map as the disk last confirmed it. */
  synced: readonly PartRange[];
  /** Start of the system in which `parts` was written: after another one only `synced` holds. */
  boot: string;
  verified: boolean;
}

const SQL = {
  list: "SELECT * FROM downloads ORDER BY position, created_at",
  files: "SELECT * FROM download_files ORDER BY download_id, number",
  put: `
    INSERT INTO downloads (id, position, repo, revision, commit_sha, file, model_id, status,
      bytes_total, bytes_done, error, created_at, updated_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET position = excluded.position, commit_sha = excluded.commit_sha,
      model_id = excluded.model_id, status = excluded.status,
      bytes_total = excluded.bytes_total, bytes_done = excluded.bytes_done,
      error = excluded.error, updated_at = excluded.updated_at`,
  remove: "DELETE FROM downloads WHERE id = ?",
  putFile: `
    INSERT INTO download_files (download_id, number, path, role, size_bytes, sha256, parts, synced,
      boot, verified)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (download_id, number) DO UPDATE SET path = excluded.path, role = excluded.role,
      size_bytes = excluded.size_bytes, sha256 = excluded.sha256, parts = excluded.parts,
      synced = excluded.synced, boot = excluded.boot, verified = excluded.verified`,
  removeFiles: "DELETE FROM download_files WHERE download_id = ?",
  progress: `
    UPDATE download_files SET parts = ?, boot = ? WHERE download_id = ? AND number = ?`,
  bytesDone: "UPDATE downloads SET bytes_done = ? WHERE id = ?",
} as const;

export class RegistryDownloads {
  readonly #table: RegistryTable;
  readonly #sql: { readonly [K in keyof typeof SQL]: Statement };

  constructor(table: RegistryTable) {
    this.#table = table;
    this.#sql = Object.fromEntries(
      Object.entries(SQL).map(([name, sql]) => [name, table.prepare(sql)]),
    ) as { [K in keyof typeof SQL]: Statement };
  }

  /** In the order of the queue. */
  list(): DownloadRecord[] {
    return this.#sql.list.all().map(downloadFrom);
  }

  /** Of all downloads, each in its order. */
  files(): DownloadFileRecord[] {
    return this.#sql.files.all().map(fileFrom);
  }

  /** On the disk when it returns. */
  put(record: DownloadRecord): void {
    this.#table.writeDurably(() =>
      this.#sql.put.run(
        record.id,
        record.position,
        record.repo,
        record.revision,
        record.commit,
        record.file,
        record.modelId,
        statusOf(record.state),
        record.bytesTotal,
        record.bytesDone,
        toJson(record.error),
        record.createdAt,
        new Date().toISOString(),
      )
    );
  }

  /** With its files' rows. */
  remove(id: string): void {
    this.#table.writeDurably(() => this.#sql.remove.run(id));
  }

  /** On the disk when it returns: also what `synced` claims. */
  putFile(file: DownloadFileRecord): void {
    this.#table.writeDurably(() =>
      this.#sql.putFile.run(
        file.downloadId,
        file.number,
        file.path,
        file.role,
        file.sizeBytes,
        file.sha256,
        JSON.stringify(file.parts),
        JSON.stringify(file.synced),
        file.boot,
        Number(file.verified),
      )
    );
  }

  /** Another commit may have other files. */
  removeFiles(downloadId: string): void {
    this.#table.writeDurably(() => this.#sql.removeFiles.run(downloadId));
  }

  /** After each megabyte: it outlives our process, not a power cut. */
  progress(
    file: Pick<DownloadFileRecord, "downloadId" | "number" | "parts" | "boot">,
    bytesDone: number,
  ): void {
    this.#table.write(() => {
      this.#sql.progress.run(JSON.stringify(file.parts), file.boot, file.downloadId, file.number);
      this.#sql.bytesDone.run(bytesDone, file.downloadId);
    });
  }
}

function downloadFrom(row: Row): DownloadRecord {
  return {
    id: String(row["id"]),
    position: Number(row["position"]),
    repo: String(row["repo"]),
    revision: String(row["revision"]),
    commit: textOf(row["commit_sha"]),
    file: String(row["file"]),
    modelId: textOf(row["model_id"]),
    state: String(row["status"]).toLowerCase() as DownloadState,
    bytesTotal: typeof row["bytes_total"] === "number" ? row["bytes_total"] : null,
    bytesDone: Number(row["bytes_done"]),
    error: jsonOf(row["error"]) as AppErrorData | null,
    createdAt: String(row["created_at"]),
  };
}

function fileFrom(row: Row): DownloadFileRecord {
  return {
    downloadId: String(row["download_id"]),
    number: Number(row["number"]),
    path: String(row["path"]),
    role: row["role"] === "projector" ? "projector" : "model",
    sizeBytes: Number(row["size_bytes"]),
    sha256: textOf(row["sha256"]),
    parts: partsOf(row["parts"]),
    synced: partsOf(row["synced"]),
    boot: String(row["boot"]),
    verified: row["verified"] === 1,
  };
}

/** A map that cannot be read is an empty one: its bytes are fetched again. */
function partsOf(value: unknown): PartRange[] {
  const parts = jsonOf(value);
  if (!Array.isArray(parts) || !parts.every(isPart)) return [];
  return parts;
}

function isPart(value: unknown): value is PartRange {
  if (!Array.isArray(value) || value.length !== 3) return false;
  const [start, end, done] = value;
  return value.every((each) => Number.isSafeInteger(each) && each >= 0) && start + done <= end;
}
