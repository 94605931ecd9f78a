// Chats with a model as a client has them, whole or streamed, and what the server says of the model.

import type { ErrorBody, ModelRow } from "../../src/api_types.ts";
import { textUntil } from "./text_until.ts";

/** A gateway or a door. */
export interface ChatTarget {
  readonly url: string;
}

export interface ChatAnswer {
  status: number;
  headers: Headers;
  /** Empty where there is none. */
  text: string;
  error: ErrorBody | null;
}

/** Fields of the request beyond model and message. */
export type ChatFields = Record<string, unknown>;

export async function chat(
  target: ChatTarget,
  model: string,
  fields: ChatFields = {},
): Promise<ChatAnswer> {
  const response = await post(target, "/v1/chat/completions", { model, ...MESSAGE, ...fields });
  const body = await response.json();
  const text = body.choices?.[0]?.message?.content ?? "";
  return { status: response.status, headers: response.headers, text, error: body.error ?? null };
}

export interface ChatStream extends AsyncDisposable {
  /** Text so far. */
  readonly text: string;
  /** The last event's error so far. */
  readonly error: ErrorBody | null;
  /** Resolves at the end of the stream, whether it ended, broke or was left. */
  readonly ended: Promise<{ reason: string | null }>;
  /** Closes the connection, as a client that loses interest. */
  leave(): Promise<void>;
}

/** Begins a streamed chat; it is read at once and to its end, or until it is left. */
export function streamChat(target: ChatTarget, model: string, fields: ChatFields = {}): ChatStream {
  const abort = new AbortController();
  const state = { text: "", error: null as ErrorBody | null, reason: null as string | null };
  const ended = follow(target, { model, fields, signal: abort.signal, state });
  async function leave(): Promise<void> {
    abort.abort();
    await ended;
  }
  return {
    get text() {
      return state.text;
    },
    get error() {
      return state.error;
    },
    ended,
    leave,
    [Symbol.asyncDispose]: leave,
  };
}

/** The model's row in GET /admin/models. */
export async function rowOf(target: ChatTarget, model: string): Promise<ModelRow> {
  return await (await fetch(`${target.url}/admin/models/${model}`)).json();
}

export async function rowsOf(target: ChatTarget): Promise<ModelRow[]> {
  return await (await fetch(`${target.url}/admin/models`)).json();
}

const MESSAGE = { messages: [{ role: "user", content: "hi" }] };

interface Following {
  model: string;
  fields: ChatFields;
  signal: AbortSignal;
  state: { text: string; error: ErrorBody | null; reason: string | null };
}

async function follow(
  target: ChatTarget,
  { model, fields, signal, state }: Following,
): Promise<{ reason: string | null }> {
  try {
    const body = { model, ...MESSAGE, stream: true, ...fields };
    const response = await post(target, "/v1/chat/completions", body, signal);
    if (!response.ok) {
      state.error = (await response.json()).error;
      return state;
    }
    let rest = "";
    for await (const chunk of textUntil(response, signal)) {
      const events = (rest + chunk).split("\n\n");
      rest = events.pop()!;
      for (const event of events) take(event, state);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return state;
}

function take(event: string, state: Following["state"]): void {
  const data = event.trim().replace(/^data: /, "");
  if (data === "" || data === "[DONE]") return;
  const { choices, error } = JSON.parse(data);
  if (error !== undefined) state.error = error;
  state.text += choices?.[0]?.delta?.content ?? "";
  state.reason = choices?.[0]?.finish_reason ?? state.reason;
}

/** Sends JSON; the answer's body is the caller's. */
export function post(
  target: ChatTarget,
  path: string,
  body: unknown,
  signal?: AbortSignal,
): Promise<Response> {
  return fetch(target.url + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    ...(signal !== undefined && { signal }),
  });
}
