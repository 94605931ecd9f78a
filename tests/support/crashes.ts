// A server that dies, hangs or grows when a test says so: `crashing_server.ts`.

import { join } from "node:path";
import type { ServerProcess } from "./server_process.ts";

/** For `startServer()`: its entry. */
export const CRASHING = "tests/support/crashing_main.ts";

export function crash(
  server: Pick<ServerProcess, "home">,
  word: "throw" | "reject" | "hang" | "grow",
): void {
  const path = join(server.home, "crash");
  Deno.writeTextFileSync(`${path}.new`, word);
  Deno.renameSync(`${path}.new`, path);
}
