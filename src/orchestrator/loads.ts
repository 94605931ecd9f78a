// The one load/unload queue: what a load goes through, and how a model leaves memory again.
// When a model is loaded or must go is decided by `orchestrator.ts` and by who waits.

import { AppError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Model } from "../models/library.ts";
import type { LaunchPlan } from "../runtime/instance.ts";
import { abortableDelay } from "../within.ts";
import { crashDelayMs } from "./crashes.ts";
import type { Door, Entry } from "./entry.ts";
import type { BesideMode } from "./entry_key.ts";
import type { MemoryPools } from "./memory_need.ts";
import { JobQueue } from "./job_queue.ts";
import type { LoadPlan } from "./load_plan.ts";
import type { LoadWishes } from "./load_wishes.ts";
import { makeRoom } from "./make_room.ts";
import type { LoadResult, OrchestratorObserver } from "./observer.ts";
import type { Placement } from "./placement.ts";

export interface PlanOptions {
  /** In this mode beside the main instance; null = the main one. */
  beside: BesideMode | null;
  /** What requests ask of this load. */
  wishes: LoadWishes;
}

export interface LoadsOptions {
  log: Log;
  /** What a load would be now; also the memory facts that eviction needs. */
  plan(model: Model, options: PlanOptions): Promise<LoadPlan>;
  /** The plan as the process's launch; throws where the launch cannot be allowed. */
  launch(model: Model, placement: Placement): LaunchPlan;
  openDoor(modelId: string): Promise<Door>;
  defaults(model: Model): { keepAliveMs: number; pinned: boolean };
  /** State, leases, door or error of a model changed. */
  onChange(entry: Entry): void;
  entries(): Entry[];
  memoryOf(entry: Entry): MemoryPools | null;
  observer?: OrchestratorObserver;
}

interface Observed extends Pick<LoadResult, "result"> {
  startedMs: number;
}

export class Loads {
  readonly #options: LoadsOptions;
  readonly #log: Log;
  readonly #queue = new JobQueue();
  #closing = false;

  constructor(options: LoadsOptions) {
    this.#options = options;
    this.#log = options.log;
  }

  get closing(): boolean {
    return this.#closing;
  }

  /** From now on nothing is loaded again for those who wait. */
  close(): void {
    this.#closing = true;
  }

  /** One load job for all who wait, unless the model is ready or has one. */
  ensure(entry: Entry): void {
    if (entry.loadQueued || (entry.instance.state === "ready" && !entry.leaving)) return;
    entry.loadQueued = true;
    // A longer queue is no change that anybody is told of: under load that would be every request.
    this.#options.onChange(entry);
    const cancel = new AbortController();
    entry.cancelLoad = cancel;
    void this.#loadInTurn(entry, cancel.signal);
  }

