// `zombiecoder version`.

import { VERSION } from "../version.ts";
import type { Io } from "./io.ts";

/** Returns the exit code. */
export function printVersion(switches: ReadonlyMap<string, unknown>, io: Io): Promise<number> {
  const version = { name: "zombiecoder", version: VERSION };
  io.out(switches.has("json") ? `${JSON.stringify(version)}\n` : `zombiecoder ${VERSION}\n`);
  return Promise.resolve(0);
}
