// What a llama-server itself says of its slots and when, from its log with its own time stamps: the
// truth about when a generation began and ended, which no answer of the gateway's can be.

import type { ServerProcess } from "./server_process.ts";

/** A line and when llama-server wrote it, as `performance.now()`. */
export interface LogLine {
  text: string;
  /** Never too early, too late by the shortest time that any line took from there to here. */
  atMs: number;
}

interface Received {
  text: string;
  /** Milliseconds since the process began; null for lines without a stamp. */
  stampMs: number | null;
}

/** More than any phase takes. */
const PATIENCE_MS = 20_000;
/** `M.SS.mmm.uuu L ` */
const STAMP = /^(\d+)\.(\d\d)\.(\d{3})\.(\d{3}) /;

/** Follows the log of a model that is loaded; ends when it goes out of scope. */
export class InstanceLog implements AsyncDisposable {
  readonly #abort = new AbortController();
  readonly #lines: Received[] = [];
  #offsetMs = Infinity;
  #more = Promise.withResolvers<void>();
  #reading: Promise<void> = Promise.resolve();

  static async follow(server: ServerProcess, model: string): Promise<InstanceLog> {
    const log = new InstanceLog();
    const response = await server.fetch(`/admin/models/${model}/log?follow=true`, {
      signal: log.#abort.signal,
    });
    log.#reading = log.#read(response.body!);
    await log.line(/model loaded/);
    // What came before we listened tells nothing of how long a line takes.
    log.#offsetMs = Infinity;
    return log;
  }

  /** Lines so far: pass it to `line()` to look only at later ones. */
  get length(): number {
    return this.#lines.length;
  }

  /** The first line that matches from this one on; waits for it. */
  line(pattern: RegExp, from = 0): Promise<LogLine> {
    return this.#line(pattern, from, 1);
  }

  async #line(pattern: RegExp, from: number, nth: number): Promise<LogLine> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`No line ${pattern} within ${PATIENCE_MS} ms:\n${this.#tail()}`)),
      PATIENCE_MS,
    );
    try {
      for (let index = from, left = nth;; index++) {
        while (index >= this.#lines.length) await Promise.race([this.#more.promise, late.promise]);
        const { text, stampMs } = this.#lines[index]!;
        if (pattern.test(text) && --left === 0) {
          return { text, atMs: this.#offsetMs + (stampMs ?? 0) };
        }
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** A slot took up a request. */
  begun(from: number): Promise<LogLine> {
    return this.line(/launch_slot_.*processing task/, from);
  }

  /** A slot is free again: nothing is computed for its request any more. */
  stopped(from: number, nth = 1): Promise<LogLine> {
    return this.#line(/release: .*stop processing/, from, nth);
  }

  #tail(): string {
    return this.#lines.slice(-10).map(({ text }) => text).join("\n");
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    try {
      for await (const text of body.pipeThrough(new TextDecoderStream())) {
        const nowMs = performance.now();
        const blocks = (rest + text).split("\n\n");
        rest = blocks.pop()!;
        for (const block of blocks) this.#take(block, nowMs);
        this.#more.resolve();
        this.#more = Promise.withResolvers();
      }
    } catch (error) {
      if (!this.#abort.signal.aborted) throw error;
    }
  }

  #take(block: string, nowMs: number): void {
    const data = /^data: (.*)$/m.exec(block)?.[1];
    if (data === undefined) return;
    const text: string = JSON.parse(data).line;
    const stamp = STAMP.exec(text)?.slice(1).map(Number);
    if (stamp === undefined) {
      this.#lines.push({ text, stampMs: null });
      return;
    }
    const [minutes, seconds, ms, us] = stamp as [number, number, number, number];
    const stampMs = (minutes * 60 + seconds) * 1000 + ms + us / 1000;
    this.#offsetMs = Math.min(this.#offsetMs, nowMs - stampMs);
    this.#lines.push({ text, stampMs });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await this.#reading;
  }
}
