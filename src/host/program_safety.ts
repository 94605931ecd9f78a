// What the server can write must not decide what runs: neither the program itself nor what is found by
// PATH may lie in its home.

import { delimiter, join } from "node:path";
import { AppError } from "../errors.ts";
import { holdsPlace } from "../real_place.ts";

export interface ProgramPlaces {
  /** The program that runs: Deno, or ours that was made one with it. */
  execPath: string;
  /** Folder of the sources or of the bundle; null for a program that has all inside. */
  programDir: string | null;
  /** Where a llama-server may lie beside the program. */
  bundledFolder: string;
}

/** Throws `bad_flag` where the home holds one of them, or lies among what is run. */
export function checkProgramPlaces(
  home: string,
  { execPath, programDir, bundledFolder }: ProgramPlaces,
): void {
  const folders = [
    bundledFolder,
    ...(programDir === null
      ? []
      : ["src", "static", "node_modules"].map((name) => join(programDir, name))),
  ];
  // A home may lie beside the program's files, as that of `start:narrow` does.
  const wrong = [execPath, programDir ?? execPath].find((path) => holds(home, path)) ??
    folders.find((folder) => holds(home, folder) || holds(folder, home));
  if (wrong === undefined) return;
  throw new AppError(
    "bad_flag",
    `Cannot use --home ${JSON.stringify(home)}: the server writes there, and what lies in ${
      JSON.stringify(wrong)
    } decides what runs. Choose a folder of its own`,
    { values: { flag: "--home", path: home, program: wrong } },
  );
}

/** The value of PATH without the folders that the server can write, or lead elsewhere. */
export function pathOutside(home: string, path: string | null): string | null {
  if (path === null) return null;
  return path.split(delimiter).filter((folder) => !holds(home, folder)).join(delimiter);
}

function holds(outer: string, inner: string): boolean {
  return holdsPlace(outer, inner, Deno.build.os);
}
