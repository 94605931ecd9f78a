// Which files a launch may name: model files in the folders that the command line gave, nothing else.

import { sep } from "node:path";
import { AppError } from "../errors.ts";
import type { LaunchSpec } from "./messages.ts";

/** Throws `invalid_request` for a path that is no file or leads, also by a link, out of the folders. */
export function checkModelPaths(launch: LaunchSpec, folders: readonly string[]): void {
  const roots = folders.flatMap((folder) => {
    const real = realPath(folder);
    return real === null ? [] : [real.endsWith(sep) ? real : real + sep];
  });
  const paths = [launch.modelPath, launch.mmprojPath, launch.draftModelPath, ...launch.loraPaths];
  for (const path of paths) {
    if (path === null) continue;
    const real = realPath(path);
    // One answer for "outside" and "not there": it must not tell what exists elsewhere.
    if (real === null || !roots.some((root) => real.startsWith(root)) || !isFile(real)) {
      throw new AppError(
        "invalid_request",
        `Cannot load "${path}": it is not a file in the models folders. Put it there or add its folder with --models-dir`,
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
