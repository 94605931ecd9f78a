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
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #reading: Promise<void>;
  readonly #lines: Received[] = [];
  #offsetMs = Infinity;
  #more = Promise.withResolvers<void>();

  constructor(body: ReadableStream<Uint8Array>) {
    this.#reader = body.getReader();
    this.#reading = this.#read();
  }

  static async follow(server: ServerProcess, model: string): Promise<InstanceLog> {
    const response = await server.fetch(`/admin/models/${model}/log?follow=true`);
    const log = new InstanceLog(response.body!);
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
  async line(pattern: RegExp, from = 0): Promise<LogLine> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`No line ${pattern} within ${PATIENCE_MS} ms:\n${this.#tail()}`)),
      PATIENCE_MS,
    );
    try {
      for (let index = from;; index++) {
        while (index >= this.#lines.length) await Promise.race([this.#more.promise, late.promise]);
        const { text, stampMs } = this.#lines[index]!;
        if (pattern.test(text)) return { text, atMs: this.#offsetMs + (stampMs ?? 0) };
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** A slot took up a request, the first after this line; answers the number of its task. */
  async begun(from: number): Promise<string> {
    const { text } = await this.line(/launch_slot_.*processing task/, from);
    return /task (\d+)/.exec(text)![1]!;
  }

  /** The task's slot is free again: nothing is computed for it any more. */
  stopped(task: string): Promise<LogLine> {
    return this.line(new RegExp(`release: .* task ${task} \\| stop processing`));
  }

  #tail(): string {
    return this.#lines.slice(-10).map(({ text }) => text).join("\n");
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (done) return;
      const nowMs = performance.now();
      const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
      rest = blocks.pop()!;
      for (const block of blocks) this.#take(block, nowMs);
      this.#more.resolve();
      this.#more = Promise.withResolvers();
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
    await this.#reader.cancel();
    await this.#reading;
  }
}
