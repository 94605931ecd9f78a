// llama-server serves one mode per process: which one a route wants, and which one a model is for.

import { AppError } from "../errors.ts";
import type { Model } from "../models/library.ts";

/** What an instance runs for. */
export type ServingMode = "chat" | "embedding" | "rerank";

const MODE_OF: ReadonlyMap<string, ServingMode> = new Map([
  ["chat", "chat"],
  ["completions", "chat"],
  ["completion", "chat"],
  ["responses", "chat"],
  ["messages", "chat"],
  ["infill", "chat"],
  ["audio", "chat"],
  ["embeddings", "embedding"],
  ["embedding", "embedding"],
  ["rerank", "rerank"],
  ["reranking", "rerank"],
]);

/** By llama-server's path; null where any instance of the model will do. */
export function modeOfPath(path: string): ServingMode | null {
  const [first, second] = path.split(/[?#]/, 1)[0]!.split("/").filter((part) => part !== "");
  return MODE_OF.get((first === "v1" ? second : first) ?? "") ?? null;
}

/** What the model is for, and so what its instance runs for unless it is asked for something else. */
export function ownMode({ facts }: Model): ServingMode {
  const kind = facts?.kind;
  return kind === "embedding" || kind === "rerank" ? kind : "chat";
}

/**
 * The mode of an instance of its own beside the model's main one; undefined where the main one serves.
 * Throws `invalid_request` for words from a model that has none: llama-server would die of it.
 */
export function modeBeside(model: Model, wanted: ServingMode | null): ServingMode | undefined {
  const own = ownMode(model);
  if (wanted === null || wanted === own) return undefined;
  if (wanted !== "chat") return wanted;
  const [makes, path] = own === "embedding"
    ? ["makes embeddings", "/v1/embeddings"]
    : ["ranks texts", "/v1/rerank"];
  throw new AppError(
    "invalid_request",
    `Cannot chat with ${
      JSON.stringify(model.id)
    }: it ${makes}. Ask it at ${path}, or choose another model`,
    { param: "model", values: { model: model.id, mode: own } },
  );
}
