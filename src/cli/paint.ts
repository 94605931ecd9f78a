// Colours, where somebody looks at a terminal that has them.

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

export type Paint = keyof typeof CODES;

/** Paints a text, or leaves it as it is. */
export type Painter = (paint: Paint, text: string) => string;

export function painter(hasColours: boolean): Painter {
  if (!hasColours) return (_, text) => text;
  return (paint, text) => text === "" ? "" : `\x1b[${CODES[paint]}m${text}\x1b[0m`;
}
