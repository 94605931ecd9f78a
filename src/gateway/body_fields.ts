// Fields that bodies of several dialects have.

import type { JsonType, Schema } from "../schema.ts";

/** Clients send null for what they leave out. */
export function orNull<const T extends JsonType>(
  type: T,
  more: Omit<Schema, "type" | "enum"> = {},
): Omit<Schema, "type" | "enum"> & { readonly type: readonly [T, "null"] } {
  return { ...more, type: [type, "null"] };
}

export const MODEL = orNull("string", {
  description: "Name of the model; left out where only one is installed",
  examples: ["hello"],
});

export const STREAM = orNull("boolean", {
  description: "Send the answer while it is written",
});

export const KEEP_ALIVE = {
  type: ["string", "number", "null"],
  description:
    'How long the model stays loaded after this request: "10m", seconds, -1 for ever, 0 not at all',
} as const satisfies Schema;

const LOADING = {
  enum: ["comments", "text", null],
  description: "Tell a stream how far the model's load is, as comments or as text of the answer",
} as const satisfies Schema;

/** Of everything that an instance answers by a model that the body names. */
export const FORWARDED_FIELDS = {
  model: MODEL,
  stream: STREAM,
  keep_alive: KEEP_ALIVE,
  loading: LOADING,
} as const satisfies Record<string, Schema>;

/** Of everything that writes text. */
export const SAMPLING_FIELDS = {
  max_tokens: orNull("integer", { description: "Write at most this many tokens", examples: [100] }),
  temperature: orNull("number", { description: "0 = always the likeliest word" }),
  top_p: orNull("number"),
  stop: { type: ["string", "array", "null"], description: "Texts that end the answer" },
  seed: orNull("number"),
} as const satisfies Record<string, Schema>;
