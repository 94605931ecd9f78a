// What is measured: the names of the rows, and the figures that come out of them.

/** A row of load: how many connections at once, streamed or not. */
export interface LoadRow {
  readonly name: string;
  readonly connections: number;
  readonly stream: boolean;
}

export const LOAD_ROWS: readonly LoadRow[] = [
  { name: "c1", connections: 1, stream: false },
  { name: "c16", connections: 16, stream: false },
  { name: "c64", connections: 64, stream: false },
  { name: "stream16", connections: 16, stream: true },
];

/** Every name that `--rows` accepts. */
export const ROW_NAMES = [
  ...LOAD_ROWS.map((row) => row.name),
  "first-token",
  "cold-tiny",
  "cold-large",
  "memory",
  "ready",
  "download",
] as const;

export const CONTENDER_NAMES = ["direct", "nginx", "router", "ours"] as const;
export type ContenderName = (typeof CONTENDER_NAMES)[number];

/** One figure of one contender in one round; its name says the unit. */
export interface Sample {
  /** Such as `c16 requests/s`. */
  readonly figure: string;
  readonly contender: ContenderName;
  readonly round: number;
  readonly value: number;
}

/** The middle of the values, the mean of the two middle ones where their number is even. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  return upper === undefined || lower === undefined ? NaN : (lower + upper) / 2;
}

/** Medians over rounds, by figure and contender; wrong answers are added up instead. */
export class Summary {
  readonly #values = new Map<string, Map<ContenderName, number[]>>();

  constructor(samples: readonly Sample[]) {
    for (const sample of samples) {
      const row = this.#values.get(sample.figure) ?? new Map<ContenderName, number[]>();
      this.#values.set(sample.figure, row);
      row.set(sample.contender, [...(row.get(sample.contender) ?? []), sample.value]);
    }
  }

  get figures(): string[] {
    return [...this.#values.keys()];
  }

  /** Null where this contender was not measured. */
  value(figure: string, contender: ContenderName): number | null {
    const values = this.#values.get(figure)?.get(contender);
    if (values === undefined) return null;
    return isCount(figure) ? values.reduce((sum, value) => sum + value, 0) : median(values);
  }

  toData(): Record<string, Partial<Record<ContenderName, number>>> {
    const data: Record<string, Partial<Record<ContenderName, number>>> = {};
    for (const figure of this.figures) {
      const row: Partial<Record<ContenderName, number>> = {};
      for (const contender of CONTENDER_NAMES) {
        const value = this.value(figure, contender);
        if (value !== null) row[contender] = value;
      }
      data[figure] = row;
    }
    return data;
  }
}

/** One wrong answer among many rounds must not vanish in a median. */
export function isCount(figure: string): boolean {
  return figure.endsWith("wrong answers");
}
