// The shape of all settings. Types only: what reads them, and from where, is config.ts.

import type { SettingSource } from "./api_types.ts";
import type { LogLevel } from "./log.ts";

/** All settings, checked and with units. It crosses to the server by `postMessage`: plain data only. */
export interface Config {
  /** Absolute paths. */
  readonly home: string;
  readonly runtimeHome: string;
  readonly modelsDirs: readonly string[];
  /** Addresses to listen on: `127.0.0.1` and `::1` by default. */
  readonly hosts: readonly string[];
  /** 0 = any free port. */
  readonly port: number;
  readonly allowedHosts: readonly string[];
  readonly origins: readonly string[];
  readonly runtimePorts: { readonly first: number; readonly last: number };
  readonly llamaServer: string | null;
  readonly releaseApi: string;
  readonly cage: "auto" | "require" | "off";
  readonly apiKey: string | null;
  /** -1 = for ever. */
  readonly keepAliveMs: number;
  readonly sweepMs: number;
  /** null = by the rule: min(RAM, cgroup limit) less max(1 GiB, 20 %). */
  readonly memoryBudgetBytes: number | null;
  /** null = physical cores, at most the cgroup's. */
  readonly threads: number | null;
  readonly preload: readonly string[];
  readonly open: boolean;
  readonly logLevel: LogLevel;
  readonly downloadHosts: readonly string[];
  readonly hfEndpoint: string;
  readonly hfToken: string | null;
  readonly proxy: string | null;
  /** Limits; settings of `config.json` only. */
  readonly queueLimit: number;
  readonly bodyLimitBytes: number;
  readonly connectionLimit: number;
  readonly loadStallMs: number;
  readonly downloadStallMs: number;
  /** Bytes per second of all downloads together; 0 = no limit. */
  readonly downloadLimit: number;
  /** Where each value came from, by property name. */
  readonly sources: Readonly<Record<string, SettingSource>>;
}
