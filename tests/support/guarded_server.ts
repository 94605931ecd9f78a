// The guard in front of routes that count who got through, on a real port.

import { Hono } from "@hono/hono";
import { accessOf, doorAccessOf } from "../../src/gateway/access.ts";
import { ApiKeys } from "../../src/gateway/api_keys.ts";
import type { GatewayEnv } from "../../src/gateway/gateway_env.ts";
import { createGuard, type GuardOptions } from "../../src/gateway/guard.ts";
import { KeyCheck } from "../../src/gateway/key_check.ts";
import { KeyFailures } from "../../src/gateway/key_failures.ts";
import { answerUnmatched } from "../../src/gateway/unmatched.ts";
import { logEntries } from "./log_entries.ts";

export interface GuardedServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** Requests that reached a route. */
  readonly passed: string[];
}

export interface GuardedServerOptions extends Partial<GuardOptions["config"]> {
  /** As a door: the gateway listens on this other port. */
  gatewayPort?: number;
  /** The key of the start. */
  apiKey?: string;
  /** Instead of keys in no registry. */
  keys?: ApiKeys;
  /** By default nobody has to wait, however often a key was wrong. */
  failures?: KeyFailures;
}

const NO_KEYS = { list: () => [], add() {}, used() {}, remove() {} };
const ROUTES = ["/", "/health", "/v1/models", "/admin/models", "/admin/models/:id/load"];

export function guardedServer(options: GuardedServerOptions = {}): GuardedServer {
  const { gatewayPort, apiKey = null, ...config } = options;
  const { failures = new KeyFailures({ free: Infinity }) } = options;
  const keys = options.keys ??
    new ApiKeys({ registry: NO_KEYS, startKey: apiKey, log: logEntries().log });
  const passed: string[] = [];
  const app = new Hono<GatewayEnv>();
  app.use(createGuard({
    config: { hosts: ["127.0.0.1"], allowedHosts: [], origins: [], ...config },
    keys: new KeyCheck({ keys, failures }),
    port: () => gatewayPort ?? server.addr.port,
  }, gatewayPort === undefined ? accessOf : doorAccessOf));
  for (const path of [...ROUTES, "/v1/chat/completions", "/generate", "/api/tags", "/api/delete"]) {
    app.all(path, (c) => {
      passed.push(`${c.req.method} ${c.req.path}`);
      return c.text("passed");
    });
  }
  app.notFound((c) => answerUnmatched(app, c));
  const server: Deno.HttpServer<Deno.NetAddr> = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request, info) => app.fetch(request, { info, localPort: server.addr.port }),
  );
  const { port } = server.addr;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    passed,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
