// The stand-in's JSON: /api/models, one model, its tree and its refs, in the Hub's words. Sending and
// faults are others'.

import {
  type HubAnswer,
  type HubRequest,
  jsonAnswer,
  type Refusal,
  refusalAnswer,
} from "./hub_exchange.ts";
import { blobId, isLfs, type RepoFiles, type TestRepo, xetHash } from "./hub_repo.ts";

const SORTS = [
  ...["downloads", "likes", "lastModified", "createdAt", "trendingScore", "likes30d"],
  ...["num_parameters", "mainSize", "id"],
];

const EXPANDABLE = [
  ...["author", "baseModels", "cardData", "childrenModelCount", "config", "createdAt", "disabled"],
  ...["downloads", "downloadsAllTime", "evalResults", "gated", "gguf", "inference"],
  ...["inferenceProviderMapping", "lastModified", "library_name", "likes", "mask_token"],
  ...["model-index", "pipeline_tag", "private", "resourceGroup", "safetensors", "sha", "siblings"],
  ...["spaces", "tags", "transformersInfo", "trendingScore", "usedStorage", "widgetData"],
];

export interface ApiOptions {
  endpoint: string;
  /** Entries of a list without `limit`, and at most. */
  pageSize: number;
}

/** `repos`: those that the asker may see. */
export function listModels(
  repos: readonly TestRepo[],
  { query }: HubRequest,
  { endpoint, pageSize }: ApiOptions,
): HubAnswer {
  const expand = query.getAll("expand");
  const wide = ["full", "config", "cardData"].some((name) => query.get(name) === "true");
  const unknown = expand.find((name) => !EXPANDABLE.includes(name));
  const sort = query.get("sort") ?? "trendingScore";
  if (unknown !== undefined) return badRequest(`Invalid value for "expand": ${unknown}`);
  if (expand.length > 0 && wide) return badRequest('"expand" cannot be combined with "full"');
  if (!SORTS.includes(sort)) return badRequest(`Invalid value for "sort": ${sort}`);
  const search = query.get("search")?.toLowerCase() ?? "";
  const author = query.get("author");
  const tags = query.getAll("filter");
  const found = repos.filter((repo) =>
    repo.name.toLowerCase().includes(search) &&
    (author === null || repo.name.startsWith(`${author}/`)) &&
    tags.every((tag) => tagsOf(repo).includes(tag))
  ).toSorted((a, b) =>
    sort === "likes"
      ? (b.given.likes ?? 0) - (a.given.likes ?? 0)
      : (b.given.downloads ?? 0) - (a.given.downloads ?? 0)
  );
  const start = Number(atob(query.get("cursor") ?? btoa("0")));
  const end = start + Math.min(Number(query.get("limit") ?? pageSize), pageSize);
  const rows = found.slice(start, end).map((repo) => {
    const all = infoOf(repo, { blobs: false });
    const names = wide ? Object.keys(all) : expand.length > 0 ? expand : LISTED;
    const kept = ["_id", "id", "modelId", ...names].map((name) => [name, all[name]]);
    return Object.fromEntries(kept);
  });
  return jsonAnswer(rows, nextLink(end < found.length ? end : null, { endpoint, query }));
}

const LISTED = ["likes", "private", "downloads", "tags", "pipeline_tag", "library_name"];

export function modelInfo(repo: TestRepo, request: HubRequest, revision: string): HubAnswer {
  const found = repo.find(revision);
  if (found === null) return noRevision(revision);
  const expand = request.query.getAll("expand");
  const blobs = request.query.get("blobs") === "true";
  if (expand.length > 0 && blobs) return badRequest('"expand" cannot be combined with "blobs"');
  const all = infoOf(repo, { blobs, ...found });
  if (expand.length === 0) return jsonAnswer(all);
  const kept = ["_id", "id", ...expand].map((name) => [name, all[name]]);
  return jsonAnswer(Object.fromEntries(kept));
}

export interface TreeAsked extends ApiOptions {
  revision: string;
  /** A folder; "" is the root. */
  under: string;
}

