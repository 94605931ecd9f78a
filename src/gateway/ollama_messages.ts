// Ollama's messages as OpenAI's, which llama-server reads: arguments of tool calls become text, images
// parts, thinking the reasoning, and each answer of a tool gets the ID of the call that it belongs to.

import type { JsonObject } from "./json_body.ts";
import { isObject, listOf, textOf, wrong } from "./ollama_fields.ts";
import { type MediaPart, mediaParts } from "./ollama_images.ts";

export interface ChatMessage {
  role: string;
  content: string | ({ type: "text"; text: string } | MediaPart)[];
  reasoning_content?: string;
  tool_calls?: { id: string; type: "function"; function: { name: string; arguments: string } }[];
  tool_call_id?: string;
  name?: string;
}

/** Ollama's, in answers and in what comes back of them. */
export interface OllamaToolCall {
  id?: string;
  function: { index?: number; name: string; arguments: Record<string, unknown> };
}

interface OpenCall {
  id: string;
  name: string;
}

/** Errors: `invalid_request` for the first message that cannot be read. */
export function chatMessages(list: readonly unknown[]): ChatMessage[] {
  const open: OpenCall[] = [];
  let calls = 0;
  return list.map((message) => {
    if (!isObject(message)) throw wrong("messages", "a list of objects");
    const role = textOf(message, "role");
    if (role === null || role === "") throw wrong("role", 'text, such as "user"');
    const read: ChatMessage = { role, content: contentOf(message) };
    const thinking = textOf(message, "thinking");
    if (thinking !== null && thinking !== "") read.reasoning_content = thinking;
    const toolCalls = (listOf(message, "tool_calls") ?? []).map((call) => {
      const { id, name, args } = toolCall(call, calls++);
      open.push({ id, name });
      return { id, type: "function" as const, function: { name, arguments: JSON.stringify(args) } };
    });
    if (toolCalls.length > 0) read.tool_calls = toolCalls;
    const answer = answered(message, role === "tool" ? open : []);
    if (role === "tool") Object.assign(read, answer);
    return read;
  });
}

function contentOf(message: JsonObject): ChatMessage["content"] {
  const text = textOf(message, "content") ?? "";
  const media = mediaParts(message);
  if (media.length === 0) return text;
  return text === "" ? media : [{ type: "text", text }, ...media];
}

function toolCall(value: unknown, number: number) {
  const called = isObject(value) ? value.function : null;
  if (!isObject(value) || !isObject(called) || typeof called.name !== "string") {
    throw wrong("tool_calls", 'a list of {"function": {"name", "arguments"}}');
  }
  const args = called.arguments ?? {};
  if (!isObject(args)) throw wrong("arguments", "an object");
  return { id: textOf(value, "id") || `call_${number}`, name: called.name, args };
}

// Clients of old send no ID: by its tool's name, else in the order of the calls.
function answered(message: JsonObject, open: OpenCall[]): Partial<ChatMessage> {
  const name = textOf(message, "tool_name") ?? "";
  const given = textOf(message, "tool_call_id") ?? "";
  const byName = open.findIndex((call) => call.name === name);
  const index = given === "" ? Math.max(0, byName) : open.findIndex((call) => call.id === given);
  const call = index < 0 ? undefined : open.splice(index, 1)[0];
  const id = given || call?.id;
  const tool = name || call?.name;
  return {
    ...(id !== undefined && { tool_call_id: id }),
    ...(tool !== undefined && { name: tool }),
  };
}
