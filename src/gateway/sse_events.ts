// Turns one stream of server-sent events into another, event by event.

/**
 * Calls `map` with the data of each event and sends what it answers as `data: {JSON}`; null sends
 * nothing. Comments (heartbeats) pass through. Cancelling reaches the source.
 */
export function sseEvents(
  source: ReadableStream<Uint8Array>,
  map: (data: string) => unknown,
): ReadableStream<Uint8Array> {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  let rest = "";
  return source.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        rest += decoder.decode(chunk, { stream: true });
        const blocks = rest.split(/\r?\n\r?\n/);
        rest = blocks.pop()!;
        let out = "";
        for (const block of blocks) {
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

function dataOf(block: string): string | null {
  const lines = block.split(/\r?\n/).filter((line) => line.startsWith("data:"));
  if (lines.length === 0) return null;
  return lines.map((line) => line.slice(line[5] === " " ? 6 : 5)).join("\n");
}
