import assert from "node:assert/strict";
import { join } from "node:path";
import { writeTestModel } from "../src/models/hello_model.ts";
import { crash, CRASHING } from "./support/crashes.ts";
import { ENDLESS_MODEL } from "./support/gguf_files.ts";
import { instancesWith, startedWith } from "./support/instance_processes.ts";
import { isAlive } from "./support/model_processes.ts";
import { generate, MOMENTS } from "./support/moments.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";

/** How often it has died, as its log says. */
function deathsOf(server: ServerProcess): number {
  return server.stderr.match(/ The server died reason=/g)?.length ?? 0;
}

async function answers(server: ServerProcess): Promise<boolean> {
  try {
    const answer = await server.fetch("/health");
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}

Deno.test("A server that dies of an uncaught error is back within a second, with all it needs", async () => {
  // No other test shall take the door meanwhile.
  await using server = await startServer({ entry: CRASHING, doors: "28110-28119" });
  const sockets = join(server.home, "..", "run");
  const backMs: number[] = [];
  for (const word of ["throw", "reject", "throw", "reject"] as const) {
    await generate(server);
    const row = await server.json<{ id: string; port: number }[]>("/admin/models");
    const door = row.find(({ id }) => id === "hello")!.port;
    const old = instancesWith(sockets);
    assert.equal(old.length, 1);
    const startedMs = performance.now();
    crash(server, word);
    await until(() => old.every((pid) => !isAlive(pid)));
    // From here on it is the next life: the old one ends before its processes do.
    await until(() => answers(server));
    backMs.push(Math.round(performance.now() - startedMs));
    assert.deepEqual(startedWith(sockets), []);
    await generate(server);
    const after = await server.json<{ id: string; port: number }[]>("/admin/models");
    assert.equal(after.find(({ id }) => id === "hello")!.port, door, "the door is free again");
    const { runtime } = await server.json<{ runtime: { phase: string } }>("/admin/system");
    assert.equal(runtime.phase, "ready");
  }
  assert.equal(deathsOf(server), 4, server.stderr);
  // The best of them: what else the machine does must not fail a test.
  assert.ok(Math.min(...backMs) < 1_000, `${backMs.join(", ")} ms`);
});

Deno.test("A server that dies while it loads and streams leaves nothing, and answers the next", async () => {
  await using server = await startServer({
    entry: CRASHING,
    prepare: async (home) => {
      await writeTestModel(join(home, "endless.gguf"), ENDLESS_MODEL);
    },
  });
  const sockets = join(server.home, "..", "run");
  const moments = ["loading", "streaming", "unloading"];
  for (const [at, moment] of moments.entries()) {
    await MOMENTS[moment]!(server);
    crash(server, "throw");
    await until(() => deathsOf(server) === at + 1);
    await until(() => answers(server));
    await generate(server);
    // One for `hello`, and none of the earlier life.
    await until(() => instancesWith(sockets).length === 1);
  }
});

Deno.test("A server that dies five times within a minute ends the program with code 1", async () => {
  await using server = await startServer({ entry: CRASHING });
  for (let deaths = 1; deaths <= 5; deaths++) {
    crash(server, "throw");
    await until(() => deathsOf(server) >= deaths);
  }
  const { code } = await server.status;
  assert.equal(code, 1);
  assert.match(server.stderr, /\nThe server died 5 times: .*Thrown by a test/);
});
