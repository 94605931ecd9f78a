// Values of settings from each source: read with an error that names the source, merged, shown.

import type { SettingRow } from "./api_types.ts";
import { BadValue } from "./bad_value.ts";
import type { Config } from "./config_type.ts";
import { AppError } from "./errors.ts";
import { nearest } from "./nearest.ts";
import type { Surroundings } from "./setting_kinds.ts";
import type { Setting } from "./setting.ts";
import { SETTINGS } from "./settings.ts";

/** What `config.json` says, as it says it. */
export type FileSettings = Readonly<Record<string, unknown>>;

const BY_NAME: ReadonlyMap<string, Setting> = new Map(SETTINGS.map((row) => [row.name, row]));

const FROM_FILE: Surroundings = { source: "config.json", absolute: (path) => path };

/**
 * Throws what is wrong with `raw` as one line.
 *
 * Errors: `bad_flag`.
 */
export function readValue(setting: Setting, raw: unknown, surroundings: Surroundings): unknown {
  try {
    return setting.kind.read(raw, surroundings);
  } catch (error) {
    if (!(error instanceof BadValue)) throw error;
    const origin = originOf(setting, surroundings.source);
    // A flag names the file of a secret, never the secret: arguments show in the list of processes.
    const hidden = setting.secret === true && surroundings.source !== "flag";
    const given = hidden ? origin : `${origin} ${shortened(raw)}`;
    throw new AppError("bad_flag", `Cannot use ${given}: it takes ${error.message}`, {
      values: { setting: setting.name, source: surroundings.source },
      cause: error,
    });
  }
}

/** The value where nobody chose one. */
export function fallbackOf(setting: Setting, surroundings: Surroundings): unknown {
  return setting.fallback === null ? null : readValue(setting, setting.fallback, surroundings);
}

/** What is ignored in `config.json` and why; a line each. */
export function warningsAbout(file: FileSettings): string[] {
  const warnings: string[] = [];
  for (const [name, raw] of Object.entries(file)) {
    const setting = BY_NAME.get(name);
    if (setting === undefined) {
      warnings.push(`Ignored ${JSON.stringify(name)} in config.json: ${unknown(name)}`);
    } else if (setting.locked) {
      warnings.push(`Ignored ${JSON.stringify(name)} in config.json: ${lockedAs(setting)}`);
    } else if (raw !== null) {
      try {
        setting.kind.read(raw, FROM_FILE);
      } catch (error) {
        if (!(error instanceof BadValue)) throw error;
        warnings.push(
          `Ignored ${JSON.stringify(name)} in config.json: ${
            shortened(raw)
          } is wrong, it takes ${error.message}`,
        );
      }
    }
  }
  return warnings;
}

/** Errors: `invalid_request` with `param`, unless PUT /admin/settings may write this. */
export function checkChange(name: string, raw: unknown): void {
  const setting = BY_NAME.get(name);
  const options = { param: name, values: { setting: name } };
  if (setting === undefined) {
    throw new AppError("invalid_request", `Cannot save settings: ${unknown(name)}`, options);
  }
  if (setting.locked) {
    throw new AppError("invalid_request", `Cannot save settings: ${lockedAs(setting)}`, options);
  }
  if (raw === null) return;
  try {
    setting.kind.read(raw, FROM_FILE);
  } catch (error) {
    if (!(error instanceof BadValue)) throw error;
    const message = `Cannot set ${JSON.stringify(name)} to ${
      shortened(raw)
    }: it takes ${error.message}`;
    throw new AppError("invalid_request", message, { ...options, cause: error });
  }
}

/**
 * The settings with what `config.json` says now. Flags and environment still win, and what the file
 * may not decide or says wrongly is as if it were not there. Reads nothing from anywhere.
 */
export function applySettings(config: Config, file: FileSettings): Config {
  const values: Record<string, unknown> = { ...config };
  const sources = { ...config.sources };
  for (const setting of SETTINGS) {
    const source = sources[setting.property];
    if (setting.locked || source === "flag" || source === "environment") continue;
    const chosen = fromFile(setting, file);
    sources[setting.property] = chosen === undefined ? "default" : "config.json";
    values[setting.property] = chosen ??
      fallbackOf(setting, { ...FROM_FILE, source: "default" });
  }
  return freezeConfig({ ...values, sources });
}

/** The one place where values that the table has checked become a Config. */
export function freezeConfig(values: Record<string, unknown>): Config {
  for (const value of Object.values(values)) Object.freeze(value);
  return Object.freeze(values) as unknown as Config;
}

/** Every setting as `config` and GET /admin/settings show it: secrets as "set" or null. */
export function describeSettings(config: Config): SettingRow[] {
  return SETTINGS.map((setting) => ({
    name: setting.name,
    value: setting.kind.show(config[setting.property]),
    source: config.sources[setting.property] ?? "default",
    locked: setting.locked,
    flag: setting.flag === null ? null : `--${setting.flag}`,
    environment: setting.environment,
  }));
}

function fromFile(setting: Setting, file: FileSettings): unknown {
  const raw = Object.hasOwn(file, setting.name) ? file[setting.name] : null;
  if (raw === null) return undefined;
  try {
    return setting.kind.read(raw, FROM_FILE);
  } catch (error) {
    if (!(error instanceof BadValue)) throw error;
    return undefined;
  }
}

function originOf(setting: Setting, source: Surroundings["source"]): string {
  if (source === "flag") return `--${setting.flag}`;
  return source === "environment" ? `${setting.environment}` : setting.name;
}

function unknown(name: string): string {
  const meant = nearest(name, SETTINGS.filter(({ locked }) => !locked).map((row) => row.name));
  const hint = meant === null ? "" : `. Did you mean ${JSON.stringify(meant)}`;
  return `there is no setting ${JSON.stringify(name)}${hint}`;
}

function lockedAs(setting: Setting): string {
  const places = [
    ...setting.flag === null ? [] : [`--${setting.flag}`],
    ...setting.environment === null ? [] : [setting.environment],
  ];
  return `${JSON.stringify(setting.name)} is read from ${places.join(" and ")} only`;
}

/** In quotes, on one line, and no longer than a line should be. */
function shortened(raw: unknown): string {
  const json = JSON.stringify(Array.isArray(raw) && raw.length === 1 ? raw[0] : raw) ?? "undefined";
  return json.length > 80 ? `${json.slice(0, 77)}...` : json;
}
