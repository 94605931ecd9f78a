// /api/chat, field by field, and what of a request reaches the instance.

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { join } from "node:path";
import { HELLO_SENTENCE, writeTestModel } from "../src/models/hello_model.ts";
import { rowOf } from "./support/chat.ts";
import { THINKING_MODEL, TOOL_MODEL, WEATHER_TOOL } from "./support/gguf_files.ts";
import { askOllama, askWell, checkTable, type Json } from "./support/ollama_api.ts";
import { startServer } from "./support/server_process.ts";

const ROUTE = "POST /api/chat";
const HI = [{ role: "user", content: "hi" }];
const CALL = { id: "c1", function: { name: "get_weather", arguments: { city: "Dhaka" } } };
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/;

Deno.test("/api/chat has every field of Ollama's, each with its type and meaning", async () => {
  await using server = await startServer({
    async prepare(home) {
      await writeTestModel(join(home, "tool.gguf"), TOOL_MODEL);
      await writeTestModel(join(home, "thinking.gguf"), THINKING_MODEL);
    },
  });
  const chat = (fields: Record<string, unknown>) =>
    askWell(server, ROUTE, { model: "hello", messages: HI, stream: false, ...fields });
  const refused = (fields: Record<string, unknown>) =>
    askOllama(server, ROUTE, { model: "hello", messages: HI, stream: false, ...fields });
  const rendered = async (fields: Record<string, unknown>) =>
    (await chat({ _debug_render_only: true, ...fields })).last._debug_info.rendered_template;
  const wrong = async (field: string, ...values: unknown[]) => {
    for (const value of values) {
      const { status, last } = await refused({ [field]: value });
      equal(status, 400, `${field}: ${JSON.stringify(value)}: ${JSON.stringify(last)}`);
      equal(typeof last.error, "string");
    }
  };
  const wrongMessage = async (field: string, ...values: unknown[]) => {
    for (const value of values) await wrong("messages", [{ ...HI[0], [field]: value }]);
  };
  const { last } = await chat({});
  const streamed = await chat({ stream: true });
  const called = await chat({ model: "tool", tools: [WEATHER_TOOL] });
  const call = called.last.message.tool_calls[0];
  const withCall = (message: Record<string, unknown>, answer: Record<string, unknown> = {}) =>
    rendered({
      model: "tool",
      messages: [
        ...HI,
        { role: "assistant", content: "", tool_calls: [CALL], ...message },
        { role: "tool", content: "sunny", ...answer },
      ],
    });
  await checkTable(ROUTE, {
    "> model": async () => {
      equal((await chat({ model: "hello:latest" })).last.message.content, HELLO_SENTENCE);
      const unknown = await refused({ model: "nobody" });
      equal(unknown.status, 404);
      match(unknown.last.error, /^model 'nobody' not found\b/);
      await wrong("model", 7);
    },
    "> messages": async () => {
      const messages = [{ role: "system", content: "Be brief" }, ...HI];
      equal(await rendered({ messages }), "system: Be brief\nuser: hi\nassistant:");
      await wrong("messages", "hi", [7], [null]);
    },
    "> messages.role": () => wrongMessage("role", 7, "", null),
    "> messages.content": async () => {
      match(await rendered({ messages: [{ role: "user" }] }), /^user: \n/);
      await wrongMessage("content", 7, [{ type: "text", text: "hi" }]);
    },
    "> messages.thinking": async () => {
      const messages = [...HI, { role: "assistant", content: "4", thinking: "2+2" }, ...HI];
      match(await rendered({ model: "thinking", messages }), /<think>\n2\+2\n<\/think>\n\n4/);
      await wrongMessage("thinking", 7);
    },
    "> messages.images": async () => {
      const { status, last } = await refused({ messages: [{ ...HI[0], images: ["iVBORw0K"] }] });
      deepEqual([status, /Cannot show an image/.test(last.error)], [400, true]);
      await wrongMessage("images", "x", [7], ["%%%"]);
    },
    "> messages.tool_calls": () => wrongMessage("tool_calls", "x", [7], [{}], [{ function: 7 }]),
    "> messages.tool_calls.id": () =>
      wrongMessage("tool_calls", [{ ...CALL, id: 7 }], [{ ...CALL, id: {} }]),
    "> messages.tool_calls.function.name": async () => {
      match(await withCall({}), /"name": "get_weather"/);
      await wrongMessage("tool_calls", [{ function: { arguments: {} } }]);
    },
    "> messages.tool_calls.function.arguments": async () => {
      match(await withCall({}), /"arguments": \{"city": "Dhaka"\}/);
      const text = { function: { name: "get_weather", arguments: '{"city": "Dhaka"}' } };
      await wrongMessage("tool_calls", [text]);
    },
    "> messages.tool_name": async () => {
      match(await withCall({}, { tool_name: "get_weather" }), /\[tool\]sunny/);
      await wrongMessage("tool_name", 7);
    },
    "> messages.tool_call_id": async () => {
      match(await withCall({}, { tool_call_id: "c1" }), /\[tool\]sunny/);
    },
    "> tools": async () => {
      match(await rendered({ model: "tool", tools: [WEATHER_TOOL] }), /"The weather in a city"/);
      await wrong("tools", "x", [7], [{ type: "function" }]);
    },
    "> stream": async () => {
      deepEqual([streamed.type, (await chat({})).type], [
        "application/x-ndjson",
        "application/json",
      ]);
      ok((await chat({ stream: null })).lines.length > 10, "by default");
      await wrong("stream", "yes");
    },
    "> format": async () => {
      const format = { type: "object", properties: { a: { const: 4 } }, required: ["a"] };
      const options = { num_predict: 200 };
      equal(JSON.parse((await chat({ format, options })).last.message.content).a, 4);
      match((await chat({ format: "json", options })).last.message.content, /^\s*\{/);
      await wrong("format", "xml", 7, { type: "nonsense" });
    },
    "> keep_alive": async () => {
      await chat({ keep_alive: "7m" });
      equal((await rowOf(server, "hello")).keep_alive_ms, 420_000);
      await wrong("keep_alive", "soon");
    },
    "> options": async () => {
      const { last } = await chat({ options: { num_predict: 3 } });
      deepEqual([last.eval_count, last.done_reason], [3, "length"]);
      await wrong("options", 7, { temperature: "hot" });
    },
    "> think": async () => {
      const closed = async (think: unknown) =>
        (await rendered({ model: "thinking", think })).includes("</think>");
      deepEqual([await closed(true), await closed("low"), await closed(false)], [
        false,
        false,
        true,
      ]);
      await wrong("think", "much", 7);
    },
    // A prompt that is too long is refused in any case: CONTRIBUTING says why.
    "> truncate": async () => {
      const messages = [{ role: "user", content: "x ".repeat(9_000) }];
      match((await refused({ messages, truncate: true })).last.error, /\d+ tokens.*8192/);
      await wrong("truncate", "yes");
    },
    "> shift": () => wrong("shift", "yes"),
    "> logprobs": async () => {
      equal("logprobs" in last, false);
      await wrong("logprobs", "yes");
    },
    "> top_logprobs": async () => {
      const { logprobs } = (await chat({ logprobs: true, top_logprobs: 2 })).last;
      equal(logprobs[0].top_logprobs.length, 2);
      await wrong("top_logprobs", -1, 21);
    },
    "> _debug_render_only": async () => {
      equal(await rendered({}), "user: hi\nassistant:");
    },
    "< model": () => equal(last.model, "hello"),
    "< created_at": () => match(last.created_at, RFC_3339),
    "< message.role": () => {
      ok([last, ...streamed.lines].every((line: Json) => line.message.role === "assistant"));
    },
    "< message.content": () => {
      equal(last.message.content, HELLO_SENTENCE);
      equal(streamed.lines.map((line: Json) => line.message.content).join(""), HELLO_SENTENCE);
      equal(streamed.last.message.content, "");
    },
    "< message.thinking": async () => {
      const { message } = (await chat({ model: "thinking" })).last;
      deepEqual([message.thinking.trim(), message.content], ["Two and two.", "It is four."]);
      equal("thinking" in last.message, false);
    },
    "< message.tool_calls.id": () => ok(typeof call.id === "string" && call.id !== ""),
    "< message.tool_calls.function.index": () => equal(call.function.index, 0),
    "< message.tool_calls.function.name": () => equal(call.function.name, "get_weather"),
    "< message.tool_calls.function.arguments": () => {
      deepEqual(call.function.arguments, { city: "Dhaka" });
      equal("tool_calls" in last.message, false);
    },
    "< done": () => {
      const flags = streamed.lines.map((line: Json) => line.done);
      deepEqual(flags, [...flags.slice(1).map(() => false), true]);
    },
    "< logprobs": async () => {
      const { logprobs } = (await chat({ logprobs: true })).last;
      deepEqual([logprobs[0].token, logprobs[0].logprob], ["Hello", 0]);
      equal("top_logprobs" in logprobs[0], false);
    },
    "< done_reason": async () => {
      deepEqual([last.done_reason, called.last.done_reason], ["stop", "stop"]);
      equal((await chat({ options: { num_predict: 2 } })).last.done_reason, "length");
      const unloaded = (await chat({ messages: [], keep_alive: 0 })).last;
      deepEqual([unloaded.done_reason, unloaded.message], ["unload", {
        role: "assistant",
        content: "",
      }]);
      equal((await rowOf(server, "hello")).state, "stopped");
      equal((await chat({ messages: undefined })).last.done_reason, "load");
      equal((await rowOf(server, "hello")).state, "ready");
    },
    "< total_duration": () => {
      isNanoseconds(last.total_duration);
      ok(last.total_duration >= last.eval_duration + last.prompt_eval_duration);
    },
    "< load_duration": () => isNanoseconds(last.load_duration),
    "< prompt_eval_count": () => equal(last.prompt_eval_count, 22),
    "< prompt_eval_duration": () => isNanoseconds(last.prompt_eval_duration),
    "< eval_count": () => equal(last.eval_count, 25),
    "< eval_duration": () => isNanoseconds(last.eval_duration),
  });
});

Deno.test("/api/chat gives a call that was cut off in the middle to nobody", async () => {
  await using server = await startServer({
    prepare: (home) => writeTestModel(join(home, "tool.gguf"), TOOL_MODEL),
  });
  for (const stream of [false, true]) {
    const { lines, last } = await askWell(server, ROUTE, {
      model: "tool",
      messages: HI,
      tools: [WEATHER_TOOL],
      stream,
      options: { num_predict: 5 },
    });
    equal(last.done_reason, "length");
    ok(lines.every((line) => line.message.tool_calls === undefined), JSON.stringify(lines));
  }
});

function isNanoseconds(value: unknown): void {
  ok(Number.isSafeInteger(value) && (value as number) > 1_000, `${value}`);
}
