// Sees changes of a folder by looking at names, sizes and times, opening nothing but folders. For the
// home: Deno's watcher opens and closes each file that an event names, and closing a file of the
// registry takes SQLite's locks away from the whole process (POSIX locks; sqlite.org/howtocorrupt.html,
// 2.2). Another program's look at the registry would then end us.

import { join } from "node:path";

export interface FolderPollOptions {
  /** Names directly in the folder that do not matter. */
  isIgnored(name: string): boolean;
  onChange(): void;
}

const POLL_MS = 500;
/** As deep as models lie, and one more. */
const DEEPEST = 4;

export class FolderPoll {
  readonly #folder: string;
  readonly #options: FolderPollOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  #seen: string;

  /** Throws the system's error where the folder cannot be read. */
  constructor(folder: string, options: FolderPollOptions) {
    this.#folder = folder;
    this.#options = options;
    this.#seen = this.#describe();
    this.#timer = setInterval(() => this.look(), POLL_MS);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Tells of a change since the last look. */
  look(): void {
    let seen: string;
    try {
      seen = this.#describe();
    } catch {
      // It is gone or closed to us: that is a change as well.
      seen = "";
    }
    if (seen === this.#seen) return;
    this.#seen = seen;
    this.#options.onChange();
  }

  #describe(): string {
    const names = [...Deno.readDirSync(this.#folder)]
      .filter(({ name }) => !this.#options.isIgnored(name));
    return describe(this.#folder, { entries: names, depth: DEEPEST });
  }
}

function describe(folder: string, { entries, depth }: { entries: Deno.DirEntry[]; depth: number }) {
  const lines = entries.map((entry): string => {
    const path = join(folder, entry.name);
    if (entry.isDirectory && depth > 0) return `${entry.name}/${describeBelow(path, depth - 1)}`;
    return /\.gguf(\.aria2)?$/i.test(entry.name) ? `${entry.name} ${stampOf(path)}` : entry.name;
  });
  return lines.sort().join("\n");
}

function describeBelow(folder: string, depth: number): string {
  try {
    return `(${describe(folder, { entries: [...Deno.readDirSync(folder)], depth })})`;
  } catch {
    return "(unreadable)";
  }
}

function stampOf(path: string): string {
  try {
    const { size, mtime, ino } = Deno.lstatSync(path);
    return `${size} ${mtime?.getTime()} ${ino}`;
  } catch {
    return "gone";
  }
}
