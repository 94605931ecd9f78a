// A log that keeps what is said, for tests that look at it.

import { createLog, type Log, type LogEntry } from "../../src/log.ts";

export interface LogEntries {
  log: Log;
  entries: LogEntry[];
  /** Messages of this level. */
  messages(level: LogEntry["level"]): string[];
}

export function logEntries(): LogEntries {
  const entries: LogEntry[] = [];
  return {
    log: createLog({ part: "test", level: "debug", write: (entry) => entries.push(entry) }),
    entries,
    messages: (level) =>
      entries.filter((entry) => entry.level === level).map((entry) => entry.message),
  };
}
