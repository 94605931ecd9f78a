// How long a model stays: by request, by model, by default, pinned, loaded at start.

import { deepEqual, equal, ok } from "node:assert/strict";

import type { ModelRow } from "../src/api_types.ts";
import { chat, post, rowOf, rowsOf } from "./support/chat.ts";
import { isAlive, modelProcesses } from "./support/model_processes.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";
import { sentenceOf, writeSpeakers } from "./support/speakers.ts";

Deno.test("keep_alive of a request, of a model, and the default decide how long it stays", async () => {
  await using server = await startServer({ prepare: (home) => writeSpeakers(home, ["a"]) });

  equal((await chat(server, "a", { keep_alive: 0 })).text, sentenceOf("a"));
  await until(async () => (await rowOf(server, "a")).state === "stopped");
  deepEqual(modelProcesses(server.home), []);

  // The next load knows nothing of that request.
  await chat(server, "a");
  ok(secondsLeft(await rowOf(server, "a")) > 590);

  await chat(server, "a", { keep_alive: -1 });
  const forever = await rowOf(server, "a");
  deepEqual([forever.expires_at, forever.keep_alive_ms], [null, -1]);

  const askedMs = Date.now();
  const { pid, expires_at } = await answerOf(server, "load", { keep_alive: "2s" });
  const deadlineMs = Date.parse(expires_at!);
  ok(deadlineMs >= askedMs + 1_950 && deadlineMs <= Date.now() + 2_000, expires_at!);
  await until(() => !isAlive(pid!));
  const lateMs = Date.now() - deadlineMs;
  ok(lateMs > -50 && lateMs < 30_000, `${lateMs} ms`);

  await putSettings(server, { keep_alive: "1h" });
  await chat(server, "a");
  ok(secondsLeft(await rowOf(server, "a")) > 3_590);
  await putSettings(server, { keep_alive: null });
  ok(secondsLeft(await rowOf(server, "a")) < 601, "a changed setting counts at once");
});

Deno.test("a pinned model stays; without its pin it goes after its keep-alive", async () => {
  await using server = await startServer({
    flags: ["--keep-alive", "300ms"],
    prepare: (home) => writeSpeakers(home, ["a"]),
  });
  equal((await answerOf(server, "pin")).pinned, true);
  await chat(server, "a");
  const { pid, expires_at } = await rowOf(server, "a");
  equal(expires_at, null);
  await new Promise((resolve) => setTimeout(resolve, 600));
  ok(isAlive(pid!));
  const { pinned, expires_at: deadline } = await answerOf(server, "unpin");
  deepEqual([pinned, deadline === null], [false, false]);
  await until(() => !isAlive(pid!));
});

Deno.test("models to preload are loaded at the first start, whatever is wrong with one", async () => {
  await using server = await startServer({
    flags: ["--preload", "a,nowhere,b"],
    prepare: (home) => writeSpeakers(home, ["a", "b", "c"]),
  });
  await until(async () => {
    const ready = (await rowsOf(server)).filter(({ state }) => state === "ready");
    return ready.map(({ id }) => id).join() === "a,b";
  });
  ok(secondsLeft(await rowOf(server, "b")) > 590);
});

function secondsLeft({ expires_at }: ModelRow): number {
  return (Date.parse(expires_at!) - Date.now()) / 1_000;
}

async function answerOf(server: ServerProcess, action: string, body = {}): Promise<ModelRow> {
  const response = await post(server, `/admin/models/a/${action}`, body);
  equal(response.status, 200);
  return await response.json();
}

async function putSettings(server: ServerProcess, settings: unknown): Promise<void> {
  const response = await server.fetch("/admin/models/a/settings", {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(settings),
  });
  equal(response.status, 200, await response.text());
}
