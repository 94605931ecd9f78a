// Writes an answer as it comes: thoughts in another colour, and only where somebody looks.

import type { AnswerPart } from "./answer.ts";
import { jsonText, plainText } from "./plain_text.ts";
import { StatusLine } from "./status_line.ts";
import type { Terminal } from "./terminal.ts";

export class AnswerView implements Disposable {
  readonly #terminal: Terminal;
  readonly #isJson: boolean;
  readonly #status: StatusLine;
  #text = "";
  #last: "nothing" | "thinking" | "answer" = "nothing";
  #isAtLineStart = true;

  constructor(terminal: Terminal, { isJson }: { isJson: boolean }) {
    this.#terminal = terminal;
    this.#isJson = isJson;
    this.#status = new StatusLine(terminal);
  }

  /** The answer so far, without the thoughts. */
  get text(): string {
    return this.#text;
  }

  show(part: AnswerPart): void {
    switch (part.kind) {
      case "loading":
        if (this.#last === "nothing") this.#status.show(sentence(part.text));
        return;
      case "event":
        this.#status.clear();
        if (this.#isJson) this.#terminal.out(`${jsonText(JSON.parse(part.data))}\n`);
        return;
      case "thinking":
        if (this.#isJson || !this.#terminal.hasOutput) return;
        this.#write("thinking", plainText(part.text));
        return;
      case "answer":
        this.#text += part.text;
        if (!this.#isJson) this.#write("answer", plainText(part.text));
    }
  }

  /** The answer is over: what follows begins on a line of its own. */
  end(): void {
    this.#status.clear();
    if (!this.#isAtLineStart) this.#terminal.out("\n");
    this.#isAtLineStart = true;
  }

  #write(kind: "thinking" | "answer", said: string): void {
    // Templates leave empty lines in front.
    const text = this.#last === kind ? said : said.replace(/^\n+/, "");
    if (text === "") return;
    const isTurn = this.#last === "thinking" && kind === "answer";
    if (isTurn) this.#terminal.out(this.#isAtLineStart ? "\n" : "\n\n");
    this.#terminal.out(kind === "thinking" ? this.#terminal.paint("dim", text) : text);
    this.#isAtLineStart = text.endsWith("\n");
    this.#last = kind;
  }

  [Symbol.dispose](): void {
    this.#status[Symbol.dispose]();
  }
}

function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
