// llama-server's own API of one model: `/upstream/{model}/...` and the model's door.
// What writes files, shows other clients' prompts or stops the process is not offered.

import { type Context, Hono } from "@hono/hono";
import { AppError } from "../errors.ts";
import { findModel } from "./find_model.ts";
import { foreignLinkRefused, isForeignLink } from "./foreign_link.ts";
import { forward } from "./forward.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import { parseJson, readBody } from "./json_body.ts";
import { checkMedia } from "./media.ts";
import { keepAliveOf } from "./model_request.ts";
import type { Parts } from "./parts.ts";
import { modeBeside, modeOfPath } from "./serving_mode.ts";

const PREFIX = "/upstream/";
const JSON_BLANKS: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);
/** First parts of llama-server's paths that are for its own parent or show what others wrote. */
const NOT_OFFERED = new Set([
  ...["slots", "tools", "models", "cors-proxy", "mcp", "lora-adapters"],
  // Answers that outlive their client are not asked for, so there are none to join.
  "stream",
]);

export function upstreamRoutes(parts: Parts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.all(`${PREFIX}:model/*`, (context) => {
    const name = context.req.param("model");
    // The path as it was sent: Hono decodes its own, and llama-server shall see what the client wrote.
    const rest = rawPath(context).slice(PREFIX.length);
    return forwardNative(parts, context, { name, path: rest.slice(rest.indexOf("/")) });
  });
  return routes;
}

/** Passes a request to a model as it is. Throws `route_not_found` for what is not offered. */
export async function forwardNative(
  parts: Parts,
  context: Context<GatewayEnv>,
  target: { name: string; path: string },
): Promise<Response> {
  checkOffered(target.path);
  const request = context.req.raw;
  // It loads the model. A page whose origin is allowed says who it is.
  if (isForeignLink(request) && !request.headers.has("origin")) {
    throw foreignLinkRefused(request, {
      what: `load ${JSON.stringify(target.name)}`,
      instead: "Open the address yourself",
    });
  }
  const model = await findModel(parts, target.name);
  const { method } = context.req;
  if (method === "GET" || method === "HEAD") {
    return await forward(parts, { context, model, path: target.path, body: null, stream: false });
  }
  const body = await readBody(context.req.raw, parts.config().bodyLimitBytes);
  // Only JSON has fields; what else a route takes (a file to transcribe) is its own matter.
  const isJson = holdsObject(body);
  const fields = isJson ? parseJson(body) : {};
  checkMedia(fields, model);
  return await forward(parts, {
    context,
    model,
    path: target.path,
    body,
    contentType: isJson ? "application/json" : context.req.header("content-type") ?? null,
    stream: fields.stream === true,
    mode: modeBeside(model, modeOfPath(target.path)),
    keepAliveMs: keepAliveOf(fields),
  });
}

/** As llama-server reads it, which passes over a byte order mark and blanks before the brace. */
function holdsObject(body: Uint8Array): boolean {
  let at = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0;
  while (JSON_BLANKS.has(body[at] ?? 0)) at++;
  return body[at] === 0x7b;
}

/** Path and query of the request line, undecoded. */
export function rawPath(context: Context<GatewayEnv>): string {
  const { url } = context.req.raw;
  return url.slice(url.indexOf("/", url.indexOf("//") + 2));
}

function checkOffered(path: string): void {
  const segments = path.split("?")[0]!.split("/").filter((segment) => segment !== "");
  const first = segments[0] === "v1" ? segments[1] : segments[0];
  const safe = /^[\w./-]*$/.test(path.split("?")[0]!) && !segments.includes("..");
  if (safe && !NOT_OFFERED.has(first ?? "")) return;
  throw new AppError("route_not_found", `Cannot pass "${path}" on: this route is not offered`, {
    values: { path },
  });
}
