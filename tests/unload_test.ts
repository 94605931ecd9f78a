// Loading and unloading by hand, a full queue, and the end of the server, with real processes.

import { deepEqual, equal, match, notEqual, ok, rejects } from "node:assert/strict";
import { join } from "node:path";

import type { ModelRow } from "../src/api_types.ts";
import { writeTestModel } from "../src/models/hello_model.ts";
import { chat, type ChatStream, post, rowOf, streamChat } from "./support/chat.ts";
import { SLOW_MODEL } from "./support/gguf_files.ts";
import { isAlive, modelProcesses } from "./support/model_processes.ts";
import { writeRecordingServer } from "./support/recording_server.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";
import { writeSpeakers } from "./support/speakers.ts";
import { tempDir } from "./support/temp_dir.ts";

/** Enough to halt the model amid its answer; on a busy machine, too, the end waits for so many. */
const LONG_TOKENS = 120;
/** Several threads wait for each other: beside busy programs they would take ten times as long. */
const SLOW_FLAGS = ["--threads", "1"];

Deno.test("a load by hand answers when the model is ready, or at once with 202", async () => {
  await using server = await startServer({ prepare: (home) => writeSpeakers(home, ["a"]) });
  const atOnce = await post(server, "/admin/models/a/load?wait=false", {});
  equal(atOnce.status, 202);
  equal((await atOnce.json()).state, "loading");
  const waited = await post(server, "/admin/models/a/load", {});
  equal(waited.status, 200);
  const row: ModelRow = await waited.json();
  deepEqual([row.state, row.leases, row.queued], ["ready", 0, 0]);
  deepEqual(modelProcesses(server.home).map(({ pid }) => pid), [row.pid]);
});

Deno.test("unload lets answers end, and who asks meanwhile is answered by a new process", async () => {
  await using server = await startServer({ flags: SLOW_FLAGS, prepare: writeSlow });
  await using stream = streamChat(server, "slow", { max_tokens: LONG_TOKENS });
  await until(() => stream.text.length > 20);
  const { pid, resume } = pause(server);
  const unloading = unload(server, "slow", {});
  const meanwhile = chat(server, "slow", { max_tokens: 5 });
  await until(async () => (await rowOf(server, "slow")).queued === 1);
  ok(isAlive(pid));
  equal(stream.error, null);
  resume();
  equal((await stream.ended).reason, "length");
  equal((await unloading).status, 200);
  equal((await meanwhile).text, "one two three four one");
  ok(!isAlive(pid));
  const { state, pid: next } = await rowOf(server, "slow");
  equal(state, "ready");
  notEqual(next, pid);
});

Deno.test("unload with force ends the answers, each with an error that says so", async () => {
  await using server = await startServer({ flags: SLOW_FLAGS, prepare: writeSlow });
  await using stream = streamChat(server, "slow");
  await until(() => stream.text.length > 20);
  // It waits for the slot, without a byte of its answer.
  const whole = chat(server, "slow");
  await until(async () => (await rowOf(server, "slow")).leases === 2);
  const { pid } = await rowOf(server, "slow");
  const response = await unload(server, "slow", { force: true });
  deepEqual([response.status, (await response.json()).state], [200, "stopped"]);
  ok(!isAlive(pid!));
  await stream.ended;
  equal(stream.error?.code, "cancelled");
  match(stream.error!.message, /"slow" was stopped on request/);
  equal((await whole).error?.code, "cancelled");
});

Deno.test("unload of a model that loads cancels the load and tells who waits", async () => {
  await using dir = await tempDir();
  // It never gets ready: a real one may be through with any model before it is asked to stop.
  const { path } = await writeRecordingServer(dir.path, { holdAt: 0.5 });
  await using server = await startServer({ flags: ["--llama-server", path] });
  const waiting = chat(server, "hello");
  const pid = await until(async () => {
    const row = await rowOf(server, "hello");
    return row.progress === 0.5 && row.pid;
  });
  ok(isAlive(pid));
  const response = await unload(server, "hello", {});
  deepEqual([response.status, (await response.json()).state], [200, "stopped"]);
  ok(!isAlive(pid));
  const { status, error } = await waiting;
  equal(status, 499);
  match(error!.message, /"hello" was stopped on request/);
  equal((await rowOf(server, "hello")).error, null);
});

Deno.test("a full queue answers 503 and when to try again, and loses no one who waits", async () => {
  await using server = await startServer({
    flags: SLOW_FLAGS,
    prepare: async (home) => {
      await writeSlow(home);
      await Deno.writeTextFile(join(home, "config.json"), '{"queue_limit": 2}');
    },
  });
  // One in the slot, two handed to llama-server beyond it, two in the queue. One by one: any of them
  // that waits for the load takes a place in the queue.
  const streams: ChatStream[] = [];
  for (const leases of [1, 2, 3]) {
    streams.push(streamChat(server, "slow"));
    await until(async () => (await rowOf(server, "slow")).leases === leases);
  }
  const waiting = [1, 2].map(() => streamChat(server, "slow", { max_tokens: 3 }));
  await until(async () => (await rowOf(server, "slow")).queued === 2);
  const refused = await chat(server, "slow");
  deepEqual([refused.status, refused.error!.code], [503, "overloaded"]);
  ok(Number(refused.headers.get("retry-after")) > 0);
  await Promise.all(streams.map((stream) => stream.leave()));
  for (const stream of waiting) {
    await stream.ended;
    deepEqual([stream.text, stream.error], ["one two three", null]);
  }
});

Deno.test("SIGTERM lets answers end first, refuses new ones, and leaves no process", async () => {
  await using server = await startServer({
    flags: SLOW_FLAGS,
    prepare: async (home) => {
      await writeSlow(home);
      await writeSpeakers(home, ["idle"]);
    },
  });
  await chat(server, "idle");
  const first = streamChat(server, "slow", { max_tokens: LONG_TOKENS });
  await until(() => first.text.length > 20);
  const { resume } = pause(server);
  const door = { url: `http://127.0.0.1:${(await rowOf(server, "slow")).port}` };
  const second = streamChat(door, "slow", { max_tokens: 20 });
  await until(async () => (await rowOf(server, "slow")).leases === 2);
  server.kill("SIGTERM");
  await until(() => fetch(server.url + "/health").then((r) => r.body?.cancel(), () => true));
  await rejects(chat(server, "idle"));
  await rejects(chat(door, "slow"));
  resume();
  for (const stream of [first, second]) {
    equal((await stream.ended).reason, "length");
    equal(stream.error, null);
  }
  equal((await server.status).code, 0);
  deepEqual(modelProcesses(server.home), []);
});

/** Halts the slow model amid its answer, so that the answer lasts as long as a test needs it. */
function pause(server: ServerProcess): { pid: number; resume(): void } {
  const path = join(server.home, "slow.gguf");
  const { pid } = modelProcesses(server.home).find(({ modelPath }) => modelPath === path)!;
  Deno.kill(pid, "SIGSTOP");
  return { pid, resume: () => Deno.kill(pid, "SIGCONT") };
}

async function writeSlow(home: string): Promise<void> {
  await writeTestModel(join(home, "slow.gguf"), SLOW_MODEL);
}

function unload(server: ServerProcess, id: string, body: unknown): Promise<Response> {
  return post(server, `/admin/models/${id}/unload`, body);
}
