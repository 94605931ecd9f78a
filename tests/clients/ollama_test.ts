// Ollama's own client, unchanged, with the gateway's address as its host and real models behind it.

import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { join } from "node:path";
import { Ollama } from "ollama";
import { HELLO_SENTENCE, writeTestModel } from "../../src/models/hello_model.ts";
import {
  EMBEDDING_MODEL,
  ENDLESS_MODEL,
  THINKING_MODEL,
  TOOL_MODEL,
  WEATHER_TOOL,
} from "../support/gguf_files.ts";
import { type ServerProcess, startServer, until } from "../support/server_process.ts";

const MESSAGES = [{ role: "user", content: "hi" }];
const KEY = "correct-horse-battery";
/** Fields that Ollama's client has no type for, though it passes them on. */
type Extra = Record<string, unknown>;

async function writeModels(home: string): Promise<void> {
  for (const model of [TOOL_MODEL, THINKING_MODEL, ENDLESS_MODEL, EMBEDDING_MODEL]) {
    await writeTestModel(join(home, `${model.name}.gguf`), model);
  }
}

async function served(): Promise<{ server: ServerProcess; client: Ollama } & AsyncDisposable> {
  const server = await startServer({ prepare: writeModels, env: { ZOMBIE_API_KEY: KEY } });
  const client = new Ollama({ host: server.url, headers: { authorization: `Bearer ${KEY}` } });
  return { server, client, [Symbol.asyncDispose]: server[Symbol.asyncDispose] };
}

async function idle(server: ServerProcess, model: string): Promise<void> {
  const headers = { authorization: `Bearer ${KEY}` };
  await until(async () => {
    const row = await (await server.fetch(`/admin/models/${model}`, { headers })).json();
    return row.leases === 0;
  });
}

Deno.test("ollama: generate() and chat(), whole and streamed, say the same", async () => {
  await using both = await served();
  const { client } = both;
  const generated = await client.generate({ model: "hello", prompt: "hi" });
  equal(generated.response, HELLO_SENTENCE);
  deepEqual([generated.model, generated.done, generated.done_reason], ["hello", true, "stop"]);
  let response = "";
  let chunks = 0;
  for await (const part of await client.generate({ model: "hello", prompt: "hi", stream: true })) {
    response += part.response;
    chunks++;
  }
  equal(response, HELLO_SENTENCE);
  ok(chunks > 10, "as it came, not in one piece");

  const said = await client.chat({ model: "hello:latest", messages: MESSAGES });
  deepEqual(said.message, { role: "assistant", content: HELLO_SENTENCE });
  equal(said.model, "hello:latest");
  let content = "";
  let last: typeof said | null = null;
  for await (
    const part of await client.chat({ model: "hello", messages: MESSAGES, stream: true })
  ) {
    content += part.message.content;
    last = part;
  }
  equal(content, HELLO_SENTENCE);
  deepEqual([last?.done, last?.done_reason], [true, "stop"]);
  equal(last?.eval_count, said.eval_count);
});

Deno.test("ollama: chat() calls a tool and takes its answer, with arguments as objects both ways", async () => {
  await using both = await served();
  const { client } = both;
  // deno-lint-ignore no-explicit-any -- the client's type wants mutable lists
  const tools = [WEATHER_TOOL] as any;
  const whole = await client.chat({ model: "tool", messages: MESSAGES, tools });
  const [call] = whole.message.tool_calls ?? [];
  equal(call?.function.name, "get_weather");
  deepEqual(call?.function.arguments, { city: "Dhaka" });
  equal(whole.message.content, "");
  equal(whole.done_reason, "stop");
  const calls = [];
  const stream = await client.chat({ model: "tool", messages: MESSAGES, tools, stream: true });
  for await (const part of stream) calls.push(...part.message.tool_calls ?? []);
  deepEqual(calls.map((each) => each.function.arguments), [{ city: "Dhaka" }]);
  const rendered = await client.chat({
    model: "tool",
    messages: [...MESSAGES, whole.message, {
      role: "tool",
      tool_name: "get_weather",
      content: "sunny",
    }],
    tools,
    ...{ _debug_render_only: true } as Extra,
  }) as unknown as { _debug_info: { rendered_template: string } };
  match(rendered._debug_info.rendered_template, /"city": "Dhaka"/);
  match(rendered._debug_info.rendered_template, /\[tool\]sunny\[end\]/);
});

