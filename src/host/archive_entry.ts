// What the readers of archive formats hand to archive.ts. Types only.

import type { AppError } from "../errors.ts";

/** One entry, as a reader of a format hands it over; `content` must be read before the next one. */
export type ArchiveEntry =
  | { type: "folder"; name: string }
  | { type: "link"; name: string; target: string }
  | {
    type: "file";
    name: string;
    sizeBytes: number;
    executable: boolean;
    content: AsyncIterable<Uint8Array>;
  };

/** What a reader of a format needs to know. */
export interface ArchiveReading {
  sizeBytes: number;
  /** No more than this may come out of the archive. */
  limitBytes: number;
  refuse(reason: string, cause?: unknown): AppError;
}
