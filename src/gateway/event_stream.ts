// One open stream of server-sent events: a bounded queue towards one reader, who is cut off rather
// than waited for. What is sent is the caller's.

/** What a reader may leave unread; a reader this far behind has stopped reading. */
export const MOST_UNREAD_BYTES = 1024 * 1024;

export interface EventStreamOptions {
  /** The stream is over: its reader left, was cut off, or `close()` was called. Called once. */
  onEnd(stream: EventStream): void;
  mostUnreadBytes?: number;
}

const ENCODER = new TextEncoder();

export class EventStream {
  readonly response: Response;
  readonly #onEnd: (stream: EventStream) => void;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #ended = false;

  constructor(options: EventStreamOptions) {
    this.#onEnd = options.onEnd;
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        cancel: () => this.#end(),
      },
      new ByteLengthQueuingStrategy({
        highWaterMark: options.mostUnreadBytes ?? MOST_UNREAD_BYTES,
      }),
    );
    this.response = new Response(body, {
      headers: {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      },
    });
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Text in the form of `eventText`, or the same encoded once for many readers. */
  send(text: string | Uint8Array): void {
    if (this.#ended) return;
    const bytes = typeof text === "string" ? ENCODER.encode(text) : text;
    if ((this.#controller.desiredSize ?? 0) < bytes.length) {
      // An error, not an end: what is queued is dropped, and the connection with it.
      this.#controller.error(new Error("The reader of an event stream fell behind"));
      return this.#end();
    }
    this.#controller.enqueue(bytes);
  }

  close(): void {
    if (this.#ended) return;
    this.#controller.close();
    this.#end();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd(this);
  }
}

export interface EventFields {
  id?: string;
  event?: string;
  data: unknown;
}

/** One event as it is written; JSON has no line breaks of its own. */
export function eventText({ id, event, data }: EventFields): string {
  const head = (id === undefined ? "" : `id: ${id}\n`) +
    (event === undefined ? "" : `event: ${event}\n`);
  return `${head}data: ${JSON.stringify(data)}\n\n`;
}
