// How programs lay out their GGUF files: where to look in their folder, and what a file's place says of
// its name and its repository on the Hub.

import { join, relative, sep } from "node:path";

import type { BoundedWalk } from "./bounded_walk.ts";
import type { FoundFolder } from "./folder_scan.ts";
import type { FoundImport } from "./found_import.ts";
import { groupModelFiles, isProjectorName, type ModelFiles } from "./model_files.ts";
import { isModelId } from "./model_names.ts";

/** Levels of folders below the root, as deep as each program puts files. */
const DEPTH = { lm_studio: 3, jan: 4, gpt4all: 1, llama_cpp: 1, drive: 6 } as const;

/** In one snapshot of the Hub's cache. */
const SNAPSHOT_DEPTH = 3;

const ORG = /^[\w.-]{1,96}$/;

/** All GGUF files of one program that keeps them under names of their own. */
export async function findModelFiles(
  walk: BoundedWalk,
  program: keyof typeof DEPTH,
): Promise<FoundImport[]> {
  const folders = await foldersBelow(walk, walk.root, DEPTH[program]);
  const urls = program === "llama_cpp" ? await downloadUrls(walk, folders) : null;
  return folders.flatMap((folder) =>
    modelsOf(folder).map((model) => {
      const place = relative(walk.root, folder.path).split(sep).filter((part) => part !== "");
      const described = urls === null
        ? describe(program, place, model)
        : describeDownload(model, urls.get(model.parts[0]!.path) ?? null);
      return toFound(model, { program, ...described });
    })
  );
}

/** The models in a cache of the Hub; llama.cpp keeps its own downloads in such a one as well. */
export async function findHubModels(walk: BoundedWalk, program: string): Promise<FoundImport[]> {
  const found: FoundImport[] = [];
  for (const entry of await walk.entries(walk.root)) {
    const repo = repoOfFolder(entry.name);
    if (repo === null || !entry.isDirectory) continue;
    const top = join(walk.root, entry.name);
    for (const commit of await commitsOf(walk, top)) {
      const snapshot = join(top, "snapshots", commit);
      const folders = await foldersBelow(walk, snapshot, SNAPSHOT_DEPTH);
      for (const folder of folders) {
        const models = modelsOf({ ...folder, files: withProjectors(folder, folders) });
        for (const model of models) {
          const inRepo = relative(snapshot, model.parts[0]!.path).split(sep).join("/");
          const [owner = ""] = repo.split("/");
          found.push(toFound(model, { program, name: `${repo}/${inRepo}`, owner, repo }));
        }
      }
    }
  }
  return found;
}

/** One folder's models, for a file that a user names. */
export async function findModelsIn(walk: BoundedWalk, folder: string): Promise<FoundImport[]> {
  const read = await readFolder(walk, folder, {
    isRoot: true,
    entries: await walk.entries(folder),
  });
  if (read === null) return [];
  return modelsOf(read).map((model) =>
    toFound(model, { program: "folder", ...describe("drive", [], model), owner: read.name })
  );
}

async function foldersBelow(
  walk: BoundedWalk,
  folder: string,
  depth: number,
): Promise<FoundFolder[]> {
  const found: FoundFolder[] = [];
  const waiting = [{ path: folder, depth }];
  // Level by level: what lies deep in one folder must not use up what is for the others.
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { path, depth } = next;
    if (walk.isOver) break;
    const entries = await walk.entries(path);
    const read = await readFolder(walk, path, { isRoot: path === folder, entries });
    if (read !== null) found.push(read);
    if (depth === 0) continue;
    // Links to folders are not entered: what they lead to is elsewhere, or walked by its own name.
    for (const { name, isDirectory } of entries) {
      if (isDirectory && !name.startsWith(".")) {
        waiting.push({ path: join(path, name), depth: depth - 1 });
      }
    }
  }
  return found;
}

interface ReadFolderOptions {
  isRoot: boolean;
  entries: readonly Deno.DirEntry[];
}

async function readFolder(
  walk: BoundedWalk,
  path: string,
  { isRoot, entries }: ReadFolderOptions,
): Promise<FoundFolder | null> {
  const names = entries.filter(({ name, isDirectory }) => !isDirectory && isModelFileName(name))
    .map(({ name }) => name);
  if (names.length === 0) return null;
  const files = (await Promise.all(names.map((name) => walk.file(join(path, name)))))
    .filter((file) => file !== null);
  return {
    path,
    name: path.split(sep).at(-1) ?? "",
    isRoot,
    files,
    names: new Set(entries.map(({ name }) => name)),
  };
}

/** Statistics for quantizing carry the ending of models. */
function isModelFileName(name: string): boolean {
  return /\.gguf$/i.test(name) && !name.startsWith(".") && !/imatrix/i.test(name);
}

