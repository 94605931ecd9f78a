// One line on a terminal that changes in its place: what is being done, or how far it is.

import { plainLine } from "./plain_text.ts";
import type { Terminal } from "./terminal.ts";
import { cutToWidth } from "./text_width.ts";

export class StatusLine implements Disposable {
  readonly #terminal: Terminal;
  #shown = "";

  /** Says nothing where standard error is no terminal. */
  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Cut to the terminal's width: a line that wraps could not be replaced. */
  show(text: string): void {
    if (!this.#terminal.hasErrors) return;
    const columns = this.#terminal.columns() ?? 80;
    const line = cutToWidth(plainLine(text), columns - 1);
    if (line === this.#shown) return;
    this.#shown = line;
    this.#terminal.err(`\r${line}\x1b[K`);
  }

  clear(): void {
    if (this.#shown === "") return;
    this.#shown = "";
    this.#terminal.err("\r\x1b[K");
  }

  [Symbol.dispose](): void {
    this.clear();
  }
}
