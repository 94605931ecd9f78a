// A repository of the stand-in: files by commit, and who may see them.

import { createHash } from "node:crypto";
import type { HubContent } from "./hub_content.ts";

export type RepoFiles = ReadonlyMap<string, HubContent>;

export interface RepoGiven {
  files: Readonly<Record<string, HubContent>>;
  gated?: false | "auto" | "manual";
  private?: boolean;
  disabled?: boolean;
  license?: string;
  tags?: readonly string[];
  languages?: readonly string[];
  downloads?: number;
  likes?: number;
  pipelineTag?: string;
  /** What the Hub read out of one of the files. `total` counts parameters. */
  gguf?: { total?: number; architecture?: string; context_length?: number };
}

export class TestRepo {
  readonly name: string;
  readonly given: RepoGiven;
  /** Tokens that may see it where it is private, and have its files where it is gated. */
  readonly allowed = new Set<string>();
  readonly #commits = new Map<string, RepoFiles>();
  readonly #branches = new Map<string, string>();
  #count = 0;
  lastModified = "2026-11-01T12:00:00.000Z";

  constructor(name: string, given: RepoGiven) {
    this.name = name;
    this.given = given;
    this.#commitTo("main", new Map(Object.entries(given.files)));
  }

  /** Of the branch `main`. */
  get commit(): string {
    return this.#branches.get("main")!;
  }

  get branches(): ReadonlyMap<string, string> {
    return this.#branches;
  }

  /** A new commit with this file in it, in place of the one of that name. Older commits stay. */
  put(path: string, content: HubContent, branch = "main"): string {
    const parent = this.#commits.get(this.#branches.get(branch) ?? this.commit)!;
    return this.#commitTo(branch, new Map([...parent, [path, content]]));
  }

  /** A new commit without this file. */
  remove(path: string): string {
    const files = new Map(this.#commits.get(this.commit)!);
    files.delete(path);
    return this.#commitTo("main", files);
  }

  /** As where the owner squashed the history. */
  forget(commit: string): void {
    this.#commits.delete(commit);
  }

  /** A branch's name or a whole commit; null where there is none. */
  find(revision: string): { commit: string; files: RepoFiles } | null {
    const commit = this.#branches.get(revision) ?? revision;
    const files = this.#commits.get(commit);
    return files === undefined ? null : { commit, files };
  }

  #commitTo(branch: string, files: RepoFiles): string {
    const hash = createHash("sha1").update(`${this.name} ${branch} ${this.#count++}`);
    // Names alone: contents of 40 GB are not hashed for a commit's number.
    for (const path of files.keys()) hash.update(path);
    const commit = hash.digest("hex");
    this.#commits.set(commit, files);
    this.#branches.set(branch, commit);
    return commit;
  }
}

/** As the Hub does it: models by their extension, anything else by its size. */
export function isLfs(path: string, content: HubContent): boolean {
  return path.endsWith(".gguf") || content.sizeBytes > 10 * 1024 * 1024;
}

/** Git's own name of a file: for an LFS file that of its pointer. */
export function blobId(path: string, content: HubContent): string {
  return createHash("sha1").update(isLfs(path, content) ? content.sha256 : path).digest("hex");
}

/** What the CDN calls a file: not its sha256. */
export function xetHash(content: HubContent): string {
  return createHash("sha256").update(`xet ${content.sha256}`).digest("hex");
}
