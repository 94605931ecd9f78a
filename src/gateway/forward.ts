// One request to one instance: waits for a lease, passes the bytes untouched, gives the lease back.
// A connection that broke before the client had a byte is tried again; nothing else is repeated.

import type { Context } from "@hono/hono";
import { AppError, messageOf } from "../errors.ts";
import type { Model } from "../models/library.ts";
import type { Lease } from "../orchestrator/entry.ts";
import { type AnswerEnd, streamAnswer } from "./answer_stream.ts";
import { errorJson, toAppError } from "./error_response.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import type { Parts } from "./parts.ts";
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
  /** Idle time from this request on; undefined = as it is. */
  keepAliveMs?: number | undefined;
  /** Turns the instance's whole answer into the client's; by default it passes untouched. */
  whole?: (upstream: Upstream) => Response;
  /** Turns the instance's stream into the client's. */
  chunks?: (upstream: Upstream, body: ReadableStream<Uint8Array>) => ReadableStream<Uint8Array>;
  /** The last event of a stream that broke. */
  errorEvent?: (error: AppError) => string;
}

/** What an instance answered, its body read where it is not a stream. */
export interface Upstream {
  response: Response;
  lease: Lease;
  bytes: Uint8Array<ArrayBuffer> | null;
}

/** Attempts on fresh connections to a process that lives. */
const MOST_TRIES = 3;

/** Answers one request by its model. Throws an AppError where there is no answer to pass on. */
export async function forward(parts: Parts, call: ForwardCall): Promise<Response> {
  const { context, model, stream } = call;
  const request = context.req.raw;
  const abort = new AbortController();
  const record = parts.requests.begin({ model: model.id, route: `${context.req.method} ${context.req.path}`, stream, abort });
  const onLeave = () => abort.abort(new AppError("cancelled", "The client left"));
  request.signal.addEventListener("abort", onLeave);
  const remote = context.env.info.remoteAddr;
  const unwatch = parts.departures.watch({
    localPort: context.env.localPort,
    remoteAddress: remote.hostname,
    remotePort: remote.port,
  }, abort);
  function forget(): void {
    request.signal.removeEventListener("abort", onLeave);
    unwatch();
  }
  try {
    const upstream = await ask(parts, { call, abort, record });
    forget();
    return upstream.bytes === null
      ? streamed(parts, { call, upstream, abort, record })
      : whole(call, { upstream, record });
  } catch (error) {
    forget();
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
}

// A process that dies under a request is loaded once more for it: nobody saw a byte of its answer.
async function ask(parts: Parts, asking: Asking): Promise<Upstream> {
  const { call, abort, record } = asking;
  for (let again = false;; again = true) {
    const acquired = parts.orchestrator.acquire(call.model, {
      signal: abort.signal,
      ...(call.keepAliveMs !== undefined && { keepAliveMs: call.keepAliveMs }),
    });
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
  lease.signal.addEventListener("abort", onStopped);
  const { instance } = lease;
  for (let tries = 1;; tries++) {
    try {
      const response = await instance.fetch(call.path, {
        method: call.context.req.method,
        contentType: call.contentType ?? (call.body === null ? null : "application/json"),
        body: call.body,
        signal: abort.signal,
      });
      const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
      if (isStream) return { response, lease, bytes: null };
      const bytes = new Uint8Array(await response.arrayBuffer());
      lease.signal.removeEventListener("abort", onStopped);
      return { response, lease, bytes };
    } catch (error) {
      if (tries >= MOST_TRIES || abort.signal.aborted || instance.state !== "ready") {
        lease.signal.removeEventListener("abort", onStopped);
        throw error;
      }
    }
  }
}

function whole(
  call: ForwardCall,
  { upstream, record }: { upstream: Upstream; record: RequestRecord },
): Response {
  const { response, lease, bytes } = upstream;
  lease.release();
  record.firstByte();
  record.end(response.status, tokensOf(bytes!));
  if (call.whole !== undefined && response.ok) return call.whole(upstream);
  return new Response(bytes, { status: response.status, headers: headersFrom(response) });
}

function streamed(
  parts: Parts,
  { call, upstream, abort, record }: Asking & { upstream: Upstream },
): Response {
  const { response, lease } = upstream;
  const errorEvent = call.errorEvent ??
    ((error: AppError) => `data: ${JSON.stringify(errorJson(error, "openai"))}\n\n`);
  record.firstByte();
  const end = ({ tail, failed, left }: AnswerEnd) => {
    lease.release();
    if (left) {
      abort.abort();
      record.fail(new AppError("cancelled", "The client left"));
      return null;
    }
    if (failed === null) {
      record.end(response.status, tokensOf(tail));
      return null;
    }
    const error = abort.signal.reason instanceof AppError
      ? abort.signal.reason
      : upstreamFailed(call.model, failed.cause);
    parts.log.warn("Answer broke off", { model: call.model.id, reason: messageOf(failed.cause) });
    record.fail(error);
    return errorEvent(error);
  };
  let body = streamAnswer(response.body!, end);
  if (call.chunks !== undefined && response.ok) body = call.chunks(upstream, body);
  const headers = headersFrom(response);
  headers["cache-control"] = "no-cache";
  // Proxies in between must not gather what is meant to flow.
  headers["x-accel-buffering"] = "no";
  return new Response(body, { status: response.status, headers });
}

// Only what belongs to the body: llama-server's CORS and connection headers are not the gateway's.
function headersFrom(response: Response): Record<string, string> {
  const type = response.headers.get("content-type");
  return type === null ? {} : { "content-type": type };
}

function upstreamFailed(model: Model, cause: unknown): AppError {
  return new AppError(
    "upstream_failed",
    `The answer of "${model.id}" broke off: its process ended. Ask again, it is started anew`,
    { cause, values: { model: model.id } },
  );
}
