// A model that another program keeps, as it was found: names and files, nothing of what is in them.

import type { AppErrorData } from "../errors.ts";
import type { FoundFile } from "./folder_scan.ts";

export interface FoundImport {
  /** As in `ImportRow`. */
  program: string;
  /** As that program calls it. */
  name: string;
  /** The name that it would have here, if it were free. */
  id: string;
  /** Told behind the ID where another model has it: who made it, or the program. */
  owner: string;
  /** `org/name` on the Hub, where it is known to come from there. */
  repo: string | null;
  /** The first one first, each under the name by which the others are found. */
  parts: readonly FoundFile[];
  /** Names of parts that are not there. */
  missing: readonly string[];
  projector: FoundFile | null;
  /** Why it cannot be taken over, where that is known without its header. */
  problem: AppErrorData | null;
}
