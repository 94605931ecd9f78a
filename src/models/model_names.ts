// What a model is called: from the file's name to its ID, and from the name in a request to the
// one model it means. Pure; an ID is compared, never made into a path.

import { AppError } from "../errors.ts";

/** The built-in test model: listed last, never a default, gives way to a user's own file. */
export const BUILTIN_ID = "hello";

const LISTED_NAMES = 20;
const LONGEST_ID = 255;

const SPLIT = /^(.+)-(\d{5})-of-(\d{5})$/;
const EXTENSION = /\.gguf$/i;
const HUB_NAME = /^(?:hf\.co|huggingface\.co)\/([^/:]+\/[^/:]+)(?::([^/]+))?$/i;

export type ListedModel = Pick<NamedModel, "id" | "builtin">;

/** What a name can mean. */
export interface NamedModel {
  readonly id: string;
  readonly aliases: readonly string[];
  readonly builtin: boolean;
  /** `org/name` on the Hub, where the file came from there. */
  readonly repo: string | null;
  /** `Q4_K_M`; null while the header is unknown. */
  readonly quantization: string | null;
}

export interface SplitName {
  /** Name of all the parts together, without number and extension. */
  base: string;
  /** 1 to `total`. */
  part: number;
  total: number;
}

/** `Phi-3-mini-4k-instruct-q4.gguf` -> `Phi-3-mini-4k-instruct-q4`; null where it is no model's. */
export function modelIdOf(fileName: string): string | null {
  if (!EXTENSION.test(fileName) || fileName.startsWith(".")) return null;
  const id = (splitNameOf(fileName)?.base ?? fileName.replace(EXTENSION, "")).normalize("NFC");
  return isModelId(id) ? id : null;
}

/** The split of llama.cpp's `gguf-split`: `name-00001-of-00003.gguf`; null for a whole file. */
export function splitNameOf(fileName: string): SplitName | null {
  const found = SPLIT.exec(fileName.replace(EXTENSION, ""));
  if (found === null) return null;
  const [base, part, total] = [found[1]!, Number(found[2]), Number(found[3])];
  return part >= 1 && part <= total ? { base, part, total } : null;
}

export function splitFileName(base: string, part: number, total: number): string {
  return `${base}-${String(part).padStart(5, "0")}-of-${String(total).padStart(5, "0")}.gguf`;
}

/** The path of the part by which a split is known; that of a whole file is its own. */
export function firstPartOf(path: string): string {
  const name = path.split("/").at(-1)!;
  const split = splitNameOf(name);
  if (split === null || split.part === 1) return path;
  return path.replace(/-\d+(?=-of-\d+\.gguf$)/i, "-00001");
}

/**
 * Whether this can be shown, logged and sent as a name: no separators, no control or direction
 * characters, no halves of a character, nothing that reads as an option or hides at an end.
 */
export function isModelId(id: string): boolean {
  return id.length > 0 && id.length <= LONGEST_ID && id.isWellFormed() && id === id.trim() &&
    !/^[.-]|[/\\]/.test(id) && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(id) &&
    !/(?![\u200C\u200D])\p{Cf}/u.test(id);
}

/**
 * The one candidate that `requested` means. In this order: the exact ID, `ID:latest`, the ID in any
 * letter case, an alias, `hf.co/org/repo:QUANT` of what came from there. A name that two models
 * answer to is nobody's. Without a name: the only installed model.
 *
 * @throws {AppError} `model_not_found` with the names that exist, `model_required`.
 */
export function resolveModelName<T extends NamedModel>(
  requested: string | null | undefined,
  candidates: readonly T[],
): T {
  if (requested === undefined || requested === null || requested === "") {
    return onlyInstalled(candidates);
  }
  const found = candidates.find((model) => model.id === requested) ??
    resolveLoosely(requested.normalize("NFC"), candidates);
  if (found === null) throw modelNotFound(requested, candidates);
  return found;
}

function resolveLoosely<T extends NamedModel>(name: string, candidates: readonly T[]): T | null {
  const plain = name.replace(/:latest$/i, "");
  const names = [name, plain];
  const ids = candidates.map((model) => model.id.normalize("NFC"));
  for (const wanted of names) {
    const exact = candidates[ids.indexOf(wanted)];
    if (exact !== undefined) return exact;
  }
  const folded = names.map(fold);
  const steps: ((model: T) => boolean)[] = [
    (model) => folded.includes(fold(model.id)),
    (model) => model.aliases.some((alias) => names.includes(alias.normalize("NFC"))),
    (model) => model.aliases.some((alias) => folded.includes(fold(alias))),
    hubTest(name),
  ];
  for (const step of steps) {
    const found = candidates.filter(step);
    if (found.length === 1) return found[0]!;
    if (found.length > 1) return null;
  }
  return null;
}

/** `hf.co/org/repo` means its only model; behind the colon a quantization or a file's name. */
function hubTest(name: string): (model: NamedModel) => boolean {
  const found = HUB_NAME.exec(name);
  if (found === null) return () => false;
  const repo = fold(found[1]!);
  const tag = found[2] === undefined || /^latest$/i.test(found[2]) ? null : fold(found[2]);
  return (model) => {
    if (model.repo === null || fold(model.repo) !== repo) return false;
    if (tag === null || fold(model.quantization ?? "") === tag) return true;
    return fold(model.id) === tag.replace(EXTENSION, "");
  };
}

function onlyInstalled<T extends NamedModel>(candidates: readonly T[]): T {
  const installed = candidates.filter((model) => !model.builtin);
  if (installed.length === 1) return installed[0]!;
  throw new AppError(
    "model_required",
    `Cannot tell which model to ask: the request names none. Set "model" to ${choices(candidates)}`,
    { param: "model" },
  );
}

/** The error for a name that no model has, with the names that exist. */
export function modelNotFound(requested: string, candidates: readonly ListedModel[]): AppError {
  const shown = requested.length > 100 ? `${requested.slice(0, 100)}...` : requested;
  return new AppError(
    "model_not_found",
    `Cannot find the model ${JSON.stringify(shown)}. Ask for ${choices(candidates)}`,
    { values: { model: shown }, param: "model" },
  );
}

function choices(candidates: readonly ListedModel[]): string {
  const ids = sortedForListing(candidates).map((model) => JSON.stringify(model.id));
  if (ids.length === 0) return "a model after copying its GGUF file into the models folder";
  if (ids.length === 1) return ids[0]!;
  const more = ids.length - LISTED_NAMES;
  return more > 0
    ? `one of ${ids.slice(0, LISTED_NAMES).join(", ")} and ${more} more`
    : `one of ${ids.join(", ")}`;
}

/** By name; the built-in model last. */
export function sortedForListing<T extends ListedModel>(models: readonly T[]): T[] {
  return models.toSorted((a, b) =>
    Number(a.builtin) - Number(b.builtin) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
  );
}

function fold(text: string): string {
  return text.normalize("NFC").toLowerCase();
}
