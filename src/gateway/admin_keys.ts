// /admin/keys: the keys that open this server; a secret is shown once, when it is made.

import { Hono } from "@hono/hono";

import { AppError } from "../errors.ts";
import { readChecked } from "./admin_json.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import type { Parts } from "./parts.ts";
import type { Schema } from "../schema.ts";

const LONGEST_NAME = 100;

export const NEW_KEY_BODY = {
  type: "object",
  properties: {
    name: {
      type: "string",
      minLength: 1,
      maxLength: LONGEST_NAME,
      description: "Whose key it is; each key has another name",
      examples: ["laptop"],
    },
    scope: {
      enum: ["use", "admin"],
      default: "use",
      examples: ["use"],
      description: "`use`: answers of models and the lists of them. `admin`: everything",
    },
  },
  required: ["name"],
  additionalProperties: false,
} as const satisfies Schema;

export function keyRoutes(parts: Pick<Parts, "config" | "keys">): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.get("/admin/keys", (c) => c.json(parts.keys.list()));
  routes.post("/admin/keys", async (c) => {
    const { name, scope = "use" } = await readChecked(parts, c, NEW_KEY_BODY);
    const key = await parts.keys.make({ name: nameOf(name), scope });
    return c.json(key, 201);
  });
  routes.delete("/admin/keys/:id", (c) => {
    parts.keys.revoke(c.req.param("id"));
    return c.body(null, 204);
  });
  return routes;
}

/** As it is shown in terminals and logs. */
function nameOf(name: string): string {
  const trimmed = name.trim();
  if (trimmed !== "" && trimmed.isWellFormed() && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(trimmed)) {
    return trimmed;
  }
  throw new AppError("invalid_request", 'Cannot use "name": write a word or two in one line', {
    param: "name",
  });
}
