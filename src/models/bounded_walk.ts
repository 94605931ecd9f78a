// Looks around in a folder that others fill: never more than so many entries, never longer than so
// long, never through a link that leads out. What was not seen, and why, is kept for people.

import { basename } from "node:path";

import { AppError, messageOf } from "../errors.ts";
import { within } from "../within.ts";
import type { FoundFile } from "./folder_scan.ts";
import { isInside } from "./safe_join.ts";

export interface BoundedWalkOptions {
  /** Absolute and real. */
  root: string;
  /** In all folders together; 20,000. */
  entries?: number | undefined;
  /** For all of it; 5,000. */
  timeMs?: number | undefined;
}

/** A folder is read in one go: one whose own entry is this large holds far more names than models. */
const LARGEST_FOLDER_BYTES = 8 * 1024 ** 2;

/** Of one text, such as a manifest. */
const LARGEST_TEXT_BYTES = 1024 ** 2;

export class BoundedWalk {
  readonly root: string;
  /** Links to models that lead out of the root and were not followed. */
  refusedLinks = 0;
  #error: AppError | null = null;
  #entriesLeft: number;
  readonly #endMs: number;
  readonly #timeMs: number;

  constructor({ root, entries = 20_000, timeMs = 5_000 }: BoundedWalkOptions) {
    this.root = root;
    this.#entriesLeft = entries;
    this.#timeMs = timeMs;
    this.#endMs = performance.now() + timeMs;
  }

  /** Why not everything was seen: the first reason. */
  get error(): AppError | null {
    return this.#error;
  }

  /** No further folder will be read. */
  get isOver(): boolean {
    return this.#entriesLeft <= 0 || this.#isLate();
  }

  /** Whether the root is there and still itself: what became a link since would lead anywhere. */
  async isStanding(): Promise<boolean> {
    const realPath = await this.#ask(this.root, () => Deno.realPath(this.root));
    if (realPath === null || realPath === this.root) return realPath !== null;
    this.#fail(
      new AppError(
        "folder_unusable",
        `Cannot look into ${
          JSON.stringify(this.root)
        }: it has become a link since the start. Start again to look where it leads`,
        { values: { path: this.root, reason: "link" } },
      ),
    );
    return false;
  }

  /** What lies in a folder, by name; nothing where it is none, is not there, or a link. */
  async entries(folder: string): Promise<Deno.DirEntry[]> {
    if (this.isOver) return [];
    const info = await this.#ask(folder, () => Deno.lstat(folder));
    if (info === null || !info.isDirectory) return [];
    if (info.size > LARGEST_FOLDER_BYTES) {
      this.#fail(tooMany(this.root, folder));
      return [];
    }
    const found = await this.#ask(folder, () => Array.fromAsync(Deno.readDir(folder)));
    if (found === null) return [];
    found.sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
    if (found.length > this.#entriesLeft) this.#fail(tooMany(this.root, folder));
    const seen = found.slice(0, this.#entriesLeft);
    this.#entriesLeft -= found.length;
    return seen;
  }

  /** A regular file, or what a link leads to inside the root. */
  async file(path: string): Promise<FoundFile | null> {
    const name = basename(path);
    const info = await this.#ask(path, () => Deno.lstat(path));
    if (info === null) return null;
    if (!info.isSymlink) {
      return info.isFile ? { name, path, realPath: path, ...sizeAndTime(info) } : null;
    }
    const realPath = await this.#ask(path, () => Deno.realPath(path));
    if (realPath === null) return null;
    if (!isInside(this.root, realPath)) {
      this.refusedLinks++;
      return null;
    }
    const target = await this.#ask(path, () => Deno.lstat(realPath));
    return target?.isFile ? { name, path, realPath, ...sizeAndTime(target) } : null;
  }

  /** A small text in a regular file of the root; null where it is none. */
  async text(path: string): Promise<string | null> {
    const info = await this.#ask(path, () => Deno.lstat(path));
    if (info === null || !info.isFile || info.size > LARGEST_TEXT_BYTES) return null;
    return await this.#ask(path, () => readText(path));
  }

  /** Null where it is not there, where it may not be looked at, and where time is over. */
  async #ask<T>(path: string, ask: () => Promise<T>): Promise<T | null> {
    if (this.#isLate()) return null;
    try {
      // What never answers is left behind: its thread is lost, ours goes on.
      const answer = await within(ask(), this.#endMs - performance.now());
      if (answer === null) this.#isLate();
      return answer;
    } catch (error) {
      if (!isAbsent(error)) this.#fail(unreadable(path, error));
      return null;
    }
  }

  #isLate(): boolean {
    const isLate = performance.now() >= this.#endMs;
    if (isLate) this.#fail(this.#tooSlow());
    return isLate;
  }

  #fail(error: AppError): void {
    this.#error ??= error;
  }

  #tooSlow(): AppError {
    const seconds = Math.round(this.#timeMs / 1_000);
    return new AppError(
      "folder_unusable",
      `Cannot look through all of ${
        JSON.stringify(this.root)
      }: it takes longer than ${seconds} s. Import a model by its path, or try again`,
      { values: { path: this.root, reason: "too_slow", seconds } },
    );
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
}

async function readText(path: string): Promise<string | null> {
  using file = await Deno.open(path, { read: true });
  // What grew meanwhile is not read to its end.
  const bytes = new Uint8Array(LARGEST_TEXT_BYTES + 1);
  let length = 0;
  for (;;) {
    const count = await file.read(bytes.subarray(length));
    if (count === null) break;
    length += count;
    if (length > LARGEST_TEXT_BYTES) return null;
  }
  return new TextDecoder().decode(bytes.subarray(0, length));
}

function sizeAndTime(info: Deno.FileInfo): { sizeBytes: number; mtimeMs: number } {
  return { sizeBytes: info.size, mtimeMs: info.mtime?.getTime() ?? 0 };
}

function tooMany(root: string, folder: string): AppError {
  return new AppError(
    "folder_unusable",
    `Cannot look through all of ${JSON.stringify(root)}: there is too much in it, as in ${
      JSON.stringify(folder)
    }. Import a model by its path, or give its folder with --models-dir`,
    { values: { path: root, folder, reason: "too_many" } },
  );
}

function unreadable(path: string, error: unknown): AppError {
  return new AppError(
    "folder_unusable",
    `Cannot look into ${JSON.stringify(path)} (${
      messageOf(error)
    }). Make it readable for this user, such as with: sudo chmod -R o+rX ${JSON.stringify(path)}`,
    { values: { path, reason: "unreadable" }, cause: error },
  );
}
