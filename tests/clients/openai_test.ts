// OpenAI's own client, unchanged, with the gateway's address as its base URL and real models behind it.

import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { join } from "node:path";
import OpenAI from "openai";
import type { ModelRow } from "../../src/api_types.ts";
import { HELLO_SENTENCE, writeTestModel } from "../../src/models/hello_model.ts";
import {
  EMBEDDING_MODEL,
  ENDLESS_MODEL,
  THINKING_MODEL,
  TOOL_MODEL,
  WEATHER_TOOL,
} from "../support/gguf_files.ts";
import { writeRecordingServer } from "../support/recording_server.ts";
import { type ServerProcess, startServer, until } from "../support/server_process.ts";
import { tempDir } from "../support/temp_dir.ts";

const MESSAGES = [{ role: "user", content: "hi" }] as const;
const KEY = "correct-horse-battery";

async function writeModels(home: string): Promise<void> {
  for (const model of [TOOL_MODEL, THINKING_MODEL, ENDLESS_MODEL, EMBEDDING_MODEL]) {
    await writeTestModel(join(home, `${model.name}.gguf`), model);
  }
}

/** As a user sets it up: one address, and the key that the server was given. */
async function served(): Promise<{ server: ServerProcess; client: OpenAI } & AsyncDisposable> {
  const server = await startServer({ prepare: writeModels, env: { ZOMBIE_API_KEY: KEY } });
  return { server, client: clientOf(server), [Symbol.asyncDispose]: server[Symbol.asyncDispose] };
}

function clientOf(server: ServerProcess, apiKey = KEY): OpenAI {
  return new OpenAI({ baseURL: `${server.url}/v1`, apiKey, maxRetries: 0 });
}

