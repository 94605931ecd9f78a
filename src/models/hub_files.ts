// Which files of a repository make a model (pure): parts of a split one together, a projector with
// the model that it gives sight to, everything else left out.

import { modelIdOf, splitFileName, splitNameOf } from "./model_names.ts";
import { isHubPath } from "./hub_names.ts";
import { nameWithoutLabel, quantizationLabelOf } from "./hub_quantization.ts";

/** A file as it is at one commit. */
export interface HubFile {
  /** In the repository. */
  path: string;
  sizeBytes: number;
  /** 64 hex digits; null for what the Hub keeps without one. */
  sha256: string | null;
}

/** One quantization of one model. */
export interface HubModelFiles {
  /** The file that stands for it: the first part. */
  file: string;
  /** The name that it has here, unless another model has it already. */
  id: string;
  quantization: string | null;
  /** In order. */
  parts: HubFile[];
  projector: HubFile | null;
  /** All parts, without the projector. */
  modelBytes: number;
  /** With it. */
  sizeBytes: number;
}

export interface GroupOptions {
  /** A name that is not taken: a hostile one, or one that no file here could have. */
  onRefused?: (path: string) => void;
}

const GGUF = /\.gguf$/i;
const PROJECTOR = /mmproj/i;
/** Drafts of a larger model, importance matrices, adapters, vocabularies. */
const SIDECAR = /^(?:mtp|eagle3|dflash|dspark)-|imatrix|[-_.](?:lora|vocab)$/i;
/** Best first, where one projector is there in several formats. */
const PROJECTOR_FORMATS = ["F16", "BF16", "Q8_0", "F32"];
/** No published model has more. */
const MOST_PARTS = 1000;
/** What is looked at, of repositories that hold more than any reader wants. */
const MOST_MODELS = 500;
const MOST_PROJECTORS = 50;

/** Smallest first. What cannot be loaded as it lies there is left out. */
export function groupHubFiles(
  files: readonly HubFile[],
  { onRefused = () => {} }: GroupOptions = {},
): HubModelFiles[] {
  const groups = new Map<string, HubFile[]>();
  const projectors: HubFile[] = [];
  for (const file of files) {
    const { folder, name } = placeOf(file.path);
    if (!GGUF.test(name)) continue;
    if (!isHubPath(file.path) || modelIdOf(name) === null) {
      onRefused(file.path);
    } else if (PROJECTOR.test(name)) {
      projectors.push(file);
    } else if (!SIDECAR.test(name.replace(GGUF, ""))) {
      const split = splitNameOf(name);
      const key = split === null ? name : splitFileName(split.base, 0, split.total);
      const path = `${folder}/${key}`;
      const parts = groups.get(path);
      if (parts === undefined) groups.set(path, [file]);
      else parts.push(file);
    }
  }
  const whole = [...groups.values()].map(completeParts).filter((parts) => parts !== null)
    .slice(0, MOST_MODELS);
  const ids = whole.map((parts) => plain(modelIdOf(placeOf(parts[0]!.path).name)!));
  const named = projectors.slice(0, MOST_PROJECTORS)
    .map((file) => ({ file, owner: ownerOf(file.path) }));
  return whole.map((parts, index) =>
    modelOf(parts, projectorOf(parts[0]!.path, { projectors: named, id: ids[index]!, ids }))
  ).toSorted((a, b) => a.modelBytes - b.modelBytes || (a.file < b.file ? -1 : 1));
}

/** The model that a file belongs to, whichever of its parts is named. */
export function findHubModel(
  models: readonly HubModelFiles[],
  path: string,
): HubModelFiles | null {
  return models.find(({ parts }) => parts.some((part) => part.path === path)) ?? null;
}

/** Quantizations of the same model have this in common; a repository may hold several models. */
export function familyOf({ file, id }: HubModelFiles): string {
  const { folder } = placeOf(file);
  const ownFolder = nameWithoutLabel(folder);
  // A folder of its own for each quantization says nothing more than its name.
  return quantizationLabelOf(folder) === null
    ? `${ownFolder}/${nameWithoutLabel(id)}`
    : `/${nameWithoutLabel(id)}`;
}

function modelOf(parts: HubFile[], projector: HubFile | null): HubModelFiles {
  const [{ path }] = parts as [HubFile];
  const modelBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
  const { folder, name } = placeOf(path);
  const id = modelIdOf(name)!;
  return {
    file: path,
    id,
    quantization: quantizationLabelOf(id) ?? quantizationLabelOf(folder),
    parts,
    projector,
    modelBytes,
    sizeBytes: modelBytes + (projector?.sizeBytes ?? 0),
  };
}

/** In order; null where one is missing, or there twice. */
function completeParts(parts: HubFile[]): HubFile[] | null {
  const numbered = parts.map((file) => ({ file, split: splitNameOf(placeOf(file.path).name) }));
  const total = numbered[0]!.split?.total ?? 1;
  if (total > MOST_PARTS || parts.length !== total) return null;
  numbered.sort((a, b) => (a.split?.part ?? 1) - (b.split?.part ?? 1));
  const isInOrder = numbered.every(({ split }, index) => (split?.part ?? 1) === index + 1);
  return isInOrder ? numbered.map(({ file }) => file) : null;
}

interface ProjectorOptions {
  projectors: readonly { file: HubFile; owner: string }[];
  /** Small letters and digits alone, as the owners' names. */
  id: string;
  /** Of all models in the repository. */
  ids: readonly string[];
}

/**
 * The one in the deepest folder that both lie in; of several the one that names the model, then F16
 * or what is nearest to it. One that names another model is not taken.
 */
function projectorOf(path: string, { projectors, id, ids }: ProjectorOptions): HubFile | null {
  const { folder } = placeOf(path);
  const names = (owner: string, model: string) => owner !== "" && model.startsWith(owner);
  const mayBe = projectors.filter(({ owner }) =>
    names(owner, id) || !ids.some((other) => names(owner, other))
  );
  mayBe.sort((a, b) =>
    sharedDepth(folder, b.file.path) - sharedDepth(folder, a.file.path) ||
    Number(names(b.owner, id)) - Number(names(a.owner, id)) ||
    formatRank(a.file.path) - formatRank(b.file.path) ||
    (a.file.path < b.file.path ? -1 : 1)
  );
  return mayBe[0]?.file ?? null;
}

/** `mmproj-gemma-3-4b-it-f16.gguf` -> `gemma34bit`; empty where it names nobody. */
function ownerOf(path: string): string {
  const owner = plain(nameWithoutLabel(placeOf(path).name).replace(PROJECTOR, ""));
  return owner === "model" ? "" : owner;
}

function sharedDepth(folder: string, path: string): number {
  const [own, other] = [folder, placeOf(path).folder].map((each) => each.split("/"));
  let depth = 0;
  while (depth < own!.length && own![depth] !== "" && own![depth] === other![depth]) depth++;
  return depth;
}

function formatRank(path: string): number {
  const rank = PROJECTOR_FORMATS.indexOf(quantizationLabelOf(path) ?? "");
  return rank < 0 ? PROJECTOR_FORMATS.length : rank;
}

function placeOf(path: string): { folder: string; name: string } {
  const at = path.lastIndexOf("/");
  return { folder: path.slice(0, Math.max(0, at)), name: path.slice(at + 1) };
}

function plain(text: string): string {
  return text.toLowerCase().replace(/[^\p{L}\p{M}\p{N}]/gu, "");
}
