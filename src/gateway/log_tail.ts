// The server's own last log lines, for who asks over HTTP. Lines are written by nobody here: the
// composition root hands each entry over.

import { formatEntry, type LogEntry } from "../log.ts";

const KEPT = 500;

export class LogTail {
  readonly #entries: LogEntry[] = [];
  readonly #followers = new Set<(line: string) => void>();

  take(entry: LogEntry): void {
    this.#entries.push(entry);
    // Cut in large steps: dropping the first of many with each line would move them all.
    if (this.#entries.length >= 2 * KEPT) this.#entries.splice(0, this.#entries.length - KEPT);
    if (this.#followers.size === 0) return;
    const line = formatEntry(entry);
    for (const follower of this.#followers) follower(line);
  }

  /** Oldest first. */
  get lines(): string[] {
    return this.#entries.slice(-KEPT).map(formatEntry);
  }

  /** The returned function ends it. */
  follow(follower: (line: string) => void): () => void {
    this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }
}
