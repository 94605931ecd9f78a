// Bodies of OpenAI's routes: what of them is checked here. All other fields go to llama-server as they
// are, which has its own word on them.

import { FORWARDED_FIELDS, orNull, SAMPLING_FIELDS } from "./body_fields.ts";
import type { Schema } from "../schema.ts";

const MESSAGES: Schema = {
  type: "array",
  items: { type: "object" },
  description: "The talk so far. Images and sound are parts of a message, as data: URLs",
  examples: [[{ role: "user", content: "hi" }]],
};

const TOOLS: Schema = orNull("array", {
  items: { type: "object" },
  description: "Functions that the model may ask to be called",
});

export const CHAT_BODY: Schema = {
  type: "object",
  properties: {
    ...FORWARDED_FIELDS,
    messages: MESSAGES,
    ...SAMPLING_FIELDS,
    max_completion_tokens: orNull("integer"),
    tools: TOOLS,
    tool_choice: { type: ["string", "object", "null"] },
    response_format: orNull("object", {
      description: "`json_object`, or `json_schema` with a schema that the answer will have",
    }),
    stream_options: orNull("object", { description: "`include_usage`: the counts at the end" }),
    chat_template_kwargs: orNull("object", { description: "For the model's own template" }),
  },
  required: ["messages"],
};

export const COMPLETION_BODY: Schema = {
  type: "object",
  properties: {
    ...FORWARDED_FIELDS,
    prompt: {
      type: ["string", "array"],
      description: "Text, tokens, or several of them",
      examples: ["Once upon a time"],
    },
    ...SAMPLING_FIELDS,
    stream_options: orNull("object"),
  },
  required: ["prompt"],
};

export const RESPONSES_BODY: Schema = {
  type: "object",
  properties: {
    ...FORWARDED_FIELDS,
    input: { type: ["string", "array"], examples: ["hi"] },
    instructions: orNull("string"),
    max_output_tokens: orNull("integer"),
    temperature: SAMPLING_FIELDS.temperature,
    top_p: SAMPLING_FIELDS.top_p,
    tools: TOOLS,
  },
  required: ["input"],
};

export const EMBEDDINGS_BODY: Schema = {
  type: "object",
  properties: {
    ...FORWARDED_FIELDS,
    input: {
      type: ["string", "array"],
      description: "Text, tokens, or several of them",
      examples: [["one text", "another text"]],
    },
    encoding_format: { enum: ["float", "base64", null] },
  },
};

export const RERANK_BODY: Schema = {
  type: "object",
  properties: {
    ...FORWARDED_FIELDS,
    query: { type: "string", examples: ["What is a panda?"] },
    documents: orNull("array", { examples: [["It is a bear.", "It is a car."]] }),
    texts: orNull("array", { description: "The same under the name that other servers use" }),
    top_n: orNull("integer"),
  },
  required: ["query"],
};

/** It speaks to an answer in progress. */
export const CONTROL_BODY: Schema = {
  type: "object",
  properties: {
    ...FORWARDED_FIELDS,
    id: { type: "string", description: "Of the answer in progress" },
    action: { type: "string", examples: ["reasoning_end"] },
  },
};
