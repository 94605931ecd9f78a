// One line per event. Who writes the line where (stderr, file, message to the host) is the caller's.

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogEntry {
  /** Milliseconds since the epoch. */
  time: number;
  level: LogLevel;
  /** The part that speaks, such as `orchestrator`. */
  part: string;
  message: string;
  fields: Readonly<Record<string, unknown>>;
}

export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same log, speaking for another part. */
  for(part: string): Log;
}

export interface LogOptions {
  part: string;
  level: LogLevel;
  write(entry: LogEntry): void;
}

export function createLog(options: LogOptions): Log {
  const least = LOG_LEVELS.indexOf(options.level);
  function at(level: LogLevel) {
    if (LOG_LEVELS.indexOf(level) < least) return () => {};
    return (message: string, fields: LogFields = {}) =>
      options.write({ time: Date.now(), level, part: options.part, message, fields });
  }
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    for: (part) => createLog({ ...options, part }),
  };
}

/** `2026-11-22T15:07:01.123Z info orchestrator: Model is ready model=hello ms=34` */
export function formatEntry(entry: LogEntry): string {
  let line = `${new Date(entry.time).toISOString()} ${entry.level} ${entry.part}: ${entry.message}`;
  for (const [key, value] of Object.entries(entry.fields)) {
    line += ` ${key}=${typeof value === "string" ? quoted(value) : JSON.stringify(value)}`;
  }
  return line.replace(CONTROLS, " ");
}

// Line breaks of every kind, and what a terminal would obey.
// deno-lint-ignore no-control-regex
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

// Names come from outside: a line break in one must not forge a second log line.
function quoted(value: string): string {
  return /^[\w./:@+-]+$/.test(value) ? value : JSON.stringify(value);
}
