// What is known of the runtime before anybody has looked for it.

import type { RuntimeInfo } from "./api_types.ts";

export const UNKNOWN_RUNTIME: Readonly<RuntimeInfo> = Object.freeze({
  phase: "unknown",
  build: null,
  version: null,
  source: null,
  devices: [],
  activity: null,
  progress: null,
  error: null,
});
