// What becomes of a download after an error: tried again and when, waiting for room, or for somebody
// to do something. Pure.

import { AppError, messageOf } from "../errors.ts";

export interface BackOff {
  firstMs: number;
  mostMs: number;
}

export type Verdict =
  | { kind: "retry"; afterMs: number }
  /** Looked at again until there is room. */
  | { kind: "room" }
  | { kind: "failed" };

/** What a line, a server or a passing fault does. Anything else needs somebody. */
const PASSING = new Set<AppError["code"]>([
  "hub_unreachable",
  "hub_failed",
  "hub_rate_limited",
  "download_failed",
  "download_stalled",
  "download_changed",
]);

export interface VerdictOptions {
  /** Tries in a row without a byte, this one included. */
  failures: number;
  /** How often the file's checksum was wrong, this time included. */
  wrongChecksums: number;
  backOff: BackOff;
  /** 0 to 1. */
  random: number;
}

export function verdictOf(error: AppError, options: VerdictOptions): Verdict {
  if (isDiskFull(error)) return { kind: "room" };
  const isPassing = PASSING.has(error.code) || error.values["reason"] === "busy" ||
    (error.code === "checksum_wrong" && options.wrongChecksums < 2);
  if (!isPassing) return { kind: "failed" };
  const askedMs = (error.retryAfterSeconds ?? 0) * 1_000;
  return { kind: "retry", afterMs: Math.max(askedMs, backOffMs(options)) };
}

/** Doubles with each failure; a random half of it, so that many clients do not come back at once. */
function backOffMs({ failures, backOff, random }: VerdictOptions): number {
  const doubled = backOff.firstMs * 2 ** Math.min(failures - 1, 30);
  return Math.round(Math.min(backOff.mostMs, doubled) * (0.5 + random / 2));
}

/** An error that the disk is to blame for; null for anything else. */
export function diskFailure(error: unknown, path: string): AppError | null {
  if (error instanceof AppError) return null;
  if (isDiskFull(error)) return diskFull(null);
  if (!isSystemError(error)) return null;
  return new AppError(
    "folder_unusable",
    `Cannot write the download to ${JSON.stringify(path)} (${
      messageOf(error)
    }). Check the disk and its permissions, then resume the download`,
    { values: { path }, cause: error },
  );
}

function isSystemError(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  return error.name in Deno.errors || (typeof code === "string" && /^E(?!RR_)/.test(code));
}

/** Also what the registry says of the same disk. */
export function isDiskFull(error: unknown): boolean {
  if (error instanceof AppError) {
    return error.code === "disk_full" || error.values["reason"] === "disk_full";
  }
  const code = (error as { code?: unknown } | null)?.code;
  // Windows: ERROR_HANDLE_DISK_FULL and ERROR_DISK_FULL.
  return code === "ENOSPC" || code === "EDQUOT" ||
    (Deno.build.os === "windows" && /\(os error (39|112)\)/.test(messageOf(error)));
}

/** Null where only the system's refusal is known. */
export function diskFull(room: { needBytes: number; freeBytes: number } | null): AppError {
  const facts = room === null
    ? "the disk is full"
    : `it needs ${gigabytes(room.needBytes)} and ${gigabytes(room.freeBytes)} are free`;
  return new AppError(
    "disk_full",
    `Cannot go on with the download: ${facts}. Free some space; it goes on by itself then`,
    {
      values: { need_bytes: room?.needBytes ?? null, free_bytes: room?.freeBytes ?? null },
    },
  );
}

function gigabytes(bytes: number): string {
  return bytes < 1e9 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
