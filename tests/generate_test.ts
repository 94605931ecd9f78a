// POST /generate: the seed's own dialect, whole and streamed.

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { join } from "node:path";
import type { GenerateAnswer } from "../src/api_types.ts";
import { HELLO_SENTENCE, writeTestModel } from "../src/models/hello_model.ts";
import { post, rowOf } from "./support/chat.ts";
import { ENDLESS_MODEL } from "./support/gguf_files.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";

Deno.test("/generate answers whole, with counts, port and the time of the load", async () => {
  await using server = await startServer();
  const first = await generate(server, { model_id: "hello", prompt: "hi" });
  const { port } = await rowOf(server, "hello");
  const tokens = first.completion_tokens!;
  deepEqual(first, {
    model_id: "hello",
    response: HELLO_SENTENCE,
    done: true,
    done_reason: "stop",
    port,
    load_ms: first.load_ms,
    prompt_tokens: first.prompt_tokens,
    completion_tokens: tokens,
  });
  ok(first.load_ms > 0);
  ok(first.prompt_tokens! > 0 && tokens > 10);
  const second = await generate(server, { model_id: "hello", prompt: "hi" });
  deepEqual([second.load_ms, second.completion_tokens], [0, tokens]);
});

Deno.test("/generate streams the same text, its last event is done with the counts", async () => {
  await using server = await startServer();
  const whole = await generate(server, { model_id: "hello", prompt: "hi" });
  const { type, events } = await generateStream(server, { model_id: "hello", prompt: "hi" });
  match(type, /^text\/event-stream/);
  const last = events.pop()!;
  deepEqual(last, { ...whole, response: "", load_ms: 0 });
  ok(events.length > 10, "as it came, not in one piece");
  for (const event of events) deepEqual(Object.keys(event), ["response"]);
  equal(events.map(({ response }) => response).join(""), HELLO_SENTENCE);
});

Deno.test("/generate takes max_tokens, stop and temperature", async () => {
  await using server = await startServer();
  for (const stream of [false, true]) {
    const limited = await lastOf(server, { prompt: "hi", max_tokens: 3, temperature: 1.5, stream });
    deepEqual([limited.completion_tokens, limited.done_reason], [3, "length"]);
    const stopped = await lastOf(server, { prompt: "hi", stop: [" works"], stream });
    equal(stopped.done_reason, "stop");
    equal(stopped.text, HELLO_SENTENCE.slice(0, HELLO_SENTENCE.indexOf(" works")));
  }
});

Deno.test("/generate works for a model without a chat template", async () => {
  await using server = await startServer({
    prepare: (home) =>
      writeTestModel(join(home, "plain.gguf"), {
        sentence: "Plain words only.",
        chatTemplate: null,
      }),
  });
  for (const stream of [false, true]) {
    const { text, completion_tokens } = await lastOf(server, {
      model_id: "plain",
      prompt: "hi",
      stream,
    });
    equal(text, "Plain words only.");
    ok(completion_tokens! > 0);
  }
});

Deno.test("/generate sets the idle time by keep_alive", async () => {
  await using server = await startServer();
  await generate(server, { model_id: "hello", prompt: "hi", keep_alive: "7m" });
  equal((await rowOf(server, "hello")).keep_alive_ms, 7 * 60_000);
  await generate(server, { model_id: "hello", prompt: "hi", keep_alive: -1 });
  const row = await rowOf(server, "hello");
  deepEqual([row.keep_alive_ms, row.expires_at], [-1, null]);
  await generate(server, { model_id: "hello", prompt: "hi", keep_alive: 0 });
  await until(async () => (await rowOf(server, "hello")).state === "stopped");
});

Deno.test("/generate says what is wrong with a request", async () => {
  await using server = await startServer({
    prepare: (home) =>
      writeTestModel(join(home, "short.gguf"), { ...ENDLESS_MODEL, contextLength: 512 }),
  });
  const wrong: [body: Record<string, unknown>, status: number, words: RegExp][] = [
    [{ model_id: "hello" }, 400, /"prompt"/],
    [{ model_id: "hello", prompt: 7 }, 400, /"prompt"/],
    [{ model_id: "hello", prompt: "hi", stream: "yes" }, 400, /"stream".*true or false/],
    [{ model_id: "hello", prompt: "hi", max_tokens: "3" }, 400, /"max_tokens".*number/],
    [{ model_id: "hello", prompt: "hi", keep_alive: "soon" }, 400, /"keep_alive"/],
    [{ model_id: "nobody", prompt: "hi" }, 404, /"hello"/],
    // llama-server's own words.
    [{ model_id: "short", prompt: "x ".repeat(1_000) }, 400, /512/],
    [{ model_id: "short", prompt: "x ".repeat(1_000), stream: true }, 400, /512/],
  ];
  for (const [body, status, words] of wrong) {
    const answer = await post(server, "/generate", body);
    const { error } = await answer.json();
    equal(answer.status, status, JSON.stringify(error));
    match(error.message, words);
  }
  const asked = await server.fetch("/generate");
  await asked.body?.cancel();
  deepEqual([asked.status, asked.headers.get("allow")], [405, "POST"]);
});

async function generate(
  server: ServerProcess,
  body: Record<string, unknown>,
): Promise<GenerateAnswer> {
  const answer = await post(server, "/generate", body);
  const text = await answer.text();
  equal(answer.status, 200, text);
  return JSON.parse(text);
}

async function generateStream(server: ServerProcess, body: Record<string, unknown>) {
  const answer = await post(server, "/generate", { ...body, stream: true });
  const text = await answer.text();
  equal(answer.status, 200, text);
  match(text, /\n\n$/);
  const events: GenerateAnswer[] = text.trimEnd().split("\n\n").map((event) => {
    equal(event.startsWith("data: "), true, event);
    return JSON.parse(event.slice("data: ".length));
  });
  return { type: answer.headers.get("content-type") ?? "", events };
}

/** The last event, or the only answer, with the whole text. */
async function lastOf(
  server: ServerProcess,
  body: Record<string, unknown>,
): Promise<GenerateAnswer & { text: string }> {
  const request = { model_id: "hello", ...body };
  if (body.stream !== true) {
    const answer = await generate(server, request);
    return { ...answer, text: answer.response };
  }
  const { events } = await generateStream(server, request);
  return { ...events.at(-1)!, text: events.map(({ response }) => response).join("") };
}
