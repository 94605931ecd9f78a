// What /openapi.json says of one route besides what follows from the route itself.

import type { Schema } from "../schema.ts";
import type { Shape } from "./shape.ts";

export interface RouteDescription {
  method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  /** With `{name}` for what varies. */
  path: string;
  tag: Tag;
  /** A few words. */
  summary: string;
  detail?: string;
  query?: Readonly<Record<string, Shape>>;
  /** The schema that the route checks its body by. */
  body?: Schema;
  /** Bodies that are not JSON, by content type. */
  otherBody?: Readonly<Record<string, Shape>>;
  answers: Readonly<Record<number, Answer>>;
}

export interface Answer {
  summary: string;
  /** What comes, by content type; nothing where it is left out. */
  content?: Readonly<Record<string, Shape>>;
}

/** Groups of routes, in the order in which they are shown. */
export const TAGS = {
  "Generate": "A prompt in, a response out",
  "OpenAI": "For clients of OpenAI's API: base URL `/v1`",
  "Anthropic": "For clients of Anthropic's API",
  "Ollama": "For clients of Ollama",
  "llama.cpp": "llama-server's own API of one model, here and on the model's own port",
  "llama-swap": "For scripts that were written for llama-swap",
  "Models": "What is installed, and what is done with it by hand",
  "Catalogue and Hub": "Models that are not here yet, and fetching them",
  "Server": "This server, its settings and its keys",
} as const;

export type Tag = keyof typeof TAGS;

export function json(shape: Shape, summary: string): Answer {
  return { summary, content: { "application/json": shape } };
}

export function nothing(summary: string): Answer {
  return { summary };
}

export function text(summary: string): Answer {
  return { summary, content: { "text/plain": { type: "string" } } };
}

/** One JSON, or with `stream` a stream of events. */
export function streamable(shape: Shape, summary: string): Answer {
  return {
    summary,
    content: { "application/json": shape, "text/event-stream": { type: "string" } },
  };
}

export function events(summary: string): Answer {
  return { summary, content: { "text/event-stream": { type: "string" } } };
}

/** One JSON, or a line of JSON for each step. */
export function lines(shape: Shape, summary: string): Answer {
  return { summary, content: { "application/x-ndjson": shape, "application/json": shape } };
}
