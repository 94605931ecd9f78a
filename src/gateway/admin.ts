// /admin: models, settings, requests, this machine, one stream of events. What all its routes share is
// here; each group of routes has a file of its own.

import { Hono } from "@hono/hono";

import { AppError } from "../errors.ts";
import { catalogueRoutes } from "./admin_catalogue.ts";
import { connectRoutes } from "./admin_connect.ts";
import { downloadRoutes } from "./admin_downloads.ts";
import { hubRoutes } from "./admin_hub.ts";
import { importRoutes } from "./admin_import.ts";
import { keyRoutes } from "./admin_keys.ts";
import { modelRoutes } from "./admin_models.ts";
import { modelSettingsRoutes } from "./admin_model_settings.ts";
import { requestRoutes } from "./admin_requests.ts";
import { runtimeRoutes } from "./admin_runtimes.ts";
import { scopeRoutes } from "./admin_scope.ts";
import { settingsRoutes } from "./admin_settings.ts";
import { systemRoutes } from "./admin_system.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import type { Parts } from "./parts.ts";

const READING_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

export function adminRoutes(parts: Parts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.use("/admin/*", (c, next) => {
    if (!READING_METHODS.has(c.req.method)) checkContentType(c.req.raw);
    c.header("cache-control", "no-store");
    c.header("x-content-type-options", "nosniff");
    return next();
  });
  routes.route("/", systemRoutes(parts));
  routes.route("/", scopeRoutes(parts));
  routes.route("/", modelRoutes(parts));
  routes.route("/", modelSettingsRoutes(parts));
  routes.route("/", catalogueRoutes(parts));
  routes.route("/", hubRoutes(parts));
  routes.route("/", downloadRoutes(parts));
  routes.route("/", importRoutes(parts));
  routes.route("/", runtimeRoutes(parts));
  routes.route("/", settingsRoutes(parts));
  routes.route("/", keyRoutes(parts));
  routes.route("/", connectRoutes(parts));
  routes.route("/", requestRoutes(parts));
  return routes;
}

// A page can send forms and plain text anywhere without asking; JSON it cannot.
function checkContentType(request: Request): void {
  const type = request.headers.get("content-type");
  if (type === null && !hasBody(request)) return;
  const [media] = type?.split(";", 1) ?? [];
  if (media?.trim().toLowerCase() === "application/json") return;
  throw new AppError(
    "unsupported_media_type",
    'Cannot take this body: send JSON with "Content-Type: application/json"',
    { values: { content_type: type?.slice(0, 100) ?? null } },
  );
}

function hasBody({ headers }: Request): boolean {
  return headers.has("transfer-encoding") || Number(headers.get("content-length") ?? 0) !== 0;
}
