// A process's output as lines, handed on in batches: one message to the server for many lines.

/** Longer lines are cut: a log is for people, and memory is bounded. */
const LONGEST_LINE = 4_096;
/** How long a line waits for others. */
const BATCH_MS = 50;
/** llama-server's own words to a parent: a request waits for what they say, so they go at once. */
const STATE_PREFIX = "cmd_child_to_router:";

export class LineBatches {
  readonly #take: (lines: string[]) => void;
  #lines: string[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;
  #lastMs = 0;
  #urgent = false;

  constructor(take: (lines: string[]) => void) {
    this.#take = take;
  }

  /** Reads one stream to its end; always drained, since a full pipe would block the process. */
  async read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    try {
      for await (const chunk of stream) {
        rest += decoder.decode(chunk, { stream: true });
        let end;
        while ((end = rest.indexOf("\n")) >= 0) {
          this.#add(rest.slice(0, Math.min(end, LONGEST_LINE)).trimEnd());
          rest = rest.slice(end + 1);
        }
        if (rest.length > LONGEST_LINE) rest = rest.slice(0, LONGEST_LINE);
        this.#schedule();
      }
    } catch {
      // The pipe broke with the process: its exit is what counts.
    }
    if (rest !== "") this.#add(rest.trimEnd());
    this.flush();
  }

  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#urgent = false;
    if (this.#lines.length === 0) return;
    const lines = this.#lines;
    this.#lines = [];
    this.#lastMs = performance.now();
    this.#take(lines);
  }

  #add(line: string): void {
    if (line === "") return;
    this.#lines.push(line);
    if (line.startsWith(STATE_PREFIX)) this.#urgent = true;
  }

  #schedule(): void {
    if (this.#lines.length === 0) return;
    if (this.#urgent || performance.now() - this.#lastMs >= BATCH_MS) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), BATCH_MS);
  }
}
