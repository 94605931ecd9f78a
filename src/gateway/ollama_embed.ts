// POST /api/embed and the older /api/embeddings: texts in, vectors out.

import { type Context, Hono } from "@hono/hono";
import { AppError } from "../errors.ts";
import { forward, type Upstream } from "./forward.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import type { JsonObject } from "./json_body.ts";
import { OLLAMA_EMBED_BODY, OLLAMA_EMBEDDINGS_BODY } from "./ollama_bodies.ts";
import { loadOnly, type OllamaCall, readCall } from "./ollama_call.ts";
import { countOf, flagOf, textOf, wrong } from "./ollama_fields.ts";
import { measured } from "./ollama_stream.ts";
import { modeBeside } from "./serving_mode.ts";
import type { ServingParts } from "./request_defaults.ts";

const MOST_INPUTS = 8_192;
const MOST_DIMENSIONS = 65_536;
const NANOSECONDS = 1e6;
/** llama-server's words for an input of more tokens than it takes, and how many that is. */
const TOO_LONG = /\(\d+ tokens\).*?\((?:[^()]*: )?(\d+)(?: tokens)?\)/;
const MOST_SPECIAL_TOKENS = 8;

export function ollamaEmbedRoutes(parts: ServingParts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.post("/api/embed", (context) => embed(parts, context));
  routes.post("/api/embeddings", (context) => embedOne(parts, context));
  return routes;
}

/** What is read here of llama-server's answer. */
interface Embedded {
  data: { embedding: number[]; index: number }[];
  usage?: { prompt_tokens?: number };
}

async function embed(parts: ServingParts, context: Context<GatewayEnv>): Promise<Response> {
  const call = await readCall(parts, context, OLLAMA_EMBED_BODY);
  const input = inputsOf(call.fields.input);
  const dimensions = countOf(call.fields, "dimensions", { from: 1, to: MOST_DIMENSIONS });
  const answer = (embeddings: number[][], metrics: Record<string, number>) =>
    Response.json({ model: call.name, embeddings, ...measured(metrics) });
  if (input.length === 0) {
    await loadOnly(parts, call, {});
    return answer([], {});
  }
  const askedMs = performance.now();
  return await ask(parts, call, {
    body: { input },
    whole: ({ data, usage }, { lease }) =>
      answer(data.map(({ embedding }) => shortened(embedding, dimensions)), {
        total_duration: (performance.now() - call.startedMs) * NANOSECONDS,
        load_duration: (lease.loadMs + askedMs - call.startedMs) * NANOSECONDS,
        prompt_eval_count: usage?.prompt_tokens ?? 0,
      }),
  });
}

async function embedOne(parts: ServingParts, context: Context<GatewayEnv>): Promise<Response> {
  const call = await readCall(parts, context, OLLAMA_EMBEDDINGS_BODY);
  const prompt = textOf(call.fields, "prompt") ?? "";
  if (prompt === "") {
    await loadOnly(parts, call, {});
    return Response.json({ embedding: [] });
  }
  return await ask(parts, call, {
    // As the model gives it: of any length.
    body: { input: prompt, embd_normalize: -1 },
    whole: ({ data }) => Response.json({ embedding: data[0]?.embedding ?? [] }),
  });
}

interface Asked {
  body: JsonObject & { input: Input };
  whole(embedded: Embedded, upstream: Upstream): Response;
}

/** Texts, or the tokens of those that had to be cut. */
type Input = string | (string | number[])[];

async function ask(parts: ServingParts, call: OllamaCall, asked: Asked): Promise<Response> {
  const mayCut = flagOf(call.fields, "truncate") ?? true;
  const response = await askOnce(parts, call, asked);
  if (response.ok) return response;
  const { error } = await response.json();
  const limit = Number(TOO_LONG.exec(error)?.[1] ?? NaN);
  if (Number.isNaN(limit)) return Response.json({ error }, { status: response.status });
  // llama-server calls some of it its own failure.
  if (!mayCut) return Response.json({ error }, { status: 400 });
  const input: (string | number[])[] = [];
  for (const text of [asked.body.input].flat() as string[]) {
    input.push(await shortenedText(parts, call, { text, limit }));
  }
  return await askOnce(parts, call, { ...asked, body: { ...asked.body, input } });
}

async function askOnce(
  parts: ServingParts,
  call: OllamaCall,
  { body, whole }: Asked,
): Promise<Response> {
  return await askInstance(parts, call, {
    path: "/v1/embeddings",
    body,
    whole(upstream) {
      const embedded: Embedded = JSON.parse(new TextDecoder().decode(upstream.answer.bytes!));
      embedded.data.sort((a, b) => a.index - b.index);
      return whole(embedded, upstream);
    },
  });
}

/** Its first tokens and the one that ends it, as many as the instance takes at once. */
async function shortenedText(
  parts: ServingParts,
  call: OllamaCall,
  { text, limit }: { text: string; limit: number },
): Promise<string | number[]> {
  // A token is a byte at least.
  if (new TextEncoder().encode(text).length < limit - MOST_SPECIAL_TOKENS) return text;
  const response = await askInstance(parts, call, {
    path: "/tokenize",
    body: { content: text, add_special: true },
  });
  const { tokens } = await response.json() as { tokens: number[] };
  return tokens.length <= limit ? tokens : [...tokens.slice(0, limit - 1), tokens.at(-1)!];
}

function askInstance(
  parts: ServingParts,
  { context, model, load, keepAliveMs }: OllamaCall,
  { path, body, whole }: {
    path: string;
    body: JsonObject;
    whole?: (upstream: Upstream) => Response;
  },
): Promise<Response> {
  return forward(parts, {
    context,
    model,
    path,
    body: new TextEncoder().encode(JSON.stringify(body)),
    stream: false,
    dialect: "ollama",
    mode: modeBeside(model, "embedding"),
    load,
    keepAliveMs,
    ...(whole !== undefined && { whole }),
  });
}

function inputsOf(input: unknown): string[] {
  const list = typeof input === "string" ? [input] : input ?? [];
  if (!Array.isArray(list) || !list.every((each) => typeof each === "string")) {
    throw wrong("input", "text or a list of texts");
  }
  if (list.length > MOST_INPUTS) {
    throw new AppError("invalid_request", `Cannot embed more than ${MOST_INPUTS} texts at once`, {
      param: "input",
    });
  }
  return list.length === 1 && list[0] === "" ? [] : list;
}

/** The first values alone, of length 1 again: what models that are made for it are cut to. */
function shortened(embedding: number[], dimensions: number | null): number[] {
  if (dimensions === null || dimensions >= embedding.length) return embedding;
  const first = embedding.slice(0, dimensions);
  const length = Math.hypot(...first);
  return length === 0 ? first : first.map((value) => value / length);
}
