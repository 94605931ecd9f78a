// Which file a name means that is to be downloaded: of the catalogue, or of a repository on the Hub.

import type { BadgeLevel, CatalogueRow, HubModel, HubRepo } from "../api_types.ts";
import { AppError } from "../errors.ts";
import { nearNames } from "./model_lookup.ts";
import type { ServerClient } from "./server_client.ts";

export interface PullTarget {
  readonly repo: string;
  readonly model: Pick<HubModel, "file" | "id" | "size_bytes" | "badge" | "installed">;
}

const HUB_NAME =
  /^(?:https?:\/\/)?(?:hf\.co|huggingface\.co)\/([\w.-]+\/[\w.-]+?)(?::([^/:]+))?\/?$/i;
const REPO = /^[\w.-]+\/[\w.-]+$/;
/** What most people take where nothing is known of this computer. */
const USUAL = ["Q4_K_M", "Q8_0"];

export function repoPath(repo: string): string {
  return `/admin/hub/repos/${repo.split("/").map(encodeURIComponent).join("/")}`;
}

/** `words`: a catalogue's name, `hf.co/org/repo[:quant]`, or a repository and a file. */
export async function findTarget(
  client: ServerClient,
  words: readonly string[],
): Promise<PullTarget> {
  const [name = "", file] = words;
  const onHub = HUB_NAME.exec(name);
  if (onHub !== null) {
    return await hubTarget(client, { repo: onHub[1]!, tag: file ?? onHub[2] ?? null });
  }
  if (REPO.test(name) && file !== undefined) {
    return await hubTarget(client, { repo: name, tag: file });
  }
  if (file !== undefined) {
    throw new AppError(
      "bad_flag",
      `Cannot use ${JSON.stringify(name)} as a repository: write zombiecoder pull ORG/REPO FILE`,
    );
  }
  // A catalogue's name holds no slash.
  if (REPO.test(name)) return await hubTarget(client, { repo: name, tag: null });
  return catalogueTarget(await client.json<CatalogueRow[]>("/admin/catalogue"), name);
}

async function hubTarget(
  client: ServerClient,
  { repo, tag }: { repo: string; tag: string | null },
): Promise<PullTarget> {
  const found = await client.json<HubRepo>(repoPath(repo));
  const model = tag === null ? choiceOf(found.models) : tagged(found.models, tag);
  if (model !== undefined) return { repo: found.repo, model };
  const there = [...new Set(found.models.map(({ quantization, id }) => quantization ?? id))];
  throw new AppError(
    "hub_not_found",
    `Cannot find ${tag === null ? "a model" : JSON.stringify(tag)} in ${JSON.stringify(repo)}. ` +
      (there.length === 0
        ? "It has no GGUF file that can be used: choose another repository"
        : `There is ${there.join(", ")}`),
    { values: { repo, tag } },
  );
}

/** By its quantization, its path in the repository, or the name that it would have here. */
function tagged(models: readonly HubModel[], tag: string): HubModel | undefined {
  const wanted = fold(tag);
  return models.find(({ file }) => fold(file) === wanted) ??
    models.find(({ quantization }) => fold(quantization ?? "") === wanted) ??
    models.find(({ id }) => fold(id) === wanted.replace(/\.gguf$/, "")) ??
    models.find(({ file }) => fold(file).endsWith(`/${wanted}`));
}

/** Exported for tests. The largest of the best badge; without badges what most people take. */
export function choiceOf<Model extends Pick<HubModel, "quantization" | "size_bytes" | "badge">>(
  models: readonly Model[],
): Model | undefined {
  const bySize = models.toSorted((a, b) => b.size_bytes - a.size_bytes);
  for (const level of ["recommended", "compatible"] satisfies BadgeLevel[]) {
    const best = bySize.find(({ badge }) => badge?.level === level);
    if (best !== undefined) return best;
  }
  for (const quantization of USUAL) {
    const usual = models.find((model) =>
      model.badge === null && model.quantization?.toUpperCase() === quantization
    );
    if (usual !== undefined) return usual;
  }
  // Nothing fits: the one that is nearest to it.
  return bySize.at(-1);
}

/** Exported for tests. By ID or name, also with `:QUANTIZATION`, or by the name of one of its files. */
export function catalogueTarget(rows: readonly CatalogueRow[], name: string): PullTarget {
  const wanted = fold(name).replace(/:latest$/, "");
  const [base, tag] = wanted.split(":", 2);
  for (const row of rows) {
    const isNamed = (text: string | undefined) => fold(row.id) === text || fold(row.name) === text;
    const model = isNamed(wanted)
      ? row.files[row.choice ?? 0]
      : isNamed(base) && tag !== undefined
      ? row.files.find(({ quantization }) => fold(quantization ?? "") === tag)
      : row.files.find(({ id }) => fold(id) === wanted.replace(/\.gguf$/, ""));
    if (model !== undefined) return { repo: row.repo, model };
  }
  const near = nearNames(name, rows.map(({ id }) => id));
  const hint = near.length === 0
    ? "Take any other model as hf.co/ORG/REPO:QUANTIZATION; zombiecoder search WORDS finds some"
    : `Did you mean ${near.map((each) => JSON.stringify(each)).join(" or ")}?`;
  throw new AppError(
    "model_not_found",
    `Cannot find ${JSON.stringify(name)} in the catalogue. ${hint}`,
    { values: { model: name } },
  );
}

function fold(text: string): string {
  return text.toLowerCase();
}
