// Tells a streaming client that asked for it how far its model's load is. The answer has then begun
// while it waits: its status is 200, and what goes wrong is the last event.

import { AppError } from "../errors.ts";
import { entryKey } from "../orchestrator/entry_key.ts";
import type { Instance } from "../runtime/instance.ts";
import { within } from "../within.ts";
import { errorEvent, toAppError } from "./error_response.ts";
import { forward, type ForwardCall } from "./forward.ts";
import type { Parts } from "./parts.ts";

/** As comments, which clients pass over, or as text of the answer. */
export type LoadingWish = "comments" | "text";

/** An answer or a refusal that comes this soon keeps its status. */
const SOON_MS = 150;
const LOOK_MS = 250;
/** In a text that stays in the answer, fewer steps are shown. */
const TEXT_STEP_PERCENT = 10;
/** News that a client may leave unread before it gets none. */
const UNREAD_EVENTS = 4;

const COMPLETIONS = "/v1/completions";
/** Elsewhere streams have no place for a text before the answer: there it is told in comments. */
const TEXT_PATHS = ["/v1/chat/completions", COMPLETIONS];

const encoder = new TextEncoder();

/** The header `X-Loading` or the field `loading`; throws `invalid_request` for other words. */
export function loadingWish(
  request: Request,
  body: Record<string, unknown>,
): LoadingWish | null {
  const wish = body.loading ?? request.headers.get("x-loading") ?? null;
  if (wish === null || wish === "comments" || wish === "text") return wish;
  throw new AppError("invalid_request", 'Cannot read "loading": write "comments" or "text"', {
    param: "loading",
  });
}

/** Like `forward()`, with news of the load in front where there is one to wait for. */
export async function forwardAnnounced(
  parts: Parts,
  { call, wish }: { call: ForwardCall; wish: LoadingWish },
): Promise<Response> {
  if (instanceOf(parts, call)?.state === "ready") return await forward(parts, call);
  const abort = new AbortController();
  const answer = forward(parts, { ...call, abort });
  const soon = await within(answer, SOON_MS);
  if (soon !== null) return soon;
  return new Response(announced(parts, { call, wish, answer, abort }), {
    headers: {
      "content-type": "text/event-stream",
      "cache-control": "no-cache",
      "x-accel-buffering": "no",
    },
  });
}

interface Announcing {
  call: ForwardCall;
  wish: LoadingWish;
  answer: Promise<Response>;
  abort: AbortController;
}

function announced(parts: Parts, announcing: Announcing): ReadableStream<Uint8Array> {
  const { call, wish, answer, abort } = announcing;
  const asText = wish === "text" && TEXT_PATHS.includes(call.path);
  const step = asText ? TEXT_STEP_PERCENT : 1;
  let timer: ReturnType<typeof setInterval>;
  let reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  const body = answer.then(async (response) => {
    clearInterval(timer);
    if (response.headers.get("content-type")?.startsWith("text/event-stream")) {
      return response.body!.getReader();
    }
    // llama-server's own refusal, in the caller's shape already, or an answer that it never streams.
    const event = call.dialect === "anthropic" && !response.ok ? "event: error\n" : "";
    return `${event}data: ${await response.text()}\n\n`;
  }, (error) => {
    clearInterval(timer);
    return errorEvent(toAppError(error, parts.log), call.dialect ?? "openai");
  });
  return new ReadableStream<Uint8Array>({
    start(controller) {
      let said = "";
      function look(): void {
        const news = newsOf(parts, { call, step });
        // Who does not read is told the latest later.
        if (news === said || (controller.desiredSize ?? 0) <= 0) return;
        said = news;
        const event = asText ? `data: ${JSON.stringify(textChunk(call, news))}` : `: ${news}`;
        controller.enqueue(encoder.encode(`${event}\n\n`));
      }
      timer = setInterval(look, LOOK_MS);
      look();
    },
    async pull(controller) {
      const begun = reader ?? await body;
      if (typeof begun === "string") {
        controller.enqueue(encoder.encode(begun));
        return controller.close();
      }
      reader = begun;
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel() {
      clearInterval(timer);
      abort.abort(new AppError("cancelled", "The client left"));
      void body.then((begun) => typeof begun === "string" ? undefined : begun.cancel());
    },
  }, { highWaterMark: UNREAD_EVENTS });
}

function newsOf(parts: Parts, { call, step }: { call: ForwardCall; step: number }): string {
  const { doing, progress } = stepOf(parts, call);
  return progress === null ? doing : `${doing} ${Math.floor(progress * 100 / step) * step}%`;
}

function stepOf(parts: Parts, call: ForwardCall): { doing: string; progress: number | null } {
  const runtime = parts.runtime();
  if (runtime.phase === "installing") {
    return { doing: "installing llama.cpp", progress: runtime.progress };
  }
  const instance = instanceOf(parts, call);
  if (instance?.state !== "loading") return { doing: "waiting", progress: null };
  return { doing: "loading", progress: instance.progress };
}

function instanceOf({ orchestrator }: Parts, { model, mode }: ForwardCall): Instance | null {
  return orchestrator.entry(entryKey(model.id, mode ?? null))?.instance ?? null;
}

function textChunk({ path, model }: ForwardCall, news: string): Record<string, unknown> {
  const text = `[${news}]\n`;
  const head = { id: "loading", created: Math.floor(Date.now() / 1000), model: model.id };
  if (path === COMPLETIONS) {
    const choices = [{ index: 0, text, logprobs: null, finish_reason: null }];
    return { ...head, object: "text_completion", choices };
  }
  const delta = { role: "assistant", content: text };
  const choices = [{ index: 0, delta, finish_reason: null }];
  return { ...head, object: "chat.completion.chunk", choices };
}
