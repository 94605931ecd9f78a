// A request as bytes on a socket: what no client library would send.

import { joinBytes } from "../../src/join_bytes.ts";

export interface RawAnswer {
  /** 0 where the server closed without an answer. */
  status: number;
  headers: Headers;
  body: string;
}

/**
 * Sends the text and then the bytes, closes nothing, and reads one answer with its `Content-Length`, or
 * up to the end.
 */
export async function rawRequest(
  port: number,
  text: string,
  bytes: Uint8Array | null = null,
): Promise<RawAnswer> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const head = new TextEncoder().encode(text);
  const all = bytes === null ? head : joinBytes(head, bytes);
  for (let sent = 0; sent < all.length;) {
    // Who refuses a large body may close before the end of it.
    const length = await connection.write(all.subarray(sent)).catch(() => null);
    if (length === null) break;
    sent += length;
  }
  const chunk = new Uint8Array(16_384);
  let received = new Uint8Array();
  for (;;) {
    const answer = parseAnswer(received);
    if (answer !== null) return answer;
    const length = await connection.read(chunk).catch(() => null);
    if (length === null) return { status: 0, headers: new Headers(), body: textOf(received) };
    received = joinBytes(received, chunk.subarray(0, length));
  }
}

function parseAnswer(received: Uint8Array): RawAnswer | null {
  // The head is ASCII: there a character is a byte, whatever comes behind it.
  const text = new TextDecoder("latin1").decode(received);
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return null;
  const [statusLine, ...lines] = text.slice(0, end).split("\r\n");
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const body = received.subarray(end + 4);
  if (body.length < Number(headers.get("content-length") ?? 0)) return null;
  return { status: Number(statusLine!.split(" ")[1]), headers, body: textOf(body) };
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
