// What a scope is computed from, for tables that name each of its entries.

import type { Config } from "../../src/config.ts";

export const SCOPE_CONFIG = {
  home: "/home/u/.zombie_model",
  runtimeHome: "/home/u/.zombie_runtime",
  modelsDirs: ["/data/models"],
  hosts: ["127.0.0.1", "::1"],
  port: 8_001,
  runtimePorts: { first: 8_080, last: 8_082 },
  llamaServer: null,
  releaseApi: "https://api.github.com",
  hfEndpoint: "https://huggingface.co",
  downloadHosts: [],
  proxy: null,
} as unknown as Config;
