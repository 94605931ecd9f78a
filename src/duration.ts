// Durations as people write them: Go's strings, numbers of seconds, and -1 for ever.

/** A duration without an end. */
export const FOREVER = -1;

/** Go keeps nanoseconds in 64 bits: about 292 years. */
export const MAX_DURATION_MS = 9_223_372_036_854;

/** What an error says is accepted. */
export const DURATION_FORMS = 'a duration such as "90s", "10m" or "1h30m", or a number of seconds';

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ["ns", 1e-6],
  ["us", 1e-3],
  ["\u00b5s", 1e-3], // micro sign
  ["\u03bcs", 1e-3], // Greek mu
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
]);

const NUMBER = /^[-+]?(?:\d+(?:\.\d*)?|\.\d+)$/;
const DURATION = /^([-+]?)((?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)$/;
const PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/g;

/**
 * Whole milliseconds; `FOREVER` for anything negative; null when it is no duration. A number is
 * seconds, with or without quotes. What is longer than nothing never becomes 0, which means at once.
 *
 * Source: `time.ParseDuration` of Go; Ollama's `keep_alive`.
 */
export function parseDuration(raw: string | number): number | null {
  if (typeof raw === "number") return wholeMs(raw * 1_000);
  const text = raw.trim();
  if (NUMBER.test(text)) return wholeMs(Number(text) * 1_000);
  const [, sign, parts] = DURATION.exec(text) ?? [];
  if (parts === undefined) return null;
  let sum = 0;
  for (const [, count, unit] of parts.matchAll(PART)) {
    sum += Number(count) * (UNIT_MS.get(unit ?? "") ?? NaN);
  }
  return wholeMs(sign === "-" ? -sum : sum);
}

/** The shortest string that `parseDuration` reads as the same: `1h30m`, `300ms`, `0s`, `-1`. */
export function formatDuration(ms: number): string {
  if (ms < 0) return "-1";
  let text = "";
  let rest = ms;
  for (const [unit, size] of [["h", 3_600_000], ["m", 60_000], ["s", 1_000], ["ms", 1]] as const) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text === "" ? "0s" : text;
}

function wholeMs(ms: number): number | null {
  if (Number.isNaN(ms) || ms > MAX_DURATION_MS) return null;
  if (ms < 0) return FOREVER;
  return ms === 0 ? 0 : Math.max(1, Math.round(ms));
}
