// What there is, in Ollama's shapes: /api/tags, /api/ps, /api/show, /api/version.

import { type Context, Hono } from "@hono/hono";
import { AppError } from "../errors.ts";
import { readGgufFacts } from "../models/gguf.ts";
import type { Model } from "../models/library.ts";
import type { Entry } from "../orchestrator/entry.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import type { JsonObject } from "./json_body.ts";
import { OLLAMA_SHOW_BODY } from "./ollama_bodies.ts";
import {
  capabilitiesOf,
  detailsOf,
  digestOf,
  modelfileText,
  modelInfo,
  parametersText,
} from "./ollama_details.ts";
import { flagOf, namedModel, objectOf, readFields, textOf } from "./ollama_fields.ts";
import { findNamed, listedNames } from "./ollama_names.ts";
import { readOptions, settingsFrom } from "./ollama_options.ts";
import type { Parts } from "./parts.ts";

/**
 * The Ollama release whose API this is, not our own: clients ask for a least one before they use
 * tools, thinking levels or capabilities, all of which this one has.
 */
export const OLLAMA_VERSION = "0.30.4";

/** What Ollama itself says of a model that never goes. */
const FOREVER_MS = 292 * 365 * 86_400_000;

export function ollamaModelRoutes(parts: Parts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.get("/api/version", (context) => context.json({ version: OLLAMA_VERSION }));
  routes.get("/api/tags", (context) => tags(parts, context));
  routes.get("/api/ps", (context) => running(parts, context));
  routes.post("/api/show", (context) => show(parts, context));
  return routes;
}

async function tags(parts: Parts, context: Context<GatewayEnv>): Promise<Response> {
  await parts.library.upToDate();
  const recorded = recordedDigests(parts);
  const models = await Promise.all(
    parts.library.list().map(async (model) => {
      const settings = parts.registry.settingsOf(model.id);
      const digest = await digestOf(model, { settings, recorded: recorded.get(model.id) ?? null });
      // Every name that it answers to: a copy that has no file of its own is one of them.
      return listedNames(model.id, settings.aliases).map((name) => ({
        name,
        model: name,
        modified_at: timeOf(model),
        size: model.sizeBytes,
        digest,
        details: detailsOf(model),
        capabilities: capabilitiesOf(model),
      }));
    }),
  );
  return context.json({ models: models.flat() });
}

async function running(parts: Parts, context: Context<GatewayEnv>): Promise<Response> {
  const recorded = recordedDigests(parts);
  const ready = [...parts.orchestrator.entries()].filter((entry) =>
    entry.instance.state === "ready" && !entry.leaving
  );
  // One that answers in two ways has two processes, and is one model.
  const byModel = Map.groupBy(ready, (entry) => entry.model.id);
  const models = await Promise.all([...byModel.values()].map(async (entries) => {
    const { model } = entries[0]!;
    const pools = entries.map((entry) => parts.orchestrator.poolsOf(entry));
    const sum = (name: "ramBytes" | "vramBytes") =>
      pools.reduce((total, each) => total + (each?.[name] ?? 0), 0);
    const settings = parts.registry.settingsOf(model.id);
    const [name] = listedNames(model.id, settings.aliases);
    return {
      name,
      model: name,
      size: sum("ramBytes") + sum("vramBytes"),
      digest: await digestOf(model, { settings, recorded: recorded.get(model.id) ?? null }),
      details: detailsOf(model),
      expires_at: new Date(Math.max(...entries.map(expiryMs))).toISOString(),
      size_vram: sum("vramBytes"),
      context_length: entries[0]!.placement?.contextTokens ?? 0,
    };
  }));
  models.sort((a, b) => a.expires_at < b.expires_at ? 1 : a.expires_at > b.expires_at ? -1 : 0);
  return context.json({ models });
}

async function show(parts: Parts, context: Context<GatewayEnv>): Promise<Response> {
  const fields = await readFields(parts, context, OLLAMA_SHOW_BODY);
  const system = textOf(fields, "system");
  const { sampling } = readOptions(objectOf(fields, "options"));
  const isVerbose = flagOf(fields, "verbose") ?? false;
  const model = await findNamed(parts, namedModel(fields));
  const settings = parts.registry.settingsOf(model.id);
  const { facts } = model;
  const parameters = parametersText({ ...settings.sampling, ...settingsFrom(sampling) });
  const template = settings.chat_template ?? facts?.chatTemplate ?? null;
  const shown = system ?? settings.system_prompt;
  const license = facts?.metadata.get("general.license");
  const projector = await projectorInfo(model);
  const body: JsonObject = {
    ...(typeof license === "string" && { license }),
    modelfile: modelfileText({ from: model.id, template, system: shown, parameters }),
    parameters,
    template: template ?? "",
    ...(shown !== null && { system: shown }),
    details: detailsOf(model),
    model_info: facts === null ? {} : modelInfo(facts),
    ...(projector !== null && { projector_info: projector }),
    ...(isVerbose && { tensors: await tensorsOf(model) }),
    capabilities: capabilitiesOf(model),
    modified_at: timeOf(model),
  };
  return context.json(body);
}

async function projectorInfo({ mmprojPath }: Model): Promise<JsonObject | null> {
  if (mmprojPath === null) return null;
  return await ifReadable(async () =>
    Object.fromEntries((await readGgufFacts(mmprojPath)).metadata)
  );
}

async function tensorsOf({ parts }: Model): Promise<JsonObject[]> {
  const tensors: JsonObject[] = [];
  for (const path of parts) {
    await ifReadable(() =>
      readGgufFacts(path, {
        onTensor: ({ name, type, dimensions }) => tensors.push({ name, type, shape: dimensions }),
      })
    );
  }
  return tensors;
}

/** A file that is gone or damaged since it was listed: the rest can be shown all the same. */
async function ifReadable<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof AppError || error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** SHA-256 of files that were downloaded here, by model. */
function recordedDigests({ registry }: Parts): Map<string, string> {
  const models = new Map(
    registry.downloads.list().flatMap(({ id, modelId, state }) =>
      state === "done" && modelId !== null ? [[id, modelId] as const] : []
    ),
  );
  return new Map(
    registry.downloads.files().flatMap(({ downloadId, number, sha256 }) => {
      const modelId = models.get(downloadId);
      return number === 0 && sha256 !== null && modelId !== undefined ? [[modelId, sha256]] : [];
    }),
  );
}

function expiryMs(entry: Entry): number {
  if (entry.expiresAt !== null) return entry.expiresAt.getTime();
  const isForever = entry.pinned || entry.keepAliveMs < 0;
  return Date.now() + (isForever ? FOREVER_MS : entry.keepAliveMs);
}

function timeOf({ mtimeMs }: Model): string {
  return new Date(mtimeMs).toISOString();
}
