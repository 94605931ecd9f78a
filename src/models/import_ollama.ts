// The models that Ollama keeps: manifests that name blobs by their checksums. Everything in a manifest
// is data; a path is made of a checksum alone.

import { join } from "node:path";

import { AppError, type AppErrorData } from "../errors.ts";
import type { BoundedWalk } from "./bounded_walk.ts";
import type { GgufFacts } from "./gguf.ts";
import type { FoundFile } from "./folder_scan.ts";
import type { FoundImport } from "./found_import.ts";
import { isModelId } from "./model_names.ts";

export interface OllamaManifest {
  /** Checksums of the layers, 64 hex digits each. */
  models: string[];
  projector: string | null;
  /** It changes the model by what cannot be taken over. */
  hasAdapter: boolean;
}

const LAYER = "application/vnd.ollama.image.";
const MOST_LAYERS = 1_000;
const DIGEST = /^sha256[:-]([0-9a-f]{64})$/;

/** Null where it is no manifest, or of nothing that llama.cpp loads (no GGUF layer). */
export function parseOllamaManifest(text: string): OllamaManifest | null {
  const layers = layersOf(text);
  if (layers === null || layers.length > MOST_LAYERS) return null;
  const manifest: OllamaManifest = { models: [], projector: null, hasAdapter: false };
  for (const layer of layers) {
    const { mediaType, digest } = (layer ?? {}) as Record<string, unknown>;
    const hex = typeof digest === "string" ? DIGEST.exec(digest)?.[1] : undefined;
    switch (mediaType) {
      case `${LAYER}model`:
        if (hex === undefined) return null;
        manifest.models.push(hex);
        break;
      case `${LAYER}projector`:
        if (hex === undefined) return null;
        manifest.projector ??= hex;
        break;
      case `${LAYER}adapter`:
        manifest.hasAdapter = true;
    }
  }
  return manifest.models.length === 0 ? null : manifest;
}

function layersOf(text: string): unknown[] | null {
  try {
    const layers = (JSON.parse(text) as { layers?: unknown } | null)?.layers;
    return Array.isArray(layers) ? layers : null;
  } catch {
    return null;
  }
}

export interface OllamaName {
  /** As `ollama list` shows it. */
  name: string;
  id: string;
  /** Who made it, told where two have one name. */
  owner: string;
  repo: string | null;
}

const SEGMENT = /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.:-]{0,199}$/u;
const HUB_HOSTS = ["hf.co", "huggingface.co"];

/** What `manifests/<host>/<namespace>/<model>/<tag>` is called; null for a name that is none. */
export function ollamaNameOf(segments: readonly string[]): OllamaName | null {
  const [host, namespace, model, tag] = segments;
  if (host === undefined || namespace === undefined || model === undefined || tag === undefined) {
    return null;
  }
  if (segments.length !== 4 || !segments.every((each) => SEGMENT.test(each))) return null;
  const isHub = HUB_HOSTS.includes(host);
  const isLibrary = host === "registry.ollama.ai" && namespace === "library";
  const prefix = isLibrary ? "" : host === "registry.ollama.ai" ? `${namespace}/` : null;
  // The Hub's names end so where its file names do not.
  const base = isHub ? model.replace(/[-_.]gguf$/i, "") : model;
  const id = (tag === "latest" ? base : `${base}-${tag}`).replaceAll(":", "-");
  if (!isModelId(id)) return null;
  return {
    name: `${prefix ?? `${host}/${namespace}/`}${model}:${tag}`,
    id,
    owner: isLibrary ? "ollama" : namespace.replaceAll(":", "-"),
    repo: isHub ? `${namespace}/${model}` : null,
  };
}

/** Every manifest below `<root>/manifests` whose blob is there. */
export async function findOllamaModels(walk: BoundedWalk): Promise<FoundImport[]> {
  const found: FoundImport[] = [];
  const top = join(walk.root, "manifests");
  for (const host of await walk.entries(top)) {
    for (const namespace of await walk.entries(join(top, host.name))) {
      for (const model of await walk.entries(join(top, host.name, namespace.name))) {
        const path = [host.name, namespace.name, model.name];
        for (const tag of await walk.entries(join(top, ...path))) {
          const one = await findOne(walk, [...path, tag.name]);
          if (one !== null) found.push(one);
        }
      }
    }
  }
  // Where two tags mean one blob, the one that need not be typed is listed.
  return found.sort((a, b) => a.id.length - b.id.length);
}

async function findOne(walk: BoundedWalk, segments: string[]): Promise<FoundImport | null> {
  const named = ollamaNameOf(segments);
  if (named === null) return null;
  const text = await walk.text(join(walk.root, "manifests", ...segments));
  const manifest = text === null ? null : parseOllamaManifest(text);
  if (manifest === null) return null;
  const parts: FoundFile[] = [];
  for (const digest of manifest.models) {
    const blob = await blobOf(walk, digest);
    if (blob === null) return null;
    parts.push(blob);
  }
  const projector = manifest.projector === null ? null : await blobOf(walk, manifest.projector);
  if (manifest.projector !== null && projector === null) return null;
  return {
    ...named,
    program: "ollama",
    parts,
    missing: [],
    projector,
    problem: problemOf(named.name, manifest),
  };
}

/** Older releases wrote the colon, which not every system takes. */
async function blobOf(walk: BoundedWalk, digest: string): Promise<FoundFile | null> {
  const blobs = join(walk.root, "blobs");
  return await walk.file(join(blobs, `sha256-${digest}`)) ??
    await walk.file(join(blobs, `sha256:${digest}`));
}

function problemOf(name: string, manifest: OllamaManifest): AppErrorData | null {
  if (manifest.models.length > 1) {
    return refusal(
      name,
      "split",
      "Ollama keeps its parts under names that llama.cpp does not find",
    );
  }
  if (!manifest.hasAdapter) return null;
  return refusal(name, "adapter", "it is another model with an adapter. Import that model");
}

/** In the memory of Ollama they become what llama.cpp loads; in the file they are not. */
const OLLAMA_ARCHITECTURES: ReadonlySet<string> = new Set([
  "gptoss",
  "mllama",
  "qwen25vl",
  "deepseekocr",
  "glm4moelite",
  "glmocr",
]);

/** Why a file of Ollama's own library does not load in llama.cpp; null where nothing says so. */
export function ollamaProblem(
  name: string,
  facts: Pick<GgufFacts, "architecture" | "metadata">,
): AppErrorData | null {
  const { architecture, metadata } = facts;
  if (architecture === null) return null;
  // Elsewhere what sees and hears is a file of its own.
  const senses = [`${architecture}.vision.block_count`, `${architecture}.audio.block_count`];
  const isOwn = OLLAMA_ARCHITECTURES.has(architecture) || senses.some((key) => metadata.has(key));
  return isOwn
    ? refusal(name, "ollama_only", "its file is in a form that only Ollama loads")
    : null;
}

function refusal(name: string, reason: string, sentence: string): AppErrorData {
  const shown = name.slice(0, 200);
  const next = sentence.includes(". ") ? "" : ". Get it from the catalogue or the Hub instead";
  return new AppError(
    "import_refused",
    `Cannot import ${JSON.stringify(shown)}: ${sentence}${next}`,
    { values: { name: shown, reason } },
  ).toData();
}
