// One model's llama-server process, seen from inside the scope: its state, and the way to reach it.
// Asks the host to start and stop it; what to load where is the orchestrator's.

import type { ModelState } from "../api_types.ts";
import { AppError } from "../errors.ts";
import type { LaunchSpec, StartedProcess } from "../host/messages.ts";
import type { Log } from "../log.ts";
import { randomHex } from "../random_hex.ts";
import { abortableDelay, within } from "../within.ts";
import type { HostPort } from "./host_port.ts";
import { classifyFailure, LlamaLog } from "./llama_log.ts";
import type { Places } from "./places.ts";
import { type UpstreamAnswer, UpstreamClient, type UpstreamRequest } from "./upstream_client.ts";

/** All of a launch that the placement decides; place, token and key are the instance's own. */
export type LaunchPlan = Omit<LaunchSpec, "place" | "token" | "key">;

export interface InstanceOptions {
  modelId: string;
  host: HostPort;
  places: Places;
  log: Log;
  /** A load without a line, a state or a byte of progress for this long has failed. */
  loadStallMs: number;
  /** State or progress changed. */
  onChange(instance: Instance): void;
  /** The process ended though nobody stopped it. */
  onCrash(instance: Instance, error: AppError): void;
}

/** Time that a process gets between the polite request to end and SIGKILL. */
const STOP_GRACE_MS = 5_000;
// The ready line is the signal; the poll is for builds that print none (facts/deno.md: a fast poll costs more).
const HEALTH_POLL_MS = 500;

export class Instance {
  readonly modelId: string;
  readonly #options: InstanceOptions;
  #state: ModelState = "stopped";
  #process: StartedProcess | null = null;
  #processId = 0;
  #client: UpstreamClient | null = null;
  #place: number | null = null;
  #token = "";
  #llamaLog = new LlamaLog();
  #exit: PromiseWithResolvers<{ code: number; signal: string | null }> | null = null;
  #progressed: (() => void) | null = null;

  constructor(options: InstanceOptions) {
    this.modelId = options.modelId;
    this.#options = options;
  }