export function tree(repo: TestRepo, { query, path }: HubRequest, asked: TreeAsked): HubAnswer {
  const found = repo.find(asked.revision);
  if (found === null) return noRevision(asked.revision);
  const entries = entriesOf(found.files, {
    under: asked.under,
    recursive: query.get("recursive") === "true",
  });
  if (entries.length === 0 && asked.under !== "") {
    return refusalAnswer({
      status: 404,
      code: "EntryNotFound",
      message: `${asked.under} does not exist on "${asked.revision}"`,
    });
  }
  const start = Number(atob(query.get("cursor") ?? btoa("0")));
  const end = start + Math.min(Number(query.get("limit") ?? asked.pageSize), asked.pageSize);
  const next = nextLink(end < entries.length ? end : null, {
    endpoint: asked.endpoint,
    query,
    path,
  });
  return jsonAnswer(entries.slice(start, end), next);
}

export function refs(repo: TestRepo): HubAnswer {
  const branches = [...repo.branches].map(([name, targetCommit]) => ({
    name,
    ref: name.startsWith("refs/") ? name : `refs/heads/${name}`,
    targetCommit,
  }));
  return jsonAnswer({ branches, converts: [], tags: [] });
}

export function noRevision(revision: string): HubAnswer {
  const message = `Invalid rev id: ${revision}`;
  return refusalAnswer({ status: 404, code: "RevisionNotFound", message });
}

function badRequest(message: string): HubAnswer {
  const refusal: Refusal = { status: 400, message };
  return refusalAnswer(refusal);
}

function entriesOf(files: RepoFiles, asked: { under: string; recursive: boolean }) {
  const prefix = asked.under === "" ? "" : `${asked.under}/`;
  const folders = new Set<string>();
  const entries: Record<string, unknown>[] = [];
  for (const [path, content] of files) {
    if (!path.startsWith(prefix)) continue;
    const segments = path.slice(prefix.length).split("/");
    const depths = asked.recursive ? segments.length - 1 : Math.min(1, segments.length - 1);
    for (let depth = 1; depth <= depths; depth++) {
      const folder = prefix + segments.slice(0, depth).join("/");
      if (folders.has(folder)) continue;
      folders.add(folder);
      entries.push({ type: "directory", oid: "0".repeat(40), size: 0, path: folder });
    }
    if (!asked.recursive && segments.length > 1) continue;
    const oid = blobId(path, content);
    const lfs = isLfs(path, content)
      ? {
        lfs: { oid: content.sha256, size: content.sizeBytes, pointerSize: 135 },
        xetHash: xetHash(content),
      }
      : {};
    entries.push({ type: "file", oid, size: content.sizeBytes, ...lfs, path });
  }
  return entries;
}

function infoOf(
  repo: TestRepo,
  { blobs, commit = repo.commit, files = repo.find(repo.commit)!.files }: {
    blobs: boolean;
    commit?: string;
    files?: RepoFiles;
  },
): Record<string, unknown> {
  const { given, name } = repo;
  const siblings = [...files].map(([rfilename, content]) => {
    if (!blobs) return { rfilename };
    const { sha256, sizeBytes: size } = content;
    const lfs = isLfs(rfilename, content) ? { lfs: { sha256, size, pointerSize: 135 } } : {};
    return { rfilename, size, blobId: blobId(rfilename, content), ...lfs };
  });
  return {
    _id: "65f0c0ffee",
    id: name,
    modelId: name,
    author: name.split("/")[0],
    sha: commit,
    private: given.private ?? false,
    gated: given.gated ?? false,
    disabled: given.disabled ?? false,
    createdAt: "2026-01-01T00:00:00.000Z",
    lastModified: repo.lastModified,
    tags: tagsOf(repo),
    downloads: given.downloads ?? 0,
    likes: given.likes ?? 0,
    library_name: "gguf",
    pipeline_tag: given.pipelineTag,
    cardData: { license: given.license, language: given.languages },
    gguf: given.gguf,
    siblings,
  };
}

function tagsOf({ given }: TestRepo): string[] {
  const hasModel = Object.keys(given.files).some((path) => path.endsWith(".gguf"));
  return [
    ...hasModel ? ["gguf"] : [],
    ...given.tags ?? [],
    ...given.languages ?? [],
    ...given.license === undefined ? [] : [`license:${given.license}`],
  ];
}

function nextLink(
  next: number | null,
  { endpoint, query, path = "/api/models" }: {
    endpoint: string;
    query: URLSearchParams;
    path?: string;
  },
): Record<string, string> {
  if (next === null) return {};
  const url = new URL(endpoint + path);
  for (const [name, value] of query) if (name !== "cursor") url.searchParams.append(name, value);
  url.searchParams.set("cursor", btoa(String(next)));
  return { link: `<${url.href}>; rel="next"` };
}
