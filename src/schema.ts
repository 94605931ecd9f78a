// What a body must look like, as a JSON Schema of a few keywords: requests are checked by it, and
// /openapi.json shows the same object.

import { AppError } from "./errors.ts";

export type JsonType = "string" | "number" | "integer" | "boolean" | "object" | "array" | "null";

/** Keywords that `checkBody` knows, and words for people. */
export interface Schema {
  readonly type?: JsonType | readonly JsonType[];
  readonly enum?: readonly (string | number | boolean | null)[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  /** Other fields: refused with false, else passed over or of this schema. */
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  /** What it must be, in words, where those made of the keywords would not help. */
  readonly wanted?: string;
}

interface ValueOfType {
  string: string;
  number: number;
  integer: number;
  boolean: boolean;
  object: Record<string, unknown>;
  array: unknown[];
  null: null;
}

type ValueOf<S> = S extends { enum: readonly (infer V)[] } ? V
  : S extends { type: "array"; items: infer I extends Schema } ? ValueOf<I>[]
  : S extends { type: infer T }
    ? ValueOfType[Extract<T extends readonly (infer U)[] ? U : T, keyof ValueOfType>]
  : unknown;

type RequiredOf<S> = S extends { required: readonly (infer N)[] } ? N : never;

/** A body that `checkBody` has passed. */
export type Checked<S extends Schema> = S extends { properties: infer P } ?
    & { [N in keyof P as N extends RequiredOf<S> ? N : never]: ValueOf<P[N]> }
    & { [N in keyof P as N extends RequiredOf<S> ? never : N]?: ValueOf<P[N]> }
  : Record<string, unknown>;

const SHOWN_CHARACTERS = 100;

const WORDS: Readonly<Record<JsonType, string>> = {
  string: "a string",
  number: "a number",
  integer: "a whole number",
  boolean: "true or false",
  object: "an object",
  array: "a list",
  null: "null",
};

/** The body itself. Throws `invalid_request` with the field as `param` for the first that is wrong. */
export function checkBody<const S extends Schema>(
  schema: S,
  body: Record<string, unknown>,
): Checked<S> {
  checkObject(schema, { value: body, at: "" });
  return body as Checked<S>;
}

/** Whether a value by itself is as the schema has it. */
export function isOfSchema(schema: Schema, value: unknown): boolean {
  try {
    check(schema, { value, at: "" });
    return true;
  } catch (error) {
    if (error instanceof AppError) return false;
    throw error;
  }
}

interface Field {
  value: unknown;
  /** Its name, as `messages[3].content`; empty for the body itself. */
  at: string;
}

function check(schema: Schema, field: Field): void {
  const { value, at } = field;
  if (!isOfType(schema, value) || !isInRange(schema, value)) throw wrong(at, wantedWords(schema));
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return;
    for (const [index, item] of value.entries()) {
      check(items, { value: item, at: `${at}[${index}]` });
    }
  } else if (typeof value === "object" && value !== null) {
    checkObject(schema, field as Field & { value: Record<string, unknown> });
  }
}

function checkObject(
  schema: Schema,
  { value, at }: Field & { value: Record<string, unknown> },
): void {
  const { properties = {}, required = [], additionalProperties = true } = schema;
  for (const name of required) {
    if (!Object.hasOwn(value, name)) throw missing(inside(at, name), properties[name]);
  }
  // By the names of the schema, not of the body: most bodies have more fields than we read.
  for (const name in properties) {
    if (!Object.hasOwn(value, name)) continue;
    check(properties[name]!, { value: value[name], at: inside(at, name) });
  }
  if (additionalProperties === true) return;
  for (const name of Object.keys(value)) {
    if (Object.hasOwn(properties, name)) continue;
    if (additionalProperties === false) throw unknown(inside(at, name), Object.keys(properties));
    check(additionalProperties, { value: value[name], at: inside(at, name) });
  }
}

function isOfType({ type, enum: values }: Schema, value: unknown): boolean {
  if (values !== undefined && !values.includes(value as string)) return false;
  if (type === undefined) return true;
  return typeof type === "string" ? isOne(type, value) : type.some((each) => isOne(each, value));
}

function isOne(type: JsonType, value: unknown): boolean {
  switch (type) {
    case "null":
      return value === null;
    case "array":
      return Array.isArray(value);
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "integer":
      return Number.isSafeInteger(value);
    case "string":
      return typeof value === "string";
    case "number":
      return Number.isFinite(value);
    case "boolean":
      return typeof value === "boolean";
  }
}

function isInRange(schema: Schema, value: unknown): boolean {
  if (typeof value === "number") {
    const { minimum = -Infinity, maximum = Infinity } = schema;
    return value >= minimum && value <= maximum;
  }
  if (typeof value === "string") {
    const { minLength = 0, maxLength = Infinity } = schema;
    return value.length >= minLength && value.length <= maxLength;
  }
  if (!Array.isArray(value)) return true;
  const { minItems = 0, maxItems = Infinity } = schema;
  return value.length >= minItems && value.length <= maxItems;
}

/** What the schema asks for: `a string, or a list`, `a whole number from 1 to 64`, `"use" or "admin"` */
export function wantedWords(schema: Schema): string {
  if (schema.wanted !== undefined) return schema.wanted;
  // Null means left out: nobody is told to send it.
  const values = schema.enum?.filter((value) => value !== null).map((each) => JSON.stringify(each));
  if (values !== undefined) return values.join(", ").replace(/, ([^,]*)$/, " or $1");
  const types = [schema.type ?? []].flat().filter((type) => type !== "null");
  return types.map((type) => WORDS[type] + rangeWords(schema, type)).join(", or ");
}

function rangeWords(schema: Schema, type: JsonType): string {
  switch (type) {
    case "number":
    case "integer":
      return between(schema.minimum, schema.maximum, "");
    case "string":
      return between(schema.minLength, schema.maxLength, " characters");
    case "array":
      return between(schema.minItems, schema.maxItems, " items");
    default:
      return "";
  }
}

function between(least: number | undefined, most: number | undefined, unit: string): string {
  if (least === undefined) return most === undefined ? "" : ` up to ${most}${unit}`;
  return most === undefined ? ` from ${least}${unit} on` : ` from ${least} to ${most}${unit}`;
}

function inside(at: string, name: string): string {
  const shown = name.slice(0, SHOWN_CHARACTERS);
  return at === "" ? shown : `${at}.${shown}`;
}

function wrong(at: string, wanted: string): AppError {
  return new AppError(
    "invalid_request",
    `Cannot read ${JSON.stringify(at)}: it must be ${wanted}`,
    {
      param: at,
    },
  );
}

function missing(at: string, schema: Schema | undefined): AppError {
  const wanted = schema === undefined ? "there" : wantedWords(schema);
  return new AppError(
    "invalid_request",
    `Cannot do without ${JSON.stringify(at)}: it must be ${wanted}`,
    { param: at },
  );
}

function unknown(at: string, known: readonly string[]): AppError {
  const there = known.length === 0
    ? "nothing to set"
    : known.map((name) => JSON.stringify(name)).join(", ");
  return new AppError(
    "invalid_request",
    `Cannot use ${JSON.stringify(at)} here: there is ${there}`,
    { param: at },
  );
}
