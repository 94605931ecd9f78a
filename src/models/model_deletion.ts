// Takes one model's files off the disk. The paths are those that a scan found, never a name from
// outside; each is looked at again before it goes.

import { dirname, join } from "node:path";

import { AppError, messageOf } from "../errors.ts";
import type { ModelSource } from "./registry_rows.ts";
import { hasLink, isInside } from "./safe_join.ts";

export interface DeletableModel {
  readonly id: string;
  readonly parts: readonly string[];
  readonly mmprojPath: string | null;
  readonly source: ModelSource;
}

export interface DeletionOptions {
  home: string;
  /** All other models: a projector that one of them uses stays. */
  others: readonly DeletableModel[];
}

/** @throws {AppError} `invalid_request` saying why, `folder_unusable`. */
export async function deleteModelFiles(
  model: DeletableModel,
  options: DeletionOptions,
): Promise<void> {
  const { home, others } = options;
  if (model.source === "builtin") {
    throw refusal(model, "it is built in, and a file of your own of that name replaces it");
  }
  const folder = dirname(model.parts[0]!);
  if (model.source !== "home") {
    throw refusal(
      model,
      `it lies in ${JSON.stringify(folder)}, which is only read. Delete the file there yourself`,
    );
  }
  // The first part last: cut off in between, what is left is still seen as this model.
  const paths = model.parts.toReversed();
  const { mmprojPath } = model;
  const isShared = others.some((other) => other.mmprojPath === mmprojPath);
  if (mmprojPath !== null && !isShared && folder !== home) paths.unshift(mmprojPath);
  const check = (path: string) => {
    if (isInside(home, path) && !hasLink(home, dirname(path))) return;
    throw refusal(model, `${JSON.stringify(path)} leads out of the models folder`);
  };
  // All before the first is gone, and each again right before it goes: its folder may be swapped for
  // a link at any time.
  paths.forEach(check);
  try {
    for (const path of paths) {
      check(path);
      await removeFile(path);
    }
    if (folder !== home) {
      check(join(folder, "any"));
      await removeIfEmpty(folder);
    }
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError(
      "folder_unusable",
      `Cannot delete ${JSON.stringify(model.id)} (${messageOf(error)}). Check the permissions of ${
        JSON.stringify(folder)
      }`,
      { values: { model: model.id }, cause: error },
    );
  }
}

/** A link is removed itself, not what it leads to; a folder that took the file's place stays. */
async function removeFile(path: string): Promise<void> {
  try {
    if (Deno.lstatSync(path).isDirectory) return;
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function removeIfEmpty(folder: string): Promise<void> {
  for await (const _entry of Deno.readDir(folder)) return;
  await Deno.remove(folder);
}

function refusal(model: DeletableModel, reason: string): AppError {
  return new AppError("invalid_request", `Cannot delete ${JSON.stringify(model.id)}: ${reason}`, {
    values: { model: model.id },
  });
}
