// The one runtime that launches use: found or installed once, in the background, told as it goes.
// How it is found is `install.ts`'s, loaded only when the search begins.

import type { RuntimeInfo } from "../api_types.ts";
import { AppError, messageOf } from "../errors.ts";
import { UNKNOWN_RUNTIME } from "../unknown_runtime.ts";
import type { BuildGuard } from "./build_check.ts";
import type { Runtime } from "./find_runtime.ts";
import { Cancellation } from "./cancellation.ts";
import type { InstallProgress } from "./install_source.ts";
import { isThere } from "./runtime_home.ts";

export interface Search {
  cancellation: Cancellation;
  /** Where nothing is found; else `runtime_missing` is thrown. */
  mayInstall: boolean;
}

export interface RuntimeKeeperOptions {
  find(onProgress: (progress: InstallProgress) => void, search: Search): Promise<Runtime>;
  onChange(runtime: RuntimeInfo): void;
}

export class RuntimeKeeper implements AsyncDisposable {
  readonly #options: RuntimeKeeperOptions;
  #finding: Promise<Runtime> | null = null;
  #info: RuntimeInfo = UNKNOWN_RUNTIME;
  #current: Runtime | null = null;
  #cancellation = new Cancellation();
  #installs: PromiseWithResolvers<void> | null = null;
  /** Somebody cancelled what was installed unasked: until something is found, nothing else is. */
  #isDeclined = false;

  constructor(options: RuntimeKeeperOptions) {
    this.#options = options;
  }

  get info(): RuntimeInfo {
    return this.#info;
  }

  /** What a launch would use now; null until one was found. */
  get current(): Runtime | null {
    return this.#current;
  }

  /** Another one was chosen: looks again. What runs goes on as it is. */
  again(): Promise<Runtime> {
    const before = this.#finding;
    // Not at the same time: the one that ends last would be told, not the one that was chosen last.
    this.#finding = Promise.resolve(before).catch(() => {}).then(() => this.#find());
    return this.#finding;
  }

  /** As `again`, but what is installed then is not waited for: it is told as it goes. */
  async look(): Promise<void> {
    const installs = this.#installs = Promise.withResolvers<void>();
    const found = this.again();
    found.catch(() => {});
    await Promise.race([found, installs.promise]);
  }

  /** The runtime to launch with. Waits for an installation; after a failure `retry` searches again. */
  get(options: { retry: boolean }): Promise<Runtime> {
    if (this.#info.phase === "failed" && options.retry) this.#finding = null;
    this.#finding ??= this.#find();
    return this.#finding;
  }

  /** To launch with: as it was installed, and where somebody took it away, what is left. */
  async checked(guard: BuildGuard): Promise<Runtime> {
    const runtime = await this.get({ retry: true });
    try {
      await guard.check(runtime);
      return runtime;
    } catch (error) {
      if (await isThere(runtime.path)) throw error;
    }
    const other = await this.again();
    await guard.check(other);
    return other;
  }

  /**
   * Ends what is installed because nothing is here, and lets nothing be installed unasked from now on.
   * False where it came too late.
   */
  async decline(): Promise<boolean> {
    const isInstalling = this.#info.phase === "installing";
    if (isInstalling && !this.#cancellation.cancel()) return false;
    this.#isDeclined = true;
    if (isInstalling) await this.#finding?.catch(() => {});
    return true;
  }

  /** An installation that was told to end takes its work folder with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#finding?.catch(() => {});
  }

  async #find(): Promise<Runtime> {
    const cancellation = this.#cancellation = new Cancellation();
    const mayInstall = !this.#isDeclined;
    this.#tell({ phase: "looking", error: null });
    try {
      const runtime = await this.#options.find(({ activity, progress }) => {
        // It was declined while this one still looked.
        if (mayInstall && this.#isDeclined) cancellation.cancel();
        this.#tell({ phase: "installing", activity, progress });
        this.#installs?.resolve();
      }, { cancellation, mayInstall });
      this.#current = runtime;
      this.#isDeclined = false;
      this.#tell({
        phase: "ready",
        build: runtime.build,
        version: runtime.version,
        source: runtime.source,
        devices: [...runtime.devices],
        activity: null,
        progress: null,
      });
      return runtime;
    } catch (error) {
      const known = this.#known(error, cancellation);
      const { message, code, values } = known;
      this.#tell({
        phase: "failed",
        activity: null,
        progress: null,
        error: { message, code, values },
      });
      throw known;
    }
  }

  #known(error: unknown, { isCancelled }: Cancellation): AppError {
    const isKnown = error instanceof AppError;
    if (isCancelled || (this.#isDeclined && isKnown && error.code === "runtime_missing")) {
      return new AppError(
        "runtime_missing",
        "Cannot load models without llama.cpp: its installation was cancelled. Begin it again with " +
          'zombiecoder runtime install, or in the page\'s settings under "Engine and protection"',
        { values: { reason: "cancelled" }, cause: error },
      );
    }
    if (isKnown) return error;
    return new AppError(
      "runtime_missing",
      `Cannot find or install llama-server: ${messageOf(error)}. Correct that, or name the ` +
        "program with --llama-server PATH, then try again",
      { cause: error },
    );
  }

  #tell(change: Partial<RuntimeInfo>): void {
    this.#info = { ...this.#info, ...change };
    this.#options.onChange(this.#info);
  }
}
