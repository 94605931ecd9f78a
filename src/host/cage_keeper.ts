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
}

export class CageKeeper {
  readonly #options: CageKeeperOptions;
  readonly #found = new Map<string, Promise<FoundCage>>();
  #info: CageInfo;

  constructor(options: CageKeeperOptions) {
    this.#options = options;
    const { mode } = options;
    const reason = mode === "off" ? "Switched off with --cage off" : null;
    this.#info = { mode, active: null, reason };
  }

  get info(): CageInfo {
    return this.#info;
  }

  /**
   * What to launch this runtime in; null = nothing. Throws `load_failed` where there must be a cage
   * and is none: one that is there and fails later is an error of that load, never a load without.
   */
  async for(runtime: Runtime): Promise<Cage | null> {
    const { mode, probe, onChange } = this.#options;
    if (mode === "off") return null;
    const key = [runtime.path, runtime.version, ...runtime.devices.map(({ name }) => name)].join();
    let finding = this.#found.get(key);
    if (finding === undefined) {
      finding = probe(runtime);
      this.#found.set(key, finding);
      const forget = () => this.#found.delete(key);
      // Where nothing loads without one, whoever installs it need not start again.
      finding.then(({ cage }) => cage === null && mode === "require" && forget(), forget);
    }
    const { cage, reason } = await finding;
    const info: CageInfo = { mode, active: cage?.kind ?? null, reason };
    if (info.active !== this.#info.active || info.reason !== this.#info.reason) {
      this.#info = info;
      onChange(info);
    }
    if (cage === null && mode === "require") {
      throw new AppError("load_failed", `Cannot load a model in a cage: ${reason}`, {
        values: { cage: mode, reason: "no_cage" },
      });
    }
    return cage;
  }
}
