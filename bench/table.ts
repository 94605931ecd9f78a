// Rows of words and numbers -> aligned lines.

/** The first column to the left, all others to the right; the first row is the heading. */
export function formatTable(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => widths[column] = Math.max(widths[column] ?? 0, cell.length));
  }
  const lines = rows.map((row) => row.map(aligned).join("  ").trimEnd());
  lines.splice(1, 0, widths.map((width) => "-".repeat(width)).join("  "));
  return lines;

  function aligned(cell: string, column: number): string {
    const width = widths[column] ?? 0;
    return column === 0 ? cell.padEnd(width) : cell.padStart(width);
  }
}

/** Three digits that matter, or whole numbers from 100 up; a dash for what was not measured. */
export function formatNumber(value: number | null): string {
  if (value === null || Number.isNaN(value)) return "-";
  if (Number.isInteger(value) || Math.abs(value) >= 100) return value.toFixed(0);
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}
