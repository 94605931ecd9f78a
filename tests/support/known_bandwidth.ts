// A home whose program has measured the memory's bandwidth before: on a computer that is busy with tests
// it may stay unknown for minutes, and what is recommended depends on it.

import { join } from "node:path";
import { Registry } from "../../src/models/registry.ts";
import { logEntries } from "./log_entries.ts";

/** It holds for a server with these flags. */
export const KNOWN_THREADS = ["--threads", "2"];

/** So many bytes a second are read from this computer's memory. */
export function knowBandwidth(home: string, bytesPerSecond = 24e9): void {
  using registry = Registry.open(join(home, "registry.db"), { log: logEntries().log });
  registry.measurements.set("ram_bandwidth", {
    bytesPerSecond,
    threads: 2,
    cpu: null,
    busyTries: 0,
  });
}
