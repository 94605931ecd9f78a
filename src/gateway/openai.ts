// OpenAI's dialect: what it names and streams is llama-server's own answer; the list of models is ours.

import { type Context, Hono } from "@hono/hono";
import { parseDuration } from "../duration.ts";
import { AppError } from "../errors.ts";
import type { Model } from "../models/library.ts";
import { findModel } from "./find_model.ts";
import { forward } from "./forward.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import { parseJson, readBody } from "./json_body.ts";
import { refuseRemoteMedia } from "./media.ts";
import { stateOf } from "./model_rows.ts";
import type { Parts } from "./parts.ts";

/** Routes that name their model in the body and pass to the instance under the same path. */
const FORWARDED = ["/v1/chat/completions", "/v1/completions"];

export function openaiRoutes(parts: Parts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  for (const path of FORWARDED) {
    routes.post(path, (context) => forwardByBody(parts, context, path));
  }
  routes.get("/v1/models", async (context) => {
    // Just started, the headers of new files are still being read: no list is better than half of it.
    await parts.library.upToDate();
    const data = parts.library.list().map((model) => modelObject(parts, model));
    return context.json({ object: "list", data });
  });
  routes.get("/v1/models/:id{.+}", async (context) => {
    const model = await findModel(parts, context.req.param("id"));
    return context.json(modelObject(parts, model));
  });
  return routes;
}

async function forwardByBody(
  parts: Parts,
  context: Context<GatewayEnv>,
  path: string,
): Promise<Response> {
  const bytes = await readBody(context.req.raw, parts.config().bodyLimitBytes);
  const body = parseJson(bytes);
  const model = await findModel(parts, modelName(body.model));
  refuseRemoteMedia(body);
  return await forward(parts, {
    context,
    model,
    path,
    body: bytes,
    stream: body.stream === true,
    keepAliveMs: keepAliveOf(body),
  });
}

/** The request's `model`: text, or absent where only one is installed. */
export function modelName(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "string") return value;
  throw new AppError("invalid_request", 'Cannot read "model": it must be a string', {
    param: "model",
  });
}

/** The request's `keep_alive`, as Ollama's clients write it: a duration, seconds, -1 for ever. */
export function keepAliveOf(body: Record<string, unknown>): number | undefined {
  const value = body.keep_alive;
  if (value === undefined || value === null) return undefined;
  const keepAliveMs = typeof value === "string" || typeof value === "number"
    ? parseDuration(value)
    : null;
  if (keepAliveMs !== null) return keepAliveMs;
  throw new AppError(
    "invalid_request",
    'Cannot read "keep_alive": write a duration such as "10m", seconds, or -1 for ever',
    { param: "keep_alive" },
  );
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
