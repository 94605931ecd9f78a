// Carries what the orchestrator and the library report to those who look on: the registry's rows and
// the event stream. Nothing is decided here, and a request never waits for it.

import { messageOf } from "../errors.ts";
import type { ModelChange } from "../models/library.ts";
import type { Entry } from "../orchestrator/entry.ts";
import { modelRow, stateWith } from "./model_rows.ts";
import type { Parts } from "./parts.ts";

/** Leases come and go thousands of times a second: people see them this often. */
const WATCH_MS = 500;
/** Another program may hold the registry, or the disk be full. */
const AGAIN_MS = 1_000;

export class Mirror implements Disposable {
  readonly #parts: Parts;
  readonly #seenActivity = new Map<string, number>();
  /** What each row said when it was written last: most changes are of progress, which no row holds. */
  readonly #written = new Map<string, string>();
  readonly #unlisten: () => void;
  #sweep: ReturnType<typeof setTimeout> | null = null;
  #watchTimer: ReturnType<typeof setTimeout> | null = null;
  /** Rows that could not be written. */
  readonly #unwritten = new Set<string>();
  #again: ReturnType<typeof setTimeout> | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#unlisten = parts.library.onChange((change) => this.#onLibrary(change));
    this.#armSweep();
  }

  /** A model's state changed: its row is written now, since the process may die at any instruction. */
  changed(entry: Entry): void {
    this.#writeRow(entry.key);
    this.#emit(entry.model.id);
    this.#watchTimer ??= setTimeout(() => this.#watch(), WATCH_MS);
  }

  #emit(id: string): void {
    const { events, library } = this.#parts;
    if (!events.hasListeners) return;
    const model = library.get(id);
    const data = model === undefined
      ? { id, removed: true as const }
      : modelRow(this.#parts, model);
    events.emit({ type: "model", data });
  }

  /** A row for each entry, so that after a crash each process is found. `anyway` also where nothing changed here: another program may have written the row. */
  #writeRow(key: string, anyway = false): void {
    const { registry, orchestrator, library } = this.#parts;
    const entry = orchestrator.entry(key);
    const process = entry?.instance.process ?? null;
    const activityMs = entry?.lastActivityMs ?? null;
    const error = entry?.error ?? null;
    const model = library.get(key);
    const own = orchestrator.stateOf(key);
    const state = model === undefined ? own : stateWith(model, own);
    const isLive = state !== "stopped" && state !== "failed" && state !== "missing";
    const door = entry?.door?.port ?? null;
    const said = [state, door, process?.pid, entry?.instance.token, error?.message].join(" ");
    if (!anyway && this.#written.get(key) === said) return;
    this.#written.set(key, said);
    const isWritten = registry.setInstance(key, {
      status: state,
      door,
      pid: process?.pid ?? null,
      startTime: process?.startTime ?? null,
      boot: process?.boot || (isLive && this.#parts.boot) || null,
      // Written before the process is there: by it an orphan is found that has no pid on record.
      token: isLive ? entry?.instance.token || null : null,
      ...(activityMs !== null && { lastActivity: new Date(activityMs).toISOString() }),
      error: error === null ? null : error.toData(),
    });
    if (!isWritten) this.#writeAgain(key);
  }

  #writeAgain(key: string): void {
    this.#written.delete(key);
    this.#unwritten.add(key);
    this.#again ??= setTimeout(() => {
      this.#again = null;
      const keys = [...this.#unwritten];
      this.#unwritten.clear();
      for (const each of keys) this.#writeRow(each);
    }, AGAIN_MS);
  }

  // Uses since the last look, for the registry and for those who watch.
  #watch(): void {
    this.#watchTimer = null;
    for (const entry of this.#parts.orchestrator.entries()) {
      const activityMs = entry.lastActivityMs;
      if (activityMs === null || this.#seenActivity.get(entry.key) === activityMs) continue;
      this.#seenActivity.set(entry.key, activityMs);
      this.#parts.registry.touch(entry.key, new Date(activityMs).toISOString());
      this.#emit(entry.model.id);
    }
    // An idle server has nothing to look at, and sleeps.
    if (this.#parts.orchestrator.modelsBytes() === 0) return;
    this.#watchTimer = setTimeout(() => this.#watch(), WATCH_MS);
  }

  #onLibrary(change: ModelChange): void {
    const { orchestrator } = this.#parts;
    const model = change.added ?? change.updated;
    if (model !== undefined) {
      orchestrator.modelChanged(model);
      this.#writeRow(model.id);
      this.#emit(model.id);
    }
    if (change.removed === undefined) return;
    const id = change.removed;
    this.#emit(id);
    if (this.#written.has(id)) this.#writeRow(id);
    void orchestrator.forget(id).catch((error) => {
      this.#parts.log.warn("Cannot unload", { model: id, reason: messageOf(error) });
    });
  }

  #armSweep(): void {
    this.#sweep = setTimeout(async () => {
      await this.#sweepNow();
      if (this.#sweep !== null) this.#armSweep();
    }, this.#parts.config().sweepMs);
  }

  /** The table against the real processes, the rows against the table, the folders against the library. */
  async #sweepNow(): Promise<void> {
    try {
      await this.#parts.library.rescan();
      await this.#parts.orchestrator.sweep();
      const { library, registry } = this.#parts;
      const offered = library.list().map((model) => model.id);
      const onRecord = registry.instances().map((row) => row.modelId);
      for (const key of new Set([...offered, ...onRecord])) this.#writeRow(key, true);
    } catch (error) {
      this.#parts.log.warn("Sweep failed", { reason: messageOf(error) });
    }
  }

  [Symbol.dispose](): void {
    this.#unlisten();
    if (this.#watchTimer !== null) clearTimeout(this.#watchTimer);
    if (this.#again !== null) clearTimeout(this.#again);
    if (this.#sweep !== null) clearTimeout(this.#sweep);
    this.#sweep = null;
  }
}
