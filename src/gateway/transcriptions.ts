// Speech to text: a form with a sound file in it, passed on as it came to a model that hears.

import { type Context, Hono } from "@hono/hono";
import { findModel } from "./find_model.ts";
import { formFields } from "./form_fields.ts";
import { forward } from "./forward.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import { readBody } from "./json_body.ts";
import { checkCapability } from "./media.ts";
import type { Parts } from "./parts.ts";
import { modeBeside } from "./serving_mode.ts";

const PATH = "/v1/audio/transcriptions";

export function transcriptionRoutes(parts: Parts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.post(PATH, (context) => transcribe(parts, context));
  return routes;
}

async function transcribe(parts: Parts, context: Context<GatewayEnv>): Promise<Response> {
  const body = await readBody(context.req.raw, parts.config().bodyLimitBytes);
  const contentType = context.req.header("content-type") ?? null;
  const fields = formFields(body, contentType);
  const model = await findModel(parts, fields.get("model") ?? null);
  checkCapability(model, { medium: "audio", param: "model" });
  return await forward(parts, {
    context,
    model,
    path: PATH,
    body,
    contentType,
    mode: modeBeside(model, "chat"),
    stream: fields.get("stream") === "true",
  });
}
