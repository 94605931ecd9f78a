// The model that a word on the command line means, or an error that names what may have been meant.

import type { CatalogueRow, ModelRow } from "../api_types.ts";
import { AppError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import type { ServerClient } from "./server_client.ts";

/** `/admin/models/{id}` with whatever comes behind it. */
export function modelPath(id: string, rest = ""): string {
  return `/admin/models/${encodeURIComponent(id)}${rest}`;
}

/** Throws `model_not_found` with the nearest names, or with how to get the model. */
export async function findModel(client: ServerClient, name: string): Promise<ModelRow> {
  // As a path these would lead elsewhere.
  if (name === "" || name === "." || name === "..") throw await notFound(client, name);
  try {
    return await client.json<ModelRow>(modelPath(name));
  } catch (error) {
    // A name that no address can hold is no model's either.
    const isUnknown = error instanceof AppError &&
      (error.code === "model_not_found" || error.code === "invalid_request");
    if (!isUnknown) throw error;
    throw await notFound(client, name);
  }
}

async function notFound(client: ServerClient, name: string): Promise<AppError> {
  const models = await client.json<ModelRow[]>("/admin/models");
  const ids = models.map(({ id }) => id);
  return new AppError(
    "model_not_found",
    `Cannot find the model ${JSON.stringify(name)}. ${await adviceOf(client, { name, ids })}`,
    { values: { model: name } },
  );
}

async function adviceOf(
  client: ServerClient,
  { name, ids }: { name: string; ids: readonly string[] },
): Promise<string> {
  const meant = nearNames(name, ids);
  if (meant.length > 0) return `Did you mean ${oneOf(meant)}?`;
  const offered = (await catalogue(client)).map(({ id }) => id);
  const toPull = nearNames(name, offered);
  if (toPull.length > 0) return `To download it: zombiecoder pull ${toPull[0]}`;
  const others = ids.slice(0, MOST_SHOWN);
  if (others.length === 0) return "There is none here yet; zombiecoder search WORDS finds some";
  return `There is ${oneOf(others)}; zombiecoder search WORDS finds more`;
}

const MOST_SHOWN = 5;

/** The nearest by its letters, then those that hold the word. */
export function nearNames(name: string, known: readonly string[]): string[] {
  const typed = name.toLowerCase().replace(/:latest$/, "");
  const near = nearest(typed, known);
  const holding = typed.length < 3
    ? []
    : known.filter((each) => each !== near && each.toLowerCase().includes(typed));
  return [...near === null ? [] : [near], ...holding].slice(0, MOST_SHOWN);
}

/** Empty where this server has none: its advice is not worth an error of its own. */
async function catalogue(client: ServerClient): Promise<CatalogueRow[]> {
  try {
    return await client.json<CatalogueRow[]>("/admin/catalogue");
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return [];
  }
}

function oneOf(names: readonly string[]): string {
  const quoted = names.map((name) => JSON.stringify(name));
  return quoted.length < 2
    ? quoted.join("")
    : `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`;
}
