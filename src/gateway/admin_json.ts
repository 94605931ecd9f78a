// Bodies of /admin writes: a JSON object with known fields only, so that a misspelt one is not lost.

import type { Context } from "@hono/hono";

import { AppError } from "../errors.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import { type JsonObject, parseJson, readBody } from "./json_body.ts";
import type { Parts } from "./parts.ts";
import { checkBody, type Schema } from "./schema.ts";

/** The body as an object. Errors: those of `readBody` and `parseJson`. */
export async function readObject(
  parts: Pick<Parts, "config">,
  context: Context<GatewayEnv>,
): Promise<JsonObject> {
  return parseJson(await readBody(context.req.raw, parts.config().bodyLimitBytes));
}

/** The body as this schema has it; none at all is an object without fields. */
export async function readChecked(
  parts: Pick<Parts, "config">,
  context: Context<GatewayEnv>,
  schema: Schema,
): Promise<JsonObject> {
  const bytes = await readBody(context.req.raw, parts.config().bodyLimitBytes);
  const body = bytes.length === 0 ? {} : parseJson(bytes);
  checkBody(schema, body);
  return body;
}

/** The same where the body may be left out; fields other than `fields` are refused. */
export async function readOptions(
  parts: Pick<Parts, "config">,
  context: Context<GatewayEnv>,
  { fields }: { fields: readonly string[] },
): Promise<JsonObject> {
  const bytes = await readBody(context.req.raw, parts.config().bodyLimitBytes);
  const options = bytes.length === 0 ? {} : parseJson(bytes);
  for (const name of Object.keys(options)) {
    if (fields.includes(name)) continue;
    const shown = name.slice(0, 100);
    throw new AppError(
      "invalid_request",
      `Cannot use ${JSON.stringify(shown)} here: there is ${
        fields.length === 0 ? "nothing to set" : fields.map((each) => `"${each}"`).join(", ")
      }`,
      { param: shown },
    );
  }
  return options;
}

/** `true`, `false` or left out. */
export function flagOf(value: unknown, name: string): boolean | undefined {
  if (value === undefined || typeof value === "boolean") return value;
  if (value === "true" || value === "false") return value === "true";
  throw new AppError("invalid_request", `Cannot use ${JSON.stringify(name)}: send true or false`, {
    param: name,
  });
}
