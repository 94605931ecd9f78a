// The flags and the environment with which a service starts, so that it is set as this command was (pure).

import { absolutePath, type ParsedArguments, type ProcessInput } from "../../config.ts";
import type { Config } from "../../config_type.ts";
import { AppError } from "../../errors.ts";
import type { Setting } from "../../setting.ts";
import { SETTINGS } from "../../settings.ts";
import { importVariables } from "../import_roots.ts";

export interface ServiceSettings {
  args: string[];
  env: Record<string, string>;
  /** Variables that hold a secret, and are left behind: others may read a service's settings. */
  leftOut: string[];
}

export interface ServiceSettingsOptions {
  config: Config;
  flags: ParsedArguments["flags"];
  process: Pick<ProcessInput, "env" | "homeDir" | "cwd" | "os" | "args">;
}

/** Throws `bad_flag` where the key would have to be written down. */
export function serviceSettings(options: ServiceSettingsOptions): ServiceSettings {
  const settings: ServiceSettings = {
    args: ["serve", "--no-open"],
    env: { ...importVariables(options.process), ...certificates(options.process) },
    leftOut: [],
  };
  for (const setting of SETTINGS) {
    const source = options.config.sources[setting.property];
    // What config.json says, the service reads there itself.
    if (source !== "flag" && source !== "environment") continue;
    if (setting.secret === true) addSecret(settings, setting, options);
    else if (setting.flag === null) {
      if (setting.environment === null) continue;
      settings.env[setting.environment] = options.process.env[setting.environment] ?? "";
    } else if (setting.kind.placeholder !== null) {
      for (const value of valuesOf(setting, options)) {
        settings.args.push(`--${setting.flag}=${value}`);
      }
    }
  }
  return settings;
}

/** By which Deno itself trusts the servers of the network that this is. */
function certificates(process: ServiceSettingsOptions["process"]): Record<string, string> {
  const { DENO_CERT: file, DENO_TLS_CA_STORE: stores } = process.env;
  return {
    ...(file !== undefined && file !== "" && { DENO_CERT: absolutePath(file, process) }),
    ...(stores !== undefined && stores !== "" && { DENO_TLS_CA_STORE: stores }),
  };
}

function addSecret(
  settings: ServiceSettings,
  setting: Setting,
  { flags, process }: ServiceSettingsOptions,
): void {
  const file = flags.get(setting.name);
  if (typeof file === "string") {
    settings.args.push(`--${setting.flag}=${absolutePath(file, process)}`);
  } else if (setting.flag !== null) {
    throw new AppError(
      "bad_flag",
      `Cannot install a service with the key of ${setting.environment}: others may read a service's ` +
        `settings. Write it to a file that only you can read, and give that with --${setting.flag} FILE`,
    );
  } else if (setting.environment !== null) {
    settings.leftOut.push(setting.environment);
  }
}

/** Paths as they were understood here: the service starts in another folder. */
function valuesOf(
  { name, property, environment, kind }: Setting,
  { config, flags, process }: ServiceSettingsOptions,
): readonly string[] {
  const isPath = kind.placeholder === "DIR" || kind.placeholder === "PATH";
  const given = isPath
    ? config[property] as string | readonly string[]
    : flags.get(name) ?? process.env[environment ?? ""] ?? [];
  return typeof given === "string" ? [given] : given;
}
