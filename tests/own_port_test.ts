import assert from "node:assert/strict";
import { join } from "node:path";
import { startServer } from "./support/server_process.ts";

Deno.test("A port of its own that somebody takes in the last moment is exchanged for another", async () => {
  await using server = await startServer({ entry: "tests/support/late_main.ts" });
  const tried = (await Deno.readTextFile(join(server.home, "tried-ports"))).trim().split("\n");
  assert.equal(tried.length, 3);
  assert.equal(new Set(tried).size, 3, tried.join(" "));
  assert.equal(String(server.port), tried[2]);
  assert.equal((await server.fetch("/health")).status, 200);
  assert.equal(server.stderr, "");
});
