// What is known of a repository on the Hub: asked now, or, where the Hub cannot be reached, what it
// said last. With the facts of each model in it, as far as their headers could be read.

import { AppError } from "../errors.ts";
import type { Log } from "../log.ts";
import { within } from "../within.ts";
import type { GgufFacts } from "./gguf.ts";
import type { Hub, HubRepoInfo } from "./hub.ts";
import { groupHubFiles, type HubModelFiles } from "./hub_files.ts";
import { factsOfModels } from "./hub_headers.ts";

export interface KnownRepo {
  info: HubRepoInfo;
  /** Smallest first. */
  models: { files: HubModelFiles; facts: GgufFacts | null }[];
  /** ISO time: when the Hub said this. */
  fetchedAt: string;
  /** The Hub cannot be reached now. */
  isOffline: boolean;
}

export interface HubReposOptions {
  hub: Pick<Hub, "repo" | "withHeaders">;
  /** What the Hub said before; the catalogue keeps it. */
  cache: {
    cachedRepo(name: string): Promise<{ info: HubRepoInfo; fetchedAt: string } | null>;
    rememberRepo(info: HubRepoInfo): Promise<void>;
  };
  log: Log;
  /** How long an answer waits for headers; 15,000. They are read on, for the next one. */
  patienceMs?: number;
}

const MAIN = "main";
const PATIENCE_MS = 15_000;
/** A list that is looked at again and again is asked for once a minute. */
const FRESH_MS = 60_000;
const SOON_MS = 5_000;
const MOST_FRESH = 30;

/** With these an older answer is better than none. */
const IS_AWAY: ReadonlySet<string> = new Set(["hub_unreachable", "hub_failed", "hub_rate_limited"]);

export class HubRepos implements AsyncDisposable {
  readonly #options: HubReposOptions;
  readonly #ended = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  /** By name and revision. */
  readonly #fresh = new Map<string, { repo: Promise<KnownRepo>; untilMs: number }>();

  constructor(options: HubReposOptions) {
    this.#options = options;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await Promise.allSettled(this.#running);
  }

  /** Throws the AppErrors of the Hub where nothing is known. */
  get(name: string, revision = MAIN): Promise<KnownRepo> {
    const key = `${name}@${revision}`;
    const known = this.#fresh.get(key);
    if (known !== undefined && performance.now() < known.untilMs) return known.repo;
    const repo = this.#ask(name, revision);
    this.#fresh.delete(key);
    this.#fresh.set(key, { repo, untilMs: performance.now() + FRESH_MS });
    for (const oldest of this.#fresh.keys()) {
      if (this.#fresh.size <= MOST_FRESH) break;
      this.#fresh.delete(oldest);
    }
    const entry = this.#fresh.get(key)!;
    // What failed is asked for again, and soon what is not complete.
    repo.then(
      ({ isOffline, models }) => {
        if (isOffline) entry.untilMs = 0;
        else if (models.every(({ facts }) => facts === null)) entry.untilMs -= FRESH_MS - SOON_MS;
      },
      () => entry.untilMs = 0,
    );
    return repo;
  }

  async #ask(name: string, revision: string): Promise<KnownRepo> {
    const { hub, cache } = this.#options;
    const { signal } = this.#ended;
    let info: HubRepoInfo;
    try {
      info = await hub.repo(name, { revision, signal });
    } catch (error) {
      const isAway = error instanceof AppError && IS_AWAY.has(error.code);
      const cached = isAway ? await cache.cachedRepo(name) : null;
      const isAsked = cached !== null &&
        (revision === MAIN || revision === cached.info.commit);
      if (!isAsked) throw error;
      return knownRepo(cached.info, { fetchedAt: cached.fetchedAt, isOffline: true });
    }
    const fetchedAt = new Date().toISOString();
    const older = revision === MAIN ? await cache.cachedRepo(name) : null;
    const headers = [...info.headers, ...older?.info.headers ?? []];
    const reading = this.#withHeaders({ ...info, headers }, revision);
    const read = await within(reading, this.#options.patienceMs ?? PATIENCE_MS);
    return knownRepo(read ?? info, { fetchedAt, isOffline: false });
  }

  /** Goes on when nobody waits any more, so that the next one finds it. Never throws. */
  #withHeaders(info: HubRepoInfo, revision: string): Promise<HubRepoInfo> {
    const { hub, cache, log } = this.#options;
    const reading = (async () => {
      let whole = info;
      try {
        whole = await hub.withHeaders(info, this.#ended.signal);
      } catch (error) {
        if (!this.#ended.signal.aborted && !(error instanceof AppError)) throw error;
        const reason = error instanceof AppError ? error.code : "ended";
        log.info("The models of a repository are listed without their fit", {
          repo: info.repo,
          reason,
        });
      }
      if (revision === MAIN) await cache.rememberRepo(whole);
      return whole;
    })();
    this.#running.add(reading);
    reading.catch(() => {}).finally(() => this.#running.delete(reading));
    return reading;
  }
}

function knownRepo(
  info: HubRepoInfo,
  { fetchedAt, isOffline }: Pick<KnownRepo, "fetchedAt" | "isOffline">,
): KnownRepo {
  const all = groupHubFiles(info.files);
  const facts = factsOfModels(info.headers, all);
  const models = all.map((files, index) => ({ files, facts: facts[index] ?? null }));
  return { info, models, fetchedAt, isOffline };
}
