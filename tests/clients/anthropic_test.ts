// Anthropic's own client, unchanged, with the gateway's address as its base URL and real models behind it.

import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { join } from "node:path";
import Anthropic from "@anthropic-ai/sdk";
import { HELLO_SENTENCE, writeTestModel } from "../../src/models/hello_model.ts";
import { ENDLESS_MODEL, THINKING_MODEL, TOOL_MODEL, WEATHER_TOOL } from "../support/gguf_files.ts";
import { rowOf } from "../support/chat.ts";
import { type ServerProcess, startServer, until } from "../support/server_process.ts";

const KEY = "correct-horse-battery";
const ASK = { max_tokens: 200, messages: [{ role: "user", content: "hi" }] } as const;
/** WEATHER_TOOL as Anthropic's clients describe it. */
const TOOL: Anthropic.Tool = {
  name: WEATHER_TOOL.function.name,
  description: WEATHER_TOOL.function.description,
  input_schema: WEATHER_TOOL.function.parameters as unknown as Anthropic.Tool.InputSchema,
};

async function writeModels(home: string): Promise<void> {
  for (const model of [TOOL_MODEL, THINKING_MODEL, ENDLESS_MODEL]) {
    await writeTestModel(join(home, `${model.name}.gguf`), model);
  }
}

function clientOf(server: ServerProcess, apiKey = KEY): Anthropic {
  return new Anthropic({ baseURL: server.url, apiKey, maxRetries: 0 });
}

/** Its types know only lists that change. */
function ask(model: string, fields: Partial<Anthropic.MessageCreateParamsNonStreaming> = {}) {
  return { ...ASK, messages: [...ASK.messages], model, ...fields };
}

Deno.test("anthropic: messages, whole and streamed, with the counts that count_tokens says", async () => {
  await using server = await startServer({ env: { ZOMBIE_API_KEY: KEY } });
  const client = clientOf(server);
  const message = await client.messages.create(ask("hello"));
  deepEqual([message.type, message.role, message.model], ["message", "assistant", "hello"]);
  deepEqual(message.content.map((block) => block.type === "text" ? block.text : block), [
    HELLO_SENTENCE,
  ]);
  deepEqual([message.stop_reason, message.stop_sequence], ["end_turn", null]);
  const { input_tokens, output_tokens, cache_read_input_tokens } = message.usage;
  ok(input_tokens > 0 && output_tokens > 0 && cache_read_input_tokens !== null);
  ok(!("timings" in message));
  const { input_tokens: counted } = await client.messages.countTokens({
    model: "hello",
    messages: [...ASK.messages],
  });
  equal(counted, input_tokens + cache_read_input_tokens!);
  // A system prompt is read, too.
  const { input_tokens: more } = await client.messages.countTokens({
    model: "hello",
    system: "Be brief.",
    messages: [...ASK.messages],
  });
  ok(more > counted);
  const short = await client.messages.create(ask("hello", { max_tokens: 3 }));
  equal(short.stop_reason, "max_tokens");
  equal(short.usage.output_tokens, 3);

  const types: string[] = [];
  const stream = client.messages.stream(ask("hello"));
  stream.on("streamEvent", ({ type }) => void (types.at(-1) !== type && types.push(type)));
  equal(await stream.finalText(), HELLO_SENTENCE);
  deepEqual(types, [
    ...["message_start", "content_block_start", "content_block_delta", "content_block_stop"],
    ...["message_delta", "message_stop"],
  ]);
  const final = await stream.finalMessage();
  deepEqual([final.stop_reason, final.usage.output_tokens], ["end_turn", output_tokens]);
});

