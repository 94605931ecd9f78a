// Decides what is loaded: acquire() -> Lease, load and unload by hand, pins, the sweep, the end.
// What one load goes through is `loads.ts`'s, what fits is `placement.ts`'s and `eviction.ts`'s.

import type { ModelState } from "../api_types.ts";
import { AppError } from "../errors.ts";
import type { Model } from "../models/library.ts";
import type { Log } from "../log.ts";
import { within } from "../within.ts";
import type { Instance, LaunchPlan } from "../runtime/instance.ts";
import { crashedTooOften, noteCrash } from "./crashes.ts";
import { Entry, type Lease } from "./entry.ts";
import { type BesideMode, entryKey, entryKeys } from "./entry_key.ts";
import { heldBy } from "./eviction.ts";
import { Loads, type LoadsOptions } from "./loads.ts";
import type { LoadWishes } from "./load_wishes.ts";
import type { HeldMemory } from "./machine.ts";
import { type MemoryPools, takenBy } from "./memory_need.ts";

export interface AcquireOptions {
  /** Fires when the client leaves. */
  signal?: AbortSignal;
  /** Idle time from now on; -1 = for ever, 0 = unload after this answer. */
  keepAliveMs?: number;
  /** An instance in this mode beside the model's main one. */
  beside?: BesideMode | undefined;
  /** How the model must be loaded for this request: another load where that differs. */
  load?: LoadWishes | undefined;
}

export interface OrchestratorOptions extends Omit<LoadsOptions, "entries" | "memoryOf"> {
  /** Asked when a model is first used. */
  queueLimit(): number;
  makeInstance(modelId: string, callbacks: InstanceCallbacks): Instance;
  /** The processes that the host really runs, by the host's number. */
  runningProcesses(): Promise<{ id: number; pid: number }[]>;
  stopProcess(id: number): Promise<void>;
}

export interface InstanceCallbacks {
  onChange(instance: Instance): void;
  onCrash(instance: Instance, error: AppError): void;
}

/** At the end an answer that its client does not read must not hold up the rest. */
const DOOR_GRACE_MS = 500;

export class Orchestrator implements AsyncDisposable {
  readonly #options: OrchestratorOptions;
  readonly #log: Log;
  readonly #entries = new Map<string, Entry>();
  readonly #loads: Loads;

