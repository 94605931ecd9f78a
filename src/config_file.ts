// `<home>/config.json`: read at start, written by PUT /admin/settings. What the values mean is decided elsewhere.
// The server can write this file, so nothing in it is trusted and no link is followed.

import { join } from "node:path";
import { AppError, messageOf } from "./errors.ts";
import { checkChange, type FileSettings } from "./config_values.ts";

const NAME = "config.json";
const MAX_BYTES = 1_024 * 1_024;
const ASIDE = /^config\.json\.new-[0-9a-f-]{36}$/;
const ASIDE_AGE_MS = 60_000;

export type ConfigFile = { values: FileSettings } | { problem: string };

/**
 * An absent file is an empty one.
 *
 * Errors: `folder_unusable` when the folder or the file cannot be read.
 */
export function readConfigFile(home: string): ConfigFile {
  const path = join(home, NAME);
  let text: string;
  try {
    const info = Deno.lstatSync(path);
    if (!info.isFile) return { problem: "it is not a regular file" };
    if (info.size > MAX_BYTES) return { problem: "it is larger than 1 MiB" };
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { values: {} };
    throw new AppError(
      "folder_unusable",
      `Cannot read ${JSON.stringify(path)}: ${messageOf(error)}. Choose another folder with --home`,
      {
        values: { path },
        cause: error,
      },
    );
  }
  return parse(text);
}

/**
 * Moves a file that cannot be read out of the way, under a name that says so and is returned;
 * null when it cannot be moved.
 */
export function setConfigFileAside(home: string, nowMs: number): string | null {
  const stamp = new Date(nowMs).toISOString().replace(/[-:.]/g, "");
  const name = `${NAME}.broken-${stamp}`;
  try {
    Deno.renameSync(join(home, NAME), join(home, name));
  } catch {
    return null; // A folder that cannot be written is reported by those who must write there.
  }
  return name;
}

/** Removes what a `saveSettings` left behind that was cut off, as by a power failure. */
export function tidyConfigFiles(home: string, nowMs: number): void {
  try {
    for (const entry of Deno.readDirSync(home)) {
      if (!entry.isFile || !ASIDE.test(entry.name)) continue;
      const path = join(home, entry.name);
      const modified = Deno.lstatSync(path).mtime?.getTime() ?? nowMs;
      if (nowMs - modified > ASIDE_AGE_MS) Deno.removeSync(path);
    }
  } catch {
    // Nothing depends on it, and the next start tries again.
  }
}

/**
 * Merges `changes` into `config.json` (null = back to the default) and returns what the file then
 * says. What it holds beyond them stays, known or not. Needs nothing but to read and write `home`.
 *
 * Errors: `invalid_request` with `param` for an unknown or locked setting or a bad value, in which case
 * nothing is written; `folder_unusable` when it cannot be written.
 */
export async function saveSettings(home: string, changes: unknown): Promise<FileSettings> {
  if (typeof changes !== "object" || changes === null || Array.isArray(changes)) {
    throw new AppError(
      "invalid_request",
      'Cannot save settings: send an object such as {"keep_alive": "30m"}',
    );
  }
  const entries = Object.entries(changes);
  for (const [name, value] of entries) checkChange(name, value);

  for (;;) {
    const before = currentValues(home);
    const after = new Map(Object.entries(before));
    for (const [name, value] of entries) {
      if (value === null) after.delete(name);
      else after.set(name, value);
    }
    const values = Object.fromEntries(after);
    const aside = await writeAside(home, `${JSON.stringify(values, null, 2)}\n`);
    // From here to the rename nothing else runs: a save that ended meanwhile is merged, not undone.
    if (JSON.stringify(currentValues(home)) !== JSON.stringify(before)) {
      Deno.removeSync(aside);
      continue;
    }
    renameInto(home, aside);
    await syncFolder(home);
    return values;
  }
}

function currentValues(home: string): FileSettings {
  const file = readConfigFile(home);
  if ("values" in file) return file.values;
  throw new AppError(
    "folder_unusable",
    `Cannot save settings: ${NAME} was changed and ${file.problem}. Correct it or remove it, then try again`,
  );
}

function parse(text: string): ConfigFile {
  let values: unknown;
  try {
    values = JSON.parse(text.replace(/^\ufeff/, ""));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { problem: `it is not valid JSON: ${error.message}` };
  }
  if (typeof values !== "object" || values === null || Array.isArray(values)) {
    return { problem: "it is not a JSON object" };
  }
  return { values: values as FileSettings };
}

async function writeAside(home: string, text: string): Promise<string> {
  const path = join(home, `${NAME}.new-${crypto.randomUUID()}`);
  try {
    using file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
    let bytes = new TextEncoder().encode(text);
    while (bytes.length > 0) bytes = bytes.subarray(await file.write(bytes));
    await file.sync();
    return path;
  } catch (error) {
    throw unwritable(home, path, error);
  }
}

function renameInto(home: string, aside: string): void {
  try {
    Deno.renameSync(aside, join(home, NAME));
  } catch (error) {
    throw unwritable(home, aside, error);
  }
}

/** The rename itself survives a power failure only when the folder is on the disk; Windows has no such call. */
async function syncFolder(home: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  using folder = await Deno.open(home);
  await folder.sync();
}

function unwritable(home: string, aside: string, cause: unknown): AppError {
  try {
    Deno.removeSync(aside);
  } catch {
    // It was not created, or goes at the next start.
  }
  const message = `Cannot write ${JSON.stringify(join(home, NAME))}: ${messageOf(cause)}`;
  return new AppError("folder_unusable", message, { values: { path: join(home, NAME) }, cause });
}
