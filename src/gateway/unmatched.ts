// What no route took: 405 with `Allow` where only the method is wrong, 404 where nothing is, and OPTIONS.

import type { Context, Hono } from "@hono/hono";

import { AppError } from "../errors.ts";
import { dialectOf } from "./dialect.ts";
import { renderAppError } from "./error_response.ts";
import type { GatewayEnv } from "./gateway_env.ts";

const SHOWN_CHARACTERS = 100;

/** For `app.notFound(...)`: asks the app which routes there are. */
export function answerUnmatched(app: Hono<GatewayEnv>, context: Context<GatewayEnv>): Response {
  const { path, method } = context.req;
  const dialect = dialectOf(context.req.raw);
  const shown = path.slice(0, SHOWN_CHARACTERS);
  const allow = methodsAt(app, path).join(", ");
  if (allow === "") {
    const message = `Cannot find ${JSON.stringify(shown)}. The page at "/" says what there is`;
    return renderAppError(
      new AppError("route_not_found", message, { values: { path: shown } }),
      dialect,
    );
  }
  if (method === "OPTIONS") return new Response(null, { status: 204, headers: { allow } });
  const response = renderAppError(
    new AppError("method_not_allowed", `Cannot ${method} ${JSON.stringify(shown)}: use ${allow}`, {
      values: { method, allow },
    }),
    dialect,
  );
  response.headers.set("allow", allow);
  return response;
}

function methodsAt(app: Hono<GatewayEnv>, path: string): string[] {
  const methods = new Set<string>();
  for (const route of app.routes) {
    // Middleware is listed as method ALL: it answers nothing by itself.
    if (route.method !== "ALL" && patternOf(route.path).test(path)) methods.add(route.method);
  }
  if (methods.has("GET")) methods.add("HEAD");
  return [...methods].sort();
}

/** Hono's path with `:name`, `:name{pattern}` and `*`. */
function patternOf(path: string): RegExp {
  const parts = path.split("/").map((part) => {
    const named = /^:\w+(?:\{(.+)\})?$/.exec(part);
    if (named !== null) return named[1] ?? "[^/]+";
    return part === "*" ? ".*" : part.replace(/[.+?^${}()|[\]\\]/g, "\\$&");
  });
  return new RegExp(`^${parts.join("/")}$`);
}
