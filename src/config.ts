// Flags + environment + settings file + defaults -> one frozen Config; every value knows its source.
// The only file that reads the process's arguments and environment.

import { homedir, tmpdir } from "node:os";
import { isLoopback } from "./addresses.ts";
import { MIN_API_KEY_LENGTH } from "./api_key.ts";
import type { SettingSource } from "./api_types.ts";
import { parseArguments, type ParsedArguments } from "./arguments.ts";
import { BadValue } from "./bad_value.ts";
import { readConfigFile, setConfigFileAside, tidyConfigFiles } from "./config_file.ts";
import type { Config } from "./config_type.ts";
import {
  applySettings,
  fallbackOf,
  type FileSettings,
  freezeConfig,
  readValue,
  warningsAbout,
} from "./config_values.ts";
import { AppError } from "./errors.ts";
import { nearest } from "./nearest.ts";
import { holdsPlace, pathsOf } from "./real_place.ts";
import type { Setting } from "./setting.ts";
import { SETTINGS } from "./settings.ts";

export type { ParsedArguments } from "./arguments.ts";
export type { Config } from "./config_type.ts";

/** What this process was started with. */
export interface ProcessInput {
  args: string[];
  env: Record<string, string>;
  /** Null where this user has none, as some services. */
  homeDir: string | null;
  tmpDir: string;
  /** `XDG_RUNTIME_DIR`: a private folder that ends with the user's session; null where there is none. */
  runtimeDir: string | null;
  cwd: string;
  /** `linux`, `darwin`, `windows`. */
  os: string;
}

export type LoadOptions = Omit<ProcessInput, "tmpDir" | "runtimeDir"> & { nowMs?: number };

export interface LoadedConfig extends ParsedArguments {
  config: Config;
  /** What was ignored and why; a line each. */
  warnings: string[];
}

export function readProcess(): ProcessInput {
  const env = readEnvironment();
  return {
    args: [...Deno.args],
    env,
    homeDir: ifMay(homedir) || null,
    tmpDir: ifMay(tmpdir) ?? "/tmp",
    runtimeDir: env.XDG_RUNTIME_DIR || null,
    cwd: Deno.cwd(),
    os: Deno.build.os,
  };
}

/** Null where narrow flags refuse it: it is then as if it were not set. */
function ifMay<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return null;
    throw error;
  }
}

/** All of it, or of what is ours and the system's all that may be read. */
function readEnvironment(): Record<string, string> {
  const all = ifMay(() => Deno.env.toObject());
  if (all !== null) return all;
  const names = [...SETTINGS.flatMap(({ environment }) => environment ?? []), ...OTHER_VARIABLES];
  return Object.fromEntries(names.flatMap((name) => {
    const value = ifMay(() => Deno.env.get(name)) ?? null;
    return value === null ? [] : [[name, value]];
  }));
}

