// Descriptions of the routes by which models answer: ours, OpenAI's, Anthropic's, llama-server's.

import { COUNT_TOKENS_BODY, MESSAGES_BODY } from "./anthropic_bodies.ts";
import { GENERATE_BODY } from "./generate.ts";
import {
  CHAT_BODY,
  COMPLETION_BODY,
  CONTROL_BODY,
  EMBEDDINGS_BODY,
  RERANK_BODY,
  RESPONSES_BODY,
} from "./openai_bodies.ts";
import { json, type RouteDescription, streamable } from "./route_description.ts";
import { COUNT, listOf, named, type Shape, TEXT, word } from "./shape.ts";

/** As the dialect's own documentation has it: llama-server's answer, passed on as it came. */
const AS_THERE: Shape = { type: "object" };

const OPENAI_MODEL: Shape = {
  type: "object",
  properties: {
    id: TEXT,
    object: word("model"),
    created: COUNT,
    owned_by: TEXT,
    state: word("stopped", "loading", "ready", "stopping", "failed", "missing"),
    builtin: { type: "boolean" },
  },
  required: ["id", "object", "created", "owned_by", "state"],
};

const GENERATE: RouteDescription[] = [{
  method: "POST",
  path: "/generate",
  tag: "Generate",
  summary: "Answer a prompt",
  detail:
    "Loads the model first where it is not loaded. Streamed: events with `response`, the last " +
    "with `done: true` and the counts.",
  body: GENERATE_BODY,
  answers: { 200: streamable(named("GenerateAnswer"), "The answer") },
}];

const OPENAI: RouteDescription[] = [
  {
    method: "POST",
    path: "/v1/chat/completions",
    tag: "OpenAI",
    summary: "Answer a talk",
    detail: "All other fields of OpenAI's API and of llama-server's go through untouched.",
    body: CHAT_BODY,
    answers: { 200: streamable(AS_THERE, "A chat completion, or chunks of it") },
  },
  {
    method: "POST",
    path: "/v1/chat/completions/input_tokens",
    tag: "OpenAI",
    summary: "Count the tokens of a talk",
    body: CHAT_BODY,
    answers: { 200: json(AS_THERE, "The count") },
  },
  {
    method: "POST",
    path: "/v1/chat/completions/control",
    tag: "OpenAI",
    summary: "Tell an answer in progress something, such as to end its reasoning",
    body: CONTROL_BODY,
    answers: { 200: json(AS_THERE, "Done") },
  },
  {
    method: "POST",
    path: "/v1/completions",
    tag: "OpenAI",
    summary: "Go on with a text",
    body: COMPLETION_BODY,
    answers: { 200: streamable(AS_THERE, "A completion, or chunks of it") },
  },
  {
    method: "POST",
    path: "/v1/responses",
    tag: "OpenAI",
    summary: "Answer by the Responses API",
    body: RESPONSES_BODY,
    answers: { 200: streamable(AS_THERE, "A response, or events of it") },
  },
  {
    method: "POST",
    path: "/v1/responses/input_tokens",
    tag: "OpenAI",
    summary: "Count the tokens of an input",
    body: RESPONSES_BODY,
    answers: { 200: json(AS_THERE, "The count") },
  },
  {
    method: "POST",
    path: "/v1/embeddings",
    tag: "OpenAI",
    summary: "Texts as vectors",
    detail: "Of a model that chats, an instance for it is started beside.",
    body: EMBEDDINGS_BODY,
    answers: { 200: json(AS_THERE, "The vectors") },
  },
  ...["/v1/rerank", "/v1/reranking", "/rerank", "/reranking"].map((path): RouteDescription => ({
    method: "POST",
    path,
    tag: "OpenAI",
    summary: "Order documents by a query",
    body: RERANK_BODY,
    answers: { 200: json(AS_THERE, "The documents' scores") },
  })),
  {
    method: "POST",
    path: "/v1/audio/transcriptions",
    tag: "OpenAI",
    summary: "Speech to text",
    otherBody: {
      "multipart/form-data": {
        type: "object",
        properties: {
          file: { type: "string", contentMediaType: "application/octet-stream" },
          model: TEXT,
          stream: word("true", "false"),
        },
        required: ["file"],
      },
    },
    answers: { 200: streamable(AS_THERE, "The text") },
  },
  {
    method: "GET",
    path: "/v1/models",
    tag: "OpenAI",
    summary: "List the models with their states",
    detail: "With the header `anthropic-version`: Anthropic's list, a page of it.",
    query: {
      limit: { type: "integer", minimum: 1, maximum: 1_000, description: "Anthropic's" },
      after_id: TEXT,
      before_id: TEXT,
    },
    answers: {
      200: json({
        type: "object",
        properties: { object: word("list"), data: listOf(OPENAI_MODEL) },
        required: ["object", "data"],
      }, "The models"),
    },
  },
  {
    method: "GET",
    path: "/v1/models/{id}",
    tag: "OpenAI",
    summary: "One model with its state",
    answers: { 200: json(OPENAI_MODEL, "The model") },
  },
];

const ANTHROPIC: RouteDescription[] = [
  {
    method: "POST",
    path: "/v1/messages",
    tag: "Anthropic",
    summary: "Answer a talk",
    body: MESSAGES_BODY,
    answers: { 200: streamable(AS_THERE, "A message, or events of it") },
  },
  {
    method: "POST",
    path: "/v1/messages/count_tokens",
    tag: "Anthropic",
    summary: "Count the tokens of a talk",
    body: COUNT_TOKENS_BODY,
    answers: { 200: json(AS_THERE, "The count") },
  },
];

const NATIVE: RouteDescription[] = (["GET", "POST"] as const).map((method) => ({
  method,
  path: "/upstream/{model}/{path}",
  tag: "llama.cpp",
  summary: "llama-server's own routes",
  detail:
    "Loads the model first, as on its own port: `props`, `tokenize`, `completion`, `infill` " +
    "and the rest, but for `slots` and what writes files or fetches from the network.",
  ...(method === "POST" && { otherBody: { "application/json": AS_THERE } }),
  answers: { 200: streamable(AS_THERE, "llama-server's answer") },
}));

export const ANSWER_ROUTES: readonly RouteDescription[] = [
  ...GENERATE,
  ...OPENAI,
  ...ANTHROPIC,
  ...NATIVE,
];
