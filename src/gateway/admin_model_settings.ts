// /admin/models/{id}/settings: what a user chose for one model. All of it is checked before it is kept.

import { Hono } from "@hono/hono";
import { isAbsolute, join } from "node:path";

import type { ModelSettings } from "../api_types.ts";
import { parseDuration } from "../duration.ts";
import type { CacheType } from "../host/messages.ts";
import type { Model } from "../models/library.ts";
import { parseModelSettings } from "../models/model_settings.ts";
import { readObject } from "./admin_json.ts";
import { askCommand, modelOf } from "./admin_models.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import { checkModelSettings } from "./model_settings_check.ts";
import type { Parts } from "./parts.ts";

/** What a running model takes over at once; the rest belongs to its process. */
const APPLIED_NOW: ReadonlySet<string> = new Set(["keep_alive", "pinned", "aliases"]);
/** What only the host can judge: its list of arguments, and files. */
const CHECKED_BY_HOST = ["extra_args", "lora", "draft_model", "chat_template"] as const;

export function modelSettingsRoutes(parts: Parts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.get("/admin/models/:id/settings", async (c) => {
    const { id } = await modelOf(parts, c);
    return c.json(parts.registry.settingsOf(id));
  });
  routes.put("/admin/models/:id/settings", async (c) => {
    const model = await modelOf(parts, c);
    const change = await readObject(parts, c);
    const settings = await changeSettings(parts, { model, change });
    const atNextLoad = Object.keys(change).some((field) => !APPLIED_NOW.has(field)) &&
      isLive(parts, model);
    return c.json({ ...settings, applies: atNextLoad ? "next load" : "now" });
  });
  return routes;
}

/** Keeps what is checked; throws `invalid_request` and changes nothing else. */
export async function changeSettings(
  parts: Parts,
  { model, change }: { model: Model; change: Record<string, unknown> },
): Promise<ModelSettings> {
  const { registry, orchestrator } = parts;
  const wanted = parseModelSettings({ ...registry.settingsOf(model.id), ...change });
  checkModelSettings(wanted, {
    model,
    models: parts.library.list(),
    aliases: registry.aliases(),
  });
  if (CHECKED_BY_HOST.some((field) => Object.hasOwn(change, field) && isSet(wanted[field]))) {
    await askCommand(parts, trialLaunch(parts, { model, settings: wanted }));
  }
  // Read anew: another change may have been kept while the host was asked.
  const settings = parseModelSettings({ ...registry.settingsOf(model.id), ...change });
  registry.setSettings(model.id, settings);
  if (orchestrator.entry(model.id) === null) return settings;
  if (Object.hasOwn(change, "keep_alive")) {
    const own = settings.keep_alive === null ? null : parseDuration(settings.keep_alive);
    orchestrator.setKeepAlive(model.id, own ?? parts.config().keepAliveMs);
  }
  if (Object.hasOwn(change, "pinned")) orchestrator.pin(model, settings.pinned);
  return settings;
}

/** A launch that is never started: what the settings say, and the least of everything else. */
function trialLaunch(
  parts: Parts,
  { model, settings }: { model: Model; settings: ModelSettings },
): Parameters<typeof askCommand>[1] {
  const { home } = parts.config();
  const absolute = (path: string) => isAbsolute(path) ? path : join(home, path);
  return {
    alias: model.id,
    modelPath: model.path,
    mmprojPath: null,
    mode: "chat",
    contextTokens: settings.context ?? 1,
    parallel: settings.parallel ?? 1,
    threads: settings.threads ?? 1,
    gpuLayers: settings.gpu_layers ?? "auto",
    batchTokens: 1,
    ubatchTokens: 1,
    cacheTypeK: settings.cache_type_k as CacheType | null,
    cacheTypeV: settings.cache_type_v as CacheType | null,
    cacheRamMiB: 0,
    httpThreads: 1,
    logVerbosity: 1,
    chatTemplate: settings.chat_template,
    loraPaths: settings.lora.map(absolute),
    draftModelPath: settings.draft_model === null ? null : absolute(settings.draft_model),
    memoryBytes: null,
    extraArgs: settings.extra_args,
  };
}

function isLive({ orchestrator }: Parts, model: Model): boolean {
  const state = orchestrator.stateOf(model.id);
  return state === "ready" || state === "loading";
}

function isSet(value: string | string[] | null): boolean {
  return value !== null && value.length > 0;
}
