// POST /api/chat: messages in, a message out, with tools and thinking.

import { type Context, Hono } from "@hono/hono";
import type { GatewayEnv } from "./gateway_env.ts";
import type { JsonObject } from "./json_body.ts";
import { OLLAMA_CHAT_BODY } from "./ollama_bodies.ts";
import type { Piece } from "./ollama_answer.ts";
import { answerCall, type Asked, loadOnly, type OllamaCall, readCall } from "./ollama_call.ts";
import { renderOnly, wantsRendering } from "./ollama_debug.ts";
import { isObject, listOf, wrong } from "./ollama_fields.ts";
import { type ChatMessage, chatMessages } from "./ollama_messages.ts";
import {
  chatLogprobs,
  formatOf,
  logprobsField,
  logprobsOf,
  responseFormat,
  thinkingFields,
} from "./ollama_output.ts";
import type { ServingParts } from "./request_defaults.ts";

export function ollamaChatRoutes(parts: ServingParts): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.post("/api/chat", (context) => chat(parts, context));
  return routes;
}

async function chat(parts: ServingParts, context: Context<GatewayEnv>): Promise<Response> {
  const call = await readCall(parts, context, OLLAMA_CHAT_BODY);
  const messages = chatMessages(listOf(call.fields, "messages") ?? []);
  const asked = askedFor(call, messages);
  if (messages.length === 0) {
    return await loadOnly(parts, call, { message: { role: "assistant", content: "" } });
  }
  if (wantsRendering(call)) return await renderOnly(parts, call, asked);
  return await answerCall(parts, call, asked);
}

function askedFor({ fields, sampling, system }: OllamaCall, given: ChatMessage[]): Asked {
  const tools = toolsOf(fields);
  const logprobs = logprobsOf(fields);
  const messages = system === null || system === "" || given[0]?.role === "system"
    ? given
    : [{ role: "system", content: system }, ...given];
  const body = {
    messages,
    ...sampling,
    ...(tools.length > 0 && { tools }),
    ...responseFormat(formatOf(fields)),
    ...thinkingFields(fields),
    ...chatLogprobs(logprobs),
  };
  return { path: "/v1/chat/completions", body, shape: { piece: pieceOf(logprobs) } };
}

function toolsOf(fields: JsonObject): JsonObject[] {
  const tools = listOf(fields, "tools") ?? [];
  return tools.map((tool) => {
    const called = isObject(tool) ? tool.function : null;
    if (isObject(tool) && isObject(called) && typeof called.name === "string") {
      return { ...tool, type: "function", function: called };
    }
    throw wrong("tools", 'a list of {"type": "function", "function": {"name", "parameters"}}');
  });
}

function pieceOf(wanted: number | null): (piece: Piece) => JsonObject {
  return ({ text, thinking, toolCalls, logprobs }) => ({
    message: {
      role: "assistant",
      content: text,
      ...(thinking !== "" && { thinking }),
      ...(toolCalls.length > 0 && { tool_calls: toolCalls }),
    },
    ...logprobsField(logprobs, wanted),
  });
}
