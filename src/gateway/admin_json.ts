// Bodies of /admin writes: a JSON object with known fields only, so that a misspelt one is not lost.

import type { Context } from "@hono/hono";

import { AppError } from "../errors.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import { type JsonObject, parseJson, readBody } from "./json_body.ts";
import type { Parts } from "./parts.ts";
import { checkBody, type Checked, type Schema } from "../schema.ts";

/** Of routes that take nothing: what somebody sends all the same must not be lost in silence. */
export const NO_FIELDS = {
  type: "object",
  properties: {},
  additionalProperties: false,
} as const satisfies Schema;

/** The body as an object. Errors: those of `readBody` and `parseJson`. */
export async function readObject(
  parts: Pick<Parts, "config">,
  context: Context<GatewayEnv>,
): Promise<JsonObject> {
  return parseJson(await readBody(context.req.raw, parts.config().bodyLimitBytes));
}

/** The body as this schema has it; none at all is an object without fields. */
export async function readChecked<const S extends Schema>(
  parts: Pick<Parts, "config">,
  context: Context<GatewayEnv>,
  schema: S,
): Promise<Checked<S>> {
  const bytes = await readBody(context.req.raw, parts.config().bodyLimitBytes);
  return checkBody(schema, bytes.length === 0 ? {} : parseJson(bytes));
}

/** `true`, `false` or left out. */
export function flagOf(value: unknown, name: string): boolean | undefined {
  if (value === undefined || typeof value === "boolean") return value;
  if (value === "true" || value === "false") return value === "true";
  throw new AppError("invalid_request", `Cannot use ${JSON.stringify(name)}: send true or false`, {
    param: name,
  });
}
