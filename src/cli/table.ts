// Rows in aligned columns that fit the terminal. What comes from outside is made harmless here.

import type { Paint, Painter } from "./paint.ts";
import { plainLine } from "./plain_text.ts";
import { cutToWidth, padToWidth, textWidth } from "./text_width.ts";

export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
  /** Gives way where the terminal is too narrow; the last one of these first. */
  readonly shrinks?: boolean;
}

export interface Cell {
  readonly text: string;
  readonly paint?: Paint;
}

export interface TableOptions {
  readonly rows: readonly (readonly (string | Cell)[])[];
  /** Columns of the terminal; null = no terminal: nothing is cut. */
  readonly width: number | null;
  readonly paint: Painter;
}

const GAP = 2;
/** A column that gives way keeps so much. */
const LEAST = 8;

export function formatTable(columns: readonly Column[], options: TableOptions): string {
  const { paint } = options;
  const rows = options.rows.map((row) => row.map(cellOf));
  const widths = fitted(columns, rows, options.width);
  const titles = columns.map(({ title }): Cell => ({ text: title, paint: "bold" }));
  return [titles, ...rows].map((row) => {
    const line = row.map((cell, index) => {
      const last = index === row.length - 1;
      const text = cutToWidth(cell.text, widths[index]!);
      const side = columns[index]!.align ?? "left";
      // Nothing follows: no spaces at the ends of lines.
      const padded = last && side === "left" ? text : padToWidth(text, widths[index]!, side);
      return cell.paint === undefined
        ? padded
        : padded.replace(text, () => paint(cell.paint!, text));
    }).join(" ".repeat(GAP));
    return `${line.trimEnd()}\n`;
  }).join("");
}

/** Names with their values, a line each. */
export function formatFacts(
  facts: readonly (readonly [name: string, value: string])[],
  paint: Painter,
): string {
  const width = Math.max(0, ...facts.map(([name]) => textWidth(name)));
  return facts.map(([name, value]) =>
    `${paint("bold", padToWidth(name, width, "left"))}  ${plainLine(value)}\n`
  ).join("");
}

function cellOf(cell: string | Cell): Cell {
  return typeof cell === "string"
    ? { text: plainLine(cell) }
    : { ...cell, text: plainLine(cell.text) };
}

function fitted(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  width: number | null,
): number[] {
  const widths = columns.map(({ title }, index) =>
    Math.max(textWidth(title), ...rows.map((row) => textWidth(row[index]?.text ?? "")))
  );
  if (width === null) return widths;
  let over = widths.reduce((sum, each) => sum + each, GAP * (columns.length - 1)) - width;
  for (let index = columns.length - 1; index >= 0 && over > 0; index--) {
    if (columns[index]!.shrinks !== true) continue;
    const given = Math.min(over, Math.max(0, widths[index]! - LEAST));
    widths[index] = widths[index]! - given;
    over -= given;
  }
  return widths;
}
