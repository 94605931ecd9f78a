// One request to the stand-in and what becomes of it: the record that tests look at, the fault that
// they may order, the answer that the routes give.

import type { HubContent } from "./hub_content.ts";

export interface HubRequest {
  /** Which of the two servers was asked. */
  readonly host: "hub" | "cdn";
  readonly method: string;
  /** As it was sent, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  /** What `Authorization: Bearer` carries. */
  readonly token: string | null;
  /** First and last byte asked for; null without a usable `Range`, last null where it is open. */
  readonly range: { start: number; end: number | null } | null;
  /** `org/name` and path in it, where a file is asked for. */
  readonly repo: string | null;
  readonly file: string | null;
  readonly atMs: number;
  /** 0 until it is answered. */
  status: number;
  /** Of the body, handed to the socket. */
  sentBytes: number;
  /** Where the first of them lies in the file. */
  sentFrom: number;
  end: "open" | "whole" | "cut" | "stalled" | "left";
}

/** What goes wrong with one answer. */
export interface Fault {
  /** Before the answer's head. */
  delayMs?: number;
  /** Instead of the answer. */
  status?: number;
  /** Seconds, with `status`; without it no `Retry-After` is sent. */
  retryAfter?: number;
  /** The connection breaks after so many bytes of the body. */
  cutAfterBytes?: number;
  /** So many bytes of the body, then silence. */
  stallAfterBytes?: number;
  /** The whole file, whatever range is asked for. */
  ignoreRange?: boolean;
  /** Other bytes than those of the file. */
  content?: HubContent;
  /** Asked for again while the answer is under way, where it is a function. */
  bytesPerSecond?: number | (() => number);
  /** The connection breaks before any answer. */
  refuse?: boolean;
}

export interface HubAnswer {
  status: number;
  headers: Record<string, string>;
  body: Uint8Array<ArrayBuffer> | FileBody;
}

/** A file or a part of it. */
export interface FileBody {
  content: HubContent;
  start: number;
  length: number;
}

export function jsonAnswer(value: unknown, headers: Record<string, string> = {}): HubAnswer {
  const body = new TextEncoder().encode(JSON.stringify(value));
  return {
    status: 200,
    headers: { "content-type": "application/json; charset=utf-8", ...headers },
    body,
  };
}

export interface Refusal {
  status: number;
  code?: string | undefined;
  message: string;
}

export function refusalAnswer({ status, code, message }: Refusal): HubAnswer {
  return {
    ...jsonAnswer({ error: message }, {
      ...(code !== undefined && { "x-error-code": code }),
      "x-error-message": message,
    }),
    status,
  };
}

/** `bytes=A-B` and `bytes=A-`, the only ones in use; null for anything else. */
export function rangeOf(header: string | undefined): HubRequest["range"] {
  const found = /^bytes=(\d+)-(\d*)$/.exec(header ?? "");
  if (found === null) return null;
  return { start: Number(found[1]), end: found[2] === "" ? null : Number(found[2]) };
}

/** The file as a range of it or whole, as HTTP has it. */
export function fileAnswer(
  content: HubContent,
  { range, headers }: { range: HubRequest["range"]; headers: Record<string, string> },
): HubAnswer {
  const { sizeBytes } = content;
  const common = { "accept-ranges": "bytes", ...headers };
  if (range === null) {
    return { status: 200, headers: common, body: { content, start: 0, length: sizeBytes } };
  }
  const end = Math.min(range.end ?? sizeBytes - 1, sizeBytes - 1);
  if (range.start > end) {
    return {
      status: 416,
      headers: { ...common, "content-range": `bytes */${sizeBytes}` },
      body: new Uint8Array(0),
    };
  }
  return {
    status: 206,
    headers: { ...common, "content-range": `bytes ${range.start}-${end}/${sizeBytes}` },
    body: { content, start: range.start, length: end - range.start + 1 },
  };
}
