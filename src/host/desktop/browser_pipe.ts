// Talks with a browser of ours over two named pipes in a private folder. The browser alone holds them
// open: as long as it lives they lead to it, and no port of this machine does.

import { join } from "node:path";
import { randomHex } from "../../random_hex.ts";

type Fs = typeof import("node:fs");

export interface Target {
  targetId: string;
  /** `page` for what a user sees. */
  type: string;
  url: string;
}

/** Names in the folder: what goes into the browser, and what comes out of it. */
export const PIPE_NAMES = { input: "in", output: "out" } as const;

const ANSWER_LIMIT_MS = 5_000;
const LOOK_MS = 10;

export class BrowserPipe implements Disposable {
  readonly #fs: Fs;
  readonly #input: number;
  readonly #output: number;
  readonly #decoder = new TextDecoder();
  #text = "";
  #hasEnded = false;

  private constructor(fs: Fs, input: number, output: number) {
    this.#fs = fs;
    this.#input = input;
    this.#output = output;
  }

  /** Null where no browser holds the other ends: none was started here, or it has ended. */
  static async open(folder: string): Promise<BrowserPipe | null> {
    const fs = await import("node:fs");
    const { O_NONBLOCK, O_RDONLY, O_WRONLY } = fs.constants;
    let input: number;
    try {
      input = fs.openSync(join(folder, PIPE_NAMES.input), O_WRONLY | O_NONBLOCK);
    } catch (error) {
      if (["ENXIO", "ENOENT"].includes(codeOf(error))) return null;
      throw error;
    }
    try {
      const path = join(folder, PIPE_NAMES.output);
      return new BrowserPipe(fs, input, fs.openSync(path, O_RDONLY | O_NONBLOCK));
    } catch (error) {
      fs.closeSync(input);
      if (codeOf(error) === "ENOENT") return null;
      throw error;
    }
  }

  /** Whether the browser was seen to be gone. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Null where it does not answer, refuses, or ends meanwhile. */
  async call<T>(
    method: string,
    params: Record<string, unknown> = {},
    sessionId?: string,
  ): Promise<T | null> {
    // An answer to somebody who did not wait for it may still lie in the pipe.
    const id = parseInt(randomHex(3), 16) + 1;
    const message = { id, method, params, ...sessionId !== undefined && { sessionId } };
    if (!this.#send(`${JSON.stringify(message)}\0`)) return null;
    const endMs = performance.now() + ANSWER_LIMIT_MS;
    while (performance.now() < endMs) {
      const answer = this.#next();
      if (this.#hasEnded) return null;
      if (answer === null) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      else if (answer.id === id) return (answer.result ?? null) as T | null;
    }
    return null;
  }

  /** What a user sees of it; null where it does not answer. */
  async pages(): Promise<Target[] | null> {
    const answer = await this.call<{ targetInfos: Target[] }>("Target.getTargets");
    return answer?.targetInfos.filter(({ type }) => type === "page") ?? null;
  }

  [Symbol.dispose](): void {
    this.#fs.closeSync(this.#input);
    this.#fs.closeSync(this.#output);
  }

  #send(text: string): boolean {
    const bytes = new TextEncoder().encode(text);
    try {
      return this.#fs.writeSync(this.#input, bytes) === bytes.length;
    } catch (error) {
      // It has ended, or it reads nothing any more.
      this.#hasEnded = codeOf(error) === "EPIPE";
      if (this.#hasEnded || codeOf(error) === "EAGAIN") return false;
      throw error;
    }
  }

  /** The next message; null where none is there yet. */
  #next(): { id?: number; result?: unknown } | null {
    while (!this.#text.includes("\0")) {
      const buffer = new Uint8Array(64 * 1024);
      let count: number;
      try {
        count = this.#fs.readSync(this.#output, buffer);
      } catch (error) {
        if (codeOf(error) === "EAGAIN") return null;
        throw error;
      }
      if (count === 0) {
        this.#hasEnded = true;
        return null;
      }
      this.#text += this.#decoder.decode(buffer.subarray(0, count), { stream: true });
    }
    const end = this.#text.indexOf("\0");
    const message = this.#text.slice(0, end);
    this.#text = this.#text.slice(end + 1);
    try {
      return JSON.parse(message);
    } catch (error) {
      // The rest of one that somebody else began to read.
      if (error instanceof SyntaxError) return {};
      throw error;
    }
  }
}

function codeOf(error: unknown): string {
  return (error as { code?: string }).code ?? "";
}
