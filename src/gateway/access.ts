// Who a route is for. The one table of it: the guard decides by it and /openapi.json says it.

import type { KeyScope } from "../api_types.ts";

/** `public` needs no key; a key with the scope `admin` opens what `use` does, too. */
export type Access = "public" | KeyScope;

/** Asked with the path that the router takes, so that no spelling means two routes. */
export type AccessOf = (method: string, path: string) => Access;

/** Shown to everyone who may reach this server: nothing in them is a secret. */
const PUBLIC_PATHS = new Set(["/", "/health", "/docs"]);
const PUBLIC_FOLDERS = ["/docs/", "/static/", "/lib/"];
/** To be answered by models, and to see which there are; not to change which there are. */
const USE_PATHS = new Set([
  ...["/generate", "/rerank", "/reranking", "/running", "/metrics", "/openapi.json"],
  ...["/api/generate", "/api/chat", "/api/embed", "/api/embeddings"],
  ...["/api/tags", "/api/ps", "/api/show", "/api/version"],
]);
const USE_FOLDERS = ["/v1/", "/upstream/"];

/** On the gateway's own port. What is not listed is for administrators, whatever it will be. */
export function accessOf(method: string, path: string): Access {
  const isPublic = PUBLIC_PATHS.has(path) || PUBLIC_FOLDERS.some((each) => path.startsWith(each));
  if (isPublic && isReading(method)) return "public";
  const isUse = USE_PATHS.has(path) || USE_FOLDERS.some((folder) => path.startsWith(folder));
  return isUse ? "use" : "admin";
}

/** On a model's port there is llama-server's API of this one model, and nothing else. */
export function doorAccessOf(method: string, path: string): Access {
  return isReading(method) && path === "/health" ? "public" : "use";
}

function isReading(method: string): boolean {
  return method === "GET" || method === "HEAD";
}
