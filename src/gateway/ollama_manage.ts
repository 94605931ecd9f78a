// POST /api/copy and DELETE /api/delete: names of models, and the models themselves.

import { type Context, Hono } from "@hono/hono";
import { AppError } from "../errors.ts";
import type { Model } from "../models/library.ts";
import { canLink, linkModel } from "../models/model_copy.ts";
import { changeSettings } from "./admin_model_settings.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import { OLLAMA_COPY_BODY, OLLAMA_DELETE_BODY } from "./ollama_bodies.ts";
import { readFields, requiredName } from "./ollama_fields.ts";
import { findNamed, idFromName, plainName } from "./ollama_names.ts";
import type { Parts } from "./parts.ts";

export function ollamaManageRoutes(parts: Parts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.post("/api/copy", (context) => copy(parts, context));
  routes.delete("/api/delete", (context) => remove(parts, context));
  return routes;
}

async function copy(parts: Parts, context: Context<GatewayEnv>): Promise<Response> {
  const fields = await readFields(parts, context, OLLAMA_COPY_BODY);
  const source = requiredName(fields, "source");
  const destination = requiredName(fields, "destination");
  const model = await findNamed(parts, source);
  const known = modelNamed(parts, destination);
  if (known?.id === model.id) return context.body(null, 200);
  if (known !== null) throw nameTaken(destination, known);
  if (canLink(model)) await copyFiles(parts, { model, name: destination });
  else await addAlias(parts, { model, alias: plainName(destination) });
  return context.body(null, 200);
}

/** A model of its own with the same files, and with what was chosen for the first one. */
export async function copyFiles(
  parts: Parts,
  { model, name }: { model: Model; name: string },
): Promise<Model> {
  const id = idFromName(name);
  await linkModel(model, { home: parts.config().home, id });
  const copied = await offered(parts, id);
  await changeSettings(parts, {
    model: copied,
    change: { ...parts.registry.settingsOf(model.id), ...namesFor(id, name), pinned: false },
  });
  return copied;
}

/** The model whose files were just put in place. */
export async function offered(parts: Parts, id: string): Promise<Model> {
  await parts.library.rescan();
  const model = parts.library.get(id);
  if (model !== undefined) return model;
  throw new AppError("internal", `Cannot offer ${JSON.stringify(id)}: look in the log for why`);
}

/** Where the name is no file's, the model answers to it all the same. */
export function namesFor(id: string, name: string): { aliases: string[] } {
  const plain = plainName(name);
  return { aliases: plain === id ? [] : [plain] };
}

/** Who has this name already. */
export function modelNamed(parts: Parts, name: string): Model | null {
  try {
    return parts.library.resolve(plainName(name));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return parts.library.get(idFromName(name)) ?? null;
  }
}

export function nameTaken(name: string, owner: Model): AppError {
  return new AppError(
    "invalid_request",
    `Cannot call a model ${JSON.stringify(name)}: ${
      JSON.stringify(owner.id)
    } has this name. Delete that first`,
    { values: { name, model: owner.id } },
  );
}

// What we may only read gets a further name: its files stay where they are.
async function addAlias(
  parts: Parts,
  { model, alias }: { model: Model; alias: string },
): Promise<void> {
  const { aliases } = parts.registry.settingsOf(model.id);
  await changeSettings(parts, { model, change: { aliases: [...aliases, alias] } });
}

async function remove(parts: Parts, context: Context<GatewayEnv>): Promise<Response> {
  const fields = await readFields(parts, context, OLLAMA_DELETE_BODY);
  const name = requiredName(fields, "model", "name");
  const model = await findNamed(parts, name);
  const { aliases } = parts.registry.settingsOf(model.id);
  if (isAliasAlone(model, { name, aliases })) {
    const rest = aliases.filter((alias) => fold(alias) !== fold(name));
    await changeSettings(parts, { model, change: { aliases: rest } });
    return context.body(null, 200);
  }
  await parts.orchestrator.unload(model.id);
  await parts.library.deleteModel(model.id);
  return context.body(null, 200);
}

/** One of its further names: taking that away leaves the model. */
function isAliasAlone(
  model: Model,
  { name, aliases }: { name: string; aliases: readonly string[] },
): boolean {
  if (fold(model.id) === fold(name) || !aliases.some((alias) => fold(alias) === fold(name))) {
    return false;
  }
  // The name under which it was made, where a file could not have that.
  return idFromName(fold(name)) !== fold(model.id);
}

function fold(name: string): string {
  return plainName(name).normalize("NFC").toLowerCase();
}
