// Counters and histograms: numbers by their labels, and Prometheus' text of them when somebody asks.

/** A series more would be a label that somebody else can choose: it is counted as "other". */
const MOST_SERIES = 1_000;
const OTHER = "other";
const SEPARATOR = "\u0000";

export interface MetricOptions {
  name: string;
  help: string;
  labels?: readonly string[];
}

/** Numbers of one metric, by the values of its labels. */
class Series<T> {
  readonly #cells = new Map<string, { values: readonly string[]; cell: T }>();
  readonly #make: () => T;

  constructor(make: () => T) {
    this.#make = make;
  }

  at(values: readonly string[]): T {
    const key = values.join(SEPARATOR);
    const known = this.#cells.get(key);
    if (known !== undefined) return known.cell;
    if (this.#cells.size >= MOST_SERIES && values.some((value) => value !== OTHER)) {
      return this.at(values.map(() => OTHER));
    }
    const cell = this.#make();
    this.#cells.set(key, { values: [...values], cell });
    return cell;
  }

  *[Symbol.iterator](): Iterator<[values: readonly string[], cell: T]> {
    for (const { values, cell } of this.#cells.values()) yield [values, cell];
  }
}

export class Counter {
  readonly #options: MetricOptions;
  readonly #series = new Series(() => ({ count: 0 }));

  /** The name ends with `_total`. */
  constructor(options: MetricOptions) {
    this.#options = options;
  }

  add(values: readonly string[], by = 1): void {
    this.#series.at(values).count += by;
  }

  text(): string {
    const { name, labels = [] } = this.#options;
    let lines = "";
    for (const [values, { count }] of this.#series) {
      lines += sample(name, { labels, values, value: count });
    }
    return lines === "" ? "" : head(this.#options, "counter") + lines;
  }
}

export class Histogram {
  readonly #options: MetricOptions & { bounds: readonly number[] };
  readonly #series: Series<{ counts: Float64Array; sum: number }>;

  /** `bounds` in the unit that the name ends with, ascending. */
  constructor(options: MetricOptions & { bounds: readonly number[] }) {
    this.#options = options;
    const { length } = options.bounds;
    this.#series = new Series(() => ({ counts: new Float64Array(length + 1), sum: 0 }));
  }

  observe(values: readonly string[], value: number): void {
    const cell = this.#series.at(values);
    const { bounds } = this.#options;
    let index = 0;
    while (index < bounds.length && value > bounds[index]!) index++;
    cell.counts[index]!++;
    cell.sum += value;
  }

  text(): string {
    const { name, labels = [], bounds } = this.#options;
    const withBound = [...labels, "le"];
    let lines = "";
    for (const [values, { counts, sum }] of this.#series) {
      let count = 0;
      for (const [index, each] of counts.entries()) {
        count += each;
        const bound = index < bounds.length ? String(bounds[index]) : "+Inf";
        lines += sample(`${name}_bucket`, {
          labels: withBound,
          values: [...values, bound],
          value: count,
        });
      }
      lines += sample(`${name}_sum`, { labels, values, value: sum });
      lines += sample(`${name}_count`, { labels, values, value: count });
    }
    return lines === "" ? "" : head(this.#options, "histogram") + lines;
  }
}

/** What is so now; a value of null is not known and not shown. */
export function gaugeText(
  options: MetricOptions,
  samples: readonly (readonly [values: readonly string[], value: number | null])[],
): string {
  const { name, labels = [] } = options;
  let lines = "";
  for (const [values, value] of samples) {
    if (value !== null) lines += sample(name, { labels, values, value });
  }
  return lines === "" ? "" : head(options, "gauge") + lines;
}

function head({ name, help }: MetricOptions, type: string): string {
  return `# HELP ${name} ${help.replaceAll("\\", "\\\\")}\n# TYPE ${name} ${type}\n`;
}

function sample(
  name: string,
  { labels, values, value }: {
    labels: readonly string[];
    values: readonly string[];
    value: number;
  },
): string {
  const pairs = labels.map((label, index) => `${label}="${escaped(values[index] ?? "")}"`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}\n`;
}

function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (sign) => sign === "\n" ? "\\n" : `\\${sign}`);
}
