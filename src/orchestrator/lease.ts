// What a request gets of a loaded model, and what it may ask while it waits for it. Who grants it is
// entry.ts's.

import type { Instance } from "../runtime/instance.ts";
import type { LoadWishes } from "./load_wishes.ts";

/** A port of its own for one loaded model; see `gateway/doors.ts`. */
export interface Door {
  readonly port: number;
  close(): Promise<void>;
}

/** A request's hold on an instance: while it lasts the model is not unloaded. */
export interface Lease {
  readonly instance: Instance;
  readonly port: number | null;
  /** Milliseconds that this request waited for a load; 0 where the model was ready. */
  readonly loadMs: number;
  /** Fires when the model is stopped by force. */
  readonly signal: AbortSignal;
  /** Gives the hold back; more than once is harmless. */
  release(): void;
}

export interface WaitOptions {
  /** Fires when the client leaves. */
  signal?: AbortSignal | undefined;
  /** Takes effect with the lease: who leaves before it has asked for nothing. */
  keepAliveMs?: number | undefined;
  /** How the model must be loaded for this request. */
  load?: LoadWishes | undefined;
}
