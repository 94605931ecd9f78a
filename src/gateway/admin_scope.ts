// /admin/scope: what this server may do, what it lacks, and the cage of its instances.

import { Hono } from "@hono/hono";

import type { ScopeInfo } from "../api_types.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import type { Parts } from "./parts.ts";
import { systemInfo } from "./system_info.ts";

export function scopeRoutes(parts: Parts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.get("/admin/scope", (c) => {
    const { permissions, missing } = parts.scope;
    return c.json(
      {
        permissions,
        missing,
        runtime_home: parts.config().runtimeHome,
        cage: systemInfo(parts).cage,
      } satisfies ScopeInfo,
    );
  });
  return routes;
}
