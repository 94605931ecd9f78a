// Fields of Ollama's requests, read one by one: absent and null are the same, a wrong type is refused.

import type { Context } from "@hono/hono";
import { AppError } from "../errors.ts";
import { checkBody, type Schema } from "../schema.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import { type JsonObject, parseJson, readBody } from "./json_body.ts";
import type { Parts } from "./parts.ts";

/** The body as an object. An empty one is refused in Ollama's own words, which clients look for. */
export async function readFields(
  parts: Pick<Parts, "config">,
  context: Context<GatewayEnv>,
  schema: Schema,
): Promise<JsonObject> {
  const bytes = await readBody(context.req.raw, parts.config().bodyLimitBytes);
  if (bytes.length === 0) throw new AppError("invalid_request", "missing request body");
  return checkBody(schema, parseJson(bytes));
}

export function textOf(fields: JsonObject, name: string): string | null {
  const value = fields[name] ?? null;
  if (value === null || typeof value === "string") return value;
  throw wrong(name, "text");
}

export function flagOf(fields: JsonObject, name: string): boolean | null {
  const value = fields[name] ?? null;
  if (value === null || typeof value === "boolean") return value;
  throw wrong(name, "true or false");
}

export function objectOf(fields: JsonObject, name: string): JsonObject | null {
  const value = fields[name] ?? null;
  if (value === null || isObject(value)) return value;
  throw wrong(name, "an object");
}

export function listOf(fields: JsonObject, name: string): unknown[] | null {
  const value = fields[name] ?? null;
  if (value === null || Array.isArray(value)) return value;
  throw wrong(name, "a list");
}

export function textsOf(fields: JsonObject, name: string): string[] | null {
  const list = listOf(fields, name);
  if (list === null || list.every((each) => typeof each === "string")) return list;
  throw wrong(name, "a list of texts");
}

export function countOf(
  fields: JsonObject,
  name: string,
  { from, to }: { from: number; to: number },
): number | null {
  const value = fields[name] ?? null;
  if (value === null) return null;
  if (Number.isSafeInteger(value) && (value as number) >= from && (value as number) <= to) {
    return value as number;
  }
  throw wrong(name, `a whole number from ${from} to ${to}`);
}

/** Of the model: newer clients say `model`, older ones `name`. */
export function namedModel(fields: JsonObject): string | null {
  const name = textOf(fields, "model");
  return name === null || name === "" ? textOf(fields, "name") : name;
}

/** The name itself, for what must not mean "the only model that there is". */
export function requiredName(fields: JsonObject, ...names: string[]): string {
  for (const name of names) {
    const value = textOf(fields, name);
    if (value !== null && value.trim() !== "") return value;
  }
  throw new AppError("model_required", `${names[0]} is required`, { param: names[0]! });
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function wrong(name: string, wanted: string): AppError {
  return new AppError("invalid_request", `Cannot read "${name}": it must be ${wanted}`, {
    param: name,
  });
}
