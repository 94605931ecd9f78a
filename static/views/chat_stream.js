// One answer as it comes: text, reasoning, how fast, why it ended. What is shown of it is the views'.

import { signal } from "@preact/signals";
import { api, ApiError, toldError } from "../api.js";

/** @import { ErrorBody } from "../../src/api_types.ts" */
/** @import { Message } from "./chat_talks.js" */
/** @typedef {"waiting" | "thinking" | "writing" | "ended"} Phase */
/** @typedef {{ tokens: number, perSecond: number | null }} Pace */

const PACE_MS = 400;
/** A speed over fewer tokens says little. */
const FEW_TOKENS = 8;

export class Answer {
  /** What it fills: its text grows in place. */
  message;
  /** @type {import("@preact/signals").Signal<Phase>} */
  phase = signal(/** @type {Phase} */ ("waiting"));
  pace = signal(/** @type {Pace} */ ({ tokens: 0, perSecond: null }));
  #abort = new AbortController();
  /** @type {Set<() => void>} */
  #listeners = new Set();
  #tokens = 0;
  #firstMs = 0;
  #pacedMs = 0;

  /** @param {Message} message */
  constructor(message) {
    this.message = message;
  }

  /**
   * Called whenever there is more of it, and at its end. Returns what ends that.
   *
   * @param {() => void} listener
   */
  onMore(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Closes the connection: with it the model stops. */
  stop() {
    this.#abort.abort();
  }

  /**
   * Never throws: what went wrong stands in the message.
   *
   * @param {Record<string, unknown>} body
   */
  async run(body) {
    const { message } = this;
    try {
      await api.stream("/v1/chat/completions", body, {
        signal: this.#abort.signal,
        onEvent: (event) => {
          if (event !== null && event.data !== "[DONE]") this.#take(JSON.parse(event.data));
        },
      });
      if (message.end === null) throw brokenOff();
    } catch (error) {
      message.end = this.#abort.signal.aborted ? "stopped" : "failed";
      if (message.end === "failed") message.error = errorBodyOf(error);
    }
    this.phase.value = "ended";
    // One that was stopped has no count of the model's own: each piece was a token.
    if (this.#tokens > 0) message.tokens ??= this.#tokens;
    this.#setPace();
    this.#tell();
  }

  /** @param {any} chunk As llama-server streams it. */
  #take(chunk) {
    if (chunk.error !== undefined) throw toldError(200, chunk.error);
    const { message } = this;
    const [choice] = chunk.choices ?? [];
    const { content, reasoning_content: reasoning } = choice?.delta ?? {};
    if (reasoning) this.#grow("reasoning", reasoning);
    if (content) this.#grow("text", content);
    if (choice?.finish_reason) message.end = choice.finish_reason === "length" ? "length" : "done";
    if (chunk.usage) {
      message.promptTokens = chunk.usage.prompt_tokens ?? null;
      message.tokens = chunk.usage.completion_tokens ?? null;
    }
    if (chunk.timings?.predicted_per_second > 0) {
      message.tokensPerSecond = chunk.timings.predicted_per_second;
    }
  }

  /**
   * @param {"text" | "reasoning"} part
   * @param {string} piece
   */
  #grow(part, piece) {
    this.message[part] += piece;
    this.phase.value = part === "text" ? "writing" : "thinking";
    const nowMs = performance.now();
    if (this.#tokens++ === 0) this.#firstMs = this.#pacedMs = nowMs;
    if (nowMs - this.#pacedMs > PACE_MS) {
      this.#pacedMs = nowMs;
      this.#setPace();
    }
    this.#tell();
  }

  #setPace() {
    const { tokens, tokensPerSecond } = this.message;
    const seconds = (performance.now() - this.#firstMs) / 1000;
    const counted = this.#tokens >= FEW_TOKENS && seconds > 0 ? this.#tokens / seconds : null;
    this.message.tokensPerSecond = tokensPerSecond ??
      (this.phase.peek() === "ended" ? counted : null);
    this.pace.value = {
      tokens: tokens ?? this.#tokens,
      perSecond: this.message.tokensPerSecond ?? counted,
    };
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }
}

function brokenOff() {
  return new ApiError({ status: 0, code: "upstream_failed", message: "The answer broke off" });
}

/**
 * @param {unknown} error
 * @returns {ErrorBody}
 */
function errorBodyOf(error) {
  if (error instanceof ApiError) {
    const { code, message, values } = error;
    return { code: String(code), message, values };
  }
  return { code: "internal", message: String(error), values: {} };
}
