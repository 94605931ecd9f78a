// Which bytes of a file are here, which are being fetched, what to fetch next. Counts only; the bytes
// themselves, and when the map is written down, are download_file.ts's.

import type { PartRange } from "./registry_downloads.ts";

/** A range that one connection fills from its start on. */
export interface Part {
  readonly start: number;
  readonly end: number;
  /** Bytes from `start` on that are on the disk. */
  readonly done: number;
}

interface OwnPart {
  start: number;
  end: number;
  done: number;
  isTaken: boolean;
}

export class PartMap {
  readonly #sizeBytes: number;
  /** By their start; together the whole file. */
  #parts: OwnPart[];
  #done = 0;

  /** `ranges` as they were written down; what makes no sense counts as not here. */
  constructor(sizeBytes: number, ranges: readonly PartRange[] = []) {
    this.#sizeBytes = sizeBytes;
    this.#parts = [];
    let at = 0;
    for (const [start, end, done] of isInOrder(ranges, sizeBytes) ? ranges : []) {
      this.#parts.push(untaken(at, start, 0), untaken(start, end, done));
      at = end;
    }
    this.#parts.push(untaken(at, sizeBytes, 0));
    this.#tidy();
  }

  get doneBytes(): number {
    return this.#done;
  }

  get isComplete(): boolean {
    return this.#done === this.#sizeBytes;
  }

  /** How many bytes are here from the file's start on, without a gap. */
  get prefixBytes(): number {
    let at = 0;
    for (const { start, end, done } of this.#parts) {
      at = start + done;
      if (at < end) break;
    }
    return at;
  }

  /** The first bytes that nobody fetches, at most `mostBytes` of them; null where there are none. */
  take(mostBytes: number): Part | null {
    const index = this.#parts.findIndex((part) =>
      !part.isTaken && part.done < part.end - part.start
    );
    const part = this.#parts[index];
    if (part === undefined) return null;
    if (part.end - part.start > mostBytes) {
      this.#parts.splice(index + 1, 0, untaken(part.start + mostBytes, part.end, 0));
      part.end = part.start + mostBytes;
    }
    part.isTaken = true;
    return part;
  }

  /** More bytes of a part that was taken are on the disk. */
  advance(part: Part, byteCount: number): void {
    (part as OwnPart).done += byteCount;
    this.#done += byteCount;
  }

  /** What is missing of it is anybody's. */
  release(part: Part): void {
    (part as OwnPart).isTaken = false;
    this.#tidy();
  }

  /** To be written down. */
  toRanges(): PartRange[] {
    return this.#parts.map(({ start, end, done }) => [start, end, done] as const);
  }

  // Few parts, however large the file: the map is written down with every megabyte.
  #tidy(): void {
    const tidied: OwnPart[] = [];
    const pieces = this.#parts.flatMap((part) =>
      part.isTaken ? [part] : [
        untaken(part.start, part.start + part.done, part.done),
        untaken(part.start + part.done, part.end, 0),
      ]
    );
    for (const piece of pieces) {
      if (piece.start === piece.end) continue;
      const last = tidied.at(-1);
      if (last !== undefined && isAlike(last, piece)) {
        last.end = piece.end;
        last.done += piece.done;
      } else tidied.push(piece);
    }
    this.#parts = tidied;
    this.#done = tidied.reduce((sum, { done }) => sum + done, 0);
  }
}

function untaken(start: number, end: number, done: number): OwnPart {
  return { start, end, done, isTaken: false };
}

function isAlike(a: OwnPart, b: OwnPart): boolean {
  return !a.isTaken && !b.isTaken && (a.done === 0) === (b.done === 0);
}

function isInOrder(ranges: readonly PartRange[], sizeBytes: number): boolean {
  let at = 0;
  for (const [start, end, done] of ranges) {
    if (start < at || end < start || done < 0 || start + done > end) return false;
    at = end;
  }
  return at <= sizeBytes;
}
