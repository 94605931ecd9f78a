// Gives a model of ours a second name: hard links to its files, so that either can be deleted and
// nothing is stored twice. What a user chose for it is the registry's.

import { basename, extname, join } from "node:path";

import { syncPath } from "../durable_write.ts";
import { AppError, messageOf } from "../errors.ts";
import { randomHex } from "../random_hex.ts";
import { isThere } from "./is_there.ts";
import type { Model } from "./model.ts";
import { isModelId, splitFileName } from "./model_names.ts";
import { isSafeSegment, safeJoin } from "./safe_join.ts";

export interface ModelCopyOptions {
  /** Absolute. */
  home: string;
  /** The new name; no model may have it. */
  id: string;
}

/** Whether a copy of the model's files can lie in the home folder. */
export function canLink({ source }: Pick<Model, "source">): boolean {
  return source === "home" || source === "builtin";
}

/**
 * The copy is there as a whole when this returns; what goes wrong before leaves nothing that is offered.
 *
 * @throws {AppError} `invalid_request` for a name that cannot be a file's, or that is taken;
 * `folder_unusable` where the file system has no hard links.
 */
export async function linkModel(model: Model, { home, id }: ModelCopyOptions): Promise<void> {
  if (!isModelId(id) || !isSafeSegment(`${id}.gguf`)) throw badName(id);
  try {
    if (model.parts.length === 1 && model.mmprojPath === null) {
      await Deno.link(model.path, safeJoin(home, `${id}.gguf`));
    } else {
      await linkFolder(model, { home, id });
    }
    await syncPath(home);
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (error instanceof Deno.errors.AlreadyExists) throw taken(id);
    throw new AppError(
      "folder_unusable",
      `Cannot copy ${JSON.stringify(model.id)} (${
        messageOf(error)
      }): the models folder must be on a file system with hard links`,
      { values: { model: model.id }, cause: error },
    );
  }
}

// Aside first, under a name that no scan looks into.
async function linkFolder(model: Model, { home, id }: ModelCopyOptions): Promise<void> {
  const folder = safeJoin(home, id);
  const aside = join(home, `.copy-${randomHex(8)}`);
  await Deno.mkdir(aside);
  try {
    for (const [index, path] of model.parts.entries()) {
      const name = model.parts.length === 1
        ? `${id}.gguf`
        : splitFileName(id, index + 1, model.parts.length);
      await Deno.link(path, join(aside, name));
    }
    if (model.mmprojPath !== null) {
      await Deno.link(model.mmprojPath, join(aside, projectorName(model.mmprojPath)));
    }
    await syncPath(aside);
    // A folder that is there already is never put aside.
    if (await isThere(folder)) throw taken(id);
    await Deno.rename(aside, folder);
  } catch (error) {
    await Deno.remove(aside, { recursive: true });
    throw error;
  }
}

/** Names no model, so it belongs to the one beside it; the format behind it tells which is better. */
function projectorName(path: string): string {
  const format = /[-_. ](f16|bf16|f32|q\d\w*)$/i.exec(basename(path, extname(path)))?.[1];
  return format === undefined ? "mmproj-model.gguf" : `mmproj-model-${format}.gguf`;
}

function badName(id: string): AppError {
  const shown = JSON.stringify(id.slice(0, 100));
  return new AppError(
    "invalid_request",
    `Cannot call a model ${shown}: use letters, digits, ".", "-" and "_"`,
    { values: { name: id.slice(0, 100) } },
  );
}

function taken(id: string): AppError {
  return new AppError(
    "invalid_request",
    `Cannot call a model ${JSON.stringify(id)}: another one has this name. Delete that first`,
    { values: { name: id } },
  );
}