Deno.test("openai: models, chat, completions and responses, whole and streamed", async () => {
  await using both = await served();
  const { client } = both;
  const models = await client.models.list();
  const ids = models.data.map((model) => model.id);
  deepEqual(ids, ["embedding", "endless", "thinking", "tool", "hello"]);
  deepEqual(models.data.map((model) => (model as unknown as { state: string }).state), [
    ...ids.map(() => "stopped"),
  ]);
  const one = await client.models.retrieve("hello");
  deepEqual([one.id, one.object, one.owned_by], ["hello", "model", "zombiecoder"]);

  const chat = await client.chat.completions.create({ model: "hello", messages: [...MESSAGES] });
  equal(chat.object, "chat.completion");
  equal(chat.choices[0]!.message.content, HELLO_SENTENCE);
  equal(chat.choices[0]!.finish_reason, "stop");
  ok(chat.usage!.prompt_tokens > 0 && chat.usage!.completion_tokens > 0);
  equal((await client.models.retrieve("hello") as unknown as { state: string }).state, "ready");

  const stream = await client.chat.completions.create({
    model: "hello",
    messages: [...MESSAGES],
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = "";
  let usage = 0;
  let chunks = 0;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    usage = chunk.usage?.completion_tokens ?? usage;
    chunks++;
  }
  equal(text, HELLO_SENTENCE);
  equal(usage, chat.usage!.completion_tokens);
  ok(chunks > 5, `${chunks} chunks`);

  const completion = await client.completions.create({ model: "hello", prompt: "hi" });
  equal(completion.choices[0]!.text.trim(), HELLO_SENTENCE);

  const response = await client.responses.create({ model: "hello", input: "hi" });
  equal(response.output_text, HELLO_SENTENCE);
  const events: string[] = [];
  let said = "";
  for await (
    const event of await client.responses.create({ model: "hello", input: "hi", stream: true })
  ) {
    events.push(event.type);
    if (event.type === "response.output_text.delta") said += event.delta;
  }
  equal(said, HELLO_SENTENCE);
  equal(events[0], "response.created");
  equal(events.at(-1), "response.completed");
  const counted = await client.responses.inputTokens.count({ model: "hello", input: "hi" });
  equal(counted.input_tokens, chat.usage!.prompt_tokens);
});

Deno.test("openai: tools, whole and streamed, and what they gave back", async () => {
  await using both = await served();
  const { client } = both;
  // Its types know only lists that change.
  const tools = [WEATHER_TOOL] as unknown as OpenAI.ChatCompletionTool[];
  const ask = { model: "tool", messages: [...MESSAGES], tools };
  const answer = await client.chat.completions.create(ask);
  const choice = answer.choices[0]!;
  equal(choice.finish_reason, "tool_calls");
  const call = choice.message.tool_calls![0]!;
  ok(call.type === "function" && call.id.length > 0);
  equal(call.function.name, "get_weather");
  deepEqual(JSON.parse(call.function.arguments), { city: "Dhaka" });

  const stream = client.chat.completions.stream(ask);
  const final = await stream.finalChatCompletion();
  const streamed = final.choices[0]!.message.tool_calls![0]!;
  ok(streamed.type === "function");
  deepEqual(JSON.parse(streamed.function.arguments), { city: "Dhaka" });

  const second = await client.chat.completions.create({
    model: "tool",
    messages: [
      ...MESSAGES,
      { role: "assistant", tool_calls: [call] },
      { role: "tool", tool_call_id: call.id, content: "27 °C" },
    ],
  });
  // What the tool gave back is in the prompt.
  const alone = await client.chat.completions.create({ model: "tool", messages: [...MESSAGES] });
  ok(second.usage!.prompt_tokens > alone.usage!.prompt_tokens + 10);

  const response = await client.responses.create({
    model: "tool",
    input: "hi",
    tools: [{ type: "function", strict: false, ...WEATHER_TOOL.function } as never],
  });
  const item = response.output.find((each) => each.type === "function_call")!;
  equal(item.name, "get_weather");
  deepEqual(JSON.parse(item.arguments), { city: "Dhaka" });
});

Deno.test("openai: structured output keeps to the schema, and thinking is apart from the answer", async () => {
  await using both = await served();
  const { client } = both;
  const schema = {
    type: "object",
    properties: { color: { type: "string", enum: ["red", "green"] } },
    required: ["color"],
    additionalProperties: false,
  };
  const answer = await client.chat.completions.create({
    model: "hello",
    messages: [...MESSAGES],
    max_tokens: 100,
    response_format: { type: "json_schema", json_schema: { name: "choice", schema, strict: true } },
  });
  const { color } = JSON.parse(answer.choices[0]!.message.content!);
  ok(["red", "green"].includes(color), color);

  const thought = await client.chat.completions.create({
    model: "thinking",
    messages: [...MESSAGES],
  });
  const message = thought.choices[0]!.message as { content: string; reasoning_content?: string };
  equal(message.content, "It is four.");
  equal(message.reasoning_content?.trim(), "Two and two.");
});

Deno.test("openai: embeddings of a model for them, and words from it refused before it is loaded", async () => {
  await using both = await served();
  const { client, server } = both;
  const answer = await client.chat.completions.create({
    model: "embedding",
    messages: [...MESSAGES],
  }).catch((error) => error);
  ok(answer instanceof OpenAI.BadRequestError, String(answer));
  match(answer.message, /makes embeddings.*\/v1\/embeddings/);
  equal((await rowOfKeyed(server, "embedding")).state, "stopped");

  // It asks for base64 and decodes it.
  const { data, usage } = await client.embeddings.create({
    model: "embedding",
    input: ["one text", "another one"],
  });
  deepEqual(data.map((each) => each.index), [0, 1]);
  for (const { embedding } of data) {
    const length = Math.hypot(...embedding);
    ok(Math.abs(length - 1) < 1e-3, `${length}`);
  }
  ok(usage.prompt_tokens > 0);
  const [plain] = (await client.embeddings.create({
    model: "embedding",
    input: "one text",
    encoding_format: "float",
  })).data;
  const far = plain!.embedding.map((value, index) => Math.abs(value - data[0]!.embedding[index]!));
  ok(Math.max(...far) < 1e-3);
});

Deno.test("openai: a model that chats makes embeddings as well, and goes on chatting", async () => {
  await using both = await served();
  const { client, server } = both;
  const ask = { model: "hello", messages: [...MESSAGES] };
  const [chat, embeddings] = await Promise.all([
    client.chat.completions.create(ask),
    client.embeddings.create({ model: "hello", input: ["one text", "another one"] }),
  ]);
  equal(chat.choices[0]!.message.content, HELLO_SENTENCE);
  deepEqual([embeddings.model, embeddings.data.length], ["hello", 2]);
  equal((await client.chat.completions.create(ask)).choices[0]!.message.content, HELLO_SENTENCE);
  ok((await rowOfKeyed(server, "hello")).state === "ready");
});

Deno.test("openai: an aborted stream frees the slot", async () => {
  await using both = await served();
  const { client, server } = both;
  const stream = await client.chat.completions.create({
    model: "endless",
    messages: [...MESSAGES],
    stream: true,
    max_tokens: 100_000,
  });
  let chunks = 0;
  for await (const _chunk of stream) if (++chunks === 3) break;
  stream.controller.abort();
  await until(async () => (await rowOfKeyed(server, "endless")).leases === 0);
  // One slot: it answers at once only where nobody else is being answered.
  const next = await client.chat.completions.create({
    model: "endless",
    messages: [...MESSAGES],
    max_tokens: 4,
  });
  equal(next.choices[0]!.finish_reason, "length");
});

Deno.test("openai: each error is of its class, with code, param and what to do", async () => {
  await using both = await served();
  const { client, server } = both;
  const chat = (fields: Record<string, unknown>) =>
    client.chat.completions.create({ model: "hello", messages: MESSAGES, ...fields } as never);
  const unknown = await chat({ model: "nobody" }).catch((error) => error);
  ok(unknown instanceof OpenAI.NotFoundError);
  deepEqual([unknown.status, unknown.code, unknown.param, unknown.type], [
    ...[404, "model_not_found", "model", "not_found_error"],
  ]);
  match(unknown.message, /"hello"/);
  await rejects(client.models.retrieve("nobody"), OpenAI.NotFoundError);
  await rejects(
    clientOf(server, "wrong").models.list(),
    (error) => error instanceof OpenAI.AuthenticationError && error.code === "invalid_api_key",
  );
  const bad = await chat({ model: 7 }).catch((error) => error);
  ok(bad instanceof OpenAI.BadRequestError);
  deepEqual([bad.code, bad.param], ["invalid_request", "model"]);
  // llama-server's own refusals pass through.
  await rejects(chat({ messages: "none" }), OpenAI.BadRequestError);
  const long = await chat({ messages: [{ role: "user", content: "hi ".repeat(30_000) }] })
    .catch((error) => error);
  ok(long instanceof OpenAI.BadRequestError);
  const { n_prompt_tokens, n_ctx } = long.error as Record<string, number>;
  ok(n_prompt_tokens! > n_ctx! && n_ctx! > 0, long.message);
  ok(long.message.includes(`${n_prompt_tokens}`) && long.message.includes(`${n_ctx}`));
});

Deno.test("openai: a full queue is its class for 5xx, with the time after which to come again", async () => {
  await using dir = await tempDir();
  const recorded = await writeRecordingServer(dir.path, { holdAt: 0.5 });
  await using server = await startServer({
    flags: ["--llama-server", recorded.path],
    prepare: (home) =>
      Deno.writeTextFile(join(home, "config.json"), JSON.stringify({ queue_limit: 1 })),
  });
  const client = clientOf(server);
  const ask = () => client.chat.completions.create({ model: "hello", messages: [...MESSAGES] });
  const first = ask();
  await until(async () => (await server.json<ModelRow>("/admin/models/hello")).queued === 1);
  const error = await ask().catch((error) => error);
  ok(error instanceof OpenAI.InternalServerError, String(error));
  deepEqual([error.status, error.code, error.type], [503, "overloaded", "unavailable_error"]);
  ok(Number(error.headers.get("retry-after")) > 0);
  await recorded.release();
  equal((await first).choices[0]!.message.content, "seen");
});

async function rowOfKeyed(server: ServerProcess, model: string) {
  const headers = { authorization: `Bearer ${KEY}` };
  return await server.json<ModelRow>(`/admin/models/${model}`, { headers });
}
