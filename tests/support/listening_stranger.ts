// A host that must learn nothing: it takes every connection and keeps what is said there.

export class ListeningStranger implements AsyncDisposable {
  readonly port: number;
  /** The first thing said on each connection, as it came. */
  readonly heard: string[] = [];
  readonly #listener: Deno.TcpListener;
  readonly #serving: Promise<void>;

  /** `answer`: what it sends back, a whole answer of HTTP; by default an empty object. */
  constructor(
    answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n" +
      "content-length: 2\r\nconnection: close\r\n\r\n{}",
  ) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    this.#serving = this.#serve(answer);
  }

  async #serve(answer: string): Promise<void> {
    const chunk = new Uint8Array(16_384);
    for await (const connection of this.#listener) {
      using _ = connection;
      try {
        const length = await connection.read(chunk);
        // Characters are bytes: a handshake is no text.
        this.heard.push(new TextDecoder("latin1").decode(chunk.subarray(0, length ?? 0)));
        await connection.write(new TextEncoder().encode(answer));
      } catch {
        // Whoever called has hung up.
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#serving;
  }
}
