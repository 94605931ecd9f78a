// `<home>/logs/zombiecoder.log`: a line per event, five files of at most 10 MB; warnings on stderr too.

import { join } from "node:path";
import { formatEntry, type LogEntry } from "../log.ts";

const MOST_BYTES = 10_000_000;
const MOST_FILES = 5;

export class LogFile implements Disposable {
  readonly #dir: string;
  readonly #mostBytes: number;
  readonly #encoder = new TextEncoder();
  #file: Deno.FsFile | null = null;
  #bytes = 0;

  constructor(dir: string, mostBytes: number = MOST_BYTES) {
    this.#dir = dir;
    this.#mostBytes = mostBytes;
  }

  /** Never throws: a full disk must not stop the server, and stderr still has what matters. */
  write(entry: LogEntry): void {
    if (entry.level === "warn" || entry.level === "error") {
      tryTo(() => Deno.stderr.writeSync(this.#line(entry)));
    }
    this.keep(entry);
  }

  /** Into the file alone: what somebody else says on stderr. Never throws. */
  keep(entry: LogEntry): void {
    tryTo(() => {
      const line = this.#line(entry);
      this.#file ??= this.#open();
      if (this.#bytes > 0 && this.#bytes + line.length > this.#mostBytes) this.#rotate();
      this.#file ??= this.#open();
      this.#file.writeSync(line);
      this.#bytes += line.length;
    });
  }

  [Symbol.dispose](): void {
    this.#file?.close();
    this.#file = null;
  }

  #line(entry: LogEntry): Uint8Array {
    return this.#encoder.encode(formatEntry(entry) + "\n");
  }

  #path(number: number): string {
    return join(this.#dir, number === 0 ? "zombiecoder.log" : `zombiecoder.${number}.log`);
  }

  #open(): Deno.FsFile {
    Deno.mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
    const file = Deno.openSync(this.#path(0), { create: true, append: true, mode: 0o600 });
    this.#bytes = file.statSync().size;
    return file;
  }

  #rotate(): void {
    this.#file?.close();
    this.#file = null;
    for (let number = MOST_FILES - 2; number >= 0; number--) {
      tryTo(() => Deno.renameSync(this.#path(number), this.#path(number + 1)));
    }
  }
}

function tryTo(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
}
