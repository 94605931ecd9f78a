// What the orchestrator keeps for one model: who waits, who holds a lease, when it may go to sleep.
// It counts and times; it starts and stops nothing.

import { AppError } from "../errors.ts";
import type { Model } from "../models/library.ts";
import type { Instance } from "../runtime/instance.ts";
import { type BesideMode, entryKey } from "./entry_key.ts";
import type { Door, Lease, WaitOptions } from "./lease.ts";
import { type LoadWishes, suits } from "./load_wishes.ts";
import type { Placement } from "./placement.ts";

export type { Door, Lease } from "./lease.ts";

interface Waiter {
  keepAliveMs: number | undefined;
  load: LoadWishes | undefined;
  sinceMs: number;
  resolve(lease: Lease): void;
  reject(error: unknown): void;
  forget(): void;
}

export interface EntryOptions {
  model: Model;
  /** Null = the model's main entry. */
  beside: BesideMode | null;
  instance: Instance;
  queueLimit: number;
  keepAliveMs: number;
  /** No lease, nobody waiting, and the keep-alive is over. */
  onExpired(entry: Entry): void;
  /** The last waiter left. */
  onAbandoned(entry: Entry): void;
  /** Who is first in the queue needs it loaded in another way: it is leaving for that. */
  onUnsuited(entry: Entry): void;
  /** Leases, queue or deadline changed in a way that people see. */
  onChange(entry: Entry): void;
}

/** setTimeout takes 31 bits. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** Beyond the slots: requests that are parsed and tokenised while all slots still answer. */
const LEASES_BEYOND_SLOTS = 2;

export class Entry {
  model: Model;
  readonly beside: BesideMode | null;
  readonly instance: Instance;
  readonly #options: EntryOptions;
  readonly #waiters: Waiter[] = [];
  #leases = 0;
  #leaseLimit = 1;
  #abort = new AbortController();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #drained: PromiseWithResolvers<void> | null = null;

  placement: Placement | null = null;
  /** What requests asked of this load. */
  wishes: LoadWishes = {};
  door: Door | null = null;
  /** Why the last load or the last process ended; null once one is ready. */
  error: AppError | null = null;
  /** No new leases: it will be stopped as soon as its answers have ended. */
  leaving = false;
  /** Its load job is on the queue or runs. */
  loadQueued = false;
  /** Someone asked for this load by hand or at start: it goes on without waiters. */
  wanted = false;
  cancelLoad: AbortController | null = null;
  /** `performance.now()` of each crash of the last minute. */
  crashes: number[] = [];
  keepAliveMs: number;
  pinned = false;
  /** `performance.now()`; for the order of eviction. */
  lastUsedMs = 0;
  /** `Date.now()` of the last use, for people; null before the first. */
  lastActivityMs: number | null = null;
  #readyAtMs = 0;
  /** `performance.now()` after which an idle model goes; null while used, pinned or for ever. */
  #deadlineMs: number | null = null;

  constructor(options: EntryOptions) {
    this.#options = options;
    this.model = options.model;
    this.beside = options.beside;
    this.instance = options.instance;
    this.keepAliveMs = options.keepAliveMs;
  }

