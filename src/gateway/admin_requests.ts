// /admin/requests: what is asked now and lately, and cancelling it.

import { Hono } from "@hono/hono";

import { AppError } from "../errors.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import type { Parts } from "./parts.ts";

export function requestRoutes(parts: Pick<Parts, "requests">): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.get("/admin/requests", (c) => c.json(parts.requests.list()));
  routes.delete("/admin/requests/:id", (c) => {
    const id = c.req.param("id");
    if (parts.requests.cancel(id)) return c.body(null, 204);
    const shown = id.slice(0, 100);
    throw new AppError(
      "request_not_found",
      `Cannot cancel the request ${JSON.stringify(shown)}: it is not running`,
      { values: { request: shown } },
    );
  });
  return routes;
}
