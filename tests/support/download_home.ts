// A home with its registry and its downloads, against the stand-in: made anew in the same folder it is
// what a restart finds.

import { join } from "node:path";
import type { DownloadRow, DownloadState } from "../../src/api_types.ts";
import { Hub } from "../../src/models/hub.ts";
import { Downloads, type DownloadsOptions } from "../../src/models/downloads.ts";
import { Registry } from "../../src/models/registry.ts";
import type { HubContent } from "./hub_content.ts";
import type { TestHub } from "./hub.ts";
import { logEntries } from "./log_entries.ts";
import { type TempDir, tempDir } from "./temp_dir.ts";

/** Waits that a test does not want to wait for. */
export const QUICK = {
  backOff: { firstMs: 20, mostMs: 200 },
  holdMs: 10_000,
  roomPollMs: 30,
  syncMs: 50,
  gatherMs: 20,
};

export interface DownloadHomeOptions extends Partial<DownloadsOptions> {
  stallMs?: number;
  token?: string;
}

export type Change = DownloadRow | { id: string; removed: true };

export class DownloadHome implements AsyncDisposable {
  readonly path: string;
  readonly registry: Registry;
  readonly downloads: Downloads;
  readonly logged = logEntries();
  readonly changes: Change[] = [];
  readonly finished: { id: string; repo: string }[] = [];
  /** Installed models, by ID. */
  readonly installed = new Map<string, { repo: string | null }>();
  /** Bytes per second; 0 = no limit. */
  limit = 0;
  freeBytes: number | null = null;
  readonly #dir: TempDir | null;
  readonly #hub: Hub;
  #isClosed = false;
  readonly #watchers = new Set<() => void>();

  private constructor(hub: TestHub, options: DownloadHomeOptions, dir: TempDir | null) {
    this.#dir = dir;
    this.path = options.home ?? dir!.path;
    this.registry = Registry.open(join(this.path, "registry.db"), { log: this.logged.log });
    this.#hub = new Hub({
      endpoint: hub.endpoint,
      token: options.token ?? null,
      downloadHosts: [hub.downloadHost],
      log: this.logged.log,
    });
    this.downloads = new Downloads({
      home: this.path,
      source: this.#hub,
      registry: this.registry.downloads,
      boot: "boot-1",
      log: this.logged.log,
      settings: () => ({
        stallMs: options.stallMs ?? 5_000,
        bytesPerSecondLimit: this.limit,
      }),
      freeBytes: () => Promise.resolve(this.freeBytes),
      installed: (id) => this.installed.get(id) ?? null,
      onChange: (change) => {
        this.changes.push(change);
        for (const look of this.#watchers) look();
      },
      onFinished: (model) => {
        this.finished.push(model);
        this.installed.set(model.id, { repo: model.repo });
        return Promise.resolve();
      },
      timing: QUICK,
      reserveBytes: 0,
      ...options,
    });
  }

  /** Without `home` in a folder of its own, which goes with it. */
  static async open(hub: TestHub, options: DownloadHomeOptions = {}): Promise<DownloadHome> {
    const dir = options.home === undefined ? await tempDir() : null;
    const home = new DownloadHome(hub, options, dir);
    await home.downloads.start();
    return home;
  }

  add(file: string, more: { repo?: string; revision?: string } = {}): DownloadRow {
    return this.downloads.add({ repo: "org/repo", revision: "main", file, ...more });
  }

  row(id: string): DownloadRow {
    return this.downloads.get(id);
  }

  /** Waits until the download is in one of the states; an error says where it stays. */
  async reach(id: string, ...states: DownloadState[]): Promise<DownloadRow> {
    return await this.until(() => {
      const row = this.row(id);
      return states.includes(row.state) ? row : null;
    }, () => JSON.stringify(this.row(id)));
  }

  /** Looks after each change that is told. */
  async until<T>(look: () => T | null | false, where = () => "", limitMs = 30_000): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    function check() {
      const found = look();
      if (found !== null && found !== false) resolve(found);
    }
    const late = setTimeout(
      () => reject(new Error(`Not within ${limitMs} ms: ${where()}`)),
      limitMs,
    );
    this.#watchers.add(check);
    check();
    try {
      return await promise;
    } finally {
      clearTimeout(late);
      this.#watchers.delete(check);
    }
  }

  /** Stops as a server does that is asked to; the folder stays, and so do the rows in memory. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.downloads[Symbol.asyncDispose]();
    this.#hub[Symbol.dispose]();
    this.registry[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    await this.#dir?.[Symbol.asyncDispose]();
  }
}

/** Whether the file at `path` is this content, byte by byte. */
export function isContent(path: string, content: HubContent): boolean {
  const bytes = Deno.readFileSync(path);
  if (bytes.length !== content.sizeBytes) return false;
  const expected = content.read(0, content.sizeBytes);
  return bytes.every((byte, index) => byte === expected[index]);
}
