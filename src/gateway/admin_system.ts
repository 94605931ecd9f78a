// /admin/system and /admin/events.

import { Hono } from "@hono/hono";

import { EventStream } from "./event_stream.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import { modelRow } from "./model_rows.ts";
import type { Parts } from "./parts.ts";
import { systemInfo } from "./system_info.ts";

export function systemRoutes(parts: Parts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.get("/admin/system", async (c) => {
    // Readings come by themselves only while someone watches.
    parts.hardware.update(await parts.host.call("reading", { disk: true }));
    return c.json(systemInfo(parts));
  });
  routes.get("/admin/events", async (c) => {
    if (c.req.method === "HEAD") return new EventStream({ onEnd: () => {} }).response;
    parts.hardware.update(await parts.host.call("reading", { disk: true }));
    return parts.events.stream(c.req.header("last-event-id") ?? null, () => [
      { type: "system", data: systemInfo(parts) },
      ...parts.library.list().map((model) => ({
        type: "model" as const,
        data: modelRow(parts, model),
      })),
      ...parts.downloads.list().map((data) => ({ type: "download" as const, data })),
    ]);
  });
  return routes;
}
