// llama-server serves one mode per process: a model that chats makes embeddings and ranks texts in
// processes of their own, beside the one that chats.

import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { HELLO_SENTENCE, writeTestModel } from "../src/models/hello_model.ts";
import { chat, post, rowOf, streamChat } from "./support/chat.ts";
import { EMBEDDING_MODEL, ENDLESS_MODEL } from "./support/gguf_files.ts";
import { isAlive, modelProcesses } from "./support/model_processes.ts";
import { scriptedModel, scriptedOrchestrator } from "./support/scripted_orchestrator.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";
import { sentenceOf, writeSpeakers } from "./support/speakers.ts";

const RERANK = { query: "hi", documents: ["one", "two"] };

async function embed(server: ServerProcess, model: string, fields: Record<string, unknown> = {}) {
  const answer = await post(server, "/v1/embeddings", { model, input: ["a", "b"], ...fields });
  const body = await answer.json();
  equal(answer.status, 200, JSON.stringify(body));
  return body.data as { embedding: number[]; index: number }[];
}

Deno.test("a model that chats makes embeddings and ranks beside it, in processes of their own", async () => {
  await using server = await startServer({ prepare: (home) => writeSpeakers(home, ["a"]) });
  equal((await chat(server, "a")).text, sentenceOf("a"));
  const chatting = await rowOf(server, "a");
  const data = await embed(server, "a");
  equal(data.length, 2);
  for (const { embedding } of data) ok(Math.abs(Math.hypot(...embedding) - 1) < 1e-3);
  equal(modelProcesses(server.home).length, 2);
  // The one that chats is as it was, and so is what is shown of it but for the memory.
  const both = await rowOf(server, "a");
  deepEqual([both.pid, both.port, both.state], [chatting.pid, chatting.port, "ready"]);
  ok(both.memory_bytes! > chatting.memory_bytes! * 1.2);
  equal((await chat(server, "a")).text, sentenceOf("a"));

  for (const path of ["/v1/rerank", "/rerank", "/v1/reranking", "/upstream/a/rerank"]) {
    const answer = await post(server, path, { model: "a", ...RERANK });
    const { results } = await answer.json();
    equal(answer.status, 200, path);
    deepEqual(results.map(({ index }: { index: number }) => index).sort(), [0, 1]);
  }
  equal(modelProcesses(server.home).length, 3);
  // Through the door and by llama-server's own names as well: no process more.
  const door = await fetch(`http://127.0.0.1:${both.port}/embedding`, {
    method: "POST",
    body: JSON.stringify({ content: "hi" }),
  });
  equal(door.status, 200);
  await door.body?.cancel();
  equal(modelProcesses(server.home).length, 3);

  const unloaded = await post(server, "/admin/models/a/unload", {});
  const row = await unloaded.json();
  deepEqual([row.state, row.memory_bytes, row.pid], ["stopped", null, null]);
  deepEqual(modelProcesses(server.home), []);
});

Deno.test("an instance beside has a keep-alive of its own, and counts as the model's while it runs alone", async () => {
  await using server = await startServer({ prepare: (home) => writeSpeakers(home, ["a"]) });
  await embed(server, "a");
  const alone = await rowOf(server, "a");
  equal(alone.state, "ready");
  deepEqual(modelProcesses(server.home).map(({ pid }) => pid), [alone.pid]);
  equal(alone.port, null);
  const remove = await server.fetch("/admin/models/a", {
    method: "DELETE",
    headers: { "content-type": "application/json" },
  });
  equal(remove.status, 409, await remove.text());
  const { running } = await server.json<{ running: { model: string }[] }>("/running");
  deepEqual(running.map(({ model }) => model), ["a"]);

  await chat(server, "a");
  // The row has the chat's process now; the other one goes after its answer.
  const { pid } = await rowOf(server, "a");
  notEqual(pid, alone.pid);
  await embed(server, "a", { keep_alive: 0 });
  await until(() => !isAlive(alone.pid!));
  ok(isAlive(pid!));
  equal((await rowOf(server, "a")).state, "ready");
});

