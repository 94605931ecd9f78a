// Bodies of Ollama's routes. Null is the same as left out, as with its own server; what values mean
// together is each route's.

import type { Schema } from "../schema.ts";
import { KEEP_ALIVE, orNull } from "./body_fields.ts";

const MODEL = {
  model: orNull("string", { description: "Name of the model", examples: ["hello"] }),
  name: orNull("string", { description: "The same, as older clients say it" }),
} as const satisfies Record<string, Schema>;

const STREAMED = {
  stream: orNull("boolean", { default: true, description: "Send lines while it is done" }),
} as const satisfies Record<string, Schema>;

const OPTIONS = orNull("object", {
  description: "Sampling (`temperature`, `num_predict`, ...) and how it is loaded (`num_ctx`, ...)",
  examples: [{ temperature: 0.7, num_predict: 100 }],
});

/** Of everything that a model answers. */
const ANSWERED = {
  ...MODEL,
  keep_alive: KEEP_ALIVE,
  options: OPTIONS,
  truncate: orNull("boolean"),
} as const satisfies Record<string, Schema>;

const WRITTEN = {
  ...ANSWERED,
  ...STREAMED,
  format: {
    type: ["string", "object", "null"],
    description: '"json", or a JSON schema that the answer will have',
  },
  think: {
    type: ["boolean", "string", "null"],
    description: "Whether, or how much, it thinks first",
  },
  shift: orNull("boolean"),
  logprobs: orNull("boolean"),
  top_logprobs: orNull("integer", { minimum: 0, maximum: 20 }),
} as const satisfies Record<string, Schema>;

const IMAGES = orNull("array", { items: { type: "string" }, description: "In base64" });

export const OLLAMA_GENERATE_BODY: Schema = {
  type: "object",
  properties: {
    ...WRITTEN,
    prompt: orNull("string", {
      description: "Left out or empty: the model is only loaded",
      examples: ["hi"],
    }),
    suffix: orNull("string", { description: "What comes after the gap that is to be filled" }),
    system: orNull("string"),
    template: orNull("string", { description: "In Ollama's language: refused" }),
    context: orNull("array", { description: "Of an earlier answer" }),
    raw: orNull("boolean", { description: "The prompt as it is, without the model's template" }),
    images: IMAGES,
  },
};

export const OLLAMA_CHAT_BODY: Schema = {
  type: "object",
  properties: {
    ...WRITTEN,
    messages: orNull("array", {
      items: { type: "object" },
      description: "Left out or empty: the model is only loaded",
      examples: [[{ role: "user", content: "hi" }]],
    }),
    tools: orNull("array", { items: { type: "object" } }),
  },
};

export const OLLAMA_EMBED_BODY: Schema = {
  type: "object",
  properties: {
    ...ANSWERED,
    input: { type: ["string", "array", "null"], examples: [["one text", "another text"]] },
    dimensions: orNull("integer", { minimum: 1 }),
  },
};

export const OLLAMA_EMBEDDINGS_BODY: Schema = {
  type: "object",
  properties: { ...ANSWERED, prompt: orNull("string", { examples: ["one text"] }) },
};

export const OLLAMA_SHOW_BODY: Schema = {
  type: "object",
  properties: {
    ...MODEL,
    system: orNull("string"),
    options: OPTIONS,
    verbose: orNull("boolean", { description: "With the tensors and the tokenizer's lists" }),
  },
};

export const OLLAMA_COPY_BODY: Schema = {
  type: "object",
  properties: {
    source: orNull("string", { examples: ["hello"] }),
    destination: orNull("string", { examples: ["my-hello"] }),
  },
};

export const OLLAMA_DELETE_BODY: Schema = { type: "object", properties: MODEL };

export const OLLAMA_PULL_BODY: Schema = {
  type: "object",
  properties: {
    model: orNull("string", {
      description: "Name of the catalogue, or hf.co/org/repo with :quantization",
      examples: ["hf.co/org/name:Q4_K_M"],
    }),
    name: MODEL.name,
    ...STREAMED,
  },
};

export const OLLAMA_CREATE_BODY: Schema = {
  type: "object",
  properties: {
    ...MODEL,
    ...STREAMED,
    from: orNull("string", { description: "Model that it is like", examples: ["hello"] }),
    files: orNull("object", {
      description: "Names and the digests of blobs that were sent before",
    }),
    system: orNull("string"),
    template: orNull("string", { description: "Jinja, as llama-server reads it" }),
    parameters: OPTIONS,
  },
};
