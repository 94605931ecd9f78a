// /admin/downloads: what is fetched from the Hub, in which order and how fast.

import { Hono } from "@hono/hono";

import type { DownloadList } from "../api_types.ts";
import { saveSettings } from "../config_file.ts";
import { applySettings } from "../config_values.ts";
import { AppError } from "../errors.ts";
import { readOptions } from "./admin_json.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import type { JsonObject } from "./json_body.ts";
import type { Parts } from "./parts.ts";

export type DownloadParts = Pick<Parts, "config" | "setConfig" | "downloads">;

const DEFAULT_REVISION = "main";

export function downloadRoutes(parts: DownloadParts): Hono<GatewayEnv> {
  const { downloads } = parts;
  const routes = new Hono<GatewayEnv>();
  routes.get("/admin/downloads", (c) => c.json(listOf(parts)));
  routes.post("/admin/downloads", async (c) => {
    const body = await readOptions(parts, c, { fields: ["repo", "file", "revision"] });
    const row = downloads.add({
      repo: textOf(body, "repo"),
      file: textOf(body, "file"),
      revision: body["revision"] === undefined ? DEFAULT_REVISION : textOf(body, "revision"),
    });
    return c.json(row, 201);
  });
  routes.put("/admin/downloads/limit", async (c) => {
    const body = await readOptions(parts, c, { fields: ["bytes_per_second"] });
    const limit = limitOf(body["bytes_per_second"]);
    // A setting like the others: it outlives a restart, and is shown and changed there as well.
    const file = await saveSettings(parts.config().home, { download_limit: limit });
    parts.setConfig(applySettings(parts.config(), file));
    return c.json(listOf(parts));
  });
  routes.get("/admin/downloads/:id", (c) => c.json(downloads.get(c.req.param("id"))));
  routes.post("/admin/downloads/:id/pause", async (c) => {
    await readOptions(parts, c, { fields: [] });
    return c.json(await downloads.pause(c.req.param("id")));
  });
  routes.post("/admin/downloads/:id/resume", async (c) => {
    await readOptions(parts, c, { fields: [] });
    return c.json(downloads.resume(c.req.param("id")));
  });
  routes.post("/admin/downloads/:id/move", async (c) => {
    const { before } = await readOptions(parts, c, { fields: ["before"] });
    return c.json(downloads.move(c.req.param("id"), beforeOf(before)));
  });
  routes.delete("/admin/downloads/:id", async (c) => {
    await readOptions(parts, c, { fields: [] });
    await downloads.cancel(c.req.param("id"));
    return c.body(null, 204);
  });
  return routes;
}

function listOf({ config, downloads }: DownloadParts): DownloadList {
  return { bytes_per_second_limit: config().downloadLimit, downloads: downloads.list() };
}

function textOf(body: JsonObject, name: string): string {
  const value = body[name];
  if (typeof value === "string" && value !== "") return value;
  const example = { repo: "org/name", file: "model-Q4_K_M.gguf", revision: DEFAULT_REVISION }[name];
  throw new AppError("invalid_request", `Cannot read "${name}": send a text such as "${example}"`, {
    param: name,
  });
}

function limitOf(value: unknown): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new AppError(
    "invalid_request",
    'Cannot read "bytes_per_second": send a whole number of bytes, 0 for no limit',
    { param: "bytes_per_second" },
  );
}

/** Null or left out: to the end. */
function beforeOf(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "string") return value;
  throw new AppError(
    "invalid_request",
    'Cannot read "before": send the ID of another download, or null for the end of the queue',
    { param: "before" },
  );
}
