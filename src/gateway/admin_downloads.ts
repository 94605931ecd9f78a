// /admin/downloads: what is fetched from the Hub, in which order and how fast.

import { Hono } from "@hono/hono";

import type { DownloadList } from "../api_types.ts";
import { saveSettings } from "../config_file.ts";
import { applySettings } from "../config_values.ts";
import type { Schema } from "../schema.ts";
import { NO_FIELDS, readChecked } from "./admin_json.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import type { Parts } from "./parts.ts";

export type DownloadParts = Pick<Parts, "config" | "setConfig" | "downloads">;

const DEFAULT_REVISION = "main";

export const DOWNLOAD_BODY = {
  type: "object",
  properties: {
    repo: {
      type: "string",
      minLength: 1,
      wanted: 'a text such as "org/name"',
      examples: ["org/name"],
    },
    file: {
      type: "string",
      minLength: 1,
      wanted: 'a text such as "model-Q4_K_M.gguf"',
      description: "Of the repository; of a split model its first part",
      examples: ["model-Q4_K_M.gguf"],
    },
    revision: {
      type: "string",
      minLength: 1,
      wanted: `a text such as "${DEFAULT_REVISION}"`,
      default: DEFAULT_REVISION,
    },
  },
  required: ["repo", "file"],
  additionalProperties: false,
} as const satisfies Schema;

export const LIMIT_BODY = {
  type: "object",
  properties: {
    bytes_per_second: {
      type: "integer",
      minimum: 0,
      wanted: "a whole number of bytes, 0 for no limit",
    },
  },
  required: ["bytes_per_second"],
  additionalProperties: false,
} as const satisfies Schema;

export const MOVE_BODY = {
  type: "object",
  properties: {
    before: {
      type: ["string", "null"],
      wanted: "the ID of another download, or null for the end of the queue",
    },
  },
  additionalProperties: false,
} as const satisfies Schema;

export function downloadRoutes(parts: DownloadParts): Hono<GatewayEnv> {
  const { downloads } = parts;
  const routes = new Hono<GatewayEnv>();
  routes.get("/admin/downloads", (c) => c.json(listOf(parts)));
  routes.post("/admin/downloads", async (c) => {
    const { repo, file, revision } = await readChecked(parts, c, DOWNLOAD_BODY);
    return c.json(downloads.add({ repo, file, revision: revision ?? DEFAULT_REVISION }), 201);
  });
  routes.put("/admin/downloads/limit", async (c) => {
    const { bytes_per_second } = await readChecked(parts, c, LIMIT_BODY);
    // A setting like the others: it outlives a restart, and is shown and changed there as well.
    const file = await saveSettings(parts.config().home, { download_limit: bytes_per_second });
    parts.setConfig(applySettings(parts.config(), file));
    return c.json(listOf(parts));
  });
  routes.get("/admin/downloads/:id", (c) => c.json(downloads.get(c.req.param("id"))));
  routes.post("/admin/downloads/:id/pause", async (c) => {
    await readChecked(parts, c, NO_FIELDS);
    return c.json(await downloads.pause(c.req.param("id")));
  });
  routes.post("/admin/downloads/:id/resume", async (c) => {
    await readChecked(parts, c, NO_FIELDS);
    return c.json(downloads.resume(c.req.param("id")));
  });
  routes.post("/admin/downloads/:id/move", async (c) => {
    const { before = null } = await readChecked(parts, c, MOVE_BODY);
    return c.json(downloads.move(c.req.param("id"), before));
  });
  routes.delete("/admin/downloads/:id", async (c) => {
    await readChecked(parts, c, NO_FIELDS);
    await downloads.cancel(c.req.param("id"));
    return c.body(null, 204);
  });
  return routes;
}

function listOf({ config, downloads }: DownloadParts): DownloadList {
  return { bytes_per_second_limit: config().downloadLimit, downloads: downloads.list() };
}
