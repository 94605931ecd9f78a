// Watches the models folders and says that something may have changed. What it was is for a scan
// to find: events come late, twice or not at all.

import { sep } from "node:path";

import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { FolderPoll } from "./folder_poll.ts";

export interface FolderWatchOptions {
  home: string;
  log: Log;
  onEvent: () => void;
}

export class FolderWatch implements AsyncDisposable {
  readonly #options: FolderWatchOptions;
  readonly #watchers = new Map<string, Deno.FsWatcher | FolderPoll>();
  readonly #loops = new Set<Promise<void>>();
  readonly #failed = new Set<string>();

  constructor(options: FolderWatchOptions) {
    this.#options = options;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    await Promise.all(this.#loops);
  }

  /** Watches `folder` if it is not watched yet; one that cannot be is found by the sweep's scan. */
  watch(folder: string): void {
    if (this.#watchers.has(folder)) return;
    try {
      const home = Deno.realPathSync(this.#options.home);
      const real = Deno.realPathSync(folder);
      if (real === home) {
        this.#watchers.set(folder, this.#poll(folder));
        this.#failed.delete(folder);
        return;
      }
      // Its events would be those of the home as well, and it may be too large to be looked through.
      if (home.startsWith(real.endsWith(sep) ? real : real + sep)) {
        throw new Error("the home lies in it");
      }
      const watcher = Deno.watchFs(folder, { recursive: true });
      this.#watchers.set(folder, watcher);
      const loop = this.#follow(folder, watcher).finally(() => this.#loops.delete(loop));
      this.#loops.add(loop);
      this.#failed.delete(folder);
    } catch (error) {
      this.#report(folder, error);
    }
  }

  /** Looks at once where changes are looked for and do not come as events. */
  look(): void {
    for (const watcher of this.#watchers.values()) {
      if (watcher instanceof FolderPoll) watcher.look();
    }
  }

  /** For a folder that is not there: what comes back in its place is another one. */
  unwatch(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
  }

  // See folder_poll.ts for why not otherwise.
  #poll(folder: string): FolderPoll {
    return new FolderPoll(folder, {
      isIgnored: (name) => isOurs(name),
      onChange: this.#options.onEvent,
    });
  }

  async #follow(folder: string, watcher: Deno.FsWatcher): Promise<void> {
    try {
      for await (const event of watcher) {
        // The watch is on the folder that went: one that takes its place needs a new one.
        const isGone = event.kind === "remove" || event.kind === "rename";
        if (isGone && event.paths.includes(folder)) this.unwatch(folder);
        if (this.#matters(event)) this.#options.onEvent();
      }
    } catch (error) {
      this.#report(folder, error);
    }
    if (this.#watchers.get(folder) !== watcher) return;
    this.#watchers.delete(folder);
    watcher.close();
  }

  #matters(event: Deno.FsEvent): boolean {
    if (event.kind === "access") return false;
    if (event.kind !== "modify") return true;
    return event.paths.some((path) => /\.gguf(\.aria2)?$/i.test(path));
  }

  #report(folder: string, error: unknown): void {
    if (this.#failed.has(folder)) return;
    this.#failed.add(folder);
    this.#options.log.warn("Cannot watch the models folder: changes are seen by the next sweep", {
      folder,
      error: messageOf(error),
    });
  }
}

/** What we write into the home ourselves must not set off a scan each. */
function isOurs(name: string): boolean {
  return name === "run" || name === "logs" || name === "downloads" ||
    /^(registry\.db|config\.json)/.test(name);
}
