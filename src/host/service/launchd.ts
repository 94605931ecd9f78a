// A service of this user under launchd. Not seen working.

import { posix } from "node:path";
import { AppError } from "../../errors.ts";
import { AGENT_LABEL, launchdPlist, launchdWords } from "./launchd_plist.ts";
import { OwnFile } from "./own_file.ts";
import { failed } from "./service_failure.ts";
import type { ServiceSpec } from "./service_spec.ts";
import type { RunTool, ServicePlaces, ServiceStatus, ServiceSystem } from "./service_parts.ts";

export interface LaunchdOptions {
  places: ServicePlaces;
  run: RunTool;
  uid: number;
}

const LAUNCHCTL = "/bin/launchctl";

export class LaunchdService implements ServiceSystem {
  readonly #run: RunTool;
  readonly #file: OwnFile;
  /** The user's session, and the service in it. */
  readonly #session: string;
  readonly #target: string;

  constructor({ places: { homeDir }, run, uid }: LaunchdOptions) {
    if (homeDir === null) {
      throw new AppError("not_supported", "Cannot have a service: this user has no home folder");
    }
    this.#run = run;
    this.#file = new OwnFile(
      posix.join(homeDir, "Library", "LaunchAgents", `${AGENT_LABEL}.plist`),
    );
    this.#session = `gui/${uid}`;
    this.#target = `${this.#session}/${AGENT_LABEL}`;
  }

  async status(): Promise<ServiceStatus | null> {
    const plist = await this.#file.read();
    if (plist === null) return null;
    const disabled = await this.#run(LAUNCHCTL, ["print-disabled", this.#session]);
    const printed = await this.#run(LAUNCHCTL, ["print", this.#target]);
    return {
      enabled: !new RegExp(`"${AGENT_LABEL}" => (disabled|true)`).test(disabled.stdout),
      running: printed.code === 0 && /^\s*state = running$/m.test(printed.stdout),
      path: this.#file.path,
      words: launchdWords(plist),
    };
  }

  async install(spec: ServiceSpec, { start }: { start: boolean }): Promise<void> {
    const plist = launchdPlist(spec);
    const before = await this.#file.read();
    await this.#file.write(plist);
    try {
      await this.#must("enable", this.#target);
      if (!start) return;
      // What is loaded keeps its old text.
      if (before !== null) await this.#run(LAUNCHCTL, ["bootout", this.#target]);
      await this.#must("bootstrap", this.#session, this.#file.path);
    } catch (error) {
      await this.#file.undo(before);
      throw error;
    }
  }

  async remove(): Promise<void> {
    if (await this.#file.read() === null) return;
    // It fails where nothing is loaded.
    await this.#run(LAUNCHCTL, ["bootout", this.#target]);
    await this.#file.remove();
  }

  async #must(...args: string[]): Promise<void> {
    const { code, stderr } = await this.#run(LAUNCHCTL, args);
    if (code !== 0) throw failed(`do "${args[0]}" for the service`, "launchctl", { said: stderr });
  }
}