  constructor(options: OrchestratorOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#loads = new Loads({
      ...options,
      entries: () => [...this.#entries.values()],
      memoryOf: (entry) => this.poolsOf(entry),
    });
  }

  /** What is kept under this key, which of the main entry is the model's ID; null when nobody ever asked for it. */
  entry(key: string): Entry | null {
    return this.#entries.get(key) ?? null;
  }

  /** All of one model, the main one first. */
  entriesOf(modelId: string): Entry[] {
    return entryKeys(modelId).flatMap((key) => this.#entries.get(key) ?? []);
  }

  /** The one that stands for the model where one is shown: the main one, or who runs in its place. */
  shownEntry(modelId: string): Entry | null {
    const entries = this.entriesOf(modelId);
    return entries.find((entry) => entry.isLive) ?? entries[0] ?? null;
  }

  entries(): Iterable<Entry> {
    return this.#entries.values();
  }

  stateOf(key: string): ModelState {
    const entry = this.#entries.get(key);
    if (entry === undefined) return "stopped";
    const state = entry.instance.state;
    if (state !== "stopped" && state !== "failed") return state;
    if (entry.loadQueued) return "loading";
    return entry.error === null ? "stopped" : "failed";
  }

  /**
   * A hold on a ready instance of the model. At once (no promise) where one is ready and free;
   * else after its one load, however many ask. Throws `overloaded` when the queue is full.
   */
  acquire(model: Model, options: AcquireOptions = {}): Lease | Promise<Lease> {
    const entry = this.#entryOf(model, options.beside ?? null);
    const lease = entry.tryLease(options.load);
    if (lease === null) return this.#acquireLater(entry, options);
    if (options.keepAliveMs !== undefined) entry.setKeepAlive(options.keepAliveMs);
    return lease;
  }

  #acquireLater(entry: Entry, options: AcquireOptions): Promise<Lease> {
    if (this.#loads.closing) throw new AppError("shutting_down", "The server is stopping");
    if (crashedTooOften(entry.crashes)) throw entry.error ?? new AppError("load_failed", "Crashed");
    const lease = entry.wait(options);
    this.#loads.ensure(entry);
    return lease;
  }

  /** What a load would start now. Starts nothing; throws what keeps it from being planned. */
  async preview(model: Model): Promise<LaunchPlan> {
    const { placement } = await this.#options.plan(model, { beside: null, wishes: {} });
    return this.#options.launch(model, placement);
  }

  /** Loads by hand: forgets earlier crashes, and goes on without a waiting request. */
  async load(model: Model, options: AcquireOptions = {}): Promise<void> {
    const entry = this.#entryOf(model, options.beside ?? null);
    entry.crashes = [];
    entry.wanted = true;
    try {
      const lease = await this.acquire(model, options);
      lease.release();
    } finally {
      entry.wanted = false;
    }
  }

  /**
   * Unloads: new requests wait and load it again, answers in progress end first.
   * With `force` they are aborted; a load in progress is cancelled.
   */
  async unload(modelId: string, options: { force?: boolean } = {}): Promise<void> {
    await Promise.all(this.entriesOf(modelId).map((entry) => this.#unload(entry, options)));
  }

  async #unload(entry: Entry, options: { force?: boolean }): Promise<void> {
    const stopped = new AppError("cancelled", `"${entry.model.id}" was stopped on request`);
    if (entry.loadQueued && entry.instance.state !== "ready") {
      entry.wanted = false;
      entry.failWaiters(stopped);
      entry.cancelLoad?.abort(stopped);
    }
    entry.leaving = true;
    if (options.force) entry.abortLeases(stopped);
    // Answers may take long: the queue is for the other models meanwhile.
    await entry.drained();
    await this.#loads.unload(entry, "on request");
    entry.error = null;
    this.#options.onChange(entry);
  }

  /** Never unload it by time or for another model; false takes the pin off. */
  pin(model: Model, pinned: boolean): void {
    const entry = this.#entryOf(model, null);
    entry.pinned = pinned;
    entry.rearm();
    this.#options.onChange(entry);
  }

  /** A changed default of a model that is live already. */
  setKeepAlive(modelId: string, keepAliveMs: number): void {
    for (const entry of this.entriesOf(modelId)) entry.setKeepAlive(keepAliveMs);
  }

  /**
   * Holds the table against the real processes: what runs without an entry is stopped, an entry
   * whose deadline passed while timers slept (a suspended computer) is unloaded.
   */
  async sweep(): Promise<void> {
    const running = await this.#options.runningProcesses();
    const known = new Set([...this.#entries.values()].map((entry) => entry.instance.processId));
    for (const { id, pid } of running) {
      if (known.has(id) || this.#startsNow()) continue;
      this.#log.warn("Process without a model is stopped", { id, pid });
      await this.#options.stopProcess(id);
    }
    for (const entry of this.#entries.values()) {
      if (entry.expired) this.#loads.expire(entry);
      this.#options.onChange(entry);
    }
  }

  // A start whose answer is under way has a process and no number yet.
  #startsNow(): boolean {
    return [...this.#entries.values()].some((entry) => entry.instance.state === "loading");
  }

  /** Memory of all that is loaded or being loaded, in bytes. */
  modelsBytes(): number {
    let total = 0;
    for (const entry of this.#entries.values()) total += this.memoryOf(entry) ?? 0;
    return total;
  }

  /** What the process logged that it took, else what the placement expects; null when stopped. */
  memoryOf(entry: Entry): number | null {
    const pools = this.poolsOf(entry);
    return pools === null ? null : pools.ramBytes + pools.vramBytes;
  }

  /** The same by where it is. */
  poolsOf(entry: Entry): MemoryPools | null {
    const state = entry.instance.state;
    if (state === "stopped" || state === "failed" || entry.placement === null) return null;
    return takenBy(entry.placement.memory, entry.instance.loggedMemory);
  }

  /** What all others hold: of `evictable` they may be relieved for this entry. */
  heldBeside(key: string | null): HeldMemory {
    const evictable: MemoryPools[] = [];
    const pinned: MemoryPools[] = [];
    for (const entry of this.#entries.values()) {
      const pools = entry.key === key ? null : this.poolsOf(entry);
      if (pools !== null) (entry.pinned && !entry.leaving ? pinned : evictable).push(pools);
    }
    return { evictable: heldBy(evictable), pinned: heldBy(pinned) };
  }

  /** The file is gone or changed: a running instance goes on, the next load uses the new file. */
  modelChanged(model: Model): void {
    for (const entry of this.entriesOf(model.id)) {
      entry.model = model;
      entry.error = null;
      entry.crashes = [];
    }
  }

  /** Forgets a model whose file is gone; what runs is stopped first. */
  async forget(modelId: string): Promise<void> {
    await this.unload(modelId);
    for (const entry of this.entriesOf(modelId)) {
      if (!entry.idle || entry.loadQueued) continue;
      entry.dispose();
      this.#entries.delete(entry.key);
    }
  }

  /** Lets answers end for `graceMs`, then stops every instance. */
  async close(graceMs: number): Promise<void> {
    this.#loads.close();
    const closing = new AppError("shutting_down", "The server is stopping");
    const entries = [...this.#entries.values()];
    // At once: nothing new comes in through them, and the last bytes of an answer still go out.
    const doors = entries.map((entry) => entry.door?.close());
    for (const entry of entries) {
      entry.failWaiters(closing);
      entry.cancelLoad?.abort(closing);
    }
    const timer = setTimeout(() => {
      for (const entry of entries) entry.abortLeases(closing);
    }, graceMs);
    await Promise.all(entries.map((entry) => entry.drained()));
    clearTimeout(timer);
    await Promise.all(entries.map((entry) => this.#unload(entry, { force: true })));
    await within(Promise.all(doors), DOOR_GRACE_MS);
    for (const entry of entries) entry.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(0);
  }

  #entryOf(model: Model, beside: BesideMode | null): Entry {
    const key = entryKey(model.id, beside);
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const entry: Entry = new Entry({
      model,
      beside,
      instance: this.#options.makeInstance(model.id, {
        onChange: () => this.#options.onChange(entry),
        onCrash: (_instance, error) => this.#onCrash(entry, error),
      }),
      queueLimit: this.#options.queueLimit(),
      keepAliveMs: 0,
      onExpired: (expired) => this.#loads.expire(expired),
      onAbandoned: (abandoned) => this.#loads.abandon(abandoned),
      onUnsuited: (unsuited) => this.#loads.ensure(unsuited),
      onChange: (changed) => this.#options.onChange(changed),
    });
    const defaults = this.#options.defaults(model);
    entry.keepAliveMs = defaults.keepAliveMs;
    // A pin is for what the model is for.
    entry.pinned = defaults.pinned && beside === null;
    this.#entries.set(key, entry);
    return entry;
  }

  #onCrash(entry: Entry, error: AppError): void {
    entry.crashes = noteCrash(entry.crashes);
    this.#options.observer?.crashed(entry.model.id);
    entry.error = error;
    void entry.door?.close();
    entry.door = null;
    entry.placement = null;
    this.#log.warn("Process died", { model: entry.model.id, reason: error.message });
    this.#options.onChange(entry);
    if (crashedTooOften(entry.crashes)) entry.failWaiters(error);
    else if (entry.queued > 0) this.#loads.ensure(entry);
  }
}
