// POST /api/generate: a prompt in, a response out; with the model's template, raw, or into a gap.

import { type Context, Hono } from "@hono/hono";
import { AppError } from "../errors.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import type { JsonObject } from "./json_body.ts";
import { OLLAMA_GENERATE_BODY } from "./ollama_bodies.ts";
import type { Piece } from "./ollama_answer.ts";
import { answerCall, type Asked, loadOnly, type OllamaCall, readCall } from "./ollama_call.ts";
import { contextOf, type Turn, turnsIn } from "./ollama_context.ts";
import { renderOnly, wantsRendering } from "./ollama_debug.ts";
import { flagOf, listOf, textOf } from "./ollama_fields.ts";
import { mediaParts } from "./ollama_images.ts";
import type { ChatMessage } from "./ollama_messages.ts";
import {
  chatLogprobs,
  formatOf,
  logprobsField,
  logprobsOf,
  responseFormat,
  thinkingFields,
} from "./ollama_output.ts";
import { refuseTemplate } from "./ollama_refusals.ts";
import type { ServingParts } from "./request_defaults.ts";

export function ollamaGenerateRoutes(parts: ServingParts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.post("/api/generate", (context) => generate(parts, context));
  return routes;
}

async function generate(parts: ServingParts, context: Context<GatewayEnv>): Promise<Response> {
  const call = await readCall(parts, context, OLLAMA_GENERATE_BODY);
  const wish = readWish(call.fields);
  if (wish.prompt === "" && wish.suffix === null && wish.media.length === 0) {
    return await loadOnly(parts, call, { response: "" });
  }
  const asked = wish.suffix !== null ? inGap(call, wish, wish.suffix) : askedFor(call, wish);
  if (wantsRendering(call)) return await renderOnly(parts, call, asked);
  const response = await answerCall(parts, call, asked);
  // What the model was not made for is the request's mistake.
  if (wish.suffix === null || response.status !== 501) return response;
  return new Response(response.body, { status: 400, headers: response.headers });
}

interface Wish {
  prompt: string;
  suffix: string | null;
  system: string | null;
  raw: boolean;
  turns: Turn[];
  media: ReturnType<typeof mediaParts>;
  format: ReturnType<typeof formatOf>;
  thinking: JsonObject;
  logprobs: number | null;
}

function readWish(fields: JsonObject): Wish {
  const raw = flagOf(fields, "raw") ?? false;
  const system = textOf(fields, "system");
  const template = textOf(fields, "template") ?? "";
  const context = listOf(fields, "context") ?? [];
  if (raw && (template !== "" || (system ?? "") !== "" || context.length > 0)) {
    throw new AppError(
      "invalid_request",
      "raw mode does not support template, system, or context",
      { param: "raw" },
    );
  }
  refuseTemplate(template);
  const media = mediaParts(fields);
  const suffix = textOf(fields, "suffix") ?? "";
  if (media.length > 0 && (raw || suffix !== "")) {
    throw new AppError("invalid_request", "Cannot take images with raw or suffix", {
      param: "images",
    });
  }
  return {
    prompt: textOf(fields, "prompt") ?? "",
    suffix: suffix === "" ? null : suffix,
    system,
    raw,
    turns: turnsIn(context),
    media,
    format: formatOf(fields),
    thinking: thinkingFields(fields),
    logprobs: logprobsOf(fields),
  };
}

function askedFor(call: OllamaCall, wish: Wish): Asked {
  const system = wish.system ?? call.system ?? "";
  const piece = pieceOf(wish);
  if (wish.raw) {
    return { path: "/completion", body: completion(call, wish, wish.prompt), shape: { piece } };
  }
  const last = (text: string): JsonObject => {
    const said: Turn[] = [
      { role: "user", content: wish.prompt },
      { role: "assistant", content: text },
    ];
    const context = contextOf([...wish.turns, ...said]);
    return context === null ? {} : { context };
  };
  if (!call.hasTemplate) {
    const before = wish.turns.map((turn) => turn.content);
    const prompt = [system, ...before, wish.prompt].filter((text) => text !== "").join("\n\n");
    return {
      path: "/completion",
      body: completion(call, wish, prompt),
      shape: { piece, last },
    };
  }
  const messages: ChatMessage[] = [
    ...(system === "" ? [] : [{ role: "system", content: system }]),
    ...wish.turns,
    { role: "user", content: userContent(wish) },
  ];
  const body = {
    messages,
    ...call.sampling,
    ...responseFormat(wish.format),
    ...wish.thinking,
    ...chatLogprobs(wish.logprobs),
  };
  return { path: "/v1/chat/completions", body, shape: { piece, last } };
}

function inGap(call: OllamaCall, wish: Wish, suffix: string): Asked {
  const body = {
    input_prefix: wish.prompt,
    input_suffix: suffix,
    ...call.sampling,
    ...nativeOutput(wish),
  };
  const piece = pieceOf(wish);
  return { path: "/infill", body, shape: { piece } };
}

function completion(call: OllamaCall, wish: Wish, prompt: string): JsonObject {
  return { prompt, ...call.sampling, ...nativeOutput(wish) };
}

/** Of llama-server's own routes; of the last event only what is read here, not the prompt again. */
function nativeOutput({ format, logprobs }: Wish): JsonObject {
  return {
    ...(format !== null && { json_schema: format === "json" ? { type: "object" } : format }),
    ...(logprobs !== null && { n_probs: Math.max(1, logprobs) }),
    response_fields: ["content", "stop", "stop_type", "timings", "completion_probabilities"],
  };
}

function userContent({ prompt, media }: Wish): ChatMessage["content"] {
  if (media.length === 0) return prompt;
  return prompt === "" ? media : [{ type: "text", text: prompt }, ...media];
}

function pieceOf({ logprobs: wanted }: Wish): (piece: Piece) => JsonObject {
  return ({ text, thinking, logprobs }) => ({
    response: text,
    ...(thinking !== "" && { thinking }),
    ...logprobsField(logprobs, wanted),
  });
}
