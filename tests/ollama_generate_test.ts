// /api/generate and its options, field by field: present, of its type, and meaning what Ollama means.

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { join } from "node:path";
import { HELLO_SENTENCE, writeTestModel } from "../src/models/hello_model.ts";
import { rowOf } from "./support/chat.ts";
import { EMBEDDING_MODEL, THINKING_MODEL } from "./support/gguf_files.ts";
import { askOllama, askWell, checkTable, type Json } from "./support/ollama_api.ts";
import { startServer, until } from "./support/server_process.ts";

const ROUTE = "POST /api/generate";
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/;
const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

async function served() {
  return await startServer({
    async prepare(home) {
      await writeTestModel(join(home, "thinking.gguf"), THINKING_MODEL);
      await writeTestModel(join(home, "embedding.gguf"), EMBEDDING_MODEL);
      await writeTestModel(join(home, "plain.gguf"), {
        sentence: "Plain words only.",
        chatTemplate: null,
      });
    },
  });
}

Deno.test("/api/generate has every field of Ollama's, each with its type and meaning", async () => {
  await using server = await served();
  const generate = (fields: Record<string, unknown>) =>
    askWell(server, ROUTE, { model: "hello", prompt: "hi", stream: false, ...fields });
  const refused = (fields: Record<string, unknown>) =>
    askOllama(server, ROUTE, { model: "hello", prompt: "hi", stream: false, ...fields });
  const rendered = async (fields: Record<string, unknown>) =>
    (await generate({ _debug_render_only: true, ...fields })).last._debug_info.rendered_template;
  const wrong = async (field: string, ...values: unknown[]) => {
    for (const value of values) {
      const { status, last } = await refused({ [field]: value });
      equal(status, 400, `${field}: ${JSON.stringify(value)}`);
      equal(typeof last.error, "string");
    }
  };
  const { last } = await generate({});
  const streamed = await generate({ stream: true });
  await checkTable(ROUTE, {
    "> model": async () => {
      equal((await generate({ model: "HELLO:latest" })).last.response, HELLO_SENTENCE);
      const unknown = await refused({ model: "nobody" });
      deepEqual([unknown.status, unknown.type], [404, "application/json"]);
      match(unknown.last.error, /^model 'nobody' not found\b.*"hello"/);
      await wrong("model", 7, {});
    },
    "> prompt": async () => {
      match(await rendered({ prompt: "say this" }), /user: say this\n/);
      deepEqual((await generate({ prompt: "" })).last.done_reason, "load");
      await wrong("prompt", 7, ["hi"]);
    },
    "> suffix": async () => {
      const { status, last } = await refused({ suffix: "end" });
      // The test model has no tokens for a gap, and that is said.
      equal(status, 400);
      match(last.error, /not supported by this model/);
      await wrong("suffix", 7);
    },
    "> system": async () => {
      match(await rendered({ system: "Be brief" }), /^system: Be brief\nuser: hi/);
      await wrong("system", 7);
    },
    "> template": async () => {
      const { status, last } = await refused({ template: "{{ .Prompt }}" });
      equal(status, 501);
      match(last.error, /template language/);
      equal((await generate({ template: "" })).last.done, true);
      await wrong("template", 7);
    },
    "> context": async () => {
      const before = await rendered({ prompt: "and now?", context: last.context });
      equal(before, `user: hi\nassistant: ${HELLO_SENTENCE}\nuser: and now?\nassistant:`);
      equal((await generate({ context: [] })).last.response, HELLO_SENTENCE);
      await wrong("context", 7, [1, 2, 3], [...last.context, -1], ["a"]);
    },
    "> stream": async () => {
      equal((await generate({ stream: null })).type, "application/x-ndjson");
      deepEqual([streamed.type, (await generate({})).type], [
        "application/x-ndjson",
        "application/json",
      ]);
      equal((await generate({})).lines.length, 1);
      ok(streamed.lines.length > 10);
      await wrong("stream", "yes", 1);
    },
    "> raw": async () => {
      const { last } = await generate({ raw: true });
      equal(last.response, HELLO_SENTENCE);
      equal(last.prompt_eval_count, 3, "the prompt's own tokens and no template's");
      equal("context" in last, false);
      for (const field of [{ system: "x" }, { template: "x" }, { context: [1] }]) {
        const { status, last } = await refused({ raw: true, ...field });
        equal(status, 400);
        equal(last.error, "raw mode does not support template, system, or context");
      }
      await wrong("raw", "yes");
    },
    "> format": async () => {
      const format = { type: "object", properties: { a: { const: 4 } }, required: ["a"] };
      const options = { num_predict: 200 };
      equal(JSON.parse((await generate({ format, options })).last.response).a, 4);
      match((await generate({ format: "json", options })).last.response, /^\s*\{/);
      equal((await generate({ format: "" })).last.response, HELLO_SENTENCE);
      await wrong("format", "xml", 7, true, { type: "nonsense" });
    },
    "> keep_alive": async () => {
      const forms: [value: unknown, ms: number][] = [
        ["7m", 420_000],
        ["1h30m", 5_400_000],
        [90, 90_000],
        [90.5, 90_500],
        ["90", 90_000],
        [-1, -1],
        ["-1m", -1],
      ];
      for (const [keep_alive, ms] of forms) {
        await generate({ keep_alive });
        equal((await rowOf(server, "hello")).keep_alive_ms, ms, JSON.stringify(keep_alive));
      }
      for (const keep_alive of [0, "0s"]) {
        await generate({ keep_alive });
        await until(async () => (await rowOf(server, "hello")).state === "stopped");
      }
      await wrong("keep_alive", "soon", {}, true);
    },
    "> images": async () => {
      const { status, last } = await refused({ images: [PNG] });
      equal(status, 400);
      match(last.error, /Cannot show an image to "hello"/);
      match((await refused({ images: ["http://evil.example/x.png"] })).last.error, /base64/);
      equal((await generate({ images: [] })).last.response, HELLO_SENTENCE);
      await wrong("images", "x", [7], ["%%%"]);
    },
    "> options": async () => {
      const { last } = await generate({ options: { num_predict: 3, unheard_of: {} } });
      deepEqual([last.eval_count, last.done_reason], [3, "length"]);
      const stopped = await generate({ options: { stop: [" works"] } });
      equal(stopped.last.response, HELLO_SENTENCE.slice(0, HELLO_SENTENCE.indexOf(" works")));
      equal(stopped.last.done_reason, "stop");
      await wrong("options", 7, [], { num_predict: "3" }, { stop: "x" });
    },
    "> think": async () => {
      const thinks = async (think: unknown) =>
        !(await rendered({ model: "thinking", think })).includes("</think>");
      for (const think of [true, "low", "medium", "high", "max"]) ok(await thinks(think));
      equal(await thinks(false), false);
      await wrong("think", "much", 7, {});
    },
    // Nothing is cut here, and a context that is full ends the answer: they are read and change nothing.
    "> truncate": async () => {
      const prompt = "x ".repeat(9_000);
      for (const truncate of [true, false]) {
        const { status, last } = await refused({ prompt, truncate });
        equal(status, 400);
        match(last.error, /\d+ tokens.*8192/);
      }
      await wrong("truncate", "yes");
    },
    "> shift": async () => {
      equal((await generate({ shift: false })).last.response, HELLO_SENTENCE);
      await wrong("shift", "yes");
    },
    "> logprobs": async () => {
      equal("logprobs" in last, false);
      equal("logprobs" in (await generate({ logprobs: false })).last, false);
      await wrong("logprobs", "yes");
    },
    "> top_logprobs": async () => {
      for (const raw of [false, true]) {
        const { last } = await generate({ logprobs: true, top_logprobs: 3, raw });
        equal(last.logprobs[0].top_logprobs.length, 3);
      }
      await wrong("top_logprobs", -1, 21, "3");
    },
    "> _debug_render_only": async () => {
      equal(await rendered({}), "user: hi\nassistant:");
      await wrong("_debug_render_only", "yes");
    },
    "< model": () => equal(last.model, "hello"),
    "< created_at": () => {
      match(last.created_at, RFC_3339);
      ok(Math.abs(Date.parse(last.created_at) - Date.now()) < 600_000);
    },
    "< response": () => {
      equal(last.response, HELLO_SENTENCE);
      equal(streamed.lines.map((line: Json) => line.response).join(""), HELLO_SENTENCE);
      equal(streamed.last.response, "");
    },
    "< thinking": async () => {
      const thought = (await generate({ model: "thinking" })).last;
      deepEqual([thought.thinking.trim(), thought.response], ["Two and two.", "It is four."]);
      equal("thinking" in last, false);
    },
    "< done": () => {
      equal(last.done, true);
      const flags = streamed.lines.map((line: Json) => line.done);
      deepEqual(flags, [...flags.slice(1).map(() => false), true]);
    },
    "< logprobs": async () => {
      for (const raw of [false, true]) {
        const { logprobs } = (await generate({ logprobs: true, raw })).last;
        ok(logprobs.length >= 20, "one for each token");
        deepEqual([logprobs[0].token, logprobs[0].logprob], ["Hello", 0]);
        deepEqual(logprobs[0].bytes, [...new TextEncoder().encode("Hello")]);
      }
      const { lines } = await generate({ logprobs: true, stream: true });
      equal(lines[1].logprobs[0].token, lines[1].response);
    },
    "< done_reason": async () => {
      equal(last.done_reason, "stop");
      equal((await generate({ options: { num_predict: 2 } })).last.done_reason, "length");
      equal((await generate({ prompt: "", keep_alive: 0 })).last.done_reason, "unload");
      equal((await rowOf(server, "hello")).state, "stopped");
      const loaded = await generate({ prompt: undefined, stream: true });
      deepEqual([loaded.last.done_reason, loaded.last.done], ["load", true]);
      equal((await rowOf(server, "hello")).state, "ready");
      ok(streamed.lines.slice(0, -1).every((line: Json) => !("done_reason" in line)));
    },
    "< context": () => {
      ok(last.context.every((number: unknown) => Number.isInteger(number)));
      deepEqual(streamed.last.context, last.context);
      ok(last.context.every((number: number) => number < 2 ** 31), "for clients with 32 bits");
    },
    "< total_duration": () => {
      isNanoseconds(last.total_duration);
      const { prompt_eval_duration, eval_duration } = last;
      ok(last.total_duration >= prompt_eval_duration + eval_duration);
    },
    "< load_duration": async () => {
      isNanoseconds(last.load_duration);
      ok(last.load_duration > 1e7, "it was loaded for this request");
      const again = (await generate({})).last;
      isNanoseconds(again.load_duration);
      ok(again.load_duration < last.load_duration);
    },
    "< prompt_eval_count": async () => {
      equal(last.prompt_eval_count, 22);
      equal((await generate({})).last.prompt_eval_count, 22, "what was cached is counted, too");
    },
    "< prompt_eval_duration": () => isNanoseconds(last.prompt_eval_duration),
    "< eval_count": () => equal(last.eval_count, 25),
    "< eval_duration": () => isNanoseconds(last.eval_duration),
  });
});

Deno.test("/api/generate answers by a model without a template, with the talk before it", async () => {
  await using server = await served();
  const first = await askWell(server, ROUTE, { model: "plain", prompt: "hi", stream: false });
  equal(first.last.response, "Plain words only.");
  const second = await askWell(server, ROUTE, {
    model: "plain",
    prompt: "more",
    system: "Be brief",
    context: first.last.context,
    _debug_render_only: true,
  });
  equal(
    second.last._debug_info.rendered_template,
    "Be brief\n\nhi\n\nPlain words only.\n\nmore",
  );
});

Deno.test("/api/generate says what is wrong before anything is loaded", async () => {
  await using server = await served();
  const bodies: [body: string, words: RegExp][] = [
    ["", /^missing request body$/],
    ["{", /line 1/],
    ["[1]", /an array/],
    ['{"model": "embedding", "prompt": "hi"}', /Cannot chat with "embedding"/],
  ];
  for (const [body, words] of bodies) {
    const answer = await server.fetch("/api/generate", { method: "POST", body });
    const { error } = await answer.json();
    equal(answer.status, 400, body);
    match(error, words);
  }
  for (const model of ["hello", "embedding"]) equal((await rowOf(server, model)).state, "stopped");
  const wrongMethod = await server.fetch("/api/generate");
  deepEqual([wrongMethod.status, wrongMethod.headers.get("allow")], [405, "POST"]);
  equal(typeof (await wrongMethod.json()).error, "string");
});

function isNanoseconds(value: unknown): void {
  ok(Number.isSafeInteger(value) && (value as number) > 1_000, `${value}`);
}
