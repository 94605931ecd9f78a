// Puts one answer of the stand-in on the wire, as slowly and as badly as its fault says, and keeps
// count of what went out.

import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { abortableDelay } from "../../src/within.ts";
import type { Fault, HubAnswer, HubRequest } from "./hub_exchange.ts";

export interface SendOptions {
  request: HubRequest;
  fault: Fault;
  /** The stand-in ends: nothing is waited for any more. */
  closing: AbortSignal;
}

const CHUNK_BYTES = 64 * 1024;

export async function send(
  response: ServerResponse,
  answer: HubAnswer,
  { request, fault, closing }: SendOptions,
): Promise<void> {
  const left = new AbortController();
  response.once("close", () => left.abort());
  const gone = AbortSignal.any([left.signal, closing]);
  if (fault.delayMs !== undefined) await abortableDelay(fault.delayMs, gone);
  if (fault.refuse === true) {
    request.end = "cut";
    response.destroy();
    return;
  }
  const { body } = answer;
  const { length } = body;
  request.status = answer.status;
  request.sentFrom = body instanceof Uint8Array ? 0 : body.start;
  response.writeHead(answer.status, { ...answer.headers, "content-length": length });
  if (request.method === "HEAD") {
    response.end();
    request.end = "whole";
    return;
  }
  response.flushHeaders();
  const most = Math.min(length, fault.cutAfterBytes ?? length, fault.stallAfterBytes ?? length);
  const isSent = await sendBody(response, answer, { request, fault, gone, most });
  if (!isSent) {
    request.end = "left";
    response.destroy();
  } else if (fault.cutAfterBytes !== undefined && fault.cutAfterBytes < length) {
    request.end = "cut";
    response.destroy();
  } else if (fault.stallAfterBytes !== undefined && fault.stallAfterBytes < length) {
    request.end = "stalled";
    if (!gone.aborted) await once(gone, "abort");
    response.destroy();
  } else {
    request.end = "whole";
    response.end();
  }
}

interface BodyOptions {
  request: HubRequest;
  fault: Fault;
  gone: AbortSignal;
  most: number;
}

/** False where the client left. */
async function sendBody(
  response: ServerResponse,
  { body }: HubAnswer,
  { request, fault: { bytesPerSecond }, gone, most }: BodyOptions,
): Promise<boolean> {
  const speedNow = () => typeof bytesPerSecond === "function" ? bytesPerSecond() : bytesPerSecond;
  let wake = () => {};
  gone.addEventListener("abort", () => wake(), { once: true });
  while (request.sentBytes < most) {
    if (gone.aborted) return false;
    const speed = speedNow();
    const step = speed === undefined
      ? CHUNK_BYTES
      : Math.max(1, Math.min(CHUNK_BYTES, Math.ceil(speed / 20)));
    const length = Math.min(step, most - request.sentBytes);
    const chunk = body instanceof Uint8Array
      ? body.subarray(request.sentBytes, request.sentBytes + length)
      : body.content.read(body.start + request.sentBytes, length);
    request.sentBytes += length;
    const { promise, resolve } = Promise.withResolvers<void>();
    wake = resolve;
    response.write(chunk, () => resolve());
    await promise;
    if (speed !== undefined && request.sentBytes < most) {
      await abortableDelay((1000 * length) / speed, gone);
    }
  }
  return !gone.aborted;
}
