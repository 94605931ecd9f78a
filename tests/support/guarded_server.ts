// The guard in front of routes that count who got through, on a real port.

import { Hono } from "@hono/hono";
import type { GatewayEnv } from "../../src/gateway/gateway_env.ts";
import { createGuard, type GuardOptions } from "../../src/gateway/guard.ts";
import { answerUnmatched } from "../../src/gateway/unmatched.ts";

export interface GuardedServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** Requests that reached a route. */
  readonly passed: string[];
}

export interface GuardedServerOptions extends Partial<GuardOptions["config"]> {
  /** As a door: the gateway listens on this other port. */
  gatewayPort?: number;
}

const ROUTES = ["/", "/health", "/v1/models", "/admin/models", "/admin/models/:id/load"];

export function guardedServer(options: GuardedServerOptions = {}): GuardedServer {
  const { gatewayPort, ...config } = options;
  const passed: string[] = [];
  const app = new Hono<GatewayEnv>();
  app.use(createGuard({
    config: { hosts: ["127.0.0.1"], allowedHosts: [], origins: [], apiKey: null, ...config },
    port: () => gatewayPort ?? server.addr.port,
  }));
  for (const path of [...ROUTES, "/v1/chat/completions", "/generate"]) {
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
