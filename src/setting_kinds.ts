// The kinds of values that settings have: how each is read from text or JSON, and how it is shown.
// Reading throws BadValue with what is accepted.

import { BadValue } from "./bad_value.ts";
import { DURATION_FORMS, FOREVER, formatDuration, parseDuration } from "./duration.ts";
import { formatSize, parseSize, SIZE_FORMS } from "./size.ts";
import type { SettingSource } from "./api_types.ts";

/** What a value is read against. */
export interface Surroundings {
  readonly source: SettingSource;
  /** `~` and relative paths made absolute. */
  absolute(path: string): string;
}

export interface Kind<T> {
  /** Stands for the value in the help text; null = a flag without a value. */
  readonly placeholder: string | null;
  /** The flag may come several times, its values are joined. */
  readonly repeatable: boolean;
  /** `raw` is a string or a list of strings from flags, a string from the environment, JSON from a file. */
  read(raw: unknown, surroundings: Surroundings): T;
  /** As JSON that `read` takes back. */
  show(value: T): unknown;
}

/** setTimeout fires at once beyond this. */
const MAX_TIMER_MS = 24 * 24 * 3_600_000;

export interface DurationLimits {
  leastMs: number;
  /** -1 is accepted. */
  forever: boolean;
}

/** Milliseconds. */
export function duration(limits: DurationLimits): Kind<number> {
  const span = `from ${formatDuration(limits.leastMs)} to ${formatDuration(MAX_TIMER_MS)}`;
  const accepted = `${DURATION_FORMS}, ${span}${limits.forever ? ", or -1 for ever" : ""}`;
  return {
    placeholder: "DURATION",
    repeatable: false,
    read(raw) {
      const ms = typeof raw === "string" || typeof raw === "number" ? parseDuration(raw) : null;
      if (ms === FOREVER && limits.forever) return ms;
      if (ms === null || ms < limits.leastMs || ms > MAX_TIMER_MS) throw new BadValue(accepted);
      return ms;
    },
    show: (ms) => ms < 0 ? FOREVER : formatDuration(ms),
  };
}

/** Bytes. */
export function size(leastBytes: number): Kind<number> {
  return {
    placeholder: "SIZE",
    repeatable: false,
    read(raw) {
      const bytes = typeof raw === "string" || typeof raw === "number" ? parseSize(raw) : null;
      if (bytes === null || bytes < leastBytes) {
        throw new BadValue(`${SIZE_FORMS}, at least ${formatSize(leastBytes)}`);
      }
      return bytes;
    },
    show: (bytes) => bytes,
  };
}

export function wholeNumber(least: number, most: number): Kind<number> {
  return {
    placeholder: "N",
    repeatable: false,
    read(raw) {
      const number = typeof raw === "string" && /^\s*\d{1,9}\s*$/.test(raw) ? Number(raw) : raw;
      if (
        typeof number !== "number" || !Number.isInteger(number) || number < least || number > most
      ) {
        throw new BadValue(`a whole number from ${least} to ${most}`);
      }
      return number;
    },
    show: (value) => value,
  };
}

export function oneOf<T extends string>(placeholder: string, words: readonly T[]): Kind<T> {
  return {
    placeholder,
    repeatable: false,
    read(raw) {
      const word = words.find((known) =>
        typeof raw === "string" && known === raw.trim().toLowerCase()
      );
      if (word === undefined) throw new BadValue(`one of ${words.join(", ")}`);
      return word;
    },
    show: (value) => value,
  };
}

/** One line of text, made a value by `parse`. */
export function text<T extends string>(placeholder: string, parse: (line: string) => T): Kind<T> {
  return {
    placeholder,
    repeatable: false,
    read: (raw) => parse(line(raw)),
    show: (value) => value,
  };
}

/** Values with commas between them, a list of such in JSON, or the flag several times. */
export function list(
  placeholder: string,
  parse: (item: string) => string[],
): Kind<readonly string[]> {
  return {
    placeholder,
    repeatable: true,
    read(raw) {
      const items = (Array.isArray(raw) ? raw : [raw]).flatMap((item) => {
        if (typeof item !== "string") {
          throw new BadValue("a list of words with commas between them");
        }
        return item.split(",").filter((part) => part.trim() !== "").map(line);
      });
      return [...new Set(items.flatMap(parse))];
    },
    show: (value) => value,
  };
}

/** An absolute path. */
export function path(placeholder: string): Kind<string> {
  return {
    placeholder,
    repeatable: false,
    read: (raw, surroundings) => surroundings.absolute(line(raw)),
    show: (value) => value,
  };
}

/** Absolute paths: each flag one path, whatever it contains; the environment puts commas between them. */
export function paths(placeholder: string): Kind<readonly string[]> {
  return {
    placeholder,
    repeatable: true,
    read(raw, surroundings) {
      const items: unknown[] = Array.isArray(raw) ? raw : String(raw).split(",");
      const named = items.filter((item) => typeof item !== "string" || item.trim() !== "");
      return [...new Set(named.map((item) => surroundings.absolute(line(item))))];
    },
    show: (value) => value,
  };
}

/** A switch whose flag and environment variable turn it off. */
export function switchedOff(): Kind<boolean> {
  return {
    placeholder: null,
    repeatable: false,
    read(raw, { source }) {
      const on = typeof raw === "string" ? booleanOf(raw) : raw;
      if (typeof on !== "boolean") {
        throw new BadValue(
          source === "config.json" ? "true or false" : "1, true, yes, on, 0, false, no or off",
        );
      }
      return source === "flag" || source === "environment" ? !on : on;
    },
    show: (value) => value,
  };
}

/** Two ports, or one; 0 = any free one. */
export function portRange(): Kind<{ readonly first: number; readonly last: number }> {
  return {
    placeholder: "A-B",
    repeatable: false,
    read(raw) {
      const [, first, last] = /^(\d{1,5})(?:\s*-\s*(\d{1,5}))?$/.exec(line(raw)) ?? [];
      const range = { first: Number(first), last: Number(last ?? first) };
      const alone = last === undefined && range.first === 0;
      if (
        first === undefined || range.last > 65_535 || range.first > range.last ||
        (range.first < 1 && !alone)
      ) {
        throw new BadValue('ports such as "8080-8100", from 1 to 65535, the lower one first');
      }
      return range;
    },
    show: ({ first, last }) => first === last ? String(first) : `${first}-${last}`,
  };
}

/** As `kind`, where null is the value that nobody chose. */
export function optional<T>(kind: Kind<T>): Kind<T | null> {
  return { ...kind, show: (value) => value === null ? null : kind.show(value) };
}

/** As `kind`, but not empty. */
export function filled(kind: Kind<readonly string[]>): Kind<readonly string[]> {
  return {
    ...kind,
    read(raw, surroundings) {
      const items = kind.read(raw, surroundings);
      if (items.length === 0) throw new BadValue("at least one value");
      return items;
    },
  };
}

/** As `kind`, but all that is ever shown is whether there is one. */
export function secret<T>(kind: Kind<T>): Kind<T | null> {
  return { ...kind, show: (value) => value === null ? null : "set" };
}

function line(raw: unknown): string {
  const value = typeof raw === "string" ? raw.trim() : "";
  // deno-lint-ignore no-control-regex
  if (value === "" || /[\x00-\x1f\x7f-\x9f]/.test(value)) throw new BadValue("one line of text");
  return value;
}

function booleanOf(word: string): boolean | null {
  const lower = word.trim().toLowerCase();
  if (["1", "true", "yes", "on"].includes(lower)) return true;
  return ["0", "false", "no", "off"].includes(lower) ? false : null;
}
