// Which llama-server is measured: a named one, else the one that the tests use.

import { access } from "node:fs/promises";
import { testRuntime } from "../tests/support/llama_server.ts";

/** Throws an Error where it is not there and none can be installed. */
export async function findLlamaServer(named: string | null): Promise<string> {
  if (named === null) return await testRuntime();
  await access(named);
  return named;
}
