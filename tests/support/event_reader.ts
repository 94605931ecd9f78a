// Reads a stream of server-sent events one by one.

export interface ReceivedEvent {
  id: string | null;
  event: string | null;
  data: Record<string, unknown>;
}

export interface EventReader extends AsyncDisposable {
  /** The next event; null where the stream ended. */
  next(): Promise<ReceivedEvent | null>;
  /** Comments seen so far. */
  readonly comments: number;
  /** Leaves, as a client that closes the page. */
  leave(): Promise<void>;
}

export function eventReader(response: Response): EventReader {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let comments = 0;
  async function next(): Promise<ReceivedEvent | null> {
    for (;;) {
      const end = text.indexOf("\n\n");
      if (end < 0) {
        const { done, value } = await reader.read();
        if (done) return null;
        text += value;
        continue;
      }
      const lines = text.slice(0, end).split("\n");
      text = text.slice(end + 2);
      if (lines[0]!.startsWith(":")) {
        comments++;
        continue;
      }
      const field = (name: string) =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? null;
      return { id: field("id"), event: field("event"), data: JSON.parse(field("data")!) };
    }
  }
  async function leave(): Promise<void> {
    // It may have ended in an error already.
    await reader.cancel().catch(() => {});
  }
  return {
    next,
    leave,
    get comments() {
      return comments;
    },
    [Symbol.asyncDispose]: leave,
  };
}
