// Makes a model of files that a client sent: a GGUF, and the projector that goes with it.

import { basename, join } from "node:path";

import { removeIfThere, syncPath } from "../durable_write.ts";
import { AppError } from "../errors.ts";
import { randomHex } from "../random_hex.ts";
import { readGgufFacts } from "./gguf.ts";
import type { GgufKind } from "./gguf_kind.ts";
import { isThere } from "./is_there.ts";
import { isModelId } from "./model_names.ts";
import { isSafeSegment, safeJoin } from "./safe_join.ts";

export interface SentFile {
  /** As the client calls it; only told, never a path. */
  name: string;
  path: string;
}

export interface CreationOptions {
  /** Absolute. */
  home: string;
  /** No model may have it. */
  id: string;
}

/**
 * Moves the files to where models lie; the model is there as a whole when this returns.
 *
 * @throws {AppError} `invalid_request` for files that make no model, and for a name that is taken or
 * cannot be a file's.
 */
export async function makeModel(
  files: readonly SentFile[],
  { home, id }: CreationOptions,
): Promise<void> {
  if (!isModelId(id) || !isSafeSegment(`${id}.gguf`)) throw refusal(id, "that is no file's name");
  const { model, projector } = await sortOut(files, id);
  const target = safeJoin(home, projector === null ? `${id}.gguf` : id);
  if (await isThere(target)) throw refusal(id, "another model has this name. Delete that first");
  if (projector === null) {
    await Deno.rename(model.path, target);
  } else {
    // Under a name that no scan looks into, until both are in it.
    const aside = join(home, `.create-${randomHex(8)}`);
    await Deno.mkdir(aside);
    try {
      await Deno.rename(projector.path, join(aside, "mmproj-model.gguf"));
      await Deno.rename(model.path, join(aside, `${id}.gguf`));
      await syncPath(aside);
      await Deno.rename(aside, target);
    } catch (error) {
      await removeIfThere(aside);
      throw error;
    }
  }
  await syncPath(home);
}

async function sortOut(files: readonly SentFile[], id: string) {
  const models: SentFile[] = [];
  const projectors: SentFile[] = [];
  for (const file of files) {
    const kind = await kindOf(file, id);
    if (kind === "projector") projectors.push(file);
    else if (kind === "adapter" || kind === "other") {
      throw refusal(id, `${JSON.stringify(file.name)} is no model that llama-server can run`);
    } else models.push(file);
  }
  const [model] = models;
  if (model === undefined || models.length > 1 || projectors.length > 1) {
    throw refusal(id, "it takes one GGUF file, and at most one projector with it");
  }
  return { model, projector: projectors[0] ?? null };
}

async function kindOf({ name, path }: SentFile, id: string): Promise<GgufKind> {
  try {
    const { kind, splitCount } = await readGgufFacts(path);
    if (splitCount <= 1) return kind;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    // It is called by its digest here, and by the client's name there.
    throw refusal(id, error.message.replaceAll(basename(path), name.slice(0, 100)));
  }
  throw refusal(id, "it is one of several parts. Copy them into the models folder instead");
}

function refusal(id: string, reason: string): AppError {
  const shown = id.slice(0, 100);
  return new AppError("invalid_request", `Cannot create ${JSON.stringify(shown)}: ${reason}`, {
    values: { name: shown },
  });
}
