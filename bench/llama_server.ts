// Which llama-server is measured.

import { access } from "node:fs/promises";
import type { BenchOptions } from "./options.ts";

export async function findLlamaServer(options: BenchOptions): Promise<string> {
  if (options.llamaServer === null) throw new Error("Set ZOMBIE_BENCH_LLAMA_SERVER");
  await access(options.llamaServer);
  return options.llamaServer;
}
