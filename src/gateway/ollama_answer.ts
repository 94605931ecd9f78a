// The instance's stream, read into the pieces that Ollama's answers are made of. Knows the events of
// llama-server's chat, completion and infill routes; the shape of an answer is its route's.

import type { OllamaToolCall } from "./ollama_messages.ts";

/** What one event adds to the answer. */
export interface Piece {
  text: string;
  thinking: string;
  logprobs: Logprob[];
  toolCalls: OllamaToolCall[];
}

export interface Logprob {
  token: string;
  logprob: number;
  bytes?: number[];
  top_logprobs?: Logprob[];
}

/** How an answer ended; durations in nanoseconds. */
export interface AnswerEnding {
  doneReason: "stop" | "length";
  metrics: {
    prompt_eval_count: number;
    prompt_eval_duration: number;
    eval_count: number;
    eval_duration: number;
  };
}

interface Timings {
  cache_n?: number;
  prompt_n?: number;
  prompt_ms?: number;
  predicted_n?: number;
  predicted_ms?: number;
}

interface ToolCallDelta {
  index?: number;
  id?: string;
  function?: { name?: string; arguments?: string };
}

interface StreamEvent {
  choices?: {
    delta?: {
      content?: string | null;
      reasoning_content?: string | null;
      tool_calls?: ToolCallDelta[];
    };
    text?: string;
    finish_reason?: string | null;
    logprobs?: { content?: Logprob[] | null } | null;
  }[];
  /** Of the routes that are not OpenAI's. */
  content?: string;
  stop_type?: string;
  completion_probabilities?: Logprob[];
  timings?: Timings;
  error?: { message?: string } | string;
}

const NANOSECONDS = 1e6;

/** The stream says that the answer failed; its message is for the client. */
export class AnswerFailed extends Error {}

/** Reads the events of one answer, in their order. */
export class AnswerReader {
  readonly #calls: ToolCallDelta[] = [];
  #finish: string | null = null;
  #timings: Timings = {};

  /** What the event adds; null where that is nothing. Throws `AnswerFailed`. */
  take(data: string): Piece | null {
    if (data === "[DONE]") return null;
    const event: StreamEvent = JSON.parse(data);
    if (event.error !== undefined) throw new AnswerFailed(messageIn(event.error));
    if (event.timings !== undefined) this.#timings = event.timings;
    const choice = event.choices?.[0];
    const finish = choice?.finish_reason ?? event.stop_type ?? null;
    if (finish !== null && finish !== "none") this.#finish = finish;
    const delta = choice?.delta;
    for (const call of delta?.tool_calls ?? []) this.#takeCall(call);
    const text = delta?.content ?? choice?.text ?? event.content ?? "";
    const thinking = delta?.reasoning_content ?? "";
    const logprobs = choice?.logprobs?.content ?? event.completion_probabilities ?? [];
    const toolCalls = finish === null ? [] : this.#wholeCalls();
    if (text === "" && thinking === "" && toolCalls.length === 0) return null;
    return { text, thinking, logprobs: logprobs.map(logprobOf), toolCalls };
  }

  ending(): AnswerEnding {
    const { cache_n = 0, prompt_n = 0, prompt_ms = 0 } = this.#timings;
    const { predicted_n = 0, predicted_ms = 0 } = this.#timings;
    const isCut = this.#finish === "length" || this.#finish === "limit";
    return {
      doneReason: isCut ? "length" : "stop",
      metrics: {
        prompt_eval_count: cache_n + prompt_n,
        prompt_eval_duration: Math.round(prompt_ms * NANOSECONDS),
        eval_count: predicted_n,
        eval_duration: Math.round(predicted_ms * NANOSECONDS),
      },
    };
  }

  // A name comes with the first piece of a call, its arguments in pieces.
  #takeCall({ index = 0, id, function: called }: ToolCallDelta): void {
    const known = this.#calls.find((call) => call.index === index);
    if (known === undefined) {
      const { name = "", arguments: args = "" } = called ?? {};
      this.#calls.push({
        index,
        ...(id !== undefined && { id }),
        function: { name, arguments: args },
      });
      return;
    }
    known.function!.arguments += called?.arguments ?? "";
  }

  /** All but those that were cut off in the middle: half of an object is none. */
  #wholeCalls(): OllamaToolCall[] {
    return this.#calls.splice(0).flatMap(({ index = 0, id, function: called }) => {
      const args = objectIn(called?.arguments ?? "");
      if (args === null) return [];
      const call = { index, name: called?.name ?? "", arguments: args };
      return [{ ...(id !== undefined && { id }), function: call }];
    });
  }
}

function logprobOf({ token, logprob, bytes, top_logprobs }: Logprob): Logprob {
  return {
    token,
    logprob,
    ...(bytes !== undefined && { bytes }),
    ...(top_logprobs !== undefined && top_logprobs.length > 0 && {
      top_logprobs: top_logprobs.map(logprobOf),
    }),
  };
}

function objectIn(text: string): Record<string, unknown> | null {
  if (text.trim() === "") return {};
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function messageIn(error: { message?: string } | string): string {
  return typeof error === "string" ? error : error.message ?? "The answer failed";
}
