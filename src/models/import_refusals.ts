// Why a path is not imported, in words that say what to do instead.

import { dirname } from "node:path";

import { AppError, type AppErrorData } from "../errors.ts";
import type { FoundImport } from "./found_import.ts";
import type { Model } from "./model.ts";

/** A path that the server may not read. Whether anything is there is not said: it is not looked at. */
export function outsideRefusal(path: string, known: Model | undefined): AppError {
  const shown = shownPath(path);
  if (known !== undefined) {
    return new AppError(
      "import_refused",
      `Cannot import ${JSON.stringify(shown)}: it is in the list already. Ask for ${
        JSON.stringify(known.id)
      }`,
      { values: { path: shown, model: known.id, reason: "known" } },
    );
  }
  const command = commandFor(dirname(path));
  return new AppError(
    "import_refused",
    `Cannot import ${
      JSON.stringify(shown)
    }: the server may not read there. Stop it, and start it with --models-dir and the file's folder${
      command === null ? "" : `: ${command}`
    }`,
    { values: { path: shown, command, flag: "--models-dir", reason: "outside" } },
  );
}

export function notThereRefusal(path: string): AppError {
  const shown = shownPath(path);
  return new AppError(
    "import_refused",
    `Cannot import ${
      JSON.stringify(shown)
    }: there is no GGUF file of that name, or a link leads to it. Give the path of the file itself`,
    { values: { path: shown, reason: "not_there" } },
  );
}

/** The file's own error, as that of this import. */
export function brokenRefusal(
  { name, parts }: Pick<FoundImport, "name" | "parts">,
  error: AppErrorData,
): AppError {
  if (error.code === "import_refused") return AppError.fromData(error);
  return new AppError(
    "import_refused",
    `Cannot import ${JSON.stringify(shownPath(name))}: ${error.message}`,
    {
      values: { path: shownPath(parts[0]!.path), reason: "file", code: error.code },
    },
  );
}

/** To be copied into a terminal: nothing in the path may be more than a path there. */
function commandFor(folder: string): string | null {
  if (/[\p{Cc}\p{Cf}"]/u.test(folder) || folder.length > 1_000) return null;
  if (Deno.build.os === "windows") return `zombiecoder serve --models-dir "${folder}"`;
  return `zombiecoder serve --models-dir '${folder.replaceAll("'", `'\\''`)}'`;
}

function shownPath(path: string): string {
  return path.length > 300 ? `${path.slice(0, 300)}...` : path;
}
