// Memory pressure with real processes: who goes, who stays, who is refused.

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { join } from "node:path";

import { writeTestModel } from "../src/models/hello_model.ts";
import { chat, post, rowOf, rowsOf, streamChat } from "./support/chat.ts";
import { SLOW_MODEL } from "./support/gguf_files.ts";
import { isAlive, modelProcesses } from "./support/model_processes.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";
import { soakCount } from "./support/soak.ts";
import { numbered, sentenceOf, writeSpeakers } from "./support/speakers.ts";

Deno.test("twenty models in turn under a budget for three answer for themselves", async () => {
  const ids = numbered(20);
  await using server = await startServer({ prepare: (home) => writeSpeakers(home, ids) });
  await chat(server, ids[0]!);
  const { memory_bytes: needBytes } = await rowOf(server, ids[0]!);
  const budgetBytes = Math.floor(needBytes! * 3.5);
  await setBudget(server, budgetBytes);
  let ended = false;
  const most = { processes: 0, bytes: 0 };
  async function sample(): Promise<void> {
    while (!ended) {
      most.processes = Math.max(most.processes, modelProcesses(server.home).length);
      const bytes = (await rowsOf(server)).map((row) => row.memory_bytes ?? 0);
      most.bytes = Math.max(most.bytes, bytes.reduce((sum, each) => sum + each));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  const sampling = sample();
  for (let round = 0; round < soakCount(10); round++) {
    // Two clients: one waits while the other's model is loaded.
    await Promise.all([0, 1].map(async (rest) => {
      for (const id of ids.filter((_, n) => n % 2 === rest)) {
        equal((await chat(server, id)).text, sentenceOf(id));
      }
    }));
  }
  ended = true;
  await sampling;
  equal(most.processes, 3);
  ok(most.bytes <= budgetBytes, `${most.bytes} of ${budgetBytes}`);
  ok(most.bytes > 2.9 * needBytes!, "the budget was never used");
  server.kill("SIGTERM");
  equal((await server.status).code, 0);
  deepEqual(modelProcesses(server.home), []);
});

Deno.test("the least recently used goes, never a pinned or an answering one", async () => {
  await using server = await startServer({
    prepare: async (home) => {
      await writeSpeakers(home, ["a", "b", "c", "d"]);
      await writeTestModel(join(home, "slow.gguf"), SLOW_MODEL);
    },
  });
  await chat(server, "a");
  await setBudget(server, 3.5 * (await rowOf(server, "a")).memory_bytes!);
  for (const id of ["b", "c", "a", "d"]) equal((await chat(server, id)).text, sentenceOf(id));
  deepEqual(await loaded(server), ["a", "c", "d"]);
  // By now `c` is the one that goes next, then `a`.
  await admin(server, "a", "pin");
  await using stream = streamChat(server, "slow");
  await until(() => stream.text.length > 20);
  deepEqual(await loaded(server), ["a", "d", "slow"]);
  await chat(server, "b");
  deepEqual(await loaded(server), ["a", "b", "slow"]);
  await chat(server, "c");
  deepEqual(await loaded(server), ["a", "c", "slow"]);
  const { length } = stream.text;
  await until(() => stream.text.length > length);
  equal(stream.error, null);
});

Deno.test("a load waits for an answer to end; one that is given up lets the answer go on", async () => {
  await using server = await startServer({
    prepare: async (home) => {
      await writeSpeakers(home, ["small"]);
      await writeSpeakers(home, ["large"], { sizeBytes: 150e6 });
      await writeTestModel(join(home, "slow.gguf"), SLOW_MODEL);
    },
  });
  await using stream = streamChat(server, "slow", { max_tokens: 300 });
  await until(() => stream.text.length > 20);
  const slow = await rowOf(server, "slow");
  // Enough for `large` alone, or for both of the others.
  await setBudget(server, 2.5 * slow.memory_bytes!);
  const givenUp = streamChat(server, "large");
  await until(async () => (await rowOf(server, "large")).state === "loading");
  const small = chat(server, "small");
  await until(async () => (await rowOf(server, "small")).queued === 1);
  equal(modelProcesses(server.home).length, 1, "nothing starts while it would not fit");
  await givenUp.leave();
  // What waited behind it is loaded, and the answer goes on.
  equal((await small).text, sentenceOf("small"));
  deepEqual(await loaded(server), ["slow", "small"]);
  const large = chat(server, "large");
  equal((await stream.ended).reason, "length");
  equal(stream.error, null);
  equal((await large).text, sentenceOf("large"));
  deepEqual(await loaded(server), ["large"]);
  ok(!isAlive(slow.pid!));
});

Deno.test("what cannot fit is refused with numbers before a process starts", async () => {
  await using server = await startServer({
    flags: ["--memory-budget", "200MB"],
    prepare: async (home) => {
      await writeSpeakers(home, ["a", "b"]);
      await writeSpeakers(home, ["large"], { sizeBytes: 300e6 });
    },
  });
  const refused = await chat(server, "large");
  equal(refused.status, 507);
  match(
    refused.error!.message,
    /^Cannot load "large": it needs 4\d\d MB and the memory budget is 200 MB\. Choose a smaller/,
  );
  equal(refused.error!.values["budget_bytes"], 200e6);
  deepEqual(modelProcesses(server.home), []);
  equal((await rowOf(server, "large")).state, "failed");

  await chat(server, "a");
  await admin(server, "a", "pin");
  const blocked = await chat(server, "b");
  equal(blocked.status, 507);
  match(blocked.error!.message, /pinned models hold 11\d MB: "a"\. Unpin one/);
  deepEqual(await loaded(server), ["a"]);
  await admin(server, "a", "unpin");
  equal((await chat(server, "b")).text, sentenceOf("b"));
  deepEqual(await loaded(server), ["b"]);
});

async function loaded(server: ServerProcess): Promise<string[]> {
  const ready = (await rowsOf(server)).filter(({ state }) => state === "ready");
  equal(modelProcesses(server.home).length, ready.length);
  return ready.map(({ id }) => id);
}

async function setBudget(server: ServerProcess, bytes: number): Promise<void> {
  const response = await server.fetch("/admin/settings", {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ memory_budget: Math.floor(bytes) }),
  });
  equal(response.status, 200, await response.text());
}

async function admin(server: ServerProcess, id: string, action: string): Promise<void> {
  const response = await post(server, `/admin/models/${id}/${action}`, {});
  equal(response.status, 200, await response.text());
}
