// A JSON request that names its model in the body: read once, checked for what we use of it, and
// passed to an instance of that model. Every other field is llama-server's.

import type { Context } from "@hono/hono";
import { parseDuration } from "../duration.ts";
import { AppError } from "../errors.ts";
import type { Dialect } from "./dialect.ts";
import { findModel } from "./find_model.ts";
import { forward, type ForwardCall } from "./forward.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import { parseJson, readBody } from "./json_body.ts";
import { forwardAnnounced, loadingWish } from "./loading_stream.ts";
import { checkMedia } from "./media.ts";
import { type ServingParts, withModelDefaults } from "./request_defaults.ts";
import { checkBody, type Schema } from "../schema.ts";
import { modeBeside, type ServingMode } from "./serving_mode.ts";

export interface ModelRoute {
  /** At the instance. */
  path: string;
  mode: ServingMode;
  body: Schema;
  dialect?: Dialect;
}

/** Answers a request by the model that its body names. */
export async function forwardByBody(
  parts: ServingParts,
  context: Context<GatewayEnv>,
  { path, mode, body: schema, dialect }: ModelRoute,
): Promise<Response> {
  const bytes = await readBody(context.req.raw, parts.config().bodyLimitBytes);
  const body = parseJson(bytes);
  checkBody(schema, body);
  const model = await findModel(parts, modelName(body.model));
  checkMedia(body, model);
  const filled = withModelDefaults(path, body, parts.settings.of(model));
  const stream = body.stream === true;
  const call: ForwardCall = {
    context,
    model,
    path,
    body: filled === body ? bytes : new TextEncoder().encode(JSON.stringify(filled)),
    stream,
    mode: modeBeside(model, mode),
    keepAliveMs: keepAliveOf(body),
    ...(dialect !== undefined && { dialect }),
  };
  const wish = stream ? loadingWish(context.req.raw, body) : null;
  return await (wish === null ? forward(parts, call) : forwardAnnounced(parts, { call, wish }));
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
