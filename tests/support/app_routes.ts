// The routes of the real app, as it is put together. Nothing is asked of its parts: they are only named.

import { createGateway } from "../../src/gateway/app.ts";
import { Metrics } from "../../src/gateway/metrics.ts";
import type { Parts } from "../../src/gateway/parts.ts";

export function appRoutes(): readonly { method: string; path: string }[] {
  const config = {
    home: "/nonexistent",
    hosts: [],
    allowedHosts: [],
    origins: [],
    connectionLimit: 1,
  };
  const parts = { config: () => config, port: () => 0, keys: { required: false } };
  return createGateway({ ...parts, metrics: new Metrics() } as unknown as Parts).routes();
}
