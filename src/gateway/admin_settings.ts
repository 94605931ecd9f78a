// /admin/settings: every setting with its source; a change is written to config.json and applied.

import { Hono } from "@hono/hono";

import { saveSettings } from "../config_file.ts";
import { applySettings, describeSettings } from "../config_values.ts";
import { readObject } from "./admin_json.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import type { Parts } from "./parts.ts";

export function settingsRoutes(parts: Parts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.get("/admin/settings", (c) => c.json(describeSettings(parts.config())));
  routes.put("/admin/settings", async (c) => {
    const file = await saveSettings(parts.config().home, await readObject(parts, c));
    const before = parts.config();
    // Not `before` once more: another save may have ended while this one waited for the disk.
    parts.setConfig(applySettings(parts.config(), file));
    const { keepAliveMs } = parts.config();
    if (keepAliveMs !== before.keepAliveMs) setKeepAlive(parts, keepAliveMs);
    return c.json(describeSettings(parts.config()));
  });
  return routes;
}

/** For what is loaded and has no keep-alive of its own. */
function setKeepAlive({ orchestrator, registry }: Parts, keepAliveMs: number): void {
  for (const entry of orchestrator.entries()) {
    const { id } = entry.model;
    if (registry.settingsOf(id).keep_alive === null) orchestrator.setKeepAlive(id, keepAliveMs);
  }
}
