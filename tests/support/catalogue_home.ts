// A home folder with a catalogue in it, gone when it goes out of scope.

import { join } from "node:path";
import { Catalogue } from "../../src/models/catalogue.ts";
import { CATALOGUE_FILE } from "../../src/models/catalogue_file.ts";
import type { HubRepoInfo } from "../../src/models/hub_repo_info.ts";
import { type LogEntries, logEntries } from "./log_entries.ts";

/** A model as a user writes it: what must be there, and nothing else. */
export function userModel(id = "mine"): Record<string, unknown> {
  return {
    id,
    name: "Mine",
    roles: ["chat"],
    parameters: 1_000_000,
    license: "mit",
    repo: "me/mine-GGUF",
    files: [{ file: "mine-Q4_K_M.gguf", size_bytes: 1_000_000 }],
  };
}

/** Of a model that is there in one's own catalogue; small. */
export const LLAMA_SHAPE = {
  architecture: "llama",
  block_count: 2,
  embedding_length: 64,
  feed_forward_length: 128,
  head_count: 4,
  head_count_kv: 2,
  key_length: 16,
  value_length: 16,
  vocab_size: 256,
  output: "own",
};

/** What the Hub says of `me/mine-GGUF`. */
export function repoInfo(
  files: HubRepoInfo["files"],
  more: Partial<HubRepoInfo> = {},
): HubRepoInfo {
  return {
    repo: "me/mine-GGUF",
    downloads: 1,
    likes: null,
    updatedAt: null,
    gated: false,
    license: null,
    parameters: null,
    architecture: null,
    contextLength: null,
    capabilities: [],
    languages: [],
    commit: "0".repeat(40),
    files,
    headers: [],
    ...more,
  };
}

export class CatalogueHome implements AsyncDisposable {
  readonly path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "catalogue বাংলা " }));
  readonly logged: LogEntries = logEntries();
  readonly file = join(this.path, CATALOGUE_FILE);
  readonly #opened: Catalogue[] = [];

  open({ gatherMs = 60_000 }: { gatherMs?: number } = {}): Catalogue {
    const catalogue = new Catalogue({ home: this.path, log: this.logged.log, gatherMs });
    this.#opened.push(catalogue);
    return catalogue;
  }

  /** Closes what is open, as the end of the program does. */
  async close(): Promise<void> {
    for (const catalogue of this.#opened.splice(0)) await catalogue[Symbol.asyncDispose]();
  }

  /** As an editor does; a second later than before, whatever the clock's steps are. */
  write(content: unknown): void {
    const before = this.#mtimeMs();
    const text = typeof content === "string" ? content : JSON.stringify(content, null, 2);
    Deno.writeTextFileSync(this.file, text);
    if (before !== null) Deno.utimeSync(this.file, Date.now() / 1000, before / 1000 + 1);
  }

  read(): Record<string, unknown> & { models: Record<string, unknown>[] } {
    return JSON.parse(Deno.readTextFileSync(this.file));
  }

  names(): string[] {
    return [...Deno.readDirSync(this.path)].map(({ name }) => name).sort();
  }

  #mtimeMs(): number | null {
    try {
      return Deno.statSync(this.file).mtime?.getTime() ?? null;
    } catch {
      return null;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    await Deno.remove(this.path, { recursive: true });
  }
}
