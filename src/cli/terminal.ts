// The process's own streams, and what a terminal at their other end can do.

import type { Io } from "./io.ts";
import { type Painter, painter } from "./paint.ts";

/** What a command says and hears. */
export interface Terminal extends Io {
  /** Whether a person is at the other end. */
  readonly hasInput: boolean;
  readonly hasOutput: boolean;
  readonly hasErrors: boolean;
  /** For standard output, and for standard error. */
  readonly paint: Painter;
  readonly paintErrors: Painter;
  /** Columns of the screen; null where none of the two outputs is one. */
  columns(): number | null;
  /** Null at the end of standard input. */
  read(): Promise<Uint8Array | null>;
  /** Keys one by one, unseen, instead of lines. Ctrl-C stays a signal. */
  setKeys(on: boolean): void;
  /** Until it is disposed of, `listener` instead of the end of the process. */
  onSignal(signal: "interrupt" | "resize" | "continue" | "end", listener: () => void): Disposable;
}

const SIGNALS: Readonly<Record<string, readonly Deno.Signal[]>> = {
  interrupt: ["SIGINT"],
  resize: ["SIGWINCH"],
  continue: ["SIGCONT"],
  end: ["SIGTERM", "SIGHUP"],
};
const READ_BYTES = 64 * 1024;

export class ProcessTerminal implements Terminal {
  readonly hasInput = Deno.stdin.isTerminal();
  readonly hasOutput = Deno.stdout.isTerminal();
  readonly hasErrors = Deno.stderr.isTerminal();
  readonly paint: Painter;
  readonly paintErrors: Painter;
  #hasKeys = false;

  /** `NO_COLOR` with any value means none; `TERM=dumb` can show none. */
  constructor(env: Readonly<Record<string, string>>) {
    const mayPaint = !env.NO_COLOR && env.TERM !== "dumb";
    this.paint = painter(mayPaint && this.hasOutput);
    this.paintErrors = painter(mayPaint && this.hasErrors);
  }

  out(text: string): void {
    // Whoever read us has read enough, as `head` has.
    if (!writeAll(Deno.stdout, text)) this.#leave();
  }

  err(text: string): void {
    writeAll(Deno.stderr, text);
  }

  columns(): number | null {
    if (!this.hasOutput && !this.hasErrors) return null;
    try {
      // A screen of a serial line says 0.
      return Deno.consoleSize().columns || null;
    } catch {
      return null;
    }
  }

  async read(): Promise<Uint8Array | null> {
    const buffer = new Uint8Array(READ_BYTES);
    const count = await Deno.stdin.read(buffer);
    return count === null ? null : buffer.subarray(0, count);
  }

  setKeys(on: boolean): void {
    // On Windows there is no such mode in between: Ctrl-C comes as a key.
    Deno.stdin.setRaw(on, { cbreak: Deno.build.os !== "windows" });
    this.#hasKeys = on;
  }

  onSignal(name: "interrupt" | "resize" | "continue" | "end", listener: () => void): Disposable {
    const signals = SIGNALS[name]!.filter((signal) =>
      Deno.build.os !== "windows" || signal === "SIGINT"
    );
    for (const signal of signals) Deno.addSignalListener(signal, listener);
    return {
      [Symbol.dispose]() {
        for (const signal of signals) Deno.removeSignalListener(signal, listener);
      },
    };
  }

  #leave(): never {
    if (this.#hasKeys) this.setKeys(false);
    Deno.exit(0);
  }
}

/** False where nobody reads any more. */
function writeAll(stream: typeof Deno.stdout, text: string): boolean {
  let bytes = new TextEncoder().encode(text);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(stream.writeSync(bytes));
    } catch (error) {
      if (error instanceof Deno.errors.BrokenPipe) return false;
      // Another program made the pipe such that a full one does not wait.
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
  return true;
}
