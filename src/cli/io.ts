// Where a command writes. The process's own streams are the caller's.

export interface Io {
  /** What was asked for: standard output. */
  out(text: string): void;
  /** What went wrong: standard error. */
  err(text: string): void;
}
