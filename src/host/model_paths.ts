// Which files a launch may name: model files in the folders that the command line gave, nothing else.

import { sep } from "node:path";
import { AppError } from "../errors.ts";
import type { ModelFile } from "./cage_view.ts";
import type { LaunchSpec } from "./messages.ts";

/** With it each GGUF file begins. */
const MAGIC = "GGUF";

/**
 * All files of the launch, those parts of a split model included that are there. Throws
 * `invalid_request` for a path that is no file or leads, also by a link, out of the folders; and for
 * one that a user named and that is no GGUF: settings and keys lie in these folders, too.
 */
export function checkModelPaths(launch: LaunchSpec, folders: readonly string[]): ModelFile[] {
  const roots = folders.flatMap((folder) => {
    const real = realPath(folder);
    return real === null ? [] : [real.endsWith(sep) ? real : real + sep];
  });
  // What is wrong with a model that a scan found, its own load tells better.
  const found = [launch.modelPath, launch.mmprojPath];
  const named = [launch.draftModelPath, ...launch.loraPaths];
  const parts = [launch.modelPath, launch.draftModelPath].flatMap((each) =>
    each === null ? [] : otherParts(each)
  );
  const files = new Map<string, ModelFile>();
  for (const path of [...found, ...named, ...parts]) {
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
    files.set(path, { path, real });
  }
  return [...files.values()];
}

/** More parts than any model has; a name could claim 99,999. */
const MOST_PARTS = 512;

/** The parts that llama.cpp reads by the name of the first; one that is missing it reports itself. */
function otherParts(path: string): string[] {
  const [, stem, count] = /^(.*)-00001-of-(\d{5})\.gguf$/s.exec(path) ?? [];
  if (stem === undefined || Number(count) > MOST_PARTS) return [];
  const numbers = Array.from({ length: Math.max(0, Number(count) - 1) }, (_, index) => index + 2);
  return numbers.map((part) => `${stem}-${String(part).padStart(5, "0")}-of-${count}.gguf`)
    .filter((each) => realPath(each) !== null);
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
