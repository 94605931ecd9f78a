// Descriptions of Ollama's and llama-swap's routes.

import {
  OLLAMA_CHAT_BODY,
  OLLAMA_COPY_BODY,
  OLLAMA_CREATE_BODY,
  OLLAMA_DELETE_BODY,
  OLLAMA_EMBED_BODY,
  OLLAMA_EMBEDDINGS_BODY,
  OLLAMA_GENERATE_BODY,
  OLLAMA_PULL_BODY,
  OLLAMA_SHOW_BODY,
} from "./ollama_bodies.ts";
import { json, lines, nothing, type RouteDescription, text } from "./route_description.ts";
import { COUNT, listOf, type Shape, TEXT, TIME, word } from "./shape.ts";

const AS_THERE: Shape = { type: "object" };
const PROGRESS: Shape = {
  type: "object",
  properties: { status: TEXT, digest: TEXT, total: COUNT, completed: COUNT },
};

const TAG_ROW: Shape = {
  type: "object",
  properties: {
    name: TEXT,
    model: TEXT,
    modified_at: TIME,
    size: COUNT,
    digest: TEXT,
    details: AS_THERE,
    capabilities: listOf(TEXT),
  },
  required: ["name", "model", "modified_at", "size", "digest", "details"],
};

const RUNNING_ROW: Shape = {
  type: "object",
  properties: {
    name: TEXT,
    model: TEXT,
    size: COUNT,
    digest: TEXT,
    details: AS_THERE,
    expires_at: TIME,
    size_vram: COUNT,
    context_length: COUNT,
  },
  required: ["name", "model", "size", "digest", "details", "expires_at", "size_vram"],
};

function modelList(row: Shape): Shape {
  return { type: "object", properties: { models: listOf(row) }, required: ["models"] };
}

const OLLAMA: RouteDescription[] = [
  {
    method: "POST",
    path: "/api/generate",
    tag: "Ollama",
    summary: "Answer a prompt",
    body: OLLAMA_GENERATE_BODY,
    answers: { 200: lines(AS_THERE, "Lines with `response`; the last has the counts and times") },
  },
  {
    method: "POST",
    path: "/api/chat",
    tag: "Ollama",
    summary: "Answer a talk",
    body: OLLAMA_CHAT_BODY,
    answers: { 200: lines(AS_THERE, "Lines with `message`; the last has the counts and times") },
  },
  {
    method: "POST",
    path: "/api/embed",
    tag: "Ollama",
    summary: "Texts as vectors",
    body: OLLAMA_EMBED_BODY,
    answers: { 200: json(AS_THERE, "The vectors, each of length 1") },
  },
  {
    method: "POST",
    path: "/api/embeddings",
    tag: "Ollama",
    summary: "One text as a vector, as older clients ask",
    body: OLLAMA_EMBEDDINGS_BODY,
    answers: { 200: json(AS_THERE, "The vector") },
  },
  {
    method: "GET",
    path: "/api/tags",
    tag: "Ollama",
    summary: "List the models",
    answers: { 200: json(modelList(TAG_ROW), "The models, by each of their names") },
  },
  {
    method: "GET",
    path: "/api/ps",
    tag: "Ollama",
    summary: "List what is loaded",
    answers: { 200: json(modelList(RUNNING_ROW), "The loaded models") },
  },
  {
    method: "POST",
    path: "/api/show",
    tag: "Ollama",
    summary: "Describe a model",
    body: OLLAMA_SHOW_BODY,
    answers: { 200: json(AS_THERE, "What its file and its settings say") },
  },
  {
    method: "GET",
    path: "/api/version",
    tag: "Ollama",
    summary: "The Ollama release whose API this is",
    answers: {
      200: json(
        { type: "object", properties: { version: TEXT }, required: ["version"] },
        "The version",
      ),
    },
  },
  {
    method: "POST",
    path: "/api/pull",
    tag: "Ollama",
    summary: "Fetch a model from the Hub",
    body: OLLAMA_PULL_BODY,
    answers: { 200: lines(PROGRESS, "Lines of progress, the last `success`") },
  },
  {
    method: "POST",
    path: "/api/create",
    tag: "Ollama",
    summary: "Make a model of another one or of files that were sent",
    body: OLLAMA_CREATE_BODY,
    answers: { 200: lines(PROGRESS, "Lines of progress, the last `success`") },
  },
  {
    method: "POST",
    path: "/api/copy",
    tag: "Ollama",
    summary: "Give a model a second name",
    body: OLLAMA_COPY_BODY,
    answers: { 200: nothing("Done") },
  },
  {
    method: "DELETE",
    path: "/api/delete",
    tag: "Ollama",
    summary: "Unload a model and delete its files",
    body: OLLAMA_DELETE_BODY,
    answers: { 200: nothing("Done") },
  },
  ...(["GET", "HEAD"] as const).map((method): RouteDescription => ({
    method,
    path: "/api/blobs/{digest}",
    tag: "Ollama",
    summary: "Whether a file was sent already",
    answers: { 200: nothing("It was"), 404: nothing("It was not") },
  })),
  {
    method: "POST",
    path: "/api/blobs/{digest}",
    tag: "Ollama",
    summary: "Send a file to make a model of",
    otherBody: { "application/octet-stream": {} },
    answers: { 200: nothing("It was there"), 201: nothing("It is there now") },
  },
  ...refused("POST", "/api/push", "/api/me", "/api/signout", "/api/web_search", "/api/web_fetch"),
  ...refused("POST", "/v1/systemone", "/api/experimental/{path}"),
  ...refused("GET", "/api/status", "/api/experimental/{path}"),
];

