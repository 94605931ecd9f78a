// OpenAI's dialect: what it answers and streams is llama-server's own; the list of models is ours.

import { Hono } from "@hono/hono";
import type { Model } from "../models/library.ts";
import { anthropicModel, anthropicModels } from "./anthropic.ts";
import { dialectOf } from "./dialect.ts";
import { findModel } from "./find_model.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import { forwardByBody } from "./model_request.ts";
import { stateOf } from "./model_rows.ts";
import {
  CHAT_BODY,
  COMPLETION_BODY,
  CONTROL_BODY,
  EMBEDDINGS_BODY,
  RERANK_BODY,
  RESPONSES_BODY,
} from "./openai_bodies.ts";
import type { Parts } from "./parts.ts";
import type { ServingParts } from "./request_defaults.ts";
import type { Schema } from "../schema.ts";
import type { ServingMode } from "./serving_mode.ts";
import { transcriptionRoutes } from "./transcriptions.ts";

/** Routes that name their model in the body, and what an instance of it must run for. */
const FORWARDED: readonly [path: string, mode: ServingMode, body: Schema][] = [
  ["/v1/chat/completions", "chat", CHAT_BODY],
  ["/v1/chat/completions/input_tokens", "chat", CHAT_BODY],
  ["/v1/chat/completions/control", "chat", CONTROL_BODY],
  ["/v1/completions", "chat", COMPLETION_BODY],
  ["/v1/responses", "chat", RESPONSES_BODY],
  ["/v1/responses/input_tokens", "chat", RESPONSES_BODY],
  ["/v1/embeddings", "embedding", EMBEDDINGS_BODY],
  ["/v1/rerank", "rerank", RERANK_BODY],
  ["/v1/reranking", "rerank", RERANK_BODY],
  // As llama-server and the servers that it took them from have them.
  ["/rerank", "rerank", RERANK_BODY],
  ["/reranking", "rerank", RERANK_BODY],
];

export function openaiRoutes(parts: ServingParts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  for (const [path, mode, body] of FORWARDED) {
    routes.post(path, (context) => forwardByBody(parts, context, { path, mode, body }));
  }
  routes.route("/", transcriptionRoutes(parts));
  routes.get("/v1/models", async (context) => {
    // Just started, the headers of new files are still being read: no list is better than half of it.
    await parts.library.upToDate();
    const models = parts.library.list();
    if (dialectOf(context.req.raw) === "anthropic") {
      return context.json(anthropicModels(models, context.req.query()));
    }
    return context.json({ object: "list", data: models.map((model) => modelObject(parts, model)) });
  });
  routes.get("/v1/models/:id{.+}", async (context) => {
    const model = await findModel(parts, context.req.param("id"));
    if (dialectOf(context.req.raw) === "anthropic") return context.json(anthropicModel(model));
    return context.json(modelObject(parts, model));
  });
  return routes;
}

function modelObject(parts: Parts, model: Model) {
  return {
    id: model.id,
    object: "model",
    created: Math.floor(model.mtimeMs / 1000),
    owned_by: "zombiecoder",
    state: stateOf(parts, model),
    ...(model.builtin && { builtin: true }),
  };
}
