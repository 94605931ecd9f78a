// One question to a model and its answer as it comes.

import { AppError } from "../errors.ts";
import { errorOf, type ServerClient } from "./server_client.ts";

export interface ChatMessage {
  role: "system" | "user" | "assistant";
  content: string;
}

export interface Question {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly signal?: AbortSignal;
}

export type AnswerPart =
  /** How far the model's load is, in the server's words. */
  | { readonly kind: "loading"; readonly text: string }
  | { readonly kind: "thinking" | "answer"; readonly text: string }
  /** The event as it came. */
  | { readonly kind: "event"; readonly data: string };

interface Chunk {
  choices?: { delta?: { content?: string | null; reasoning_content?: string | null } }[];
}

/** Throws what the server answers instead, and where the answer breaks off. */
export async function* askModel(
  client: ServerClient,
  { model, messages, signal }: Question,
): AsyncGenerator<AnswerPart> {
  const events = client.events("/v1/chat/completions", {
    method: "POST",
    body: { model, messages, stream: true, stream_options: { include_usage: true } },
    headers: { "x-loading": "comments" },
    ...(signal && { signal }),
  });
  let isWhole = false;
  for await (const event of events) {
    if ("comment" in event) {
      if (event.comment !== "") yield { kind: "loading", text: event.comment };
      continue;
    }
    if (event.data === "[DONE]") {
      isWhole = true;
      continue;
    }
    const chunk = parsed(event.data);
    const error = errorOf(chunk);
    if (error !== null) throw AppError.fromData(error);
    yield { kind: "event", data: event.data };
    const delta = chunk.choices?.[0]?.delta;
    if (delta?.reasoning_content) yield { kind: "thinking", text: delta.reasoning_content };
    if (delta?.content) yield { kind: "answer", text: delta.content };
  }
  if (isWhole) return;
  throw new AppError(
    "server_unreachable",
    `Cannot go on: the server at ${client.address} ended in the middle of the answer. ` +
      "Ask again, or run zombiecoder logs to see why",
  );
}

function parsed(data: string): Chunk {
  try {
    return JSON.parse(data) as Chunk;
  } catch (cause) {
    throw new AppError("upstream_failed", "Cannot read the answer: it is no JSON", { cause });
  }
}