  /** By which the orchestrator keeps it. */
  get key(): string {
    return entryKey(this.model.id, this.beside);
  }
  /** It has a process, or will have one. */
  get isLive(): boolean {
    const { state } = this.instance;
    return this.loadQueued || (state !== "stopped" && state !== "failed");
  }
  get leases(): number {
    return this.#leases;
  }
  get queued(): number {
    return this.#waiters.length;
  }
  get busy(): boolean {
    return this.#leases > 0;
  }
  get idle(): boolean {
    return this.#leases === 0 && this.#waiters.length === 0;
  }
  get expired(): boolean {
    return this.#deadlineMs !== null && performance.now() >= this.#deadlineMs && this.idle;
  }
  /** When an idle model will be unloaded; null while in use, pinned or for ever. */
  get expiresAt(): Date | null {
    if (this.#deadlineMs === null || !this.idle || this.instance.state !== "ready") return null;
    return new Date(Date.now() + this.#deadlineMs - performance.now());
  }

  /** How the next load must be for who is first in the queue. */
  get nextWishes(): LoadWishes {
    return { ...this.wishes, ...this.#waiters[0]?.load };
  }

  /** A lease at once, or null where the request has to wait. */
  tryLease(load?: LoadWishes): Lease | null {
    if (this.leaving || this.instance.state !== "ready") return null;
    if (load !== undefined && !this.#suits(load)) return null;
    if (this.#waiters.length > 0 || this.#leases >= this.#leaseLimit) return null;
    return this.#lease(0);
  }

  /** Waits for a lease. Throws `overloaded` when the queue is full; rejects when the signal fires. */
  wait({ signal, keepAliveMs, load }: WaitOptions = {}): Promise<Lease> {
    if (this.#waiters.length >= this.#options.queueLimit) {
      throw new AppError(
        "overloaded",
        `Cannot queue another request for "${this.model.id}": ${this.#waiters.length} are waiting. Try again in a moment`,
        { retryAfterSeconds: 5, values: { model: this.model.id, queued: this.#waiters.length } },
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<Lease>();
    const onAbort = () => {
      const index = this.#waiters.indexOf(waiter);
      if (index < 0) return;
      this.#waiters.splice(index, 1);
      waiter.forget();
      reject(new AppError("cancelled", "The client left"));
      if (this.#waiters.length === 0) this.#options.onAbandoned(this);
      this.#rest();
      this.#options.onChange(this);
    };
    const waiter: Waiter = {
      keepAliveMs,
      load,
      sinceMs: performance.now(),
      resolve,
      reject,
      forget: () => signal?.removeEventListener("abort", onAbort),
    };
    this.#waiters.push(waiter);
    signal?.addEventListener("abort", onAbort);
    if (signal?.aborted) onAbort();
    // It may be ready, and loaded in another way.
    if (load !== undefined) this.#grant();
    return promise;
  }

  /** The process is ready: from now on this many requests may be at it at once. */
  open(slots: number): void {
    this.#leaseLimit = slots + LEASES_BEYOND_SLOTS;
    this.#abort = new AbortController();
    this.leaving = false;
    this.error = null;
    this.#readyAtMs = performance.now();
    this.#grant();
    this.#rest();
  }

  /** Every waiter gets the error; the next request tries again. */
  failWaiters(error: unknown): void {
    for (const waiter of this.#waiters.splice(0)) {
      waiter.forget();
      waiter.reject(error);
    }
  }

  /** It was to leave and stays after all: who waits gets a lease again. */
  stay(): void {
    this.leaving = false;
    this.#grant();
    this.#rest();
  }

  /** Resolves when no lease is held any more. */
  drained(): Promise<void> {
    if (this.#leases === 0) return Promise.resolve();
    this.#drained ??= Promise.withResolvers();
    return this.#drained.promise;
  }

  /** Ends the answers in progress: their leases' signals fire. */
  abortLeases(reason: AppError): void {
    this.#abort.abort(reason);
  }

  /** Sets the idle time before it is unloaded, from now on; -1 = for ever. */
  setKeepAlive(keepAliveMs: number): void {
    if (keepAliveMs === this.keepAliveMs) return;
    this.keepAliveMs = keepAliveMs;
    this.#disarm();
    this.#rest();
  }

  /** Begins the idle time anew, after a pin was taken off. */
  rearm(): void {
    this.#disarm();
    this.#rest();
  }

  dispose(): void {
    this.#disarm();
    this.#deadlineMs = null;
  }

  #lease(loadMs: number): Lease {
    this.#leases++;
    this.#deadlineMs = null;
    let held = true;
    return {
      instance: this.instance,
      port: this.door?.port ?? null,
      loadMs,
      signal: this.#abort.signal,
      release: () => {
        if (!held) return;
        held = false;
        this.#leases--;
        this.#used();
      },
    };
  }

  #used(): void {
    this.lastUsedMs = performance.now();
    this.lastActivityMs = Date.now();
    this.#grant();
    if (this.#leases > 0) return;
    this.#drained?.resolve();
    this.#drained = null;
    this.#rest();
  }

  #suits(load: LoadWishes): boolean {
    return suits(load, { placement: this.placement, asked: this.wishes });
  }

  #grant(): void {
    if (this.leaving || this.instance.state !== "ready") return;
    while (this.#waiters.length > 0 && this.#leases < this.#leaseLimit) {
      const waiter = this.#waiters[0]!;
      if (waiter.load !== undefined && !this.#suits(waiter.load)) {
        this.leaving = true;
        return this.#options.onUnsuited(this);
      }
      this.#waiters.shift();
      waiter.forget();
      const lease = this.#lease(Math.max(0, this.#readyAtMs - waiter.sinceMs));
      if (waiter.keepAliveMs !== undefined) this.setKeepAlive(waiter.keepAliveMs);
      waiter.resolve(lease);
    }
  }

  // The deadline moves with every request, the timer only when it fires: no timer per request.
  #rest(): void {
    this.#deadlineMs = null;
    if (!this.idle || this.instance.state !== "ready") return;
    if (this.pinned || this.keepAliveMs < 0) return;
    this.#deadlineMs = performance.now() + this.keepAliveMs;
    this.#arm();
  }

  #arm(): void {
    if (this.#timer !== null || this.#deadlineMs === null) return;
    const delayMs = Math.min(Math.max(0, this.#deadlineMs - performance.now()), LONGEST_TIMER_MS);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.expired) this.#options.onExpired(this);
      else this.#arm();
    }, delayMs);
  }

  #disarm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
