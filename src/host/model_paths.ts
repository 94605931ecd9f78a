// Which files a launch may name: model files in the folders that the command line gave, nothing else.

import { sep } from "node:path";
import { AppError } from "../errors.ts";
import type { LaunchSpec } from "./messages.ts";

/** With it each GGUF file begins. */
const MAGIC = "GGUF";

/**
 * Throws `invalid_request` for a path that is no file or leads, also by a link, out of the folders; and
 * for one that a user named and that is no GGUF: settings and keys lie in these folders, too.
 */
export function checkModelPaths(launch: LaunchSpec, folders: readonly string[]): void {
  const roots = folders.flatMap((folder) => {
    const real = realPath(folder);
    return real === null ? [] : [real.endsWith(sep) ? real : real + sep];
  });
  // What is wrong with a model that a scan found, its own load tells better.
  const found = [launch.modelPath, launch.mmprojPath];
  const named = [launch.draftModelPath, ...launch.loraPaths];
  for (const path of [...found, ...named]) {
    if (path === null) continue;
    const real = realPath(path);
    const isInside = real !== null && roots.some((root) => real.startsWith(root)) && isFile(real);
    // One answer for "outside" and "not there": it must not tell what exists elsewhere.
    if (!isInside || (named.includes(path) && !isGguf(real))) {
      throw new AppError(
        "invalid_request",
        `Cannot load "${path}": it is not a model file in the models folders. Put it there or add its folder with --models-dir`,
        { values: { path } },
      );
    }
  }
}

function realPath(path: string): string | null {
  try {
    return Deno.realPathSync(path);
  } catch {
    return null;
  }
}

function isFile(path: string): boolean {
  return Deno.statSync(path).isFile;
}

function isGguf(path: string): boolean {
  try {
    using file = Deno.openSync(path);
    const head = new Uint8Array(MAGIC.length);
    return file.readSync(head) === MAGIC.length && new TextDecoder().decode(head) === MAGIC;
  } catch {
    return false;
  }
}
