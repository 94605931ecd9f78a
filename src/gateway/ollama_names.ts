// Names as Ollama writes them, and the models that they mean here.

import { AppError } from "../errors.ts";
import type { Model } from "../models/library.ts";
import { findModel } from "./find_model.ts";
import type { Parts } from "./parts.ts";

const TAG = /:([^/:]+)$/;
const HUB = /^(?:hf\.co|huggingface\.co)\//i;

/** As lists show it: with a tag, since Ollama's clients show and compare whole names. */
export function listedName(name: string): string {
  return TAG.test(name) ? name : `${name}:latest`;
}

/** All names that lists show for a model. What was made under a name that no file can have shows that one. */
export function listedNames(id: string, aliases: readonly string[]): [string, ...string[]] {
  const named = aliases.filter((alias) => idFromName(alias) === id);
  const others = aliases.filter((alias) => idFromName(alias) !== id);
  const first = named.length > 0 ? named : [id];
  return [...first, ...others].map(listedName) as [string, ...string[]];
}

/** Without `:latest`, which means nothing here. */
export function plainName(name: string): string {
  return name.trim().replace(/:latest$/i, "");
}

/**
 * What a name of Ollama's becomes as the name of a model, which is a file's name as well:
 * `llama3.2:3b` is `llama3.2-3b`, as an import of it is called, `jo/mario` is `mario--jo`.
 */
export function idFromName(name: string): string {
  const [model, ...owners] = plainName(name).split("/").reverse();
  return [model!.replaceAll(":", "-"), ...owners].join("--");
}

/** The model that the name means. Throws `model_not_found`, `model_required`. */
export async function findNamed(parts: Parts, name: string | null): Promise<Model> {
  try {
    return await findModel(parts, name);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "model_not_found") throw error;
    const id = name === null || HUB.test(name) ? name : idFromName(name);
    if (id === name || id === null) throw error;
    try {
      return parts.library.resolve(id);
    } catch {
      // In the words that the client used.
      throw error;
    }
  }
}
