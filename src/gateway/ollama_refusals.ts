// What Ollama can do and this server cannot, each with its reason.

import { Hono } from "@hono/hono";
import { AppError } from "../errors.ts";
import { renderAppError } from "./error_response.ts";
import type { GatewayEnv } from "./gateway_env.ts";

const ACCOUNT = "Cannot do this: it belongs to an account at ollama.com, and there is none here";

const UNSUPPORTED: readonly [method: string, path: string, reason: string][] = [
  ["POST", "/api/push", "Cannot push a model: this server only fetches models, it publishes none"],
  ["POST", "/api/me", ACCOUNT],
  ["POST", "/api/signout", ACCOUNT],
  ["GET", "/api/status", ACCOUNT],
  ["POST", "/api/web_search", ACCOUNT],
  ["POST", "/api/web_fetch", ACCOUNT],
  ["POST", "/v1/systemone", "Cannot score answers: llama-server has no route for that"],
];

/** In Ollama's shape, on whatever path. */
export function unsupportedRoutes(): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  for (const [method, path, reason] of UNSUPPORTED) {
    routes.on(method, path, () => renderAppError(notSupported(reason), "ollama"));
  }
  routes.all(
    "/api/experimental/*",
    () => renderAppError(notSupported("Cannot do this: it is an experiment of Ollama's"), "ollama"),
  );
  return routes;
}

/** Its templates are written in Go's language; a Jinja one is the model's own business. */
export function refuseTemplate(template: string): void {
  if (template === "") return;
  throw notSupported(
    'Cannot use "template": it is in Ollama\'s template language, and llama-server reads Jinja. ' +
      'Leave it out, or set "chat_template" in the settings of the model',
  );
}

export function notSupported(message: string): AppError {
  return new AppError("not_supported", message);
}
