// Whatever a client sends to the routes of OpenAI's and Anthropic's dialects and to llama-server's own
// is answered, and what is wrong is the client's: a 4xx in the shape that it reads, never a 5xx.

import { deepEqual, doesNotMatch, equal, ok } from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { withRightStatus } from "../src/gateway/request_fault.ts";
import { HELLO_SENTENCE, writeTestModel } from "../src/models/hello_model.ts";
import { chat, rowOf } from "./support/chat.ts";
import { EMBEDDING_MODEL } from "./support/gguf_files.ts";
import { startServer } from "./support/server_process.ts";
import { soakCount } from "./support/soak.ts";

const MESSAGES = [{ role: "user", content: "hi" }];

/** A request of each route that would do. */
const ROUTES: readonly [path: string, body: Record<string, unknown>][] = [
  ["/v1/chat/completions", { messages: MESSAGES }],
  ["/v1/chat/completions/input_tokens", { messages: MESSAGES }],
  ["/v1/chat/completions/control", { id: "1", action: "reasoning_end" }],
  ["/v1/completions", { prompt: "hi" }],
  ["/v1/responses", { input: "hi" }],
  ["/v1/responses/input_tokens", { input: "hi" }],
  ["/v1/embeddings", { input: "hi" }],
  ["/v1/rerank", { query: "q", documents: ["a"] }],
  ["/rerank", { query: "q", documents: ["a"] }],
  ["/v1/audio/transcriptions", {}],
  ["/v1/messages", { messages: MESSAGES }],
  ["/v1/messages/count_tokens", { messages: MESSAGES }],
  ["/generate", { prompt: "hi" }],
  ["/upstream/hello/completion", { prompt: "hi" }],
  ["/upstream/hello/tokenize", { content: "hi" }],
  ["/upstream/hello/apply-template", { messages: MESSAGES }],
  ["/upstream/hello/embedding", { content: "hi" }],
];

const FIELDS = [
  ...["messages", "prompt", "input", "query", "documents", "max_tokens", "temperature", "stream"],
  ...["stop", "tools", "tool_choice", "response_format", "system", "n", "logprobs", "top_logprobs"],
  ...["stream_options", "keep_alive", "loading", "instructions", "text", "reasoning", "thinking"],
  ...["encoding_format", "dimensions", "top_n", "seed", "logit_bias", "grammar", "json_schema"],
  ...["id_slot", "samplers", "lora", "chat_template_kwargs", "n_predict", "content", "model"],
];

const value = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom<unknown>(
    ...[MESSAGES, [{ role: "user", content: [{ type: "text", text: "x" }] }], "hello", 3, -1, 1e30],
    ...[null, true, {}, [], [{}], [[]], [1], { type: "function" }],
    { type: "json_schema", json_schema: { schema: { type: "object" } } },
    [{ role: "user", content: [{ type: "image_url", image_url: { url: "file:///etc/passwd" } }] }],
    [{ role: "user", content: [{ type: "input_audio", input_audio: { data: "AA==" } }] }],
  ),
);

const json = fc.record({
  good: fc.boolean(),
  fields: fc.dictionary(fc.constantFrom(...FIELDS), value, { maxKeys: 4 }),
});

const text = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  fc.constantFrom("", "{", "[]", "null", '"hello"', "7", '{"model":"hello"', "\ufeff{}", "{}{}")
    .map((string) => new TextEncoder().encode(string)),
);

const request = fc.record({
  route: fc.constantFrom(...ROUTES),
  content: fc.oneof({ arbitrary: json, weight: 4 }, { arbitrary: text, weight: 1 }),
  type: fc.constantFrom("application/json", "text/plain", "multipart/form-data; boundary=x"),
});

function bodyOf(
  [, good]: (typeof ROUTES)[number],
  content: Uint8Array | { good: boolean; fields: Record<string, unknown> },
): BodyInit {
  if (content instanceof Uint8Array) return content as BodyInit;
  const asked = content.good ? good : {};
  const short = { model: "hello", model_id: "hello", max_tokens: 2, n_predict: 2 };
  return JSON.stringify({ ...short, ...asked, ...content.fields });
}

Deno.test("malformed requests are 4xx in the caller's shape, and the server is as before", async () => {
  await using server = await startServer({
    prepare: (home) => writeTestModel(join(home, "embedding.gguf"), EMBEDDING_MODEL),
  });
  equal((await chat(server, "hello")).text, HELLO_SENTENCE);
  const refused = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(request, async ({ route, content, type }) => {
      const [path] = route;
      const answer = await server.fetch(path, {
        method: "POST",
        headers: { "content-type": type },
        body: bodyOf(route, content),
      });
      const said = await answer.text();
      ok(answer.status < 500, `${answer.status} ${said}`);
      if (answer.status < 400) return;
      refused.set(answer.status, (refused.get(answer.status) ?? 0) + 1);
      const body = JSON.parse(said);
      const keys = path.startsWith("/v1/messages") ? ["type", "error"] : ["error"];
      deepEqual(Object.keys(body), keys, said);
      ok(typeof body.error.message === "string" && body.error.message !== "", said);
      ok(typeof body.error.type === "string", said);
    }),
    { numRuns: soakCount(5_000) },
  );
  ok([...refused.values()].reduce((sum, count) => sum + count) > soakCount(5_000) / 4);
  equal((await chat(server, "hello")).text, HELLO_SENTENCE);
  const row = await rowOf(server, "hello");
  deepEqual([row.state, row.leases, row.queued], ["ready", 0, 0]);
  // Neither it nor a model's process died of one.
  doesNotMatch(server.stderr, /died|by a bug/);
});

Deno.test("withRightStatus() turns a 500 that blames the request into a 400, and no other", () => {
  const answerOf = (status: number, text: string) => ({
    status,
    contentType: "application/json",
    bytes: new TextEncoder().encode(text),
    stream: null,
  });
  const errorOf = (message: string) =>
    JSON.stringify({ error: { code: 500, message, type: "server_error" } });
  const table: [status: number, text: string, right: number][] = [
    [500, errorOf("Failed to parse tools: Expected 'tools' to be an array"), 400],
    [500, errorOf("'messages' is required"), 400],
    [500, errorOf("image input is not supported - hint: ..."), 400],
    [500, errorOf("Error: Jinja Exception: Conversation roles must alternate"), 400],
    [500, errorOf("input (15001 tokens) is too large to process. increase the ..."), 400],
    [500, errorOf("Cannot use both json_schema and grammar"), 400],
    [500, errorOf("vector::_M_default_append"), 400],
    [500, errorOf("Compute error."), 500],
    [500, errorOf("Invalid input batch."), 500],
    [500, errorOf("failed to decode the batch"), 500],
    [503, errorOf("'messages' is required"), 503],
    [500, "no JSON", 500],
    [500, "null", 500],
    [500, '{"error":"Failed to parse tools"}', 500],
  ];
  for (const [status, text, right] of table) {
    const answer = withRightStatus(answerOf(status, text));
    equal(answer.status, right, text);
    const said = new TextDecoder().decode(answer.bytes!);
    if (right === status) equal(said, text);
    else {
      const { message } = JSON.parse(text).error;
      deepEqual(JSON.parse(said), { error: { code: 400, message, type: "invalid_request_error" } });
    }
  }
  const { bytes } = withRightStatus(answerOf(400, ""));
  const { error } = JSON.parse(new TextDecoder().decode(bytes!));
  deepEqual([error.code, error.type], [400, "invalid_request_error"]);
});
