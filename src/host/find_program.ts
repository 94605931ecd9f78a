// A program of the system, by its name in some folders.

import { join } from "node:path";

/** The first that is there, by its whole path; null where none is. */
export function findProgram(name: string, folders: readonly string[]): string | null {
  return folders.map((folder) => join(folder, name)).find(isFile) ?? null;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
