// Sends the pieces of an answer as Ollama does: one JSON object per line, or all of it in one object.

import { AppError } from "../errors.ts";
import { AnswerFailed, AnswerReader, type Piece } from "./ollama_answer.ts";
import type { Upstream } from "./forward.ts";
import type { JsonObject } from "./json_body.ts";
import { dataOf, EventBlocks } from "./sse_events.ts";

export const LINES_TYPE = "application/x-ndjson";

/** What the two routes write differently. */
export interface AnswerShape {
  /** The name that the client used. */
  model: string;
  /** `performance.now()` at the arrival of the request. */
  startedMs: number;
  /** `performance.now()` at the asking for a lease. */
  askedMs: number;
  /** The fields of a piece, or of the whole answer. */
  piece(piece: Piece): JsonObject;
  /** Fields that only the last object has, given all of the answer's text. */
  last?(text: string): JsonObject;
}

const NOTHING: Piece = { text: "", thinking: "", logprobs: [], toolCalls: [] };
const NANOSECONDS = 1e6;

/** For `forward`'s hooks: turns the instance's stream into lines. */
export function answerLines(
  upstream: Upstream,
  source: ReadableStream<Uint8Array>,
  shape: AnswerShape,
): ReadableStream<Uint8Array> {
  const lines = new AnswerLines(upstream, shape);
  const encoder = new TextEncoder();
  // Read by hand: a transform with its pipe costs the first word several turns of the loop.
  const input = source.getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      for (;;) {
        const { done, value } = await input.read();
        const text = done ? lines.last() : lines.of(value);
        if (text !== "") controller.enqueue(encoder.encode(text));
        if (done) return controller.close();
        if (text !== "") return;
      }
    },
    cancel: (reason) => input.cancel(reason),
  });
}

/** The instance's events as lines. After one that tells of a failure there is no other. */
class AnswerLines {
  readonly #upstream: Upstream;
  readonly #shape: AnswerShape;
  readonly #reader = new AnswerReader();
  readonly #blocks = new EventBlocks();
  #text = "";
  #hasFailed = false;

  constructor(upstream: Upstream, shape: AnswerShape) {
    this.#upstream = upstream;
    this.#shape = shape;
  }

  of(chunk: Uint8Array): string {
    let lines = "";
    for (const data of dataIn(this.#blocks, chunk)) {
      if (!this.#hasFailed) lines += this.#lineOf(data);
    }
    return lines;
  }

  last(): string {
    if (this.#hasFailed) return "";
    const shape = this.#shape;
    const how = { upstream: this.#upstream, shape, text: this.#text };
    return line(shape, { ...shape.piece(NOTHING), ...ending(this.#reader, how) }, { done: true });
  }

  #lineOf(data: string): string {
    try {
      const piece = this.#reader.take(data);
      if (piece === null) return "";
      if (this.#shape.last !== undefined) this.#text += piece.text;
      return line(this.#shape, this.#shape.piece(piece), { done: false });
    } catch (error) {
      if (!(error instanceof AnswerFailed)) throw error;
      this.#hasFailed = true;
      return `${JSON.stringify({ error: error.message })}\n`;
    }
  }
}

/** The same as one object. Throws `upstream_failed` where the answer broke off. */
export async function wholeAnswer(
  upstream: Upstream,
  source: ReadableStream<Uint8Array>,
  shape: AnswerShape,
): Promise<Response> {
  const reader = new AnswerReader();
  const blocks = new EventBlocks();
  const whole: Piece = { text: "", thinking: "", logprobs: [], toolCalls: [] };
  try {
    for await (const chunk of source) {
      for (const data of dataIn(blocks, chunk)) {
        const piece = reader.take(data);
        if (piece === null) continue;
        whole.text += piece.text;
        whole.thinking += piece.thinking;
        whole.logprobs.push(...piece.logprobs);
        whole.toolCalls.push(...piece.toolCalls);
      }
    }
  } catch (error) {
    if (!(error instanceof AnswerFailed)) throw error;
    throw new AppError("upstream_failed", error.message, { cause: error });
  }
  const { text } = whole;
  return Response.json({
    ...head(shape),
    ...shape.piece(whole),
    done: true,
    ...ending(reader, { upstream, shape, text }),
  });
}

/** The last event of a stream that broke, for the two above to read. */
export function brokenEvent(error: AppError): string {
  return `data: ${JSON.stringify({ error: error.message })}\n\n`;
}

/** When, in RFC 3339 with its fraction. */
export function head({ model }: Pick<AnswerShape, "model">): JsonObject {
  return { model, created_at: new Date().toISOString() };
}

function line(shape: AnswerShape, fields: JsonObject, { done }: { done: boolean }): string {
  return `${JSON.stringify({ ...head(shape), ...fields, done })}\n`;
}

interface Ending {
  upstream: Upstream;
  shape: AnswerShape;
  text: string;
}

function ending(reader: AnswerReader, { upstream, shape, text }: Ending): JsonObject {
  const { doneReason, metrics } = reader.ending();
  const { startedMs, askedMs } = shape;
  return {
    done_reason: doneReason,
    ...shape.last?.(text),
    ...measured({
      total_duration: (performance.now() - startedMs) * NANOSECONDS,
      // Until the runner was ready, as Ollama counts it: with it ready, the finding of the model.
      load_duration: (upstream.lease.loadMs + askedMs - startedMs) * NANOSECONDS,
      ...metrics,
    }),
  };
}

/** Whole numbers; what is 0 is left out, as Ollama does. */
export function measured(values: Record<string, number>): JsonObject {
  const whole = Object.entries(values).map(([name, value]) => [name, Math.round(value)] as const);
  return Object.fromEntries(whole.filter(([, value]) => value > 0));
}

function dataIn(blocks: EventBlocks, chunk: Uint8Array): string[] {
  return blocks.take(chunk).map(dataOf).filter((data) => data !== null);
}
