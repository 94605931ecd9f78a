// `main.ts serve` with the cage programs that ZOMBIE_TEST_CAGE_PROGRAMS names, as JSON, and no others: those
// of them that are there at that moment.

import type { CagePrograms } from "../../src/host/cage_probe.ts";
import { findProgram } from "../../src/host/find_program.ts";
import { serveWith } from "./serve_main.ts";

if (import.meta.main) {
  const named: [string, string | null][] = Object.entries(
    JSON.parse(Deno.env.get("ZOMBIE_TEST_CAGE_PROGRAMS")!),
  );
  const cagePrograms = () =>
    Object.fromEntries(
      named.map(([name, path]) => [name, path === null ? null : findProgram(path, ["/"])]),
    ) as unknown as CagePrograms;
  await serveWith({ path: null, cagePrograms });
}