Deno.test("ollama: chat() and generate() split thinking from the answer, and think as they are told", async () => {
  await using both = await served();
  const { client } = both;
  const chat = await client.chat({ model: "thinking", messages: MESSAGES, think: true });
  deepEqual([chat.message.thinking?.trim(), chat.message.content], ["Two and two.", "It is four."]);
  const generated = await client.generate({ model: "thinking", prompt: "hi", think: "high" });
  deepEqual([generated.thinking?.trim(), generated.response], ["Two and two.", "It is four."]);
  let thinking = "";
  let content = "";
  const stream = await client.chat({ model: "thinking", messages: MESSAGES, stream: true });
  for await (const part of stream) {
    thinking += part.message.thinking ?? "";
    content += part.message.content;
  }
  deepEqual([thinking.trim(), content], ["Two and two.", "It is four."]);
  for (const think of [true, false]) {
    const rendered = await client.chat({
      model: "thinking",
      messages: MESSAGES,
      think,
      ...{ _debug_render_only: true } as Extra,
    }) as unknown as { _debug_info: { rendered_template: string } };
    equal(rendered._debug_info.rendered_template.includes("<think>"), !think);
  }
});

Deno.test("ollama: format is JSON, or what a schema says", async () => {
  await using both = await served();
  const { client } = both;
  const options = { num_predict: 200, seed: 1 };
  const format = {
    type: "object",
    properties: { city: { enum: ["Dhaka"] } },
    required: ["city"],
    additionalProperties: false,
  };
  const chat = await client.chat({ model: "hello", messages: MESSAGES, format, options });
  deepEqual(JSON.parse(chat.message.content), { city: "Dhaka" });
  const generated = await client.generate({ model: "hello", prompt: "hi", format, options });
  deepEqual(JSON.parse(generated.response!), { city: "Dhaka" });
  const raw = await client.generate({ model: "hello", prompt: "hi", raw: true, format, options });
  deepEqual(JSON.parse(raw.response!), { city: "Dhaka" });
  const any = await client.chat({ model: "hello", messages: MESSAGES, format: "json", options });
  match(any.message.content, /^\s*\{/);
});

Deno.test("ollama: embed() and embeddings()", async () => {
  await using both = await served();
  const { client } = both;
  const one = await client.embed({ model: "embedding", input: "hi" });
  const two = await client.embed({ model: "embedding", input: ["hi", "abc"] });
  equal(two.embeddings.length, 2);
  deepEqual(two.embeddings[0], one.embeddings[0]);
  ok(two.prompt_eval_count > one.prompt_eval_count);
  for (const vector of two.embeddings) ok(Math.abs(Math.hypot(...vector) - 1) < 1e-5);
  const short = await client.embed({ model: "embedding", input: "hi", dimensions: 16 });
  equal(short.embeddings[0]!.length, 16);
  ok(Math.abs(Math.hypot(...short.embeddings[0]!) - 1) < 1e-5);
  const old = await client.embeddings({ model: "embedding", prompt: "hi" });
  ok(Math.hypot(...old.embedding) > 2, "as the model gives it");
  equal(old.embedding.length, one.embeddings[0]!.length);
  deepEqual((await client.embed({ model: "embedding", input: [] })).embeddings, []);
});

Deno.test("ollama: list(), show(), ps() and version()", async () => {
  await using both = await served();
  const { client } = both;
  const { models } = await client.list();
  deepEqual(
    models.map((model) => model.name),
    ["embedding", "endless", "thinking", "tool", "hello"].map((name) => `${name}:latest`),
  );
  const { capabilities, details } = await client.show({ model: "tool" });
  deepEqual([capabilities, details.format], [["completion", "tools"], "gguf"]);
  deepEqual((await client.ps()).models, []);
  await client.generate({ model: "hello", prompt: "hi", keep_alive: "1h" });
  await client.generate({ model: "tool", prompt: "hi", keep_alive: -1 });
  const running = (await client.ps()).models;
  deepEqual(running.map((model) => model.name), ["tool:latest", "hello:latest"]);
  const leftMs = new Date(running[1]!.expires_at).getTime() - Date.now();
  ok(leftMs > 59 * 60_000 && leftMs <= 60 * 60_000, `${leftMs}`);
  match((await client.version()).version, /^0\.\d+\.\d+$/);
});

Deno.test("ollama: copy(), create() and delete()", async () => {
  await using both = await served();
  const { client } = both;
  deepEqual(await client.copy({ source: "hello", destination: "jo/greeter:v1" }), {
    status: "success",
  });
  equal((await client.generate({ model: "jo/greeter:v1", prompt: "hi" })).response, HELLO_SENTENCE);
  const statuses: string[] = [];
  const made = await client.create({
    model: "boss",
    from: "jo/greeter:v1",
    system: "Be bossy",
    parameters: { num_predict: 2, stop: ["zzz"] },
    stream: true,
  });
  for await (const { status } of made) statuses.push(status);
  equal(statuses.at(-1), "success");
  const shown = await client.show({ model: "boss" });
  equal(shown.system, "Be bossy");
  match(shown.parameters, /num_predict +2\nstop +"zzz"/);
  const said = await client.chat({ model: "boss", messages: MESSAGES });
  deepEqual([said.eval_count, said.done_reason], [2, "length"]);
  // Each of the three is its own.
  deepEqual(await client.delete({ model: "jo/greeter:v1" }), { status: "success" });
  equal((await client.chat({ model: "boss", messages: MESSAGES })).eval_count, 2);
  await client.delete({ model: "boss" });
  const left = (await client.list()).models.map((model) => model.name);
  ok(left.includes("hello:latest") && !left.includes("boss:latest"));
  await rejects(client.delete({ model: "boss" }), /model 'boss' not found/);
});

Deno.test("ollama: abort() ends the generation", async () => {
  await using both = await served();
  const { client, server } = both;
  const stream = await client.generate({ model: "endless", prompt: "hi", stream: true });
  let parts = 0;
  await rejects(async () => {
    for await (const _part of stream) if (++parts === 3) client.abort();
  }, /abort/i);
  await idle(server, "endless");
  equal(
    (await client.generate({ model: "endless", prompt: "hi", options: { num_predict: 3 } }))
      .eval_count,
    3,
  );
});

Deno.test("ollama: errors come with their status and text", async () => {
  await using both = await served();
  const { client, server } = both;
  const errors: [ask: () => Promise<unknown>, status: number, words: RegExp][] = [
    [() => client.chat({ model: "nobody", messages: MESSAGES }), 404, /^model 'nobody' not found/],
    [() => client.show({ model: "nobody" }), 404, /^model 'nobody' not found/],
    [() => client.generate({ model: "hello", prompt: 7 as unknown as string }), 400, /"prompt"/],
    [() => client.push({ model: "hello" }), 501, /publishes none/],
    [
      () => client.systemone({ model: "hello", state: "x", questions: {} }),
      501,
      /no route/,
    ],
    [
      () => client.generate({ model: "hello", prompt: "hi", images: ["aGk="] }),
      400,
      /Cannot show an image/,
    ],
  ];
  for (const [ask, status, words] of errors) {
    await rejects(ask, (error: Error & { status_code: number }) => {
      match(error.message, words);
      equal(error.status_code, status);
      return true;
    });
  }
  const stranger = new Ollama({ host: server.url });
  await rejects(stranger.list(), { status_code: 401 });
  await rejects(stranger.chat({ model: "hello", messages: MESSAGES }), { status_code: 401 });
});
