// From a file on the disk to an answer and back to free memory, with real processes.

import { deepEqual, equal, ok } from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import type { GenerateAnswer } from "../src/api_types.ts";
import { chat, post, rowOf, streamChat } from "./support/chat.ts";
import { isAlive, modelProcesses } from "./support/model_processes.ts";
import { watchRegistry } from "./support/registry_watch.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";
import { soakCount } from "./support/soak.ts";
import { sentenceOf, writeSpeakers } from "./support/speakers.ts";

Deno.test("another program sees in registry.db how a model comes, answers and goes", async () => {
  await using server = await startServer({
    // Uses are written at most every half second: this one surely while it is ready.
    flags: ["--keep-alive", "5s"],
    prepare: (home) => writeSpeakers(home, ["large"], { sizeBytes: 300e6 }),
  });
  using registry = watchRegistry(server.home);
  await until(() => registry.seen("large").length > 0);
  const startedMs = Date.now();
  const response = await post(server, "/generate", { model_id: "large", prompt: "hi" });
  const answer: GenerateAnswer = await response.json();
  const { pid, deadlineMs } = await idle(server, "large");
  await until(() => !isAlive(pid), 30_000);
  ok(Date.now() >= deadlineMs - 50, "it went before its time");
  ok(Date.now() <= deadlineMs + 10_000, `gone ${Date.now() - deadlineMs} ms after the deadline`);
  await until(async () => (await rowOf(server, "large")).state === "stopped");
  await until(() => registry.seen("large").at(-1)!.status === "Stopped");

  const seen = registry.seen("large");
  const states = seen.map(({ status }) => status);
  deepEqual(changesOf(states), ["Stopped", "Loading", "Ready", "Stopping", "Stopped"]);
  equal(seen[0]!.door, null);
  const ready = seen.filter(({ status }) => status === "Ready").at(-1)!;
  equal(ready.door, answer.port);
  ok(seen.some((row) => row.status === "Loading" && row.pid === ready.pid), "no pid while loading");
  const last = seen.at(-1)!;
  ok(Date.parse(last.last_activity!) >= startedMs, `${last.last_activity}`);
  deepEqual([last.door, last.pid, last.last_activity], [null, null, ready.last_activity]);
  equal(answer.response, sentenceOf("large"));
});

Deno.test("a chat through a model's own door is answered and postpones the deadline", async () => {
  await using server = await startServer({
    flags: ["--keep-alive", "4s"],
    prepare: (home) => writeSpeakers(home, ["a"]),
  });
  await chat(server, "a");
  const first = await idle(server, "a");
  await until(() => Date.now() > first.deadlineMs - 2_500);
  const answer = await chat({ url: `http://127.0.0.1:${first.port}` }, "a");
  equal(answer.text, sentenceOf("a"));
  const second = await idle(server, "a");
  ok(second.deadlineMs > first.deadlineMs + 1_000, `${first.deadlineMs} -> ${second.deadlineMs}`);
  await until(() => !isAlive(first.pid), 30_000);
  ok(Date.now() >= second.deadlineMs - 50, "it went at the deadline before the chat");
});

Deno.test("a row that another program falsified is righted by the next sweep", async () => {
  await using server = await startServer({
    flags: ["--sweep", "200ms"],
    prepare: (home) => writeSpeakers(home, ["loaded", "other"]),
  });
  await chat(server, "loaded");
  using registry = watchRegistry(server.home);
  const right = await until(() => {
    const rows = registry.read();
    return rows.some((row) => row.model_id === "loaded" && row.last_activity !== null) && rows;
  });
  const database = new DatabaseSync(join(server.home, "registry.db"), { timeout: 5_000 });
  database.exec(`
    UPDATE instances SET status = 'Ready', door = 9999, pid = 1 WHERE model_id = 'other';
    UPDATE instances SET status = 'Stopped', door = NULL, pid = NULL WHERE model_id = 'loaded';
    INSERT INTO instances (model_id, status, door, pid) VALUES ('unknown', 'Ready', 9999, 1);
  `);
  database.close();
  const rightedRows = await until(() => {
    const rows = registry.read();
    return rows.every(({ door, pid }) => door !== 9999 && pid !== 1) &&
      rows.some(({ model_id, status }) => model_id === "loaded" && status === "Ready") && rows;
  });
  deepEqual(rightedRows.filter(({ model_id }) => model_id !== "unknown"), right);
  deepEqual(
    rightedRows.filter(({ model_id }) => model_id === "unknown").map((row) => row.status),
    ["Stopped"],
  );
});

Deno.test("a hundred requests at once to a stopped model start one process", async () => {
  await using server = await startServer({ prepare: (home) => writeSpeakers(home, ["a"]) });
  const pids = new Set<number>();
  let answered = false;
  async function count(): Promise<void> {
    while (!answered) {
      for (const { pid } of modelProcesses(server.home)) pids.add(pid);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
  const counting = count();
  const answers = await Promise.all(Array.from({ length: 100 }, () => chat(server, "a")));
  answered = true;
  await counting;
  deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  deepEqual(new Set(answers.map(({ text }) => text)), new Set([sentenceOf("a")]));
  deepEqual([...pids], [(await rowOf(server, "a")).pid]);
});

Deno.test("a request in the very moment of an idle stop is answered", async () => {
  const ids = ["a", "b", "c", "d"];
  await using server = await startServer({
    flags: ["--keep-alive", "50ms"],
    prepare: (home) => writeSpeakers(home, ids),
  });
  const counts = { ready: 0, loaded: 0 };
  // By model: where a request meets the idle stop. How late a timer and a request come is the machine's.
  const edgeMs = new Map(ids.map((id) => [id, 55]));
  async function ask(id: string, n: number): Promise<void> {
    // Around the deadline, the stop that follows it included.
    const waitMs = Math.max(0, edgeMs.get(id)! - 25 + Math.random() * 50);
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    if (n % 3 === 0) {
      await using stream = streamChat(server, id);
      await stream.ended;
      deepEqual([stream.text, stream.error], [sentenceOf(id), null], `try ${n}`);
      return;
    }
    const response = await post(server, "/generate", { model_id: id, prompt: "hi" });
    const answer: GenerateAnswer = await response.json();
    equal(answer.response, sentenceOf(id), `try ${n}: ${JSON.stringify(answer)}`);
    const wasReady = answer.load_ms === 0;
    counts[wasReady ? "ready" : "loaded"]++;
    edgeMs.set(id, Math.max(0, edgeMs.get(id)! + (wasReady ? 10 : -10)));
  }
  const tries = soakCount(1_000) / ids.length;
  const hasBoth = () => counts.ready > 0 && counts.loaded > 0;
  // Side by side, so that stops and loads of others come in between as well.
  await Promise.all(ids.map(async (id) => {
    for (let n = 0; n < tries || (!hasBoth() && n < 20 * tries); n++) await ask(id, n);
  }));
  // Else the moments were not around the deadline.
  ok(hasBoth(), JSON.stringify(counts));
});

/** The model's process, door and deadline, which it has again a moment after an answer. */
async function idle(server: ServerProcess, id: string) {
  const { pid, port, expires_at } = await until(async () => {
    const row = await rowOf(server, id);
    return row.expires_at !== null && row;
  });
  return { pid: pid!, port, deadlineMs: Date.parse(expires_at!) };
}

function changesOf(states: string[]): string[] {
  return states.filter((state, index) => state !== states[index - 1]);
}