function refused(method: "GET" | "POST", ...paths: string[]): RouteDescription[] {
  return paths.map((path) => ({
    method,
    path,
    tag: "Ollama",
    summary: "Not here: the answer says why",
    answers: { 501: json({ type: "object", properties: { error: TEXT } }, "The reason") },
  }));
}

const RUNNING: Shape = {
  type: "object",
  properties: {
    model: TEXT,
    state: word("starting", "ready", "stopping"),
    cmd: TEXT,
    proxy: TEXT,
    ttl: COUNT,
    name: TEXT,
    description: TEXT,
  },
  required: ["model", "state", "cmd", "proxy", "ttl", "name", "description"],
};

const LLAMA_SWAP: RouteDescription[] = [
  {
    method: "GET",
    path: "/running",
    tag: "llama-swap",
    summary: "List what is loaded",
    answers: {
      200: json(
        { type: "object", properties: { running: listOf(RUNNING) }, required: ["running"] },
        "The loaded models",
      ),
    },
  },
  ...(["GET", "POST"] as const).map((method): RouteDescription => ({
    method,
    path: "/unload",
    tag: "llama-swap",
    summary: "Unload every model",
    detail: "GET is for scripts: it is refused to what a web page of another site links to.",
    answers: { 200: text("OK") },
  })),
  {
    method: "POST",
    path: "/api/models/unload",
    tag: "llama-swap",
    summary: "Unload every model",
    answers: { 200: json(AS_THERE, "Done") },
  },
  {
    method: "POST",
    path: "/api/models/unload/{id}",
    tag: "llama-swap",
    summary: "Unload a model",
    answers: { 200: text("OK") },
  },
  {
    method: "GET",
    path: "/logs",
    tag: "llama-swap",
    summary: "The last lines of all logs",
    answers: { 200: text("The lines") },
  },
  {
    method: "GET",
    path: "/logs/stream",
    tag: "llama-swap",
    summary: "Follow all logs",
    query: { "no-history": { type: "string", description: "Only what comes from now on" } },
    answers: { 200: text("Lines, as they come") },
  },
  {
    method: "GET",
    path: "/logs/stream/{id}",
    tag: "llama-swap",
    summary: "Follow the log of a model, of all models (`upstream`) or of the server (`proxy`)",
    query: { "no-history": { type: "string", description: "Only what comes from now on" } },
    answers: { 200: text("Lines, as they come") },
  },
];

export const OLLAMA_ROUTES: readonly RouteDescription[] = [...OLLAMA, ...LLAMA_SWAP];
