// What SQLite's result codes mean for the registry: damaged, full, busy. No database is touched here.

import { AppError, messageOf } from "../errors.ts";

// https://www.sqlite.org/rescode.html: the primary codes; the low byte of an extended one.
const BUSY = 5;
const LOCKED = 6;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;

/** The primary result code of what `node:sqlite` threw; null where it carries none. */
export function resultCodeOf(error: unknown): number | null {
  const { errcode, code } = (error ?? {}) as { errcode?: unknown; code?: unknown };
  if (typeof errcode === "number") return errcode & 0xff;
  if (code !== "ERR_SQLITE_ERROR") return null;
  // Opening and `exec` throw without a number; the words are SQLite's own.
  const message = messageOf(error);
  if (/^unable to open database file/.test(message)) return CANTOPEN;
  if (/^database or disk is full/.test(message)) return FULL;
  if (/^database is locked/.test(message)) return BUSY;
  if (/^attempt to write a readonly database/.test(message)) return READONLY;
  if (/^disk I\/O error/.test(message)) return IOERR;
  if (/malformed/.test(message)) return CORRUPT;
  if (/^file is not a database/.test(message)) return NOTADB;
  return null;
}

export function meansDamage(error: unknown): boolean {
  const code = resultCodeOf(error);
  return code === CORRUPT || code === NOTADB;
}

/** An error that the registry's file or disk is to blame for; null for anything else (a bug). */
export function registryFailure(error: unknown, path: string): AppError | null {
  const code = resultCodeOf(error);
  if (code === null) return null;
  const file = JSON.stringify(path);
  function failure(reason: string, message: string): AppError {
    return new AppError("folder_unusable", message, { values: { path, reason }, cause: error });
  }
  switch (code) {
    case FULL:
      return failure(
        "disk_full",
        `Cannot write ${file}: the disk is full. Free some space and try again`,
      );
    case BUSY:
    case LOCKED:
      return failure(
        "busy",
        `Cannot write ${file}: another program holds it. End that program's transaction and try again`,
      );
    case READONLY:
    case IOERR:
    case CANTOPEN:
      return failure(
        "unwritable",
        `Cannot use ${file} (${
          messageOf(error)
        }). Check its permissions and the disk, or choose another folder with --home`,
      );
    case CORRUPT:
    case NOTADB:
      return failure(
        "damaged",
        `Cannot use ${file}: it is damaged. Start ZombieCoder again: it moves the file aside and makes a new one`,
      );
    default:
      return null;
  }
}
