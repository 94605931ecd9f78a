// The server's Worker: starts it in its scope, starts it again after an uncaught error, and ends the
// program when it shows no life. What its messages mean is `host.ts`'s.

import { AppError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { ToServer } from "./messages.ts";

export interface ServerWorkerOptions {
  url: string;
  permissions: Deno.PermissionOptions;
  log: Log;
  /** A server that says nothing for so long hangs: a busy loop cannot be stopped from outside. */
  heartbeatLimitMs?: number | undefined;
  init(): ToServer;
  /** Whatever it sent: nothing is known of it yet. */
  onMessage(message: unknown): void;
  /** The server died: what it had started must go before it is started again. */
  onCrash(): Promise<void>;
  /** It died too often, or hangs and cannot be stopped. */
  onHopeless(error: AppError): void;
}

const HEARTBEAT_LIMIT_MS = 20_000;
const CHECK_INTERVAL_MS = 1_000;
/** So many deaths within a minute, and starting it again would not help. */
const MOST_CRASHES = 5;

export class ServerWorker {
  readonly #options: ServerWorkerOptions;
  #worker: Worker | null = null;
  #check: ReturnType<typeof setInterval> | null = null;
  /** When it was last heard or looked at. */
  #checkedMs = 0;
  #silentMs = 0;
  #crashes: number[] = [];
  #ending = false;

  constructor(options: ServerWorkerOptions) {
    this.#options = options;
  }

  get running(): boolean {
    return this.#worker !== null;
  }

  start(): void {
    const worker = new Worker(this.#options.url, {
      type: "module",
      name: "server",
      deno: { permissions: this.#options.permissions },
    } as WorkerOptions);
    worker.onmessage = (event: MessageEvent<unknown>) => {
      this.#silentMs = 0;
      this.#checkedMs = performance.now();
      if (this.#worker === worker) this.#options.onMessage(event.data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      if (this.#worker === worker) void this.#onCrash(event.message);
    };
    this.#worker = worker;
    this.#silentMs = 0;
    this.#checkedMs = performance.now();
    this.#check ??= setInterval(() => this.#checkLife(), CHECK_INTERVAL_MS);
    this.post(this.#options.init());
  }

  post(message: ToServer): void {
    this.#worker?.postMessage(message);
  }

  /** From now on its end is no crash. */
  expectEnd(): void {
    this.#ending = true;
  }

  terminate(): void {
    this.#ending = true;
    if (this.#check !== null) clearInterval(this.#check);
    this.#check = null;
    this.#worker?.terminate();
    this.#worker = null;
  }

  async #onCrash(message: string): Promise<void> {
    this.#worker?.terminate();
    this.#worker = null;
    this.#options.log.error("The server died", { reason: message });
    if (this.#ending) return;
    const nowMs = performance.now();
    this.#crashes = [...this.#crashes.filter((at) => nowMs - at < 60_000), nowMs];
    await this.#options.onCrash();
    if (this.#crashes.length >= MOST_CRASHES) {
      const error = new AppError("internal", `The server died ${MOST_CRASHES} times: ${message}`);
      return this.#options.onHopeless(error);
    }
    if (!this.#ending) this.start();
  }

  // The time between two checks counts as at most one interval: a computer that slept is not a hang.
  #checkLife(): void {
    const nowMs = performance.now();
    this.#silentMs += Math.min(nowMs - this.#checkedMs, CHECK_INTERVAL_MS);
    this.#checkedMs = nowMs;
    const limitMs = this.#options.heartbeatLimitMs ?? HEARTBEAT_LIMIT_MS;
    if (this.#worker === null || this.#silentMs < limitMs) return;
    this.#options.onHopeless(
      new AppError("internal", `The server showed no life for ${limitMs / 1000} seconds`),
    );
  }
}
