// The text of `<home>/models_registry.json`: what can be believed of it, and how it is written. Anyone
// may have written it, so nothing in it is trusted; when it is read and written is catalogue.ts's.

import { join } from "node:path";
import { messageOf } from "../errors.ts";
import { type CatalogueEntry, parseCatalogueEntry } from "./catalogue_entry.ts";
import { isObject, isShallow, JsonField, Misfit } from "./json_field.ts";

export const CATALOGUE_FILE = "models_registry.json";
export const SCHEMA_FILE = "models_registry.schema.json";
/** Of the format; a file of a later one is only read. */
export const FORMAT_VERSION = 1;
export const MOST_FILE_BYTES = 5 * 1024 ** 2;
const MOST_ENTRIES = 2000;
const MOST_DEPTH = 64;

/** As `durableWrite` names them. */
const ASIDE = /^models_registry(\.schema)?\.json\.[0-9a-f]{12}\.tmp$/;
const ASIDE_AGE_MS = 60_000;

const COMMENT =
  'Add models of your own to "models", without "builtin". Those with it are replaced ' +
  "when the program brings a newer list; one of yours with the same id takes its place.";

export type JsonObject = Record<string, unknown>;

/** How a file looked when it was read: another one is to be read again. */
export interface FileStamp {
  sizeBytes: number;
  mtimeMs: number;
}

export type FoundFile =
  | { kind: "absent" }
  /** It is nobody's catalogue: it can be set aside. */
  | { kind: "broken"; reason: string; stamp: FileStamp }
  /** It cannot be looked at, or is a link: it stays as it is. */
  | { kind: "closed"; reason: string }
  | { kind: "document"; document: JsonObject; stamp: FileStamp };

export interface CatalogueProblem {
  /** `models[3].files[0].size_bytes` */
  path: string;
  /** `must be a whole number from 1 to 100` */
  reason: string;
}

export function catalogueStamp(home: string): FileStamp | null {
  try {
    const { size, mtime } = Deno.lstatSync(join(home, CATALOGUE_FILE));
    return { sizeBytes: size, mtimeMs: mtime?.getTime() ?? 0 };
  } catch {
    return null;
  }
}

export function isSameStamp(a: FileStamp | null, b: FileStamp | null): boolean {
  return a?.sizeBytes === b?.sizeBytes && a?.mtimeMs === b?.mtimeMs;
}

/** Removes what a write left behind that was cut off, as by a power failure. */
export function tidyCatalogueFiles(home: string): void {
  try {
    for (const { name, isFile } of Deno.readDirSync(home)) {
      if (!isFile || !ASIDE.test(name)) continue;
      const path = join(home, name);
      const mtimeMs = Deno.lstatSync(path).mtime?.getTime() ?? Date.now();
      if (Date.now() - mtimeMs > ASIDE_AGE_MS) Deno.removeSync(path);
    }
  } catch {
    // Nothing depends on it, and the next start tries again.
  }
}

export async function readCatalogueFile(home: string): Promise<FoundFile> {
  const path = join(home, CATALOGUE_FILE);
  try {
    const { isFile, size, mtime } = await Deno.lstat(path);
    if (!isFile) return { kind: "closed", reason: "it is not a regular file" };
    const stamp = { sizeBytes: size, mtimeMs: mtime?.getTime() ?? 0 };
    if (size > MOST_FILE_BYTES) return { kind: "broken", reason: "it is over 5 MiB", stamp };
    return parseCatalogue(await Deno.readTextFile(path), stamp);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { kind: "absent" };
    return { kind: "closed", reason: messageOf(error) };
  }
}

