// Messages as lines of JSON over a connection, in their order, both ways.

export class MessageLine {
  readonly #conn: Deno.Conn;
  #written = Promise.resolve();

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  send(message: unknown): void {
    let bytes = new TextEncoder().encode(`${JSON.stringify(message)}\n`);
    this.#written = this.#written.then(async () => {
      while (bytes.length > 0) bytes = bytes.subarray(await this.#conn.write(bytes));
    }).catch(() => {
      // The other side has ended: so does reading.
    });
  }

  /** Until the other side ends. */
  async *messages(): AsyncGenerator<unknown> {
    let rest = "";
    try {
      for await (const text of this.#conn.readable.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + text).split("\n");
        rest = lines.pop()!;
        for (const line of lines) yield JSON.parse(line);
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
    }
  }
}
