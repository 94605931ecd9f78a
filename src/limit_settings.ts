// Rows of the table of settings: limits, which are set in config.json alone. The other rows are
// settings.ts's.

import type { Config } from "./config_type.ts";
import type { SettingOf } from "./setting.ts";
import { duration, size, wholeNumber } from "./setting_kinds.ts";

type LimitProperty =
  | "queueLimit"
  | "bodyLimitBytes"
  | "connectionLimit"
  | "loadStallMs"
  | "downloadStallMs"
  | "downloadLimit";

export const LIMIT_SETTINGS: { readonly [P in LimitProperty]: SettingOf<Config[P]> } = {
  queueLimit: {
    name: "queue_limit",
    flag: null,
    environment: null,
    locked: false,
    kind: wholeNumber(1, 1_000_000),
    fallback: "512",
    help: "Requests that may wait for one model",
  },
  bodyLimitBytes: {
    name: "body_limit",
    flag: null,
    environment: null,
    locked: false,
    kind: size(1_024),
    fallback: "64MiB",
    help: "Largest body of a request",
  },
  connectionLimit: {
    name: "connection_limit",
    flag: null,
    environment: null,
    locked: false,
    kind: wholeNumber(1, 65_535),
    fallback: "1024",
    help: "Connections at the same time",
  },
  loadStallMs: {
    name: "load_stall",
    flag: null,
    environment: null,
    locked: false,
    kind: duration({ leastMs: 1_000, forever: false }),
    fallback: "5m",
    help: "Time without a sign of progress after which a load has failed",
  },
  downloadStallMs: {
    name: "download_stall",
    flag: null,
    environment: null,
    locked: false,
    kind: duration({ leastMs: 1_000, forever: false }),
    fallback: "30s",
    help: "Time without a byte after which a download connects again",
  },
  downloadLimit: {
    name: "download_limit",
    flag: null,
    environment: null,
    locked: false,
    kind: size(0),
    fallback: "0",
    help: "Bytes per second of all downloads together; 0 = no limit",
  },
};
