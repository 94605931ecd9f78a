// Anthropic's dialect: llama-server speaks it itself; the model's name, errors and the list of models
// are ours.

import { Hono } from "@hono/hono";
import { AppError } from "../errors.ts";
import type { Model } from "../models/library.ts";
import { COUNT_TOKENS_BODY, MESSAGES_BODY } from "./anthropic_bodies.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import { forwardByBody } from "./model_request.ts";
import type { ServingParts } from "./request_defaults.ts";
import type { Schema } from "../schema.ts";

const FORWARDED: readonly [path: string, body: Schema][] = [
  ["/v1/messages", MESSAGES_BODY],
  ["/v1/messages/count_tokens", COUNT_TOKENS_BODY],
];
/** Of the list, as Anthropic's own server has them. */
const DEFAULT_LIMIT = 20;
const MOST_LIMIT = 1_000;

export function anthropicRoutes(parts: ServingParts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  for (const [path, body] of FORWARDED) {
    const route = { path, mode: "chat", body, dialect: "anthropic" } as const;
    routes.post(path, (context) => forwardByBody(parts, context, route));
  }
  return routes;
}

/** One page of the models, as GET /v1/models answers Anthropic's clients. */
export function anthropicModels(models: readonly Model[], query: Record<string, string>) {
  const limit = limitOf(query.limit);
  const after = query.after_id === undefined ? 0 : indexOf(models, query.after_id) + 1;
  const before = query.before_id === undefined ? models.length : indexOf(models, query.before_id);
  const start = query.before_id === undefined ? after : Math.max(after, before - limit);
  const end = Math.min(start + limit, before);
  const data = models.slice(start, end).map(anthropicModel);
  return {
    data,
    has_more: query.before_id === undefined ? end < before : start > after,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
  };
}

export function anthropicModel({ id, mtimeMs }: Model) {
  return {
    type: "model",
    id,
    display_name: id,
    created_at: new Date(mtimeMs).toISOString(),
  };
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MOST_LIMIT) return limit;
  throw new AppError(
    "invalid_request",
    `Cannot read "limit": write a whole number from 1 to ${MOST_LIMIT}`,
    { param: "limit" },
  );
}

function indexOf(models: readonly Model[], id: string): number {
  const index = models.findIndex((model) => model.id === id);
  if (index >= 0) return index;
  throw new AppError(
    "invalid_request",
    `Cannot list from ${JSON.stringify(id.slice(0, 100))}: no model has this ID`,
  );
}
