// Bodies of Anthropic's routes: what of them is checked here. All other fields are llama-server's.

import { FORWARDED_FIELDS, orNull, SAMPLING_FIELDS } from "./body_fields.ts";
import type { Schema } from "../schema.ts";

const TALK = {
  messages: {
    type: "array",
    items: { type: "object" },
    examples: [[{ role: "user", content: "hi" }]],
  },
  system: { type: ["string", "array", "null"] },
  tools: orNull("array", { items: { type: "object" } }),
  tool_choice: orNull("object"),
  thinking: orNull("object"),
} as const satisfies Record<string, Schema>;

export const MESSAGES_BODY: Schema = {
  type: "object",
  properties: {
    ...FORWARDED_FIELDS,
    max_tokens: SAMPLING_FIELDS.max_tokens,
    ...TALK,
    temperature: SAMPLING_FIELDS.temperature,
    top_p: SAMPLING_FIELDS.top_p,
    top_k: orNull("integer"),
    stop_sequences: orNull("array", { items: { type: "string" } }),
  },
  required: ["messages"],
};

export const COUNT_TOKENS_BODY: Schema = {
  type: "object",
  properties: { model: FORWARDED_FIELDS.model, keep_alive: FORWARDED_FIELDS.keep_alive, ...TALK },
  required: ["messages"],
};
