// Shapes of answers for /openapi.json: JSON Schemas that are shown and never checked by, so loaded only
// when somebody asks. Bodies of requests are ../schema.ts's.

import type { Schema } from "../schema.ts";

/** A JSON Schema with whatever keywords. */
export type Shape = Schema | Readonly<Record<string, unknown>>;

export const TEXT: Shape = { type: "string" };
export const COUNT: Shape = { type: "integer" };
export const NUMBER: Shape = { type: "number" };
export const FLAG: Shape = { type: "boolean" };
export const ANYTHING: Shape = {};
export const TIME: Shape = { type: "string", format: "date-time" };

/** One of these words. */
export function word(...values: string[]): Shape {
  return { type: "string", enum: values };
}

export function orNull(shape: Shape): Shape {
  return { anyOf: [shape, { type: "null" }] };
}

export function listOf(items: Shape): Shape {
  return { type: "array", items };
}

export function described(shape: Shape, description: string): Shape {
  return { ...shape, description };
}

/** One that has a name among the components. */
export function named(name: string): Shape {
  return { $ref: `#/components/schemas/${name}` };
}

/** An object of this type: each of its fields has to be described. */
export function shapeOf<T>(
  properties: Readonly<Record<keyof T & string, Shape>>,
  { optional = [] }: { optional?: readonly (keyof T & string)[] } = {},
): Shape {
  const required = Object.keys(properties).filter((name) => !optional.includes(name as never));
  return { type: "object", properties, required };
}
