// llama-swap's routes for who runs, for unloading and for logs, so that its users' scripts go on.

import { type Context, Hono } from "@hono/hono";
import { AppError } from "../errors.ts";
import type { Entry } from "../orchestrator/entry.ts";
import { findModel } from "./find_model.ts";
import { foreignLinkRefused, isForeignLink } from "./foreign_link.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import { type LogChoice, logLines, logTextStream } from "./log_text.ts";
import type { Parts } from "./parts.ts";

const TEXT = { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" };

export function llamaSwapRoutes(parts: Parts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.get("/running", (c) => c.json({ running: running(parts) }));
  routes.on(["GET", "POST"], "/unload", async (c) => {
    checkUnloadByGet(c);
    await unloadAll(parts);
    return c.text("OK");
  });
  routes.post("/api/models/unload", async (c) => {
    await unloadAll(parts);
    return c.json({ msg: "ok" });
  });
  routes.post("/api/models/unload/:id{.+}", async (c) => {
    const model = await findModel(parts, c.req.param("id"));
    await parts.orchestrator.unload(model.id);
    return c.text("OK");
  });
  routes.get("/logs", (c) => c.body(logText(parts), 200, TEXT));
  routes.get("/logs/stream", (c) => stream(parts, c, { of: "all" }));
  routes.get("/logs/stream/:id{.+}", async (c) => {
    const id = c.req.param("id");
    if (id === "proxy") return stream(parts, c, { of: "server" });
    if (id === "upstream") return stream(parts, c, { of: "models" });
    return stream(parts, c, { of: "model", id: (await findModel(parts, id)).id });
  });
  return routes;
}

interface RunningModel {
  model: string;
  state: "starting" | "ready" | "stopping";
  cmd: string;
  proxy: string;
  /** Idle seconds before it goes; 0 = it stays. */
  ttl: number;
  name: string;
  description: string;
}

function running(parts: Parts): RunningModel[] {
  const rows: RunningModel[] = [];
  const { orchestrator } = parts;
  for (const id of idsOf(orchestrator)) {
    const entry = orchestrator.shownEntry(id)!;
    const state = stateOf(entry);
    if (state === null) continue;
    const address = entry.door === null ? "" : `http://127.0.0.1:${entry.door.port}`;
    rows.push({
      model: id,
      state,
      // What it runs is at /admin/models/{id}/command: that question takes a look at the machine.
      cmd: "",
      proxy: address,
      ttl: entry.pinned ? 0 : Math.max(0, Math.ceil(entry.keepAliveMs / 1000)),
      name: id,
      description: "",
    });
  }
  return rows.sort((a, b) => a.model < b.model ? -1 : 1);
}

function stateOf(entry: Entry): RunningModel["state"] | null {
  const { state } = entry.instance;
  if (state === "ready") return entry.leaving ? "stopping" : "ready";
  if (state === "stopping") return "stopping";
  return state === "loading" || entry.loadQueued ? "starting" : null;
}

/** Answers in progress end first, as everywhere where nobody says `force`. */
async function unloadAll({ orchestrator }: Parts): Promise<void> {
  await Promise.all([...idsOf(orchestrator)].map((id) => orchestrator.unload(id)));
}

/** Of all models that anybody asked for. */
function idsOf(orchestrator: Parts["orchestrator"]): Set<string> {
  return new Set([...orchestrator.entries()].map((entry) => entry.model.id));
}

// A GET that changes something is llama-swap's.
function checkUnloadByGet(c: Context<GatewayEnv>): void {
  const { method, headers } = c.req.raw;
  if (method === "POST") return;
  if (method === "HEAD") {
    throw new AppError("method_not_allowed", 'Cannot HEAD "/unload": use GET, POST', {
      values: { method, allow: "GET, POST" },
    });
  }
  if (!headers.has("origin") && !isForeignLink(c.req.raw)) return;
  throw foreignLinkRefused(c.req.raw, { what: "unload", instead: "Send POST /unload" });
}

function logText(parts: Parts): string {
  return logLines(parts, { of: "all" }).map((line) => `${line}\n`).join("");
}

function stream(parts: Parts, c: Context<GatewayEnv>, choice: LogChoice): Response {
  if (c.req.method === "HEAD") return c.body(null, 200, TEXT);
  const history = c.req.query("no-history") === undefined;
  return new Response(logTextStream(parts, { choice, history }), {
    headers: { ...TEXT, "cache-control": "no-store", "x-accel-buffering": "no" },
  });
}
