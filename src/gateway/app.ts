// The gateway as one Hono app: the order of what every request passes, and who answers which path.

import { Hono } from "@hono/hono";
import { AppError } from "../errors.ts";
import { accessOf, doorAccessOf } from "./access.ts";
import { adminRoutes } from "./admin.ts";
import { anthropicRoutes } from "./anthropic.ts";
import { dialectOf } from "./dialect.ts";
import { docsRoutes } from "./docs.ts";
import type { OpenDoor } from "./doors.ts";
import { renderError } from "./error_response.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import { generateRoutes } from "./generate.ts";
import { createGuard } from "./guard.ts";
import { KeyCheck } from "./key_check.ts";
import { llamaSwapRoutes } from "./llama_swap.ts";
import { ollamaRoutes } from "./ollama.ts";
import { metricsRoutes } from "./metrics_text.ts";
import { OpenRequests } from "./open_requests.ts";
import { openaiRoutes } from "./openai.ts";
import { pageRoutes } from "./page.ts";
import type { Parts } from "./parts.ts";
import { RequestCounts } from "./request_counts.ts";
import { type ServingParts, SettingsCache } from "./request_defaults.ts";
import { answerUnmatched } from "./unmatched.ts";
import { forwardNative, rawPath, upstreamRoutes } from "./upstream.ts";

/** What listens on the gateway's port and on the doors. */
export interface Gateway {
  handle(request: Request, info: Deno.ServeHandlerInfo<Deno.NetAddr>): Response | Promise<Response>;
  handleDoor(
    request: Request,
    info: Deno.ServeHandlerInfo<Deno.NetAddr>,
    door: OpenDoor,
  ): Response | Promise<Response>;
  /** Of the gateway's port. */
  routes(): readonly AppRoute[];
}

export interface AppRoute {
  /** `ALL` where it answers every method. */
  method: string;
  /** As Hono has it. */
  path: string;
}

export function createGateway(given: Parts): Gateway {
  const parts: ServingParts = { ...given, settings: new SettingsCache(given.registry) };
  const guarded = {
    config: parts.config(),
    keys: new KeyCheck(parts),
    port: () => parts.port(),
  };
  const doorGuard = createGuard(guarded, doorAccessOf);
  const app = new Hono<GatewayEnv>();
  app.use(createGuard(guarded, accessOf));
  app.route("/", openaiRoutes(parts));
  app.route("/", anthropicRoutes(parts));
  app.route("/", llamaSwapRoutes(parts));
  app.route("/", ollamaRoutes(parts));
  app.route("/", generateRoutes(parts));
  app.route("/", upstreamRoutes(parts));
  app.route("/", adminRoutes(parts));
  app.route("/", metricsRoutes(parts));
  app.route("/", docsRoutes(parts, { routes: () => routesOf(app) }));
  app.route("/", pageRoutes());
  app.get("/health", (context) => context.json({ status: "ok" }));
  finish(app, parts);
  const open = new OpenRequests(parts.config().connectionLimit);
  const counts = new RequestCounts(parts.metrics, app.routes.map(({ path }) => path));
  function fetch(own: Hono<GatewayEnv>, request: Request, env: GatewayEnv["Bindings"]) {
    const startMs = performance.now();
    return counts.count(answer(), { request, env, isDoor: own !== app, startMs });
    function answer(): Response | Promise<Response> {
      try {
        open.enter(env.info);
      } catch (error) {
        return renderError(error, { dialect: dialectOf(request), log: parts.log });
      }
      return own.fetch(request, env);
    }
  }
  return {
    handle: (request, info) => fetch(app, request, { info, localPort: parts.port() }),
    handleDoor: (request, info, door) =>
      fetch(doorApp(parts, { guard: doorGuard, door }), request, { info, localPort: door.port }),
    routes: () => routesOf(app),
  };
}

const doorApps = new WeakMap<OpenDoor, Hono<GatewayEnv>>();

// A door answers for its one model, with the same guard in front.
function doorApp(
  parts: Parts,
  { guard, door }: { guard: ReturnType<typeof createGuard>; door: OpenDoor },
): Hono<GatewayEnv> {
  const known = doorApps.get(door);
  if (known !== undefined) return known;
  const app = new Hono<GatewayEnv>();
  app.use(guard);
  app.all(
    "/*",
    (context) => forwardNative(parts, context, { name: door.modelId, path: rawPath(context) }),
  );
  finish(app, parts);
  doorApps.set(door, app);
  return app;
}

/** Without middleware, which answers nothing by itself and takes what comes next. */
function routesOf(app: Hono<GatewayEnv>): AppRoute[] {
  return app.routes.filter(({ handler }) => handler.length < 2);
}

function finish(app: Hono<GatewayEnv>, parts: Parts): void {
  app.notFound((context) => answerUnmatched(app, context));
  app.onError((error, context) => {
    const dialect = dialectOf(context.req.raw);
    if (error instanceof AppError && error.status >= 500) {
      parts.log.debug("Request refused", { code: error.code, path: context.req.path });
    }
    return renderError(error, { dialect, log: parts.log });
  });
}
