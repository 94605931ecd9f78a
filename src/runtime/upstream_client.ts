// Requests to one llama-server, over its socket: kept-alive connections, and an abort that closes at once.
// Half the cost of `fetch` on the hot path, and a request that must end takes its connection with it.

import { INSTANCE_HOST, type Place } from "../host/messages.ts";
import { type AnswerHead, ClosedBeforeAnswer, HttpAnswerReader } from "./http_answer.ts";

export interface UpstreamRequest {
  method: string;
  path: string;
  contentType: string | null;
  body: Uint8Array | null;
  signal: AbortSignal;
}

/** An answer; exactly one of `bytes` and `stream` is set. */
export interface UpstreamAnswer {
  status: number;
  contentType: string | null;
  bytes: Uint8Array<ArrayBuffer> | null;
  /** Server-sent events, as they come. */
  stream: UpstreamStream | null;
}

export interface UpstreamStream {
  /** Null at the end; throws when the stream breaks or the signal fires. */
  next(): Promise<Uint8Array<ArrayBuffer> | null>;
  /** Ends it early: the connection is closed, and the generation with it. */
  cancel(): void;
}

interface Connection {
  conn: Deno.Conn;
  reader: HttpAnswerReader;
  idleSinceMs: number;
}

/** Below the 5 s after which llama-server closes an idle connection by itself. */
const KEEP_MS = 4_000;
const encoder = new TextEncoder();

export class UpstreamClient {
  readonly #place: Place;
  readonly #authorization: string;
  readonly #idle: Connection[] = [];
  #closed = false;

  constructor(place: Place, key: string) {
    this.#place = place;
    this.#authorization = `Bearer ${key}`;
  }

  /** Sends it on a kept connection or a fresh one; a stale connection is replaced unnoticed. */
  async request(request: UpstreamRequest): Promise<UpstreamAnswer> {
    const bytes = this.#requestBytes(request);
    for (;;) {
      request.signal.throwIfAborted();
      const kept = this.#takeIdle();
      const connection = kept ?? await this.#connect();
      try {
        return await this.#exchange(connection, { ...request, bytes });
      } catch (error) {
        close(connection);
        request.signal.throwIfAborted();
        // The other side had closed it between two requests: no byte of this one was answered.
        if (kept !== null && isStale(error)) continue;
        throw error;
      }
    }
  }

  close(): void {
    this.#closed = true;
    for (const connection of this.#idle.splice(0)) close(connection);
  }

  async #exchange(
    connection: Connection,
    { method, bytes, signal }: UpstreamRequest & { bytes: Uint8Array },
  ): Promise<UpstreamAnswer> {
    const onAbort = () => close(connection);
    signal.addEventListener("abort", onAbort);
    let streaming = false;
    try {
      // Whoever left while it was connected would be waited for until the answer's end.
      signal.throwIfAborted();
      await writeAll(connection.conn, bytes);
      const head = await connection.reader.head(method);
      const { status, contentType } = head;
      if (contentType !== null && contentType.startsWith("text/event-stream")) {
        // llama-server sends the head before it reads the prompt: only with its first bytes has the
        // answer begun, and a process that dies before can be asked again.
        const first = await connection.reader.next();
        streaming = true;
        const onEnd = () => signal.removeEventListener("abort", onAbort);
        const stream = streamOf(connection, { first, onEnd });
        return { status, contentType, bytes: null, stream };
      }
      const body = await connection.reader.all();
      this.#giveBack(connection, head);
      return { status, contentType, bytes: body, stream: null };
    } finally {
      if (!streaming) signal.removeEventListener("abort", onAbort);
    }
  }

  #requestBytes(request: UpstreamRequest): Uint8Array {
    const { method, path, contentType, body } = request;
    if (!/^[\x21-\x7e]+$/.test(path)) throw new Error("The path is not one of HTTP");
    // The whole address, as clients of a proxy write it: it is what `--api-prefix` answers to.
    let head = `${method} http://${INSTANCE_HOST}${path} HTTP/1.1\r\nHost: ${INSTANCE_HOST}\r\n` +
      `Authorization: ${this.#authorization}\r\n`;
    if (contentType !== null) head += `Content-Type: ${headerValue(contentType)}\r\n`;
    if (body !== null) head += `Content-Length: ${body.length}\r\n`;
    head += "\r\n";
    if (body === null) return encoder.encode(head);
    const bytes = new Uint8Array(head.length + body.length);
    encoder.encodeInto(head, bytes);
    bytes.set(body, head.length);
    return bytes;
  }

  #takeIdle(): Connection | null {
    for (let connection; (connection = this.#idle.pop()) !== undefined;) {
      if (performance.now() - connection.idleSinceMs < KEEP_MS) return connection;
      close(connection);
    }
    return null;
  }

  async #connect(): Promise<Connection> {
    const conn = "port" in this.#place
      ? await Deno.connect({ hostname: "127.0.0.1", port: this.#place.port })
      : await Deno.connect({ transport: "unix", path: this.#place.socketPath });
    return { conn, reader: new HttpAnswerReader(conn), idleSinceMs: 0 };
  }

  #giveBack(connection: Connection, head: AnswerHead): void {
    if (this.#closed || !head.keepAlive || !connection.reader.ended) return close(connection);
    connection.idleSinceMs = performance.now();
    this.#idle.push(connection);
  }
}

interface StreamStart {
  /** Read already. */
  first: Uint8Array<ArrayBuffer> | null;
  onEnd(): void;
}

// llama-server closes after each stream, so the connection is not kept.
function streamOf(connection: Connection, { first, onEnd }: StreamStart): UpstreamStream {
  let begun = false;
  function end(): void {
    onEnd();
    close(connection);
  }
  return {
    async next() {
      try {
        const bytes = begun ? await connection.reader.next() : first;
        begun = true;
        if (bytes === null || connection.reader.ended) end();
        return bytes;
      } catch (error) {
        end();
        throw error;
      }
    },
    cancel: end,
  };
}

async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) {
    sent += await conn.write(sent === 0 ? bytes : bytes.subarray(sent));
  }
}

function isStale(error: unknown): boolean {
  return error instanceof ClosedBeforeAnswer || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionReset;
}

function close({ conn }: Connection): void {
  try {
    conn.close();
  } catch (error) {
    // Closed already: by an abort, or because it was stale.
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

// A client's own header: a line break in it must not become a header of ours.
function headerValue(value: string): string {
  return /^[\x20-\x7e]*$/.test(value) ? value : "application/octet-stream";
}
