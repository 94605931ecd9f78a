// `zombiecoder version`.

import { VERSION } from "../version.ts";
import type { Io } from "./io.ts";

/** Returns the exit code. */
export function printVersion(io: Io): Promise<number> {
  io.out(`zombiecoder ${VERSION}\n`);
  return Promise.resolve(0);
}