Deno.test("a stream goes on while the model makes embeddings, and a pin is for the chat alone", async () => {
  await using server = await startServer({
    prepare: (home) => writeTestModel(join(home, "endless.gguf"), ENDLESS_MODEL),
  });
  await post(server, "/admin/models/endless/pin", {}).then((answer) => answer.body?.cancel());
  await using stream = streamChat(server, "endless", { max_tokens: 400 });
  await until(() => stream.text !== "");
  await embed(server, "endless", { keep_alive: 0 });
  equal((await stream.ended).reason, "length");
  await until(() => modelProcesses(server.home).length === 1);
  equal((await rowOf(server, "endless")).state, "ready");
});

Deno.test("each process has a row of its own in the registry, so that a crash leaves none behind", async () => {
  await using server = await startServer({ prepare: (home) => writeSpeakers(home, ["a"]) });
  await chat(server, "a");
  await embed(server, "a");
  using database = new DatabaseSync(join(server.home, "registry.db"), { readOnly: true });
  const rows = () =>
    database.prepare(
      "SELECT model_id, status, pid, door FROM instances WHERE pid IS NOT NULL ORDER BY 1",
    )
      .all() as { model_id: string; status: string; pid: number; door: number | null }[];
  deepEqual(rows().map((row) => [row.model_id, row.status, row.door === null]), [
    ["a", "Ready", false],
    ["a/embedding", "Ready", true],
  ]);
  deepEqual(
    rows().map(({ pid }) => pid).sort(),
    modelProcesses(server.home).map(({ pid }) => pid).sort(),
  );
  await post(server, "/admin/models/a/unload", {}).then((answer) => answer.body?.cancel());
  deepEqual(rows(), []);
});

Deno.test("a model for embeddings ranks beside them, and words are refused on every route", async () => {
  await using server = await startServer({
    prepare: (home) => writeTestModel(join(home, "embedding.gguf"), EMBEDDING_MODEL),
  });
  const messages = [{ role: "user", content: "hi" }];
  const routes = ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"];
  for (const path of [...routes, "/generate", "/upstream/embedding/completion"]) {
    const body = { model: "embedding", messages, prompt: "hi", input: "hi", max_tokens: 2 };
    const answer = await post(server, path, body);
    equal(answer.status, 400, path);
    const { error } = await answer.json();
    match(error.message, /^Cannot chat with "embedding": it makes embeddings/);
  }
  deepEqual(modelProcesses(server.home), []);
  await embed(server, "embedding");
  const answer = await post(server, "/v1/rerank", { model: "embedding", ...RERANK });
  equal(answer.status, 200, await answer.text());
  equal(modelProcesses(server.home).length, 2);
});

Deno.test("hello answers a chat that comes while its embeddings are loading", async () => {
  await using server = await startServer();
  const [data, answer] = await Promise.all([embed(server, "hello"), chat(server, "hello")]);
  equal(data.length, 2);
  equal(answer.text, HELLO_SENTENCE);
});

Deno.test("acquire() beside makes room by evicting even the model's own idle chat, and counts it as held", async () => {
  await using scripted = scriptedOrchestrator({ budgetBytes: 250 });
  const { orchestrator } = scripted;
  const a = scriptedModel("a");
  (await orchestrator.acquire(a)).release();
  (await orchestrator.acquire(a, { beside: "embedding" })).release();
  deepEqual(orchestrator.entriesOf("a").map(({ key }) => [key, orchestrator.stateOf(key)]), [
    ["a", "ready"],
    ["a/embedding", "ready"],
  ]);
  equal(orchestrator.modelsBytes(), 200);
  equal(orchestrator.heldBeside("a").evictable.ramBytes, 100);
  equal(orchestrator.heldBeside("b").evictable.ramBytes, 200);
  // A third does not fit beside both: the one used longest ago goes, which is the chat.
  (await orchestrator.acquire(a, { beside: "rerank" })).release();
  deepEqual(orchestrator.entriesOf("a").map(({ key }) => [key, orchestrator.stateOf(key)]), [
    ["a", "stopped"],
    ["a/embedding", "ready"],
    ["a/rerank", "ready"],
  ]);
  equal(orchestrator.shownEntry("a")?.key, "a/embedding");
  await orchestrator.forget("a");
  deepEqual(orchestrator.entriesOf("a"), []);
});
