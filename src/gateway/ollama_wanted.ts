// Which file a name means that is not installed: of the catalogue, or of a repository on the Hub.

import { AppError } from "../errors.ts";
import type { Catalogue } from "../models/catalogue.ts";
import type { Hub } from "../models/hub.ts";
import { groupHubFiles, type HubModelFiles } from "../models/hub_files.ts";
import { modelIdOf } from "../models/model_names.ts";
import { idFromName, plainName } from "./ollama_names.ts";

export interface PullSources {
  hub: Pick<Hub, "repo">;
  catalogue: Pick<Catalogue, "entries">;
}

export interface Wanted {
  /** `org/name` */
  repo: string;
  revision: string;
  /** Null until the Hub was asked what there is. */
  file: string | null;
  /** Behind the name's colon: a quantization, or a file's name. */
  tag: string | null;
}

const HUB_NAME = /^(?:hf\.co|huggingface\.co)\/([^/:]+\/[^/:]+)(?::([^/]+))?$/i;
/** What llama.cpp takes where nothing was said. */
const USUAL = ["Q4_K_M", "Q8_0"];

/** Throws `model_not_found` for a name that is in no catalogue. */
export async function findWanted({ catalogue }: PullSources, name: string): Promise<Wanted> {
  const onHub = HUB_NAME.exec(plainName(name));
  if (onHub !== null) {
    return { repo: onHub[1]!, revision: "main", file: null, tag: onHub[2] ?? null };
  }
  const entries = await catalogue.entries();
  const [id, short] = [fold(idFromName(name)), fold(plainName(name))];
  const [base, tag = null] = short.split(":");
  for (const entry of entries) {
    const file = entry.files.find((each) => fold(modelIdOf(baseName(each.file)) ?? "") === id);
    const isNamed = [entry.id, entry.name].some((each) =>
      fold(each) === id || fold(each) === short
    );
    if (file === undefined && !isNamed) continue;
    return {
      repo: entry.repo,
      revision: "main",
      file: (file ?? usual(entry.files)).file,
      tag: null,
    };
  }
  const entry = entries.find((each) => fold(each.id) === base);
  const file = entry?.files.find((each) => fold(each.quantization ?? "") === tag);
  if (entry !== undefined && file !== undefined) {
    return { repo: entry.repo, revision: "main", file: file.file, tag: null };
  }
  throw new AppError(
    "model_not_found",
    `Cannot find the model ${JSON.stringify(name)}. ` +
      'The catalogue has no such name; pull "hf.co/ORG/REPO:QUANTIZATION" for any other model',
    { values: { model: name }, param: "model" },
  );
}

/** The one of the repository's models that is meant. Throws the Hub's errors, `hub_not_found`. */
export async function findOnHub(
  { hub }: PullSources,
  { wanted: { repo, revision, tag }, signal }: { wanted: Wanted; signal: AbortSignal },
): Promise<string> {
  const { files } = await hub.repo(repo, { revision, signal });
  const models = groupHubFiles(files);
  const found = tag === null ? models.length > 0 ? usual(models) : undefined : tagged(models, tag);
  if (found !== undefined) return found.file;
  const there = [...new Set(models.map(({ quantization }) => quantization))].filter((each) => each);
  throw new AppError(
    "hub_not_found",
    `Cannot find ${tag === null ? "a GGUF model" : JSON.stringify(tag)} in ${
      JSON.stringify(repo)
    }. ` +
      (there.length === 0 ? "Choose another repository" : `Ask for one of ${there.join(", ")}`),
    { values: { repo, tag } },
  );
}

function tagged(models: readonly HubModelFiles[], tag: string): HubModelFiles | undefined {
  const wanted = fold(tag).replace(/\.gguf$/, "");
  return models.find(({ quantization }) => fold(quantization ?? "") === wanted) ??
    models.find(({ id }) => fold(id) === wanted) ??
    models.find(({ file }) => new RegExp(`${RegExp.escape(wanted)}[.-]`, "i").test(file));
}

function usual<T extends { quantization: string | null }>(models: readonly T[]): T {
  for (const quantization of USUAL) {
    const found = models.find((model) => model.quantization?.toUpperCase() === quantization);
    if (found !== undefined) return found;
  }
  return models[0]!;
}

function baseName(path: string): string {
  return path.split("/").at(-1)!;
}

function fold(text: string): string {
  return text.toLowerCase();
}
