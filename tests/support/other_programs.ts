// Folders as other programs lay them out, made by hand: each function writes one model the way that
// program would, and answers what would be listed.

import { dirname, join } from "node:path";

import { modelBytes } from "./model_home.ts";

/** Hex of 64 digits made of a word: a checksum is never looked at here, only its grammar. */
export function digestOf(word: string): string {
  const hex = [...new TextEncoder().encode(word)].map((byte) => byte.toString(16).padStart(2, "0"));
  return hex.join("").padEnd(64, "0").slice(0, 64);
}

export function put(path: string, bytes: Uint8Array | string): string {
  Deno.mkdirSync(dirname(path), { recursive: true });
  if (typeof bytes === "string") Deno.writeTextFileSync(path, bytes);
  else Deno.writeFileSync(path, bytes);
  return path;
}

export interface OllamaLayers {
  model?: Uint8Array;
  projector?: Uint8Array;
  /** Media types without a blob that matters. */
  others?: string[];
  /** Between `sha256` and the digits in the blob's name. */
  sign?: "-" | ":";
}

/** `name` is `host/namespace/model/tag`; answers the path of the model's blob. */
export function putOllama(root: string, name: string, layers: OllamaLayers = {}): string {
  const { model = modelBytes(), projector, others = [], sign = "-" } = layers;
  function layer(kind: string, bytes: Uint8Array) {
    const hex = digestOf(`${name.slice(-24)} ${kind}`);
    put(join(root, "blobs", `sha256${sign}${hex}`), bytes);
    const mediaType = `application/vnd.ollama.image.${kind}`;
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  }
  const all = [
    layer("model", model),
    ...(projector === undefined ? [] : [layer("projector", projector)]),
    ...others.map((kind) => layer(kind, new TextEncoder().encode(kind))),
  ];
  const config = { mediaType: "application/vnd.docker.container.image.v1+json", digest: "x" };
  put(join(root, "manifests", name), JSON.stringify({ schemaVersion: 2, config, layers: all }));
  return join(root, "blobs", all[0]!.digest.replace(":", sign));
}

/** A file of the Hub's cache, with its link; answers the link's path. */
export function putHub(
  root: string,
  repo: string,
  file: string,
  options: { commit?: string; bytes?: Uint8Array; isMain?: boolean } = {},
): string {
  const { commit = "c0ffee".padEnd(40, "0"), bytes = modelBytes(), isMain = true } = options;
  const top = join(root, `models--${repo.replace("/", "--")}`);
  const blob = digestOf(`${file}${bytes.length}`);
  put(join(top, "blobs", blob), bytes);
  const link = join(top, "snapshots", commit, file);
  Deno.mkdirSync(dirname(link), { recursive: true });
  const up = "../".repeat(file.split("/").length + 1);
  Deno.symlinkSync(`${up}blobs/${blob}`, link);
  if (isMain) put(join(top, "refs", "main"), commit);
  return link;
}