Deno.test("anthropic: tools, whole and streamed, and what they gave back; thinking is a block of its own", async () => {
  await using server = await startServer({ env: { ZOMBIE_API_KEY: KEY }, prepare: writeModels });
  const client = clientOf(server);
  const called = await client.messages.create(ask("tool", { tools: [TOOL] }));
  equal(called.stop_reason, "tool_use");
  const call = called.content.find((block) => block.type === "tool_use")!;
  equal(call.name, "get_weather");
  deepEqual(call.input, { city: "Dhaka" });
  ok(call.id.length > 0);

  const streamed = await client.messages.stream(ask("tool", { tools: [TOOL] })).finalMessage();
  const again = streamed.content.find((block) => block.type === "tool_use")!;
  deepEqual([again.name, again.input], ["get_weather", { city: "Dhaka" }]);
  equal(streamed.stop_reason, "tool_use");

  const messages: Anthropic.MessageParam[] = [
    ...ASK.messages,
    // A call about an address is no image at one.
    { role: "assistant", content: [{ ...call, input: { url: "https://example.com/a.png" } }] },
    { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "27 °C" }] },
  ];
  const second = await client.messages.create(ask("tool", { messages, tools: [TOOL] }));
  const total = ({ usage }: Anthropic.Message) =>
    usage.input_tokens + (usage.cache_read_input_tokens ?? 0);
  ok(total(second) > total(called) + 10);

  const thought = await client.messages.create(ask("thinking"));
  const blocks = thought.content.map((block) =>
    block.type === "thinking" ? block.thinking.trim() : block.type === "text" ? block.text : block
  );
  deepEqual(blocks, ["Two and two.", "It is four."]);
  const thoughtStream = await client.messages.stream(ask("thinking")).finalMessage();
  deepEqual(thoughtStream.content.map((block) => block.type), ["thinking", "text"]);
});

Deno.test("anthropic: an aborted stream frees the slot", async () => {
  await using server = await startServer({ prepare: writeModels });
  const client = clientOf(server);
  const stream = await client.messages.create({
    ...ask("endless", { max_tokens: 100_000 }),
    stream: true,
  });
  let events = 0;
  for await (const _event of stream) if (++events === 5) break;
  stream.controller.abort();
  await until(async () => (await rowOf(server, "endless")).leases === 0);
  equal(
    (await client.messages.create(ask("endless", { max_tokens: 4 }))).stop_reason,
    "max_tokens",
  );
});

Deno.test("anthropic: models in its own list, page by page, and each error of its class and type", async () => {
  await using server = await startServer({ env: { ZOMBIE_API_KEY: KEY }, prepare: writeModels });
  const client = clientOf(server);
  const page = await client.models.list();
  deepEqual(page.data.map(({ type, id, display_name }) => [type, id, display_name]), [
    ...["endless", "thinking", "tool", "hello"].map((id) => ["model", id, id]),
  ]);
  deepEqual([page.has_more, page.first_id, page.last_id], [false, "endless", "hello"]);
  match(page.data[0]!.created_at, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  const ids: string[] = [];
  for await (const { id } of client.models.list({ limit: 2 })) ids.push(id);
  deepEqual(ids, ["endless", "thinking", "tool", "hello"]);
  const last = await client.models.list({ limit: 1, before_id: "hello" });
  deepEqual([last.data.map(({ id }) => id), last.has_more], [["tool"], true]);
  await rejects(client.models.list({ limit: 0 }), Anthropic.BadRequestError);
  await rejects(client.models.list({ after_id: "nobody" }), Anthropic.BadRequestError);
  equal((await client.models.retrieve("Tool:latest")).id, "tool");

  const create = (fields: Record<string, unknown>) =>
    client.messages.create({ ...ask("hello"), ...fields } as Anthropic.MessageCreateParams);
  const long = [{ role: "user", content: "hi ".repeat(30_000) }];
  const { NotFoundError, AuthenticationError, BadRequestError } = Anthropic;
  const errors: [
    ask: () => Promise<unknown>,
    kind: { [Symbol.hasInstance](value: unknown): boolean },
    type: string,
    says: RegExp,
  ][] = [
    [() => client.models.retrieve("nobody"), NotFoundError, "not_found_error", /"hello"/],
    [() => create({ model: "nobody" }), NotFoundError, "not_found_error", /"hello"/],
    [
      () => clientOf(server, "wrong").models.list(),
      AuthenticationError,
      "authentication_error",
      /API key/,
    ],
    [
      () => create({ messages: long }),
      BadRequestError,
      "invalid_request_error",
      /\d tokens.*\d tokens/,
    ],
    [
      () => create({ temperature: "warm" }),
      BadRequestError,
      "invalid_request_error",
      /temperature/,
    ],
    [() => create({ model: 7 }), BadRequestError, "invalid_request_error", /"model"/],
    [
      () => client.post("/v1/messages/batches", { body: {} }),
      NotFoundError,
      "not_found_error",
      /batches/,
    ],
  ];
  for (const [ask, kind, type, says] of errors) {
    const error = await ask().then(() => null, (reason) => reason);
    ok(error instanceof Anthropic.APIError && kind[Symbol.hasInstance](error), `${error}`);
    const body = error.error as { type: string; error: { type: string; message: string } };
    deepEqual(Object.keys(body), ["type", "error"]);
    deepEqual([body.type, body.error.type], ["error", type]);
    match(body.error.message, says);
  }
});
