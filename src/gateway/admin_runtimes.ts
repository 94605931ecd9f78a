// /admin/runtimes: the builds of llama.cpp on this computer, and those that it could have. The host alone
// can do anything with them.

import { Hono } from "@hono/hono";

import { AppError } from "../errors.ts";
import { readChecked } from "./admin_json.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import type { Parts } from "./parts.ts";
import type { Checked, Schema } from "../schema.ts";

export const RUNTIME_BODY = {
  type: "object",
  properties: {
    action: { enum: ["install", "cancel", "use", "remove"], examples: ["install"] },
    variant: {
      type: "string",
      minLength: 1,
      maxLength: 40,
      description:
        "What to install; left out: what is recommended for this computer. With `cancel`: " +
        "only if this is being installed",
      examples: ["cpu"],
    },
    name: {
      type: "string",
      minLength: 1,
      maxLength: 101,
      description: "What to use or remove; `use` takes `auto` for the usual order",
    },
    latest: {
      type: "boolean",
      description: "Install the newest build instead of the one that this program knows",
    },
    unverified: {
      type: "boolean",
      description: "Install it though only the server that sends it vouches for it",
    },
  },
  required: ["action"],
  additionalProperties: false,
} as const satisfies Schema;

export function runtimeRoutes({ host, config }: Pick<Parts, "host" | "config">): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.get("/admin/runtimes", async (c) => c.json(await host.call("runtimes", {})));
  routes.post("/admin/runtimes", async (c) => {
    const body = await readChecked({ config }, c, RUNTIME_BODY);
    if (body.action === "install") {
      refuseField(body, ["name"]);
      const { variant = null, latest = false, unverified = false } = body;
      return c.json(await host.call("installRuntime", { variant, latest, unverified }), 202);
    }
    if (body.action === "cancel") {
      refuseField(body, ["name", "latest", "unverified"]);
      return c.json(await host.call("cancelRuntime", { variant: body.variant ?? null }));
    }
    refuseField(body, ["variant", "latest", "unverified"]);
    const { action, name } = body;
    if (name === undefined) {
      throw new AppError(
        "invalid_request",
        `Cannot ${action} a build without its name: send "name", as GET /admin/runtimes lists it`,
        { param: "name" },
      );
    }
    return c.json(
      await host.call(action === "use" ? "useRuntime" : "removeRuntime", { build: name }),
    );
  });
  return routes;
}

/** What does not belong to the action must not be lost in silence. */
function refuseField(
  body: Checked<typeof RUNTIME_BODY>,
  names: readonly (keyof Checked<typeof RUNTIME_BODY>)[],
): void {
  const given = names.find((name) => body[name] !== undefined);
  if (given === undefined) return;
  throw new AppError(
    "invalid_request",
    `Cannot use "${given}" with the action "${body.action}": leave it out`,
    { param: given },
  );
}
