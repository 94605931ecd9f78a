// Draws the prompt and what is written at it, over as many rows as it takes.

import type { Terminal } from "./terminal.ts";
import { textWidth } from "./text_width.ts";

const PROMPT = ">>> ";
const CONTINUED = "... ";
const TAB = "    ";
const graphemes = new Intl.Segmenter();

/** Rows as they are drawn, and where the cursor stands in them. */
export interface Layout {
  readonly rows: readonly string[];
  readonly row: number;
  readonly column: number;
}

/** Breaks the rows itself, one column early: where a terminal breaks them differs. */
export function layOut(
  { text, cursor }: { text: string; cursor: number },
  columns: number,
): Layout {
  const rows = [PROMPT];
  let width = PROMPT.length;
  let place = { row: 0, column: width };
  const most = Math.max(columns - 1, PROMPT.length + 2);
  for (const { segment, index } of graphemes.segment(text)) {
    if (index <= cursor) place = { row: rows.length - 1, column: width };
    if (segment === "\n") {
      rows.push(CONTINUED);
      width = CONTINUED.length;
      continue;
    }
    const drawn = segment === "\t" ? TAB : segment;
    const added = textWidth(drawn);
    if (width + added > most) {
      rows.push("");
      width = 0;
      if (index <= cursor) place = { row: rows.length - 1, column: 0 };
    }
    rows[rows.length - 1] += drawn;
    width += added;
  }
  if (cursor >= text.length) place = { row: rows.length - 1, column: width };
  return { rows, ...place };
}

export class PromptView {
  readonly #terminal: Terminal;
  #drawn: Layout | null = null;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  draw(edited: { text: string; cursor: number }): void {
    const layout = layOut(edited, this.#terminal.columns() ?? 80);
    const up = layout.rows.length - 1 - layout.row;
    this.#terminal.out(
      this.#toStart() + layout.rows.join("\r\n") + (up > 0 ? `\x1b[${up}A` : "") + "\r" +
        (layout.column > 0 ? `\x1b[${layout.column}C` : ""),
    );
    this.#drawn = layout;
  }

  /** Leaves what is drawn where it is; whatever follows begins on a row of its own. */
  leave(): void {
    if (this.#drawn === null) return;
    const down = this.#drawn.rows.length - 1 - this.#drawn.row;
    this.#terminal.out(`${down > 0 ? `\x1b[${down}B` : ""}\r\n`);
    this.#drawn = null;
  }

  /** Clears the screen; the next drawing is at its top. */
  clearScreen(): void {
    this.#terminal.out("\x1b[H\x1b[2J");
    this.#drawn = null;
  }

  #toStart(): string {
    if (this.#drawn === null) return "\r\x1b[J";
    const { row } = this.#drawn;
    return `${row > 0 ? `\x1b[${row}A` : ""}\r\x1b[J`;
  }
}
