// One request to one instance: waits for a lease, passes the bytes untouched, gives the lease back.
// A connection that broke before the client had a byte is tried again; nothing else is repeated.

import type { Context } from "@hono/hono";
import { onAborted } from "../abort.ts";
import { AppError, messageOf } from "../errors.ts";
import type { Model } from "../models/library.ts";
import type { Lease } from "../orchestrator/entry.ts";
import type { BesideMode } from "../orchestrator/entry_key.ts";
import type { LoadWishes } from "../orchestrator/load_wishes.ts";
import type { UpstreamAnswer } from "../runtime/upstream_client.ts";
import { type AnswerEnd, streamAnswer } from "./answer_stream.ts";
import type { WatchedClient } from "./departures.ts";
import type { Dialect } from "./dialect.ts";
import { errorEvent, renderUpstreamError, toAppError } from "./error_response.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import type { Parts } from "./parts.ts";
import { withRightStatus } from "./request_fault.ts";
import type { RequestRecord } from "./requests.ts";
import { tokensOf } from "./token_counts.ts";

export interface ForwardCall {
  context: Context<GatewayEnv>;
  model: Model;
  /** Path and query at the instance. */
  path: string;
  body: Uint8Array<ArrayBuffer> | null;
  /** JSON unless said otherwise: clients that send it as form data mean JSON all the same. */
  contentType?: string | null;
  stream: boolean;
  /** In whose shape errors are told; OpenAI's, which is llama-server's own, unless said otherwise. */
  dialect?: Dialect;
  /** For an instance in this mode beside the model's main one. */
  mode?: BesideMode | undefined;
  /** How the model must be loaded for it; undefined = as it is. */
  load?: LoadWishes | undefined;
  /** Idle time from this request on; undefined = as it is. */
  keepAliveMs?: number | undefined;
  /** Turns the instance's whole answer into the client's; by default it passes untouched. */
  whole?: (upstream: Upstream) => Response;
  /** Turns the instance's stream into the client's. */
  chunks?: (upstream: Upstream, body: ReadableStream<Uint8Array>) => ReadableStream<Uint8Array>;
  /** Content type of what `chunks` makes, where it is not the instance's. */
  chunksType?: string;
  /**
   * Makes one answer of the instance's stream: only a streamed generation ends at once when its
   * client leaves. It throws an AppError where the stream says that it failed.
   */
  gather?: (upstream: Upstream, body: ReadableStream<Uint8Array>) => Promise<Response>;
  /** The last event of a stream that broke, where it is not the dialect's. */
  errorEvent?: (error: AppError) => string;
  /** Aborted by whoever learns before this file that the client has left. */
  abort?: AbortController;
}

/** What an instance answered, and the hold on it. */
export interface Upstream {
  answer: UpstreamAnswer;
  lease: Lease;
  /** Lets go of the lease's signal, which lives as long as the process and must gather nothing. */
  forgetSignal: () => void;
}

/** Attempts on fresh connections to a process that lives. */
const MOST_TRIES = 3;
/** How long a process that broke a connection off may take to be known as dead. */
const DYING_MS = 1_000;

/** Answers one request by its model. Throws an AppError where there is no answer to pass on. */
export async function forward(parts: Parts, call: ForwardCall): Promise<Response> {
  const { context, model, stream } = call;
  const route = `${context.req.method} ${context.req.path}`;
  const abort = call.abort ?? new AbortController();
  context.env.model = model.id;
  const record = parts.requests.begin({ model: model.id, route, stream, abort });
  const client = parts.departures.watch(context.req.raw, context.env, abort);
  try {
    const upstream = await ask(parts, { call, abort, record, client });
    if (call.gather !== undefined && upstream.answer.stream !== null) {
      const body = bodyOf(parts, { call, upstream, abort, record });
      const response = await call.gather(upstream, body);
      client.forget();
      return response;
    }
    client.forget();
    return upstream.answer.stream === null
      ? whole(parts, { call, upstream, record })
      : streamed(parts, { call, upstream, abort, record });
  } catch (error) {
    client.forget();
    const known = abort.signal.aborted && abort.signal.reason instanceof AppError
      ? abort.signal.reason
      : toAppError(error, parts.log);
    record.fail(known);
    throw known;
  }
}

interface Asking {
  call: ForwardCall;
  abort: AbortController;
  record: RequestRecord;
  client: WatchedClient;
}

