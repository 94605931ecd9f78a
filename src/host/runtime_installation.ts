// The life of one installation that somebody asked for: how far it is, how it ended, and that it can be
// cancelled. What is installed, and from where, is its caller's.

import type { RuntimeJob } from "../api_types.ts";
import { AppError, messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { Cancellation } from "./cancellation.ts";
import type { FindOrInstallOptions } from "./install.ts";

export type InstallationStep = Pick<
  FindOrInstallOptions,
  "signal" | "cancellation" | "onProgress"
>;

export interface InstallationOptions {
  variant: string;
  /** Ends it with the program. */
  signal: AbortSignal;
  log: Log;
  /** Returns the build's name. */
  install(step: InstallationStep): Promise<string>;
  /** Only now: until it has run, the earlier one stays in use. */
  choose(name: string): Promise<void>;
}

export class RuntimeInstallation {
  readonly #options: InstallationOptions;
  readonly #cancellation = new Cancellation();
  readonly #job: RuntimeJob;
  /** Never rejects. */
  readonly ended: Promise<void>;

  constructor(options: InstallationOptions) {
    this.#options = options;
    this.#job = {
      variant: options.variant,
      state: "installing",
      activity: "Looking for what is there",
      progress: null,
      name: null,
      error: null,
    };
    this.ended = this.#run();
  }

  get job(): RuntimeJob {
    return { ...this.#job };
  }

  get isRunning(): boolean {
    return this.#job.state === "installing";
  }

  /** False where it comes too late. What is removed then is gone when it has `ended`. */
  cancel(): boolean {
    return this.#cancellation.cancel();
  }

  async #run(): Promise<void> {
    const { install, choose, signal } = this.#options;
    const cancellation = this.#cancellation;
    try {
      const name = await install({
        cancellation,
        signal: AbortSignal.any([signal, cancellation.signal]),
        onProgress: ({ activity, progress }) => this.#tell({ activity, progress }),
      });
      // One that was here already takes its place only now.
      cancellation.close();
      await choose(name);
      this.#tell({ state: "done", activity: null, progress: 1, name });
    } catch (error) {
      if (cancellation.isCancelled) this.#endCancelled(error);
      else this.#endFailed(error);
    }
  }

  #endCancelled(error: unknown): void {
    const { variant, log } = this.#options;
    if (error === this.#cancellation.signal.reason) {
      log.info("The installation of llama.cpp was cancelled", { variant });
    } else {
      log.warn("The installation was cancelled, and did not end well", {
        variant,
        reason: messageOf(error),
      });
    }
    const message = `The installation of "${variant}" was cancelled: what is here is as it was. ` +
      `Begin it again with zombiecoder runtime install ${variant}`;
    this.#tell({
      state: "cancelled",
      activity: null,
      progress: null,
      error: { message, code: "cancelled", values: { variant } },
    });
  }

  #endFailed(error: unknown): void {
    const { variant, log } = this.#options;
    const { message, code, values } = error instanceof AppError
      ? error
      : new AppError("runtime_refused", `Cannot install "${variant}": ${messageOf(error)}`, {
        values: { reason: "unusable" },
      });
    log.warn("The llama.cpp build is not installed", { variant, reason: message });
    const told = { message, code, values: { ...values, variant } };
    this.#tell({ state: "failed", activity: null, progress: null, error: told });
  }

  #tell(change: Partial<RuntimeJob>): void {
    Object.assign(this.#job, change);
  }
}
