// Whose API a request speaks, told by its path alone wherever that is enough.

/** OpenAI's shape is also that of our own routes and of llama-server. */
export type Dialect = "openai" | "ollama" | "anthropic";

/** What tells a dialect: the whole address or the path alone, and the headers. */
export interface DialectRequest {
  readonly url: string;
  readonly headers: Headers;
}

/** The shape in which this caller reads errors. */
export function dialectOf({ url, headers }: DialectRequest): Dialect {
  const path = pathOf(url);
  // llama-swap's routes lie beside Ollama's.
  if (isBelow(path, "/api") && !isBelow(path, "/api/models")) return "ollama";
  if (isBelow(path, "/v1/messages")) return "anthropic";
  // Both list their models there; only Anthropic's clients send their version.
  if (isBelow(path, "/v1/models") && headers.has("anthropic-version")) return "anthropic";
  return "openai";
}

function pathOf(url: string): string {
  const start = url.startsWith("/") ? 0 : url.indexOf("/", url.indexOf("//") + 2);
  return start < 0 ? "/" : url.slice(start).split(/[?#]/, 1)[0]!;
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder) &&
    (path.length === folder.length || path[folder.length] === "/");
}