// A process that dies under a request is loaded once more for it: nobody saw a byte of its answer.
async function ask(parts: Parts, asking: Asking): Promise<Upstream> {
  const { call, abort, record, client } = asking;
  for (let again = false;; again = true) {
    const acquired = parts.orchestrator.acquire(call.model, {
      signal: abort.signal,
      beside: call.mode,
      load: call.load,
      ...(call.keepAliveMs !== undefined && { keepAliveMs: call.keepAliveMs }),
    });
    if (acquired instanceof Promise) client.listen();
    const lease = acquired instanceof Promise ? await acquired : acquired;
    record.answering();
    try {
      return await send(lease, asking);
    } catch (error) {
      lease.release();
      if (again || abort.signal.aborted || lease.signal.aborted || error instanceof AppError) {
        throw error instanceof AppError ? error : upstreamFailed(call.model, error);
      }
    }
  }
}

async function send(lease: Lease, { call, abort }: Asking): Promise<Upstream> {
  const onStopped = () => abort.abort(lease.signal.reason);
  onAborted(lease.signal, onStopped);
  const forgetSignal = () => lease.signal.removeEventListener("abort", onStopped);
  const { instance } = lease;
  for (let tries = 1;; tries++) {
    try {
      const answer = await instance.request({
        method: call.context.req.method,
        path: call.path,
        contentType: call.contentType ?? (call.body === null ? null : "application/json"),
        body: call.body,
        signal: abort.signal,
      });
      if (answer.stream === null) forgetSignal();
      return { answer, lease, forgetSignal };
    } catch (error) {
      if (tries >= MOST_TRIES || abort.signal.aborted || await instance.endsWithin(DYING_MS)) {
        forgetSignal();
        throw error;
      }
    }
  }
}

function whole(
  parts: Parts,
  { call, upstream, record }: Pick<Answering, "call" | "upstream" | "record">,
): Response {
  const answer = withRightStatus(upstream.answer);
  const bytes = answer.bytes!;
  upstream.lease.release();
  record.firstByte();
  const tokens = tokensOf(bytes);
  record.end(answer.status, tokens);
  parts.speeds.answered(call.model, tokens);
  if (!isOk(answer) && call.dialect !== undefined) return renderUpstreamError(answer, call.dialect);
  if (call.whole !== undefined && isOk(answer)) return call.whole(upstream);
  const bodyless = answer.status === 204 || answer.status === 304;
  return new Response(bodyless ? null : bytes, {
    status: answer.status,
    headers: headersFrom(answer),
  });
}

type Answering = Omit<Asking, "client"> & { upstream: Upstream };

function streamed(parts: Parts, answering: Answering): Response {
  const { call, upstream } = answering;
  const { answer } = upstream;
  let body = bodyOf(parts, answering);
  const headers = headersFrom(answer);
  if (call.chunks !== undefined && isOk(answer)) {
    body = call.chunks(upstream, body);
    if (call.chunksType !== undefined) headers["content-type"] = call.chunksType;
  }
  headers["cache-control"] = "no-cache";
  // Proxies in between must not gather what is meant to flow.
  headers["x-accel-buffering"] = "no";
  return new Response(body, { status: answer.status, headers });
}

/** The instance's stream; its end gives the lease back, however it comes. */
function bodyOf(
  parts: Parts,
  { call, upstream, abort, record }: Answering,
): ReadableStream<Uint8Array> {
  const { answer, lease } = upstream;
  record.firstByte();
  const end = ({ tail, failed, left }: AnswerEnd) => {
    upstream.forgetSignal();
    lease.release();
    if (left) {
      abort.abort();
      record.fail(new AppError("cancelled", "The client left"));
      return null;
    }
    if (failed === null) {
      const tokens = tokensOf(tail);
      record.end(answer.status, tokens);
      parts.speeds.answered(call.model, tokens);
      return null;
    }
    const error = abort.signal.reason instanceof AppError
      ? abort.signal.reason
      : upstreamFailed(call.model, failed.cause);
    if (error.code !== "cancelled") {
      parts.log.warn("Answer broke off", { model: call.model.id, reason: messageOf(failed.cause) });
    }
    record.fail(error);
    return call.errorEvent?.(error) ?? errorEvent(error, call.dialect ?? "openai");
  };
  return streamAnswer(answer.stream!, end);
}

// Only what belongs to the body: llama-server's CORS and connection headers are not the gateway's.
function headersFrom({ contentType }: UpstreamAnswer): Record<string, string> {
  return contentType === null ? {} : { "content-type": contentType };
}

function isOk({ status }: UpstreamAnswer): boolean {
  return status >= 200 && status < 300;
}

function upstreamFailed(model: Model, cause: unknown): AppError {
  return new AppError(
    "upstream_failed",
    `The answer of "${model.id}" broke off: its process ended. Ask again, it is started anew`,
    { cause, values: { model: model.id } },
  );
}
