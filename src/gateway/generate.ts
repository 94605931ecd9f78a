// POST /generate, the seed's own dialect: a prompt in, a response out.

import { type Context, Hono } from "@hono/hono";
import type { GenerateAnswer } from "../api_types.ts";
import type { Model } from "../models/library.ts";
import { KEEP_ALIVE, MODEL, orNull, STREAM } from "./body_fields.ts";
import { findModel } from "./find_model.ts";
import { forward, type Upstream } from "./forward.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import { parseJson, readBody } from "./json_body.ts";
import { keepAliveOf } from "./model_request.ts";
import { type ServingParts, withModelDefaults } from "./request_defaults.ts";
import { checkBody, type Schema } from "../schema.ts";
import { modeBeside } from "./serving_mode.ts";
import { sseEvents } from "./sse_events.ts";

export const GENERATE_BODY = {
  type: "object",
  properties: {
    model_id: MODEL,
    model: orNull("string", { description: "The same" }),
    prompt: { type: "string", examples: ["hi"] },
    stream: STREAM,
    max_tokens: orNull("number", { description: "Write at most this many tokens" }),
    temperature: orNull("number"),
    stop: { type: ["string", "array", "null"], description: "Texts that end the answer" },
    keep_alive: KEEP_ALIVE,
  },
  required: ["prompt"],
} as const satisfies Schema;

export function generateRoutes(parts: ServingParts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.post("/generate", (context) => generate(parts, context));
  return routes;
}

async function generate(parts: ServingParts, context: Context<GatewayEnv>): Promise<Response> {
  const bytes = await readBody(context.req.raw, parts.config().bodyLimitBytes);
  const body = checkBody(GENERATE_BODY, parseJson(bytes));
  const { prompt, max_tokens, temperature, stop } = body;
  const model = await findModel(parts, body.model_id ?? body.model ?? null);
  const stream = body.stream ?? false;
  const chat = model.facts === null || model.facts.chatTemplate !== null;
  const path = chat ? "/v1/chat/completions" : "/v1/completions";
  const upstreamBody = withModelDefaults(path, {
    ...(chat ? { messages: [{ role: "user", content: prompt }] } : { prompt }),
    model: model.id,
    stream,
    ...(stream && { stream_options: { include_usage: true } }),
    max_tokens: max_tokens ?? undefined,
    temperature: temperature ?? undefined,
    stop,
  }, parts.settings.of(model));
  return await forward(parts, {
    context,
    model,
    path,
    body: new TextEncoder().encode(JSON.stringify(upstreamBody)),
    stream,
    mode: modeBeside(model, "chat"),
    keepAliveMs: keepAliveOf(body),
    whole: (upstream) => wholeAnswer(model, upstream),
    chunks: (upstream, chunks) => streamedAnswer(model, { upstream, chunks }),
  });
}

/** What this file uses of OpenAI's answers, whole or in chunks. */
interface Completion {
  choices?: {
    message?: { content?: string | null };
    delta?: { content?: string | null };
    text?: string;
    finish_reason?: string | null;
  }[];
  usage?: { prompt_tokens?: number; completion_tokens?: number };
  error?: unknown;
}

function wholeAnswer(model: Model, { answer: { bytes }, lease }: Upstream): Response {
  const completion: Completion = JSON.parse(new TextDecoder().decode(bytes!));
  const choice = completion.choices?.[0];
  const generated: GenerateAnswer = {
    model_id: model.id,
    response: choice?.message?.content ?? choice?.text ?? "",
    done: true,
    done_reason: choice?.finish_reason ?? null,
    port: lease.port,
    load_ms: Math.round(lease.loadMs),
    prompt_tokens: completion.usage?.prompt_tokens ?? null,
    completion_tokens: completion.usage?.completion_tokens ?? null,
  };
  return Response.json(generated);
}

function streamedAnswer(
  model: Model,
  { upstream, chunks }: { upstream: Upstream; chunks: ReadableStream<Uint8Array> },
): ReadableStream<Uint8Array> {
  const last: GenerateAnswer = {
    model_id: model.id,
    response: "",
    done: true,
    done_reason: null,
    port: upstream.lease.port,
    load_ms: Math.round(upstream.lease.loadMs),
    prompt_tokens: null,
    completion_tokens: null,
  };
  return sseEvents(chunks, (data) => {
    if (data === "[DONE]") return last;
    const chunk: Completion = JSON.parse(data);
    if (chunk.error !== undefined) return chunk;
    last.prompt_tokens = chunk.usage?.prompt_tokens ?? last.prompt_tokens;
    last.completion_tokens = chunk.usage?.completion_tokens ?? last.completion_tokens;
    const choice = chunk.choices?.[0];
    last.done_reason = choice?.finish_reason ?? last.done_reason;
    const response = choice?.delta?.content ?? choice?.text ?? "";
    return response === "" ? null : { response };
  });
}
