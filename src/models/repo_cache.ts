// What the Hub said of repositories, kept for days without a network: a bounded number of answers and
// of bytes, the oldest go first. Which file it lies in is catalogue_file.ts's.

import { isRepoName } from "./hub_names.ts";
import { isObject } from "./json_field.ts";

export interface CachedRepo<Info> {
  info: Info;
  /** ISO time. */
  fetchedAt: string;
}

export interface RepoCacheOptions<Info> {
  /** Null for what cannot be believed: the file may be anyone's. */
  parse(value: unknown): Info | null;
  mostRepos?: number;
  mostBytes?: number;
}

interface Kept<Info> extends CachedRepo<Info> {
  /** As it stands in the file. */
  line: string;
  bytes: number;
}

const MOST_REPOS = 300;
const MOST_BYTES = 4 * 1024 ** 2;
/** Comma, line break and indent in the file. */
const SEPARATOR_BYTES = 6;
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

export class RepoCache<Info> {
  readonly #parse: (value: unknown) => Info | null;
  readonly #mostRepos: number;
  readonly #mostBytes: number;
  readonly #kept = new Map<string, Kept<Info>>();

  constructor(options: RepoCacheOptions<Info>) {
    this.#parse = options.parse;
    this.#mostRepos = options.mostRepos ?? MOST_REPOS;
    this.#mostBytes = options.mostBytes ?? MOST_BYTES;
  }

  get(repo: string): CachedRepo<Info> | null {
    return this.#kept.get(repo) ?? null;
  }

  /** In place of what is there. False where it is too large to be kept. */
  put(repo: string, { info, fetchedAt }: CachedRepo<Info>): boolean {
    const line = `${JSON.stringify(repo)}: ${JSON.stringify({ fetched_at: fetchedAt, info })}`;
    const bytes = new TextEncoder().encode(line).length;
    if (bytes > this.#mostBytes / 4) return false;
    // At its end: of those of one moment, too, the first go first.
    this.#kept.delete(repo);
    this.#kept.set(repo, { info, fetchedAt, line, bytes });
    this.#dropOldest();
    return true;
  }

  /** Takes what a file holds, but for answers older than those already here, or of a time to come. */
  merge(hub: unknown): void {
    if (!isObject(hub)) return;
    const now = new Date().toISOString();
    for (const [repo, value] of Object.entries(hub)) {
      if (!isRepoName(repo) || !isObject(value)) continue;
      const { fetched_at: fetchedAt } = value;
      if (typeof fetchedAt !== "string" || !ISO_TIME.test(fetchedAt) || fetchedAt > now) continue;
      if ((this.#kept.get(repo)?.fetchedAt ?? "") >= fetchedAt) continue;
      const info = this.#parse(value["info"]);
      if (info !== null) this.put(repo, { info, fetchedAt });
    }
  }

  /** Latest first, as members of a JSON object; together within `mostBytes`. */
  lines(mostBytes: number): string[] {
    let left = mostBytes;
    return this.#byAge().reverse().filter(([, { bytes }]) => (left -= bytes + SEPARATOR_BYTES) >= 0)
      .map(([, { line }]) => line);
  }

  #dropOldest(): void {
    const byAge = this.#byAge();
    let bytes = byAge.reduce((sum, [, each]) => sum + each.bytes, 0);
    for (const [repo, each] of byAge) {
      if (this.#kept.size <= this.#mostRepos && bytes <= this.#mostBytes) return;
      this.#kept.delete(repo);
      bytes -= each.bytes;
    }
  }

  #byAge(): [string, Kept<Info>][] {
    return [...this.#kept].sort(([, { fetchedAt: a }], [, { fetchedAt: b }]) =>
      a < b ? -1 : a > b ? 1 : 0
    );
  }
}
