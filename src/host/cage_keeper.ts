// The cage that launches use: found out once for each runtime, in the background, told as it is known.

import type { CageInfo } from "../api_types.ts";
import type { Config } from "../config_type.ts";
import { AppError } from "../errors.ts";
import type { FoundCage } from "./cage_probe.ts";
import type { Cage } from "./cage_view.ts";
import type { Runtime } from "./find_runtime.ts";

export interface CageKeeperOptions {
  mode: Config["cage"];
  probe(runtime: Runtime): Promise<FoundCage>;
  onChange(info: CageInfo): void;
  nowMs?: () => number;
}

interface Known {
  finding: Promise<FoundCage>;
  sinceMs: number;
}

/** What is not the best is looked for again: somebody may have installed that. */
const AGAIN_MS = 60_000;

export class CageKeeper {
  readonly #options: CageKeeperOptions;
  readonly #known = new Map<string, Known>();
  readonly #nowMs: () => number;
  #again: Promise<void> | null = null;
  #info: CageInfo;

  constructor(options: CageKeeperOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    const { mode } = options;
    const reason = mode === "off" ? "Switched off with --cage off" : null;
    this.#info = { mode, active: null, reason };
  }

  get info(): CageInfo {
    return this.#info;
  }

  /** Resolves when nothing is looked for any more; it never rejects. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#known.values()].map(({ finding }) => finding));
    await this.#again;
  }

  /**
   * What to launch this runtime in; null = nothing. Throws `load_failed` where there must be a cage
   * and is none: one that is there and fails later is an error of that load, never a load without.
   */
  async for(runtime: Runtime): Promise<Cage | null> {
    const { mode, probe } = this.#options;
    if (mode === "off") return null;
    const key = [runtime.path, runtime.version, ...runtime.devices.map(({ name }) => name)].join();
    let known = this.#known.get(key);
    if (known === undefined) {
      known = { finding: probe(runtime), sinceMs: this.#nowMs() };
      this.#known.set(key, known);
      const forget = () => this.#known.delete(key);
      // Where nothing loads without one, whoever installs it need not wait.
      known.finding.then(({ cage }) => cage === null && mode === "require" && forget(), forget);
    }
    const { cage, reason } = await known.finding;
    this.#tell({ cage, reason });
    if (cage === null && mode === "require") {
      throw new AppError("load_failed", `Cannot load a model in a cage: ${reason}`, {
        values: { cage: mode, reason: "no_cage" },
      });
    }
    if (reason !== null && this.#nowMs() - known.sinceMs >= AGAIN_MS) {
      known.sinceMs = this.#nowMs();
      this.#again = this.#lookAgain(runtime, { key, isNone: cage === null });
    }
    return cage;
  }

  /** Beside the load, which does not wait for it: the next one has what was found. */
  async #lookAgain(
    runtime: Runtime,
    { key, isNone }: { key: string; isNone: boolean },
  ): Promise<void> {
    try {
      const found = await this.#options.probe(runtime);
      if (found.reason !== null && !(isNone && found.cage !== null)) return;
      this.#known.set(key, { finding: Promise.resolve(found), sinceMs: this.#nowMs() });
      this.#tell(found);
    } catch {
      // What was found before still is.
    }
  }

  #tell({ cage, reason }: FoundCage): void {
    const info: CageInfo = { mode: this.#options.mode, active: cage?.kind ?? null, reason };
    if (info.active === this.#info.active && info.reason === this.#info.reason) return;
    this.#info = info;
    this.#options.onChange(info);
  }
}