function modelsOf(folder: FoundFolder): ModelFiles[] {
  return groupModelFiles(folder, { source: "import", onUnusableName: () => {} })
    .filter((model) => !model.isBeingWritten);
}

function toFound(
  model: ModelFiles,
  described: Pick<FoundImport, "program" | "name" | "owner" | "repo"> & { id?: string },
): FoundImport {
  const { id, parts, missing, projector } = model;
  return { id, parts, missing, projector, problem: null, ...described };
}

type Described = Pick<FoundImport, "name" | "owner" | "repo"> & { id?: string };

function describe(
  program: keyof typeof DEPTH,
  place: readonly string[],
  model: ModelFiles,
): Described {
  const path = [...place, model.parts[0]!.name].join("/");
  const owner = place.at(-1) ?? program;
  switch (program) {
    case "lm_studio": {
      const [publisher = "", name = ""] = place;
      const isRepo = place.length >= 2 && ORG.test(publisher) && ORG.test(name) &&
        publisher !== "imported-models";
      const repo = isRepo ? `${publisher}/${name}` : null;
      return { name: path, owner: publisher || program, repo };
    }
    case "jan": {
      // `<id>/model.gguf`: the folder has the name.
      const isNameless = /^model$/i.test(model.id) && isModelId(owner);
      const name = place.length === 0 ? path : place.join("/");
      return { name, owner: program, repo: null, ...(isNameless && { id: owner }) };
    }
    default:
      return { name: path, owner: place.length === 0 ? program : owner, repo: null };
  }
}

/** `models--org--name` -> `org/name`. */
function repoOfFolder(name: string): string | null {
  const [, org, repo] = /^models--([\w.-]{1,96}?)--([\w.-]{1,96})$/.exec(name) ?? [];
  return org === undefined || repo === undefined || repo.includes("--") ? null : `${org}/${repo}`;
}

/** The snapshot of `main` first: where two hold one file, it is named by the newer one. */
async function commitsOf(walk: BoundedWalk, top: string): Promise<string[]> {
  const all = (await walk.entries(join(top, "snapshots")))
    .filter(({ name, isDirectory }) => isDirectory && !name.startsWith("."))
    .map(({ name }) => name);
  const main = (await walk.text(join(top, "refs", "main")))?.trim();
  return all.sort((a, b) => Number(b === main) - Number(a === main));
}

/** A repository with a folder for each quantization has its projector above them. */
function withProjectors(
  folder: FoundFolder,
  all: readonly FoundFolder[],
): FoundFolder["files"] {
  if (folder.files.some(({ name }) => isProjectorName(name))) return folder.files;
  const above = all.filter(({ path }) => folder.path.startsWith(path + sep))
    .sort((a, b) => b.path.length - a.path.length)
    .map(({ files }) => files.filter(({ name }) => isProjectorName(name)))
    .find((files) => files.length > 0);
  return [...folder.files, ...above ?? []];
}

const HUB_URL = /^https:\/\/[^/]+\/([\w.-]{1,96}\/[\w.-]{1,96})\/resolve\/[^/]+\/(.+\.gguf)$/i;

/** What llama.cpp noted beside its older downloads, by the file's path. */
async function downloadUrls(
  walk: BoundedWalk,
  folders: readonly FoundFolder[],
): Promise<Map<string, string>> {
  const urls = new Map<string, string>();
  for (const { files, names } of folders) {
    for (const { name, path } of files) {
      const text = names.has(`${name}.json`) ? await walk.text(`${path}.json`) : null;
      const url = text === null ? null : urlIn(text);
      if (url !== null) urls.set(path, url);
    }
  }
  return urls;
}

function urlIn(text: string): string | null {
  try {
    const url = (JSON.parse(text) as { url?: unknown } | null)?.url;
    return typeof url === "string" ? url : null;
  } catch {
    return null;
  }
}

/** `org_name-GGUF_file.gguf` in its older cache; the note beside it says where the names end. */
function describeDownload(model: ModelFiles, url: string | null): Described {
  const [, noted, path] = HUB_URL.exec(url ?? "") ?? [];
  const [, org, name, file] = /^([\w.-]+?)_([\w.-]+?[-_.]gguf)_(.+)$/i.exec(model.id) ?? [];
  const repo = noted ?? (org === undefined ? null : `${org}/${name}`);
  const prefix = repo === null ? "" : `${repo.replace("/", "_")}_`;
  const rest = model.id.startsWith(prefix) ? model.id.slice(prefix.length) : model.id;
  const id = file !== undefined && noted === undefined ? file : rest;
  return {
    name: repo === null ? model.parts[0]!.name : `${repo}/${path ?? id}`,
    owner: repo?.split("/")[0] ?? "llama_cpp",
    repo,
    ...(isModelId(id) && { id }),
  };
}
