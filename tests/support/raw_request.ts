// A request as bytes on a socket: what no client library would send.

export interface RawAnswer {
  /** 0 where the server closed without an answer. */
  status: number;
  headers: Headers;
  body: string;
}

/** Sends the text, closes nothing, and reads one answer with its `Content-Length`, or up to the end. */
export async function rawRequest(port: number, text: string): Promise<RawAnswer> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(text));
  const decoder = new TextDecoder();
  const chunk = new Uint8Array(16_384);
  let received = "";
  for (;;) {
    const answer = parseAnswer(received);
    if (answer !== null) return answer;
    const length = await connection.read(chunk).catch(() => null);
    if (length === null) return { status: 0, headers: new Headers(), body: received };
    received += decoder.decode(chunk.subarray(0, length), { stream: true });
  }
}

function parseAnswer(received: string): RawAnswer | null {
  const end = received.indexOf("\r\n\r\n");
  if (end < 0) return null;
  const [statusLine, ...lines] = received.slice(0, end).split("\r\n");
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const body = received.slice(end + 4);
  if (body.length < Number(headers.get("content-length") ?? 0)) return null;
  return { status: Number(statusLine!.split(" ")[1]), headers, body };
}
