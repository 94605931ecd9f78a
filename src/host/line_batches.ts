// A process's output as lines, handed on in batches: one message to the server for many lines.

/** Longer lines are cut: a log is for people, and memory is bounded. */
const LONGEST_LINE = 4_096;
/** How long a line waits for others. */
const BATCH_MS = 50;
/** Of more characters at once the last half counts: a process that floods must not fill the memory. */
const MOST_CHARACTERS = 512 * 1024;
/** llama-server's own words to a parent: a request waits for what they say, so they go at once. */
const STATE_PREFIX = "cmd_child_to_router:";

export class LineBatches {
  readonly #take: (lines: string[]) => void;
  readonly #readers = new Set<ReadableStreamDefaultReader<Uint8Array>>();
  #lines: string[] = [];
  #characters = 0;
  #urgent = false;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #lastMs = -BATCH_MS;
  #closed = false;

  constructor(take: (lines: string[]) => void) {
    this.#take = take;
  }

  /** Reads one stream to its end; always drained, since a full pipe would block the process. */
  async read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const reader = stream.getReader();
    this.#readers.add(reader);
    const decoder = new TextDecoder();
    let rest = "";
    try {
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        rest = this.#addLines(rest + decoder.decode(next.value, { stream: true }));
        this.#schedule();
      }
    } catch {
      // The pipe broke with the process: its exit is what counts.
    }
    this.#readers.delete(reader);
    this.#add(rest);
    this.flush();
  }

  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#urgent = false;
    if (this.#lines.length === 0) return;
    const lines = this.#lines;
    this.#lines = [];
    this.#characters = 0;
    this.#lastMs = performance.now();
    this.#take(lines);
  }

  /** Hands on what is there and takes no more, also where a grandchild holds the pipe open. */
  close(): void {
    this.flush();
    this.#closed = true;
    for (const reader of this.#readers) reader.cancel().catch(() => {});
  }

  /** Answers the beginning of the line that has no end yet. */
  #addLines(text: string): string {
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      this.#add(text.slice(start, Math.min(end, start + LONGEST_LINE)));
      start = end + 1;
    }
    return text.slice(start, start + LONGEST_LINE);
  }

  #add(text: string): void {
    const line = text.trimEnd();
    if (line === "" || this.#closed) return;
    this.#lines.push(line);
    this.#characters += line.length;
    if (line.startsWith(STATE_PREFIX)) this.#urgent = true;
    if (this.#characters > MOST_CHARACTERS) this.#leaveOut();
  }

  #leaveOut(): void {
    let first = 0;
    for (; this.#characters > MOST_CHARACTERS / 2; first++) {
      this.#characters -= this.#lines[first]!.length;
    }
    const gone = this.#lines.splice(0, first);
    const state = gone.findLast((line) => line.startsWith(STATE_PREFIX));
    const marks = state === undefined ? ["(lines left out)"] : [state, "(lines left out)"];
    this.#lines.unshift(...marks);
  }

  #schedule(): void {
    if (this.#lines.length === 0) return;
    if (this.#urgent || performance.now() - this.#lastMs >= BATCH_MS) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), BATCH_MS);
  }
}