  get state(): ModelState {
    return this.#state;
  }
  get process(): StartedProcess | null {
    return this.#process;
  }
  get token(): string {
    return this.#token;
  }
  /** 0 to 1 while loading and known. */
  get progress(): number | null {
    return this.#state === "loading" ? this.#llamaLog.progress : null;
  }
  /** What the process itself logged that it took; null until it said so. */
  get loggedMemory(): { totalBytes: number; gpuBytes: number } | null {
    const totalBytes = this.#llamaLog.memoryBytes;
    return totalBytes === null ? null : { totalBytes, gpuBytes: this.#llamaLog.gpuBytes };
  }
  get lastLines(): readonly string[] {
    return this.#llamaLog.lastLines;
  }
  /** The host's number for the process; matches `RunningProcess.id` while one runs. */
  get processId(): number | null {
    return this.#process === null ? null : this.#processId;
  }

  /** Follows the log; the returned function ends it. */
  followLog(listener: (line: string) => void): () => void {
    return this.#llamaLog.follow(listener);
  }

  /**
   * Starts the process and waits until it can answer. A signal that fires stops it again.
   * Throws `load_failed`, `out_of_memory`, `model_file_invalid` or `load_stalled`, with the last log lines in `cause`.
   */
  async ensureReady(plan: LaunchPlan, signal: AbortSignal): Promise<void> {
    if (this.#state === "ready") return;
    if (this.#state !== "stopped" && this.#state !== "failed") {
      throw new Error(`Cannot start an instance that is ${this.#state}`);
    }
    this.#llamaLog = new LlamaLog();
    // On record before the process exists: by the token an orphan without pid is found.
    this.#token = randomHex(16);
    this.#setState("loading");
    try {
      await this.#start(plan, signal);
    } catch (error) {
      // Nobody waits for it any more, and a process that loads has nothing to finish.
      await this.#end(signal.aborted ? 0 : STOP_GRACE_MS);
      this.#setState(signal.aborted ? "stopped" : "failed");
      throw error;
    }
    this.#setState("ready");
  }

  async #start(plan: LaunchPlan, signal: AbortSignal): Promise<void> {
    const { host, places } = this.#options;
    this.#place = places.take();
    const key = randomHex(16);
    this.#exit = Promise.withResolvers();
    // A start that fails has no one waiting for the exit.
    this.#exit.promise.catch(() => {});
    const ready = Promise.withResolvers<void>();
    this.#processId = host.listen({
      onLines: (lines) => {
        for (const line of lines) this.#llamaLog.take(line);
        this.#progressed?.();
        if (this.#llamaLog.state === "ready") ready.resolve();
        if (this.#state === "loading") this.#options.onChange(this);
      },
      onExit: (code, exitSignal) => this.#onExit(code, exitSignal),
    });
    const launch: LaunchSpec = {
      ...plan,
      place: this.#place,
      token: this.#token,
      key,
    };
    this.#process = await host.call("start", { id: this.#processId, launch });
    this.#options.onChange(this);
    this.#client = new UpstreamClient(places.at(this.#place), key);
    await this.#waitUntilReady(ready.promise, signal);
  }

  async #waitUntilReady(ready: Promise<void>, signal: AbortSignal): Promise<void> {
    const failed = Promise.withResolvers<never>();
    const over = new AbortController();
    const onAbort = () => failed.reject(new AppError("cancelled", "The load was cancelled"));
    let stall: ReturnType<typeof setTimeout> | undefined;
    const armStall = () => {
      clearTimeout(stall);
      stall = setTimeout(() => failed.reject(this.#stalled()), this.#options.loadStallMs);
    };
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort);
    this.#progressed = armStall;
    armStall();
    try {
      await Promise.race([
        ready,
        this.#pollHealth(over.signal),
        failed.promise,
        this.#exit!.promise.then((exit) => {
          throw this.#failure({ ...exit, wasReady: false });
        }),
      ]);
    } finally {
      over.abort();
      clearTimeout(stall);
      this.#progressed = null;
      signal.removeEventListener("abort", onAbort);
    }
  }

  async #pollHealth(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await abortableDelay(HEALTH_POLL_MS, signal);
      if (signal.aborted) break;
      try {
        const answer = await this.request({
          method: "GET",
          path: "/health",
          contentType: null,
          body: null,
          signal,
        });
        if (answer.status === 200) return;
      } catch {
        // Not listening yet, or gone: the exit is an event of its own.
      }
    }
    // Another signal decided: this promise must not win the race.
    await new Promise<never>(() => {});
  }

  /** Sends a request to the process. Rejects with the network's error; the caller decides on a second try. */
  request(request: UpstreamRequest): Promise<UpstreamAnswer> {
    if (this.#client !== null) return this.#client.request(request);
    return Promise.reject(new AppError("upstream_failed", `"${this.modelId}" is not running`));
  }

  /**
   * False where it still runs after this time. A connection that breaks is often the first that one
   * hears of a process's death: the host reaps it before it tells.
   */
  async endsWithin(timeoutMs: number): Promise<boolean> {
    if (this.#state === "ready") {
      await within(this.#exit!.promise, timeoutMs);
    }
    return this.#state !== "ready";
  }

  /** Ends the process, if there is one, and waits until it is gone. */
  async stop(): Promise<void> {
    if (this.#state === "stopped") return;
    if (this.#state === "failed") return this.#setState("stopped");
    this.#setState("stopping");
    await this.#end(STOP_GRACE_MS);
    this.#setState("stopped");
  }

  async #end(graceMs: number): Promise<void> {
    // Its threads wait on idle connections: with them open it takes 100 ms longer to end.
    this.#client?.close();
    if (this.#process !== null) {
      await this.#options.host.call("stop", { id: this.#processId, graceMs });
    }
    this.#forget();
  }

  #forget(): void {
    this.#process = null;
    this.#client?.close();
    this.#client = null;
    if (this.#place !== null) this.#options.places.giveBack(this.#place);
    this.#place = null;
  }

  #onExit(code: number, signal: string | null): void {
    this.#exit?.resolve({ code, signal });
    this.#process = null;
    if (this.#state !== "ready") return;
    const error = this.#failure({ code, signal, wasReady: true });
    this.#forget();
    // Not yet told as a change: a state without its error would look like a stop.
    this.#state = "failed";
    this.#options.onCrash(this, error);
  }

  #failure(exit: { code: number; signal: string | null; wasReady: boolean }): AppError {
    const failure = classifyFailure(this.#llamaLog.lastLines, exit);
    return new AppError(failure.code, failure.message(this.modelId), {
      values: { model: this.modelId, reason: failure.reason, ...failure.values },
    });
  }

  #stalled(): AppError {
    const seconds = Math.round(this.#options.loadStallMs / 1000);
    return new AppError(
      "load_stalled",
      `Cannot load "${this.modelId}": llama-server showed no progress for ${seconds} seconds. Look at its log and try again`,
      { values: { model: this.modelId, seconds } },
    );
  }

  #setState(state: ModelState): void {
    this.#state = state;
    this.#options.onChange(this);
  }
}
