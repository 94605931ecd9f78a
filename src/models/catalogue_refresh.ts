// Asks the Hub again for the catalogue's repositories, when somebody looks at the list and what is
// known of them is older than a day. In the background: the list never waits for it.

import { AppError, messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Catalogue } from "./catalogue.ts";
import type { Hub, HubRepoInfo } from "./hub.ts";

export interface CatalogueRefreshOptions {
  catalogue: Pick<Catalogue, "entries" | "cachedRepo" | "rememberRepo">;
  hub: Pick<Hub, "repo" | "withHeaders">;
  log: Log;
  /** Instead of the clock, for tests. */
  now?: () => number;
}

const DAY_MS = 24 * 3600 * 1000;
/** After a round, whatever came of it. */
const REST_MS = 10 * 60 * 1000;

/** With these there is no use in asking for the next one. */
const ENDS_ROUND: ReadonlySet<string> = new Set([
  "hub_unreachable",
  "hub_rate_limited",
  "hub_token_refused",
  "hub_host_refused",
]);

export class CatalogueRefresh implements AsyncDisposable {
  readonly #options: CatalogueRefreshOptions;
  readonly #now: () => number;
  readonly #ended = new AbortController();
  #round: Promise<void> | null = null;
  #nextMs = 0;

  constructor(options: CatalogueRefreshOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#round;
  }

  /** Returns at once; what goes wrong is only logged. */
  soon(): void {
    if (this.#round !== null || this.#now() < this.#nextMs || this.#ended.signal.aborted) return;
    this.#round = this.#refresh().finally(() => {
      this.#round = null;
      this.#nextMs = Math.max(this.#nextMs, this.#now() + REST_MS);
    });
  }

  /** Ends with the round that is under way. */
  async settled(): Promise<void> {
    await this.#round;
  }

  async #refresh(): Promise<void> {
    try {
      const entries = await this.#options.catalogue.entries();
      // A header is some megabytes on the wire: only where nothing else says what the model is.
      const shapeless = new Set(
        entries.filter(({ shape }) => shape === null).map(({ repo }) => repo),
      );
      for (const repo of new Set(entries.map((entry) => entry.repo))) {
        if (this.#ended.signal.aborted) return;
        if (await this.#isFresh(repo)) continue;
        if (!await this.#ask(repo, { withHeaders: shapeless.has(repo) })) return;
      }
    } catch (error) {
      this.#options.log.error("The catalogue's refresh failed", { reason: messageOf(error) });
    }
  }

  async #isFresh(repo: string): Promise<boolean> {
    const cached = await this.#options.catalogue.cachedRepo(repo);
    return cached !== null && this.#now() - Date.parse(cached.fetchedAt) < DAY_MS;
  }

  /** False where the Hub cannot be asked for others either. */
  async #ask(repo: string, { withHeaders }: { withHeaders: boolean }): Promise<boolean> {
    const { catalogue, hub, log } = this.#options;
    const { signal } = this.#ended;
    try {
      const info: HubRepoInfo = await hub.repo(repo, { signal });
      await catalogue.rememberRepo(info);
      if (withHeaders) await catalogue.rememberRepo(await hub.withHeaders(info, signal));
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      if (!(error instanceof AppError)) throw error;
      log.info("Cannot refresh the catalogue", { repo, reason: error.message });
      const { retryAfterSeconds } = error;
      if (retryAfterSeconds !== null) this.#nextMs = this.#now() + retryAfterSeconds * 1000;
      return !ENDS_ROUND.has(error.code);
    }
  }
}
