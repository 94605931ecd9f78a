// What a tool of the system said when it would not.

import { AppError } from "../../errors.ts";

export function failed(what: string, tool: string, said: string): AppError {
  const line = said.trim().split("\n", 1)[0] ?? "";
  return new AppError(
    "not_supported",
    `Cannot ${what}: ${tool} ${
      line === "" ? "failed and did not say why" : `said ${JSON.stringify(line)}`
    }`,
    { values: { tool, said: line } },
  );
}
