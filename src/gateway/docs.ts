// /openapi.json and /docs, the same as a page that works without the internet. All of it is loaded when
// somebody first asks: an idle server holds none of it.

import { type Context, Hono } from "@hono/hono";

import { AppError } from "../errors.ts";
import { accessOf } from "./access.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import type { Parts } from "./parts.ts";

export interface DocsOptions {
  /** Those of the whole app, once it is complete. */
  routes(): readonly { method: string; path: string }[];
}

const HEADERS = {
  // Everything from here, nothing that is written in the page itself, in no frame. The style sheet of
  // the viewer has its small pictures as data: URLs.
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-cache",
};

/** By their names below /docs/. Literal addresses: the scope lets no other module in. */
const FILES: Readonly<Record<string, { type: string; load(): Promise<{ default: string }> }>> = {
  "swagger-ui.css": {
    type: "text/css",
    load: () => import("swagger-ui-dist/swagger-ui.css", { with: { type: "text" } }),
  },
  "swagger-ui-bundle.js": {
    type: "text/javascript",
    load: () => import("swagger-ui-dist/swagger-ui-bundle.js", { with: { type: "text" } }),
  },
  "docs.css": {
    type: "text/css",
    load: () => import("../../static/docs/docs.css", { with: { type: "text" } }),
  },
  "docs.js": {
    type: "text/javascript",
    load: () => import("../../static/docs/docs.js", { with: { type: "text" } }),
  },
};

export function docsRoutes(parts: Pick<Parts, "version">, options: DocsOptions): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  let json: string | null = null;
  routes.get("/openapi.json", async (c) => {
    const { openapiDocument } = await import("./openapi_document.ts");
    json ??= JSON.stringify(
      openapiDocument({ version: parts.version, routes: options.routes(), accessOf }),
    );
    return c.body(json, 200, { "content-type": "application/json", "cache-control": "no-cache" });
  });
  routes.get("/docs", async (c) => {
    const page = await import("../../static/docs/index.html", { with: { type: "text" } });
    return c.html(page.default, 200, HEADERS);
  });
  routes.get("/docs/:file", (c) => file(c));
  return routes;
}

async function file(context: Context<GatewayEnv, "/docs/:file">): Promise<Response> {
  const name = context.req.param("file");
  if (!Object.hasOwn(FILES, name)) {
    throw new AppError("route_not_found", 'Cannot find this file. The page is at "/docs"');
  }
  const { type, load } = FILES[name]!;
  const { default: text } = await load();
  return context.body(text, 200, { ...HEADERS, "content-type": `${type}; charset=utf-8` });
}
