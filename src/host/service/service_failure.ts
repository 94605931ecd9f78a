// What a tool of the system said when it would not.

import { AppError } from "../../errors.ts";

export interface Failure {
  /** On its standard error. */
  said: string;
  remedy?: string | null;
}

export function failed(what: string, tool: string, { said, remedy = null }: Failure): AppError {
  const line = said.trim().split("\n", 1)[0] ?? "";
  return new AppError(
    "not_supported",
    `Cannot ${what}: ${tool} ${
      line === "" ? "failed and did not say why" : `said ${JSON.stringify(line)}`
    }${remedy === null ? "" : `. ${remedy}`}`,
    { values: { tool, said: line } },
  );
}
