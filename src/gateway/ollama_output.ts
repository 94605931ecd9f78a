// What a request wants of the answer's form: `format`, `think` and `logprobs`, as fields of llama-server.

import { AppError } from "../errors.ts";
import type { JsonObject } from "./json_body.ts";
import type { Logprob } from "./ollama_answer.ts";
import { countOf, flagOf, isObject } from "./ollama_fields.ts";

const MOST_LOGPROBS = 20;

/** How many of the likeliest tokens to tell beside each; null = no probabilities at all. */
export function logprobsOf(fields: JsonObject): number | null {
  const wanted = flagOf(fields, "logprobs") ?? false;
  const top = countOf(fields, "top_logprobs", { from: 0, to: MOST_LOGPROBS });
  return wanted || (top ?? 0) > 0 ? top ?? 0 : null;
}

/** For chats: llama-server tells of no token at all where none is wanted beside it. */
export function chatLogprobs(wanted: number | null): JsonObject {
  return wanted === null ? {} : { logprobs: true, top_logprobs: Math.max(1, wanted) };
}

/** As a field of an answer: the others beside each token only where they were asked for. */
export function logprobsField(logprobs: readonly Logprob[], wanted: number | null): JsonObject {
  if (wanted === null || logprobs.length === 0) return {};
  if (wanted > 0) return { logprobs };
  return { logprobs: logprobs.map(({ top_logprobs: _others, ...own }) => own) };
}

/** Ollama's `format`: "json" or a schema. Null where there is none. */
export function formatOf(fields: JsonObject): "json" | JsonObject | null {
  const value = fields.format ?? null;
  if (value === null || value === "") return null;
  if (value === "json" || isObject(value)) return value;
  throw new AppError(
    "invalid_request",
    `invalid format: ${
      JSON.stringify(value).slice(0, 100)
    }; expected "json" or a valid JSON Schema object`,
    { param: "format" },
  );
}

/** As llama-server's chat has it. */
export function responseFormat(format: "json" | JsonObject | null): JsonObject {
  if (format === null) return {};
  return {
    response_format: format === "json"
      ? { type: "json_object" }
      : { type: "json_schema", json_schema: { schema: format } },
  };
}

const LEVELS = ["low", "medium", "high", "max"];

/** Ollama's `think` as variables of the chat template. */
export function thinkingFields(fields: JsonObject): JsonObject {
  const think = fields.think ?? null;
  if (think === null || think === "") return {};
  if (typeof think === "boolean") return { chat_template_kwargs: { enable_thinking: think } };
  if (typeof think === "string" && LEVELS.includes(think)) {
    return { chat_template_kwargs: { enable_thinking: true, reasoning_effort: think } };
  }
  throw new AppError(
    "invalid_request",
    `invalid think value: ${
      JSON.stringify(think).slice(0, 100)
    } (must be "high", "medium", "low", "max", true, or false)`,
    { param: "think" },
  );
}
