// Reads one HTTP/1.1 answer from a connection to llama-server: head, then a body by length or in chunks.
// The process parses strangers' files and may be in a stranger's hands: every length is bounded.

import { joinBytes } from "../join_bytes.ts";

/** What the head says, as far as anybody here uses it. */
export interface AnswerHead {
  status: number;
  contentType: string | null;
  /** Bytes of the body; null = it comes in chunks, or until the connection closes. */
  contentLength: number | null;
  chunked: boolean;
  keepAlive: boolean;
}

/** Where bytes come from; null = the other side closed. */
export interface ByteSource {
  read(buffer: Uint8Array): Promise<number | null>;
}

/** The connection closed before a byte of the answer: it was stale, and the request can be sent again. */
export class ClosedBeforeAnswer extends Error {
  override readonly name = "ClosedBeforeAnswer";
}

const MOST_HEAD_BYTES = 64 * 1024;
const MOST_LINE_BYTES = 1024;
/** A whole answer that is kept in memory; embeddings of a long list take a few megabytes. */
const MOST_BODY_BYTES = 512 * 1024 * 1024;
const BUFFER_BYTES = 16 * 1024;

const latin1 = new TextDecoder("latin1");

/** Reads answers one after the other; keeps what it read too much of for the next step. */
export class HttpAnswerReader {
  readonly #source: ByteSource;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #start = 0;
  #end = 0;
  #left: number | null = 0;
  #chunked = false;
  #bodyEnded = true;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** True when the whole answer was read: the connection can take another request. */
  get ended(): boolean {
    return this.#bodyEnded;
  }

  /** The head of an answer to this method. Throws `ClosedBeforeAnswer` where the other side closed without a byte. */
  async head(method = "GET"): Promise<AnswerHead> {
    for (;;) {
      const text = await this.#until("\r\n\r\n", MOST_HEAD_BYTES, true);
      const head = parseHead(text);
      // 100 Continue and its like announce the answer, they are none.
      if (head.status >= 200 || head.status === 101) {
        const bodyless = method === "HEAD" || head.status === 204 || head.status === 304;
        this.#chunked = head.chunked;
        this.#left = bodyless ? 0 : head.contentLength;
        this.#bodyEnded = bodyless || head.contentLength === 0;
        return head;
      }
    }
  }

  /** The next bytes of the body, as they come; null at its end. */
  async next(): Promise<Uint8Array<ArrayBuffer> | null> {
    if (this.#bodyEnded) return null;
    if (this.#chunked) return await this.#nextOfChunks();
    const bytes = await this.#take(this.#left);
    if (this.#left === null) {
      this.#bodyEnded = bytes === null;
      return bytes;
    }
    if (bytes === null) throw new Error("The answer broke off");
    this.#left -= bytes.length;
    this.#bodyEnded = this.#left === 0;
    return bytes;
  }

  /** The whole body at once. */
  async all(): Promise<Uint8Array<ArrayBuffer>> {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    let size = 0;
    for (let part; (part = await this.next()) !== null;) {
      if (this.#bodyEnded && parts.length === 0) return part;
      parts.push(part);
      size += part.length;
      if (size > MOST_BODY_BYTES) throw new Error("The answer is too large");
    }
    const whole = new Uint8Array(size);
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  // In one piece what one read brought, over the borders of chunks: one event each would cost more.
  async #nextOfChunks(): Promise<Uint8Array<ArrayBuffer> | null> {
    let bytes: Uint8Array<ArrayBuffer> | null = null;
    do {
      if (this.#left === null || this.#left === 0) {
        const line = await this.#until("\r\n", MOST_LINE_BYTES);
        const size = /^([0-9a-f]{1,8})(?:;.*)?$/i.exec(line)?.[1];
        if (size === undefined) throw new Error("The answer has a chunk without a size");
        this.#left = parseInt(size, 16);
        if (this.#left === 0) {
          // Trailers, if there are any, end with an empty line.
          while (await this.#until("\r\n", MOST_LINE_BYTES) !== "");
          this.#bodyEnded = true;
          return bytes;
        }
      }
      // What is there goes on at once, even where the next chunk has announced itself.
      if (bytes !== null && this.#start === this.#end) return bytes;
      const part = await this.#take(this.#left);
      if (part === null) throw new Error("The answer broke off");
      this.#left -= part.length;
      bytes = bytes === null ? part : joinBytes(bytes, part);
      if (this.#left === 0) await this.#until("\r\n", 2);
    } while (this.#holdsLine());
    return bytes;
  }

  #holdsLine(): boolean {
    return this.#buffer.subarray(this.#start, this.#end).indexOf(10) >= 0;
  }

  // At most `most` bytes, of what is there or of one read.
  async #take(most: number | null): Promise<Uint8Array<ArrayBuffer> | null> {
    if (this.#start === this.#end && !await this.#fill()) return null;
    const end = Math.min(this.#end, this.#start + (most ?? BUFFER_BYTES));
    const bytes = this.#buffer.slice(this.#start, end);
    this.#start = end;
    return bytes;
  }

  async #fill(): Promise<boolean> {
    this.#start = 0;
    this.#end = 0;
    const count = await this.#source.read(this.#buffer);
    if (count === null) return false;
    this.#end = count;
    return true;
  }

  /** Text up to a mark, which is taken along and left out. */
  async #until(mark: "\r\n" | "\r\n\r\n", most: number, first = false): Promise<string> {
    let text = "";
    for (;;) {
      if (this.#start === this.#end && !await this.#fill()) {
        if (first && text === "") throw new ClosedBeforeAnswer("The connection was closed");
        throw new Error("The answer broke off");
      }
      const before = text.length;
      text += latin1.decode(this.#buffer.subarray(this.#start, this.#end));
      const at = text.indexOf(mark, Math.max(0, before - mark.length));
      if (at >= 0) {
        this.#start += at + mark.length - before;
        return text.slice(0, at);
      }
      if (text.length > most) throw new Error("The answer has too long a line");
      this.#start = this.#end;
    }
  }
}

function parseHead(text: string): AnswerHead {
  const lines = text.split("\r\n");
  const status = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(lines[0]!);
  if (status === null) throw new Error("The answer is not HTTP");
  const head: AnswerHead = {
    status: Number(status[2]),
    contentType: null,
    contentLength: null,
    chunked: false,
    keepAlive: status[1] === "1",
  };
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(":");
    const value = line.slice(colon + 1).trim();
    switch (line.slice(0, colon).toLowerCase()) {
      case "content-type":
        head.contentType = value;
        break;
      case "content-length":
        head.contentLength = lengthOf(value);
        break;
      case "transfer-encoding":
        head.chunked = value.toLowerCase() === "chunked";
        break;
      case "connection":
        if (value.toLowerCase() === "close") head.keepAlive = false;
        break;
    }
  }
  // Chunks win over a length, as RFC 9112 section 6.3 says.
  if (head.chunked) head.contentLength = null;
  return head;
}

function lengthOf(value: string): number {
  const length = /^\d{1,15}$/.test(value) ? Number(value) : Infinity;
  if (length > MOST_BODY_BYTES) throw new Error("The answer is too large");
  return length;
}
