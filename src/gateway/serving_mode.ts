// llama-server serves one mode per process: which one a route wants, and which one a model is for.

import { AppError } from "../errors.ts";
import type { Model } from "../models/library.ts";
import type { BesideMode } from "../orchestrator/entry_key.ts";
import { ownMode } from "../orchestrator/sizing.ts";

/** What an instance runs for. */
export type ServingMode = "chat" | BesideMode;

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

/**
 * The mode of an instance of its own beside the model's main one; undefined where the main one serves.
 * Throws `invalid_request` for words from a model that has none: llama-server would die of it.
 */
export function modeBeside(model: Model, wanted: ServingMode | null): BesideMode | undefined {
  // Why its file cannot be read its load will tell.
  if (wanted === null || model.facts === null) return undefined;
  const own = ownMode(model.facts);
  if (wanted === own) return undefined;
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