export function parseCatalogue(text: string, stamp: FileStamp): FoundFile {
  const broken = (reason: string) => ({ kind: "broken" as const, reason, stamp });
  let document: unknown;
  try {
    document = JSON.parse(text.replace(/^\ufeff/, ""));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return broken(`it is not valid JSON: ${error.message}`);
  }
  if (!isObject(document)) return broken("it is not a JSON object");
  if (!isShallow(document, MOST_DEPTH)) return broken("it is nested too deeply");
  const { version = FORMAT_VERSION, models = [] } = document;
  if (!Number.isSafeInteger(version) || version as number < 1) {
    return broken('its "version" is not a whole number from 1');
  }
  if (!Array.isArray(models)) return broken('its "models" is not a list');
  return { kind: "document", document, stamp };
}

export function versionOf(document: JsonObject, name: "version" | "catalogue_version"): number {
  const version = document[name];
  return Number.isSafeInteger(version) ? version as number : name === "version" ? 1 : 0;
}

/** The sound entries, and what is wrong with the others. */
export function entriesOf(
  document: JsonObject,
): { entries: CatalogueEntry[]; problems: CatalogueProblem[] } {
  const models = Array.isArray(document["models"]) ? document["models"] : [];
  const problems: CatalogueProblem[] = [];
  const found = new Map<string, CatalogueEntry>();
  if (models.length > MOST_ENTRIES) {
    const reason = `holds ${models.length} models, and the first ${MOST_ENTRIES} are used`;
    problems.push({ path: "models", reason });
  }
  for (const [index, value] of models.slice(0, MOST_ENTRIES).entries()) {
    const path = `models[${index}]`;
    try {
      const entry = parseCatalogueEntry(new JsonField(value, path));
      const other = found.get(entry.id);
      if (other !== undefined && other.builtin === entry.builtin) {
        problems.push({ path: `${path}.id`, reason: `is there twice: "${entry.id}"` });
      } else if (other === undefined || other.builtin) {
        found.set(entry.id, entry);
      }
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      problems.push({ path: error.path, reason: error.message });
    }
  }
  return { entries: [...found.values()], problems };
}

/**
 * `document` with the program's own models in place of those marked `builtin`. A user's are kept as
 * they are, sound or not; so is every other field.
 */
export function withDefaults(document: JsonObject, defaults: JsonObject): JsonObject {
  const models = Array.isArray(document["models"]) ? document["models"] : [];
  const own = models.filter((model) => !isObject(model) || model["builtin"] !== true);
  return {
    $schema: `./${SCHEMA_FILE}`,
    $comment: COMMENT,
    version: FORMAT_VERSION,
    ...document,
    catalogue_version: defaults["catalogue_version"],
    models: [...own, ...defaults["models"] as unknown[]],
  };
}

/** A user reads and changes the models; what the Hub said is one line for each repository. */
export function catalogueText(document: JsonObject, hubLines: readonly string[]): string {
  const fields = Object.entries(document).filter(([name]) => name !== "hub")
    .map(([name, value]) => `  ${JSON.stringify(name)}: ${pretty(value, "  ")}`);
  const lines = hubLines.map((line) => `\n    ${line}`).join(",");
  fields.push(`  "hub": {${lines}${lines === "" ? "" : "\n  "}}`);
  return `{\n${fields.join(",\n")}\n}\n`;
}

/** Like `JSON.stringify(value, null, 2)`, with lists of plain values on one line. */
function pretty(value: unknown, indent: string): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const isList = Array.isArray(value);
  if (isList && value.every((each) => typeof each !== "object" || each === null)) {
    return `[${value.map((each) => JSON.stringify(each)).join(", ")}]`;
  }
  const inner = `${indent}  `;
  const parts = isList
    ? value.map((each) => `${inner}${pretty(each, inner)}`)
    : Object.entries(value).map(([name, each]) =>
      `${inner}${JSON.stringify(name)}: ${pretty(each, inner)}`
    );
  const [open, close] = isList ? "[]" : "{}";
  return parts.length === 0
    ? `${open}${close}`
    : `${open}\n${parts.join(",\n")}\n${indent}${close}`;
}
