// A client of one TCP connection: it keeps the connection alive, and it can leave at any moment.

import type { RawAnswer } from "./raw_request.ts";

export interface RawPost {
  path: string;
  body: Record<string, unknown>;
  /** The body is padded to this many bytes, with a field that no model reads. */
  sizeBytes?: number;
  /** Names in lower case. */
  headers?: Record<string, string>;
  /** Sends the body in chunks of this many bytes, without its length. */
  chunkBytes?: number;
}

const encoder = new TextEncoder();

/** Leaves when it goes out of scope, unless it has left before. */
export class RawClient implements Disposable {
  readonly #connection: Deno.TcpConn;
  readonly #decoder = new TextDecoder();
  readonly #chunk = new Uint8Array(65_536);
  #received = "";
  #left = false;

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async connect(port: number): Promise<RawClient> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    // As every HTTP client: a small body does not wait for the head's acknowledgement.
    connection.setNoDelay(true);
    return new RawClient(connection);
  }

  /** A client that has sent its whole request and has read nothing yet. */
  static async posting(port: number, post: RawPost): Promise<RawClient> {
    const client = await RawClient.connect(port);
    await client.post(post);
    return client;
  }

  /** Text received and not yet taken by `answer()`. */
  get received(): string {
    return this.#received;
  }

  async post(post: RawPost): Promise<void> {
    const body = encoder.encode(paddedJson(post.body, post.sizeBytes ?? 0));
    const headers: Record<string, string> = {
      host: `127.0.0.1:${(this.#connection.remoteAddr as Deno.NetAddr).port}`,
      "content-type": "application/json",
      ...(post.chunkBytes === undefined
        ? { "content-length": String(body.length) }
        : { "transfer-encoding": "chunked" }),
      ...post.headers,
    };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = encoder.encode(`POST ${post.path} HTTP/1.1\r\n${lines.join("")}\r\n`);
    const { chunkBytes } = post;
    await this.write(
      joined([head, ...(chunkBytes === undefined ? [body] : chunks(body, chunkBytes))]),
    );
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.#connection.write(bytes.subarray(sent));
    }
  }

  /** Reads on until the text has come so often; throws where the server closes before. */
  async readUntil(text: string, times = 1): Promise<void> {
    while (this.#received.split(text).length <= times) await this.#readMore();
  }

  /** One answer with its length, as a client that keeps its connection reads it. */
  async answer(): Promise<RawAnswer> {
    await this.readUntil("\r\n\r\n");
    const end = this.#received.indexOf("\r\n\r\n");
    const [statusLine, ...lines] = this.#received.slice(0, end).split("\r\n");
    const headers = new Headers(lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }));
    const length = Number(headers.get("content-length") ?? NaN);
    if (Number.isNaN(length)) throw new Error(`An answer without a length: ${this.#received}`);
    // Answers that are counted here are ASCII: characters are bytes.
    while (this.#received.length < end + 4 + length) await this.#readMore();
    const body = this.#received.slice(end + 4, end + 4 + length);
    this.#received = this.#received.slice(end + 4 + length);
    return { status: Number(statusLine!.split(" ")[1]), headers, body };
  }

  /** Reads on until the server closes; answers all that came. */
  async readAll(): Promise<string> {
    try {
      for (;;) await this.#readMore();
    } catch (error) {
      if (!(error instanceof Deno.errors.UnexpectedEof)) throw error;
    }
    return this.#received;
  }

  /** Closes the connection in whatever state it is. */
  leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.leave();
  }

  async #readMore(): Promise<void> {
    const length = await this.#connection.read(this.#chunk);
    if (length === null) {
      throw new Deno.errors.UnexpectedEof(`The server closed after: ${this.#received}`);
    }
    this.#received += this.#decoder.decode(this.#chunk.subarray(0, length), { stream: true });
  }
}

/** The object as JSON of at least so many bytes. */
function paddedJson(body: Record<string, unknown>, sizeBytes: number): string {
  const missing = sizeBytes - JSON.stringify({ ...body, user: "" }).length;
  return JSON.stringify(missing < 0 ? body : { ...body, user: "x".repeat(missing) });
}

function chunks(body: Uint8Array, chunkBytes: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let start = 0; start < body.length; start += chunkBytes) {
    const part = body.subarray(start, start + chunkBytes);
    parts.push(encoder.encode(`${part.length.toString(16)}\r\n`), part, encoder.encode("\r\n"));
  }
  return [...parts, encoder.encode("0\r\n\r\n")];
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