  async #loadInTurn(entry: Entry, signal: AbortSignal): Promise<void> {
    // Its own answers end first, which may take long: the queue is for the other models meanwhile.
    if (entry.leaving) await entry.drained();
    await this.#queue.add(async () => {
      const startedMs = performance.now();
      try {
        await this.#load(entry, signal);
      } catch (error) {
        this.#loadFailed(entry, error, signal);
      } finally {
        if (signal.aborted) this.#observe(entry, { result: "cancelled", startedMs });
        entry.loadQueued = false;
        entry.cancelLoad = null;
        this.#options.onChange(entry);
        // Who came while this load was being cancelled or failed has a load of its own.
        if (entry.queued > 0) this.ensure(entry);
      }
    });
  }

  async #load(entry: Entry, signal: AbortSignal): Promise<void> {
    if (signal.aborted || (entry.queued === 0 && !entry.wanted)) return;
    const wishes = entry.nextWishes;
    if (entry.instance.state === "ready") {
      if (!entry.leaving) return;
      await this.#unload(entry, "to load it again");
    }
    entry.wishes = wishes;
    const startedMs = performance.now();
    const delayMs = crashDelayMs(entry.crashes);
    if (delayMs > 0) await abortableDelay(delayMs, signal);
    const plan = await this.#options.plan(entry.model, { beside: entry.beside, wishes });
    if (signal.aborted) return;
    await makeRoom(entry, plan, {
      entries: this.#options.entries(),
      memoryOf: (other) => this.#options.memoryOf(other),
      unload: (other) => {
        this.#options.observer?.evicted(other.model.id);
        return this.#unload(other, `for "${entry.model.id}"`);
      },
      signal,
    });
    if (signal.aborted) return;
    entry.placement = plan.placement;
    await this.#start(entry, { plan, signal });
    if (signal.aborted) return await this.#unload(entry, "its load was cancelled");
    entry.setKeepAlive(this.#options.defaults(entry.model).keepAliveMs);
    entry.open(plan.placement.parallel);
    this.#observe(entry, { result: "loaded", startedMs });
    const ms = Math.round(performance.now() - startedMs);
    const port = entry.door?.port ?? null;
    this.#log.info("Model is ready", { model: entry.model.id, port, ms });
  }

  // The door opens while the process starts: somebody waits for both.
  async #start(entry: Entry, { plan, signal }: { plan: LoadPlan; signal: AbortSignal }) {
    const launch = this.#options.launch(entry.model, plan.placement);
    const ready = entry.instance.ensureReady(launch, signal);
    try {
      // The model has one door, and that leads to its main instance.
      if (entry.beside === null) entry.door = await this.#options.openDoor(entry.model.id);
    } catch (error) {
      // The process must not be left behind in its start.
      await ready.catch(() => {});
      await entry.instance.stop();
      throw error;
    }
    this.#options.onChange(entry);
    await ready;
  }

  #loadFailed(entry: Entry, error: unknown, signal: AbortSignal): void {
    void entry.door?.close();
    entry.door = null;
    entry.placement = null;
    // The next request must not fail for what this one wanted.
    entry.wishes = {};
    if (signal.aborted) return;
    entry.error = error instanceof AppError
      ? error
      : new AppError("load_failed", `Cannot load "${entry.model.id}"`, { cause: error });
    this.#observe(entry, { result: "failed", startedMs: performance.now() });
    this.#log.warn("Load failed", { model: entry.model.id, reason: String(error) });
    entry.failWaiters(entry.error);
  }

  #observe(entry: Entry, { result, startedMs }: Observed): void {
    const ms = performance.now() - startedMs;
    this.#options.observer?.loadEnded(entry.model.id, { result, ms });
  }

  /** By a request of a user: after all jobs before it. */
  unload(entry: Entry, reason: string): Promise<void> {
    return this.#queue.add(async () => {
      // It may have been loaded anew for a request that came after another call of this.
      if (entry.leaving) await this.#unload(entry, reason);
    });
  }

  async #unload(entry: Entry, reason: string): Promise<void> {
    entry.leaving = true;
    this.#options.onChange(entry);
    await entry.drained();
    await entry.instance.stop();
    // Not awaited: a request may be waiting at the door for the load that comes next.
    void entry.door?.close();
    entry.door = null;
    entry.placement = null;
    entry.wishes = {};
    entry.leaving = false;
    entry.setKeepAlive(this.#options.defaults(entry.model).keepAliveMs);
    this.#log.info("Model is unloaded", { model: entry.model.id, reason });
    this.#options.onChange(entry);
    if (entry.queued > 0 && !this.#closing) this.ensure(entry);
  }

  /** Its keep-alive is over: it goes, unless somebody came meanwhile. */
  expire(entry: Entry): void {
    void this.#queue.add(async () => {
      if (entry.expired && entry.instance.state === "ready") await this.#unload(entry, "idle");
    }).catch((error) => {
      this.#log.error("Unload failed", { model: entry.model.id, reason: String(error) });
    });
  }

  /** Its last waiter left: a load that nobody waits for is cancelled. */
  abandon(entry: Entry): void {
    if (entry.loadQueued && !entry.wanted) {
      entry.cancelLoad?.abort(new AppError("cancelled", "Nobody waits for this load any more"));
    }
  }
}
