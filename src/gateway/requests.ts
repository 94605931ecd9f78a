// Requests now and lately, for the page and for cancelling: model, times, tokens, state, never texts.
// Each costs one small object; who serves a request tells its record what happens.

import type { RequestRow, ServerEvent } from "../api_types.ts";
import { AppError, messageOf } from "../errors.ts";
import type { TokenCounts } from "./token_counts.ts";

export { tokensOf } from "./token_counts.ts";

/** Finished requests that are kept. */
const KEPT = 200;
/** An error's message may quote what came from outside. */
const ERROR_CHARACTERS = 300;

export interface RequestStart {
  /** Null until the model is resolved. */
  model: string | null;
  /** Method and path pattern, such as `POST /v1/chat/completions`. */
  route: string;
  stream: boolean;
  /** Ends the request when somebody cancels it. */
  abort: AbortController;
}

/** Figures of a request that is over. */
export interface RequestFigures {
  model: string | null;
  /** Milliseconds from arrival to the lease, and to the first byte. */
  waitMs: number | null;
  firstByteMs: number | null;
  tokens: TokenCounts | null;
}

/** Who counts them. */
export interface RequestObserver {
  modelAnswered(figures: RequestFigures): void;
}

/** Where rows go while somebody watches. */
export interface RequestAudience {
  readonly hasListeners: boolean;
  emit(event: ServerEvent): void;
}

export class Requests {
  readonly #audience: RequestAudience;
  readonly #observer: RequestObserver | null;
  // A part of the ID that no other start has: an ID kept from then must not cancel a stranger.
  readonly #prefix = crypto.randomUUID().slice(0, 4);
  readonly #running = new Map<number, RequestRecord>();
  readonly #ended: RequestRecord[] = [];
  #endedCount = 0;
  #lastNumber = 0;

  constructor(audience: RequestAudience, observer: RequestObserver | null = null) {
    this.#audience = audience;
    this.#observer = observer;
  }

  /** Notes a request that has just arrived; its record must be told of its end. */
  begin(start: RequestStart): RequestRecord {
    const number = ++this.#lastNumber;
    const record = new RequestRecord(start, {
      id: `${this.#prefix}-${number.toString(36)}`,
      onChange: (changed) => this.#onChange(number, changed),
    });
    this.#running.set(number, record);
    return record;
  }

  get runningCount(): number {
    return this.#running.size;
  }

  /** Running ones first, each group with the latest first. */
  list(): RequestRow[] {
    const running = [...this.#running.values()].reverse();
    const oldest = this.#endedCount > KEPT ? this.#endedCount % KEPT : 0;
    const ended = [...this.#ended.slice(oldest), ...this.#ended.slice(0, oldest)].reverse();
    return [...running, ...ended].map((record) => record.row());
  }

  /** Aborts a running request; false where none has this ID. */
  cancel(id: string): boolean {
    for (const record of this.#running.values()) {
      if (record.id !== id) continue;
      record.cancel();
      return true;
    }
    return false;
  }

  #onChange(number: number, record: RequestRecord): void {
    if (record.ended && this.#running.delete(number)) {
      this.#ended[this.#endedCount++ % KEPT] = record;
      this.#observer?.modelAnswered(record.figures());
    }
    if (this.#audience.hasListeners) this.#audience.emit({ type: "request", data: record.row() });
  }
}

interface RecordOptions {
  id: string;
  onChange(record: RequestRecord): void;
}

export class RequestRecord {
  readonly id: string;
  readonly #route: string;
  readonly #abort: AbortController;
  readonly #onChange: (record: RequestRecord) => void;
  readonly #startedAtMs = Date.now();
  readonly #startMs = performance.now();
  #model: string | null;
  #stream: boolean;
  #state: RequestRow["state"] = "queued";
  #status: number | null = null;
  #waitMs: number | null = null;
  #firstByteMs: number | null = null;
  #totalMs: number | null = null;
  #tokens: TokenCounts | null = null;
  #error: string | null = null;
  #cancelled = false;

  constructor(start: RequestStart, options: RecordOptions) {
    this.id = options.id;
    this.#onChange = options.onChange;
    this.#route = start.route;
    this.#abort = start.abort;
    this.#model = start.model;
    this.#stream = start.stream;
  }

  get ended(): boolean {
    return this.#totalMs !== null;
  }

  /** The body is read: what it asks for is known. */
  asks(model: string | null, stream: boolean): void {
    this.#model = model;
    this.#stream = stream;
  }

  /** It has to wait for its lease. */
  queued(): void {
    this.#onChange(this);
  }

  /** It has its lease: the model works on it. */
  answering(): void {
    if (this.ended || this.#state === "answering") return;
    this.#state = "answering";
    this.#waitMs = this.#elapsedMs();
    this.#onChange(this);
  }

  /** The first byte of the answer's body is there. Shown with the next change: it is no event of its own. */
  firstByte(): void {
    this.#firstByteMs ??= this.#elapsedMs();
  }

  /** The answer went out whole. */
  end(status: number, tokens: TokenCounts | null = null): void {
    this.#tokens = tokens;
    this.#finish(status < 400 ? "done" : "failed", status);
  }

  /** It failed, or its client left: an AppError `cancelled`. */
  fail(error: unknown): void {
    if (this.ended) return;
    const status = error instanceof AppError ? error.status : 500;
    if (error instanceof AppError && error.code === "cancelled") this.#cancelled = true;
    this.#error ??= messageOf(error).slice(0, ERROR_CHARACTERS);
    this.#finish("failed", status);
  }

  /** Ends it from outside; its row says so at once. */
  cancel(): void {
    if (this.ended) return;
    this.#cancelled = true;
    const reason = new AppError("cancelled", "The request was cancelled on request");
    this.#error = reason.message;
    this.#abort.abort(reason);
  }

  row(): RequestRow {
    return {
      id: this.id,
      model: this.#model,
      route: this.#route,
      state: this.#cancelled ? "cancelled" : this.#state,
      status: this.#status,
      stream: this.#stream,
      started_at: new Date(this.#startedAtMs).toISOString(),
      wait_ms: this.#waitMs,
      first_byte_ms: this.#firstByteMs,
      total_ms: this.#totalMs,
      prompt_tokens: this.#tokens?.promptTokens ?? null,
      completion_tokens: this.#tokens?.completionTokens ?? null,
      error: this.#error,
    };
  }

  figures(): RequestFigures {
    return {
      model: this.#model,
      waitMs: this.#waitMs,
      firstByteMs: this.#firstByteMs,
      tokens: this.#tokens,
    };
  }

  #finish(state: "done" | "failed", status: number): void {
    if (this.ended) return;
    this.#state = state;
    this.#status = status;
    this.#totalMs = this.#elapsedMs();
    this.#onChange(this);
  }

  #elapsedMs(): number {
    return Math.round((performance.now() - this.#startMs) * 10) / 10;
  }
}
