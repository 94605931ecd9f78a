// /admin/models: what there is, and what is done with it by hand. Settings are admin_model_settings.ts's.

import { type Context, Hono } from "@hono/hono";

import { AppError } from "../errors.ts";
import { type HostCalls, PLACES } from "../host/messages.ts";
import type { Model } from "../models/library.ts";
import type { Schema } from "../schema.ts";
import { flagOf, NO_FIELDS, readChecked } from "./admin_json.ts";
import { KEEP_ALIVE } from "./body_fields.ts";
import { findModel } from "./find_model.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import { logStream } from "./log_stream.ts";
import { modelRow } from "./model_rows.ts";
import { keepAliveOf } from "./model_request.ts";
import type { Parts } from "./parts.ts";

export const LOAD_BODY = {
  type: "object",
  properties: { keep_alive: KEEP_ALIVE },
  additionalProperties: false,
} as const satisfies Schema;

export const UNLOAD_BODY = {
  type: "object",
  properties: {
    force: { type: "boolean", default: false, description: "End answers in progress at once" },
  },
  additionalProperties: false,
} as const satisfies Schema;

type AdminContext = Context<GatewayEnv, "/admin/models/:id">;

export function modelRoutes(parts: Parts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.get("/admin/models", async (c) => {
    await Promise.all([parts.library.upToDate(), parts.fits.upToDate()]);
    return c.json(parts.library.list().map((model) => modelRow(parts, model)));
  });
  routes.get("/admin/models/:id", async (c) => {
    await parts.fits.upToDate();
    return c.json(modelRow(parts, await modelOf(parts, c)));
  });
  routes.delete("/admin/models/:id", (c) => deleteModel(parts, c));
  routes.post("/admin/models/:id/load", (c) => load(parts, c));
  routes.post("/admin/models/:id/unload", (c) => unload(parts, c));
  routes.post("/admin/models/:id/pin", (c) => pin(parts, c, { pinned: true }));
  routes.post("/admin/models/:id/unpin", (c) => pin(parts, c, { pinned: false }));
  routes.get("/admin/models/:id/command", (c) => command(parts, c));
  routes.get("/admin/models/:id/log", (c) => log(parts, c));
  return routes;
}

/** The model that the path names: by the rule for names, so never a path. */
export function modelOf(parts: Parts, c: AdminContext): Model | Promise<Model> {
  return findModel(parts, c.req.param("id"));
}

async function load(parts: Parts, c: AdminContext): Promise<Response> {
  const model = await modelOf(parts, c);
  const wait = flagOf(c.req.query("wait"), "wait") ?? true;
  const keepAliveMs = keepAliveOf(await readChecked(parts, c, LOAD_BODY));
  const loading = parts.orchestrator.load(model, {
    ...(keepAliveMs !== undefined && { keepAliveMs }),
  });
  if (wait) {
    await loading;
    return c.json(modelRow(parts, model));
  }
  // The orchestrator logs what goes wrong from here on, and the model's row shows it.
  loading.catch(() => {});
  return c.json(modelRow(parts, model), 202);
}

async function unload(parts: Parts, c: AdminContext): Promise<Response> {
  const model = await modelOf(parts, c);
  const { force = false } = await readChecked(parts, c, UNLOAD_BODY);
  await parts.orchestrator.unload(model.id, { force });
  return c.json(modelRow(parts, model));
}

async function pin(
  parts: Parts,
  c: AdminContext,
  { pinned }: { pinned: boolean },
): Promise<Response> {
  const { orchestrator, registry } = parts;
  const model = await modelOf(parts, c);
  await readChecked(parts, c, NO_FIELDS);
  registry.setSettings(model.id, { ...registry.settingsOf(model.id), pinned });
  orchestrator.pin(model, pinned);
  return c.json(modelRow(parts, model));
}

async function command(parts: Parts, c: AdminContext): Promise<Response> {
  const model = await modelOf(parts, c);
  const plan = await parts.orchestrator.preview(model);
  const { commandLine } = await askCommand(parts, plan);
  return c.json({ id: model.id, command: commandLine });
}

/** The host's own check of a launch: what it would run, or why it would not. */
export function askCommand(
  parts: Pick<Parts, "host">,
  plan: Omit<HostCalls["command"]["params"]["launch"], "place" | "token" | "key">,
): Promise<HostCalls["command"]["result"]> {
  // No process gets these: the last place is the one that is taken last.
  const nobody = "0".repeat(32);
  const launch = { ...plan, place: PLACES - 1, token: nobody, key: nobody };
  return parts.host.call("command", { launch });
}

async function deleteModel(parts: Parts, c: AdminContext): Promise<Response> {
  // By its exact ID: an alias must not take a file away.
  const id = c.req.param("id");
  await readChecked(parts, c, NO_FIELDS);
  const state = parts.orchestrator.stateOf(parts.orchestrator.shownEntry(id)?.key ?? id);
  if (state === "loading" || state === "ready" || state === "stopping") {
    throw new AppError(
      "model_loaded",
      `Cannot delete ${JSON.stringify(id)}: it is ${state}. Unload it first`,
      { values: { model: id, state } },
    );
  }
  await parts.library.deleteModel(id);
  return c.body(null, 204);
}

async function log(parts: Parts, c: AdminContext): Promise<Response> {
  const { id } = await modelOf(parts, c);
  const follow = flagOf(c.req.query("follow"), "follow") ?? false;
  if (follow && c.req.method !== "HEAD") {
    return logStream(() => parts.orchestrator.shownEntry(id)?.instance ?? null);
  }
  return c.json({ id, lines: parts.orchestrator.shownEntry(id)?.instance.lastLines ?? [] });
}
