// What no route took: 405 with `Allow` where only the method is wrong, 404 where nothing is, and OPTIONS.

import type { Hono, NotFoundHandler } from "@hono/hono";

import { AppError } from "../errors.ts";
import { dialectOf, renderAppError } from "./error_response.ts";
import type { GatewayEnv } from "./gateway_env.ts";

const SHOWN_CHARACTERS = 100;

/** For `app.notFound(...)`, after the routes are in place; it asks the app which there are. */
export function createNotFound(app: Hono<GatewayEnv>): NotFoundHandler<GatewayEnv> {
  let table: { pattern: RegExp; method: string }[] | null = null;
  return (c) => {
    // Middleware is listed as method ALL: it answers nothing by itself.
    table ??= app.routes.filter(({ method }) => method !== "ALL")
      .map(({ path, method }) => ({ pattern: patternOf(path), method }));
    const methods = new Set(
      table.filter(({ pattern }) => pattern.test(c.req.path)).map(({ method }) => method),
    );
    if (methods.has("GET")) methods.add("HEAD");
    const allow = [...methods].sort().join(", ");
    const shown = JSON.stringify(c.req.path.slice(0, SHOWN_CHARACTERS));
    const dialect = dialectOf(c.req.url);
    if (allow === "") {
      return renderAppError(
        new AppError(
          "route_not_found",
          `Cannot find ${shown}. "/" says what this server answers`,
          { values: { path: c.req.path.slice(0, SHOWN_CHARACTERS) } },
        ),
        dialect,
      );
    }
    if (c.req.method === "OPTIONS") return new Response(null, { status: 204, headers: { allow } });
    const response = renderAppError(
      new AppError("method_not_allowed", `Cannot ${c.req.method} ${shown}: it takes ${allow}`, {
        values: { method: c.req.method, allow },
      }),
      dialect,
    );
    response.headers.set("allow", allow);
    return response;
  };
}

/** Hono's path with `:name`, `:name{pattern}` and `*`. */
function patternOf(path: string): RegExp {
  const parts = path.split("/").map((part) => {
    const named = /^:\w+(?:\{(.+)\})?(\?)?$/.exec(part);
    if (named !== null) return named[1] ?? "[^/]+";
    return part === "*" ? ".*" : part.replace(/[.+?^${}()|[\]\\]/g, "\\$&");
  });
  return new RegExp(`^${parts.join("/")}$`);
}
