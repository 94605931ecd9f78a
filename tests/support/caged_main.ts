// `main.ts serve` with the cage programs that ZOMBIE_TEST_CAGE_PROGRAMS names, as JSON, and no others.

import { serveWith } from "./serve_main.ts";

if (import.meta.main) {
  const cagePrograms = JSON.parse(Deno.env.get("ZOMBIE_TEST_CAGE_PROGRAMS")!);
  await serveWith({ path: null, cagePrograms });
}