const OTHER_VARIABLES = [
  ...[
    "PATH",
    "https_proxy",
    "XDG_RUNTIME_DIR",
    "ZOMBIE_START_REPORT",
    "NO_COLOR",
    "TERM",
    "USER",
    "LOGNAME",
  ],
  // Where other programs keep models: `import_roots.ts`.
  ...["XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "LOCALAPPDATA", "APPDATA"],
  ...["OLLAMA_MODELS", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "LLAMA_CACHE"],
];

/**
 * Where the first server of a native window's thread listens. Each thread's first one would, and the
 * server's has an address of its own.
 */
export function forgetServeAddress(): void {
  Deno.env.delete("DENO_SERVE_ADDRESS");
}

/**
 * Reads the settings file and an API key file, and nothing else of this machine that `options` does
 * not hold. `serve` sets a settings file aside that cannot be read.
 *
 * Errors: `bad_flag` with one line, for wrong arguments, environment and combinations of both;
 * `folder_unusable` when the settings file is there and cannot be opened.
 */
export function loadConfig(options: LoadOptions): LoadedConfig {
  const parsed = parseArguments(options.args);
  if (!parsed.command.needsSettings) {
    // `help` and `version` answer whatever the flags, the environment and the file say.
    const config = chosenBy({ ...parsed, flags: new Map() }, {}, {
      ...options,
      homeDir: options.homeDir ?? options.cwd,
    });
    return { ...parsed, config, warnings: [] };
  }

  const env = options.env;
  const config = chosenBy(parsed, env, options);
  checkFolders(config, apiKeyFile(parsed, options), options.os);
  checkSharedMemory(config, options.os);
  checkExposure(config);
  const warnings = misspelt(env);
  const file = fileOf(config.home, { serving: parsed.command.name === "serve", options, warnings });
  return { ...parsed, config: applySettings(config, file), warnings };
}

function chosenBy(
  parsed: ParsedArguments,
  env: Readonly<Record<string, string>>,
  options: LoadOptions,
): Config {
  const values: Record<string, unknown> = {};
  const sources: Record<string, SettingSource> = {};
  function absolute(path: string): string {
    return absolutePath(path, options);
  }
  for (const setting of SETTINGS) {
    const flag = parsed.flags.get(setting.name);
    const variable = environmentOf(setting, env);
    const source = flag !== undefined ? "flag" : variable !== undefined ? "environment" : "default";
    values[setting.property] = source === "default"
      ? fallbackOf(setting, { source, absolute })
      : readValue(setting, flag ?? variable, { source, absolute });
    sources[setting.property] = source;
  }
  return freezeConfig({ ...values, sources });
}

/** An empty variable is as one that is not set. */
function environmentOf(
  setting: Setting,
  env: Readonly<Record<string, string>>,
): string | undefined {
  const name = setting.environment;
  if (name === null) return undefined;
  // curl's rule for proxies, which every tool follows: lower case first.
  const own = name === "HTTPS_PROXY" ? env.https_proxy || env.HTTPS_PROXY : env[name];
  return own === undefined || own.trim() === "" ? undefined : own;
}

/** `~` and what is relative as it was meant where the program was started. */
export function absolutePath(
  path: string,
  options: Pick<LoadOptions, "homeDir" | "cwd" | "os">,
): string {
  const { homeDir, cwd, os } = options;
  const { resolve } = pathsOf(os);
  if (!/^~(?:$|[\\/])/.test(path)) return resolve(cwd, path);
  if (homeDir === null) {
    throw new BadValue(
      "an absolute path, since this user has no home folder: give both --home and --runtime-home",
    );
  }
  return resolve(homeDir, path.slice(2));
}

interface FileOptions {
  serving: boolean;
  options: LoadOptions;
  warnings: string[];
}

function fileOf(home: string, { serving, options, warnings }: FileOptions): FileSettings {
  const nowMs = options.nowMs ?? Date.now();
  const file = readConfigFile(home);
  if (serving) tidyConfigFiles(home, nowMs);
  if ("values" in file) {
    warnings.push(...warningsAbout(file.values));
    return file.values;
  }
  const aside = serving ? setConfigFileAside(home, nowMs) : null;
  const fate = aside === null ? "" : `; it is kept as ${JSON.stringify(aside)}`;
  warnings.push(`Ignored config.json in ${JSON.stringify(home)}: ${file.problem}${fate}`);
  return {};
}

function apiKeyFile(parsed: ParsedArguments, options: LoadOptions): string | null {
  const flag = parsed.flags.get("api_key");
  return typeof flag === "string" ? absolutePath(flag, options) : null;
}

/** What the server can write must not decide what runs, nor who may reach it. */
function checkFolders(config: Config, keyFile: string | null, os: string): void {
  const { home, runtimeHome } = config;
  const outside = [
    ["--runtime-home", runtimeHome],
    ["--llama-server", config.llamaServer],
    ["--api-key-file", keyFile],
  ] as const;
  for (const [flag, path] of outside) {
    if (path === null || !holdsPlace(home, path, os)) continue;
    throw new AppError(
      "bad_flag",
      `Cannot use ${flag} ${JSON.stringify(path)}: it lies in the home ${
        JSON.stringify(home)
      }, where the server writes. Choose a place outside of it`,
      { values: { flag, path, home } },
    );
  }
  if (holdsPlace(runtimeHome, home, os)) {
    throw new AppError(
      "bad_flag",
      `Cannot use --home ${JSON.stringify(home)}: it lies in the runtime home ${
        JSON.stringify(runtimeHome)
      }, where the server may not write. Choose a place outside of it`,
      { values: { flag: "--home", path: home, runtime_home: runtimeHome } },
    );
  }
}

/** Deno opens nothing in /dev to a program with less than all rights, which the server is. */
function checkSharedMemory({ home, modelsDirs }: Config, os: string): void {
  if (os !== "linux") return;
  const folders = [
    { flag: "--home", path: home },
    ...modelsDirs.map((path) => ({ flag: "--models-dir", path })),
  ];
  for (const { flag, path } of folders) {
    if (!/^\/dev\/shm(?:\/|$)/.test(path)) continue;
    throw new AppError(
      "bad_flag",
      `Cannot use ${flag} ${
        JSON.stringify(path)
      }: in /dev/shm the server may open no file. Choose a place outside of it`,
      { values: { flag, path } },
    );
  }
}

function checkExposure(config: Config): void {
  const exposed = config.hosts.find((address) => !isLoopback(address));
  if (exposed === undefined || config.apiKey !== null) return;
  throw new AppError(
    "bad_flag",
    `Cannot listen on ${
      JSON.stringify(exposed)
    } without an API key: other machines could use this one. Give --api-key-file a file with at least ${MIN_API_KEY_LENGTH} characters, or set ZOMBIE_API_KEY`,
    { values: { address: exposed } },
  );
}

/** Variables of ours that nothing reads, but whose name is nearly one that something does. */
function misspelt(env: Readonly<Record<string, string>>): string[] {
  const prefix = "ZOMBIE_";
  const known = SETTINGS.flatMap(({ environment }) => environment ?? [])
    .filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  return Object.keys(env).flatMap((name) => {
    const rest = name.slice(prefix.length);
    if (!name.startsWith(prefix) || known.includes(rest)) return [];
    const meant = nearest(rest, known);
    return meant === null ? [] : [`Ignored ${name}: did you mean ${prefix}${meant}?`];
  });
}
