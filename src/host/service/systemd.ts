// A service of this user under systemd.

import { posix } from "node:path";
import { AppError } from "../../errors.ts";
import { OwnFile } from "./own_file.ts";
import type { RunTool, ServicePlaces, ServiceStatus, ServiceSystem } from "./service_parts.ts";
import { failed } from "./service_failure.ts";
import type { ServiceSpec } from "./service_spec.ts";
import { systemdUnit, systemdWords, UNIT_NAME } from "./systemd_unit.ts";

export interface SystemdOptions {
  places: ServicePlaces;
  run: RunTool;
}

export class SystemdService implements ServiceSystem {
  readonly #places: ServicePlaces;
  readonly #run: RunTool;
  readonly #file: OwnFile;

  constructor({ places, run }: SystemdOptions) {
    this.#places = places;
    this.#run = run;
    this.#file = new OwnFile(posix.join(settingsFolder(places), "systemd", "user", UNIT_NAME));
  }

  async status(): Promise<ServiceStatus | null> {
    const unit = await this.#file.read();
    if (unit === null) return null;
    const [enabled, active] = [await this.#say("is-enabled"), await this.#say("is-active")];
    return {
      enabled: enabled === "enabled",
      running: active === "active",
      path: this.#file.path,
      words: systemdWords(unit),
    };
  }

  async install(spec: ServiceSpec, { start }: { start: boolean }): Promise<void> {
    const unit = systemdUnit(spec);
    const before = await this.#file.read();
    await this.#file.write(unit);
    try {
      await this.#must("daemon-reload");
      await this.#must("enable", UNIT_NAME);
      if (start) await this.#must("restart", UNIT_NAME);
    } catch (error) {
      if (before === null) await this.#call("disable", UNIT_NAME).catch(() => {});
      await this.#file.undo(before);
      await this.#call("daemon-reload").catch(() => {});
      throw error;
    }
  }

  async remove(): Promise<void> {
    if (await this.#file.read() === null) return;
    await this.#must("disable", "--now", UNIT_NAME);
    await this.#file.remove();
    await this.#must("daemon-reload");
  }

  async #say(question: string): Promise<string> {
    const { stdout, stderr } = await this.#call(question, UNIT_NAME);
    const word = stdout.trim();
    if (word === "") throw systemctlFailed("ask for the service", stderr);
    return word;
  }

  async #must(...args: string[]): Promise<void> {
    const { code, stderr } = await this.#call(...args);
    if (code !== 0) throw systemctlFailed(`do "${args[0]}" for the service`, stderr);
  }

  async #call(...args: string[]) {
    for (const folder of (this.#places.env["PATH"] ?? "").split(":").filter(posix.isAbsolute)) {
      try {
        return await this.#run(posix.join(folder, "systemctl"), ["--user", ...args]);
      } catch (error) {
        const { NotFound, PermissionDenied, NotADirectory } = Deno.errors;
        const isAbsent = error instanceof NotFound || error instanceof PermissionDenied ||
          error instanceof NotADirectory;
        if (!isAbsent) throw error;
      }
    }
    throw new AppError(
      "not_supported",
      "Cannot have a service here: this system has no systemctl. Start zombiecoder serve by what " +
        "starts programs on it",
    );
  }
}

/** From a terminal of another user's, or where nobody has logged in, there is no way to their systemd. */
function systemctlFailed(what: string, said: string): AppError {
  const isUnreached = /connect to (?:\w+ )*bus|XDG_RUNTIME_DIR/.test(said);
  const remedy = isUnreached
    ? `Log in as this user itself, not by su or sudo, or write XDG_RUNTIME_DIR=/run/user/${Deno.uid()} ` +
      "before the command. Where nobody logs in, loginctl enable-linger starts their systemd"
    : null;
  return failed(what, "systemctl", { said, remedy });
}

function settingsFolder({ env, homeDir }: ServicePlaces): string {
  const given = env["XDG_CONFIG_HOME"] ?? "";
  if (posix.isAbsolute(given)) return given;
  if (homeDir !== null) return posix.join(homeDir, ".config");
  throw new AppError("not_supported", "Cannot have a service here: this user has no home folder");
}
