// Reads a stream of server-sent events, and turns one into another, event by event.

/** Cuts the bytes of a stream into its events, comments among them. */
export class EventBlocks {
  readonly #decoder = new TextDecoder();
  #rest = "";

  /** The events that are whole with this chunk. */
  take(chunk: Uint8Array): string[] {
    this.#rest += this.#decoder.decode(chunk, { stream: true });
    const blocks = this.#rest.split(/\r?\n\r?\n/);
    this.#rest = blocks.pop()!;
    return blocks;
  }
}

/**
 * Calls `map` with the data of each event and sends what it answers as `data: {JSON}`; null sends
 * nothing. Comments (heartbeats) pass through. Cancelling reaches the source.
 */
export function sseEvents(
  source: ReadableStream<Uint8Array>,
  map: (data: string) => unknown,
): ReadableStream<Uint8Array> {
  const blocks = new EventBlocks();
  const encoder = new TextEncoder();
  return source.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        let out = "";
        for (const block of blocks.take(chunk)) {
          if (block.startsWith(":")) out += `${block}\n\n`;
          const data = dataOf(block);
          const mapped = data === null ? null : map(data);
          if (mapped !== null) out += `data: ${JSON.stringify(mapped)}\n\n`;
        }
        if (out !== "") controller.enqueue(encoder.encode(out));
      },
    }),
  );
}

/** The event's data; null where it has none. */
export function dataOf(block: string): string | null {
  const lines = block.split(/\r?\n/).filter((line) => line.startsWith("data:"));
  if (lines.length === 0) return null;
  return lines.map((line) => line.slice(line[5] === " " ? 6 : 5)).join("\n");
}
