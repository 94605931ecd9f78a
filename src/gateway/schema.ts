// What a body must look like, as a JSON Schema of a few keywords: requests are checked by it, and
// /openapi.json shows the same object.

import { AppError } from "../errors.ts";

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
  readonly anyOf?: readonly Schema[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  /** What it must be, in words, where those made of the keywords would not help. */
  readonly wanted?: string;
}

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

/** Throws `invalid_request` with the field as `param` for the first that is not as it must be. */
export function checkBody(schema: Schema, body: Record<string, unknown>): void {
  checkObject(schema, { value: body, at: "" });
}

interface Field {
  value: unknown;
  /** Its name, as `messages[3].content`; empty for the body itself. */
  at: string;
}

function check(schema: Schema, field: Field): void {
  const { value, at } = field;
  if (schema.anyOf !== undefined) {
    if (schema.anyOf.some((each) => fits(each, field))) return;
    throw wrong(at, wantedWords(schema));
  }
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

function fits(schema: Schema, field: Field): boolean {
  try {
    check(schema, field);
    return true;
  } catch (error) {
    if (error instanceof AppError) return false;
    throw error;
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
      return Number.isInteger(value);
    case "string":
      return typeof value === "string";
    case "number":
      return typeof value === "number";
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
  return !Array.isArray(value) || value.length <= (schema.maxItems ?? Infinity);
}

/** `a string, or null`, `a whole number from 1 to 64`, `one of "use", "admin"` */
function wantedWords(schema: Schema): string {
  if (schema.wanted !== undefined) return schema.wanted;
  if (schema.anyOf !== undefined) return schema.anyOf.map(wantedWords).join(", or ");
  if (schema.enum !== undefined) {
    return `one of ${schema.enum.map((value) => JSON.stringify(value)).join(", ")}`;
  }
  const types = [schema.type ?? []].flat();
  return types.map((type) => WORDS[type] + rangeWords(schema, type)).join(", or ");
}

function rangeWords(schema: Schema, type: JsonType): string {
  const isNumber = type === "number" || type === "integer";
  const least = isNumber ? schema.minimum : type === "string" ? schema.minLength : undefined;
  const most = isNumber
    ? schema.maximum
    : type === "string"
    ? schema.maxLength
    : type === "array"
    ? schema.maxItems
    : undefined;
  const unit = isNumber ? "" : type === "string" ? " characters" : " items";
  if (least !== undefined && most !== undefined) {
    return isNumber ? ` from ${least} to ${most}` : ` of ${least} to ${most}${unit}`;
  }
  if (least !== undefined) return isNumber ? ` from ${least} on` : ` of at least ${least}${unit}`;
  return most === undefined ? "" : isNumber ? ` up to ${most}` : ` of at most ${most}${unit}`;
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
