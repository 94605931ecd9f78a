import assert from "node:assert/strict";
import { join } from "node:path";
import { writeTestModel } from "../src/models/hello_model.ts";
import { serveArgs, startProgram } from "./support/program.ts";
import { until } from "./support/server_process.ts";
import { tempDir } from "./support/temp_dir.ts";

/** Listens on loopback and counts who comes. */
function squatter(port: number) {
  const seen: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port, onListen() {} }, (request) => {
    seen.push(request.url);
    return Response.json({ response: "I am a squatter", choices: [] });
  });
  return { port: server.addr.port, seen, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** Squatters on this many ports in a row. */
async function squatters(count: number) {
  for (let first = 29_000; first < 32_000; first += count) {
    const stack = new AsyncDisposableStack();
    try {
      const all = Array.from({ length: count }, (_, n) => stack.use(squatter(first + n)));
      return {
        first,
        seen: () => all.flatMap(({ seen }) => seen),
        release: (n: number) => all[n]![Symbol.asyncDispose](),
        [Symbol.asyncDispose]: () => stack.disposeAsync(),
      };
    } catch (error) {
      await stack.disposeAsync();
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Error("No free ports");
}

Deno.test("A door takes the next port where others listen, and any free one with a warning where all are taken", async () => {
  await using taken = await squatters(3);
  await taken.release(2);
  // Started by hand: the range is its own.
  await using dir = await tempDir();
  const range = `${taken.first}-${taken.first + 2}`;
  const args = await serveArgs(dir.path, "--port", "0", "--runtime-ports", range);
  const home = join(dir.path, "home");
  Deno.mkdirSync(home);
  await writeTestModel(join(home, "other.gguf"), { name: "other", sentence: "I am the other." });
  await using program = startProgram(args, { XDG_RUNTIME_DIR: dir.path });
  await until(() => program.stdout.includes("\n"));
  const url = /at (\S+)\n$/.exec(program.stdout)![1]!;
  const ports: number[] = [];
  for (const model_id of ["hello", "other"]) {
    const body = JSON.stringify({ model_id, prompt: "hi" });
    const answer = await (await fetch(`${url}/generate`, { method: "POST", body })).json();
    assert.ok(answer.response.length > 0, JSON.stringify(answer));
    assert.ok(!answer.response.includes("squatter"));
    ports.push(answer.port);
  }
  const [first, second] = ports as [number, number];
  assert.equal(first, taken.first + 2);
  assert.ok(second < taken.first || second > taken.first + 2, `${second}`);
  for (const [port, name] of [[first, "hello"], [second, "other"]] as const) {
    const body = JSON.stringify({ messages: [{ role: "user", content: "hi" }] });
    const answer = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
      method: "POST",
      body,
    });
    const { choices } = await answer.json();
    assert.equal(choices?.[0]?.message.content.includes("I am the other"), name === "other");
  }
  assert.match(
    program.stderr,
    new RegExp(`warn doors: All doors are taken.* model=other .*port=${second}\\n`),
  );
  assert.deepEqual(taken.seen(), []);
});
