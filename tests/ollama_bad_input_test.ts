// Whatever a client sends to Ollama's routes: an answer or a 4xx in its shape, never a failure of ours,
// and the server as before.

import { equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { HELLO_SENTENCE } from "../src/models/hello_model.ts";
import { askWell } from "./support/ollama_api.ts";
import { startServer } from "./support/server_process.ts";
import { soakCount } from "./support/soak.ts";

/** Values that a field may hold, right and wrong ones alike. */
const VALUE = fc.oneof(
  fc.constantFrom<unknown>(
    ...["", "hi", "hello", "nobody", "json", "low", "5m", "-1", "0", "\u0000", "a\ud800", "../x"],
    ...[0, -1, 1, 0.5, 1e308, -1e308, 2 ** 31, 2 ** 53, true, false, null],
    ...[[], {}, [[]], [null], { type: "object" }, { $ref: "#" }, { type: [] }, ["aGk="]],
  ),
  fc.jsonValue({ maxDepth: 3 }),
);

const OPTIONS = fc.dictionary(
  fc.constantFrom(
    ...["seed", "num_predict", "top_k", "top_p", "min_p", "typical_p", "repeat_last_n", "stop"],
    ...["temperature", "repeat_penalty", "presence_penalty", "frequency_penalty", "num_keep"],
    ...["num_ctx", "num_batch", "num_gpu", "num_thread", "nothing"],
  ),
  fc.oneof(
    fc.constantFrom<unknown>(0, -1, 1, 2, 64, 512, 0.5, 1e9, 1e308, null, "x", [], ["a", ""], true),
    VALUE,
  ),
  { maxKeys: 4 },
);

const MESSAGE = fc.record({
  role: fc.oneof(fc.constantFrom("user", "system", "assistant", "tool", "weird"), VALUE),
  content: VALUE,
  thinking: VALUE,
  images: VALUE,
  tool_calls: fc.oneof(
    fc.constantFrom([{ function: { name: "f", arguments: { a: 1 } } }], [{ function: {} }], [7]),
    VALUE,
  ),
  tool_name: VALUE,
  tool_call_id: VALUE,
}, { requiredKeys: [] });

const COMMON = { options: fc.oneof(OPTIONS, VALUE), keep_alive: VALUE };
const OUTPUT = {
  format: VALUE,
  think: VALUE,
  stream: VALUE,
  logprobs: VALUE,
  top_logprobs: VALUE,
  truncate: VALUE,
  shift: VALUE,
  _debug_render_only: VALUE,
};

const BODIES = {
  "/api/generate": {
    prompt: VALUE,
    suffix: VALUE,
    system: VALUE,
    template: VALUE,
    context: VALUE,
    raw: VALUE,
    images: VALUE,
    ...OUTPUT,
    ...COMMON,
  },
  "/api/chat": {
    messages: fc.oneof(fc.array(MESSAGE, { maxLength: 3 }), VALUE),
    tools: fc.oneof(
      fc.constantFrom<unknown>([{ type: "function", function: { name: "f" } }], [{}], [
        { function: { name: "f", parameters: { type: "nonsense" } } },
      ]),
      VALUE,
    ),
    ...OUTPUT,
    ...COMMON,
  },
  "/api/show": { verbose: VALUE, system: VALUE, name: VALUE, ...COMMON },
  "/api/embed": { input: VALUE, truncate: VALUE, dimensions: VALUE, ...COMMON },
  "/api/embeddings": { prompt: VALUE, ...COMMON },
  "/api/copy": { source: VALUE, destination: VALUE },
  "/api/create": { from: VALUE, files: VALUE, system: VALUE, template: VALUE, parameters: VALUE },
} as const;

/** Most ask for a model that is there: what comes after the name is what is tried. */
const MODEL = fc.oneof(
  { weight: 8, arbitrary: fc.constant<unknown>("hello") },
  { weight: 1, arbitrary: VALUE },
);

const REQUEST = fc.oneof(
  ...Object.entries(BODIES).map(([path, fields]) =>
    fc.record({ model: MODEL, ...fields as Record<string, fc.Arbitrary<unknown>> }, {
      requiredKeys: [],
    }).map((body) => ({ path, body: JSON.stringify(body) }))
  ),
  fc.record({
    path: fc.constantFrom(...Object.keys(BODIES), "/api/pull", "/api/push", "/api/nothing"),
    body: fc.oneof(fc.string(), fc.json({ maxDepth: 2 }), fc.constant("")),
  }),
);

Deno.test("whatever is sent to Ollama's routes is answered or refused in its shape", async () => {
  await using server = await startServer();
  await fc.assert(
    fc.asyncProperty(REQUEST, async ({ path, body }) => {
      const answer = await server.fetch(path, {
        method: "POST",
        body,
        // A schema may well ask for an answer without an end.
        signal: AbortSignal.timeout(60_000),
      });
      const text = await answer.text();
      // 501 and its reason are for what Ollama has and this server has not.
      ok(answer.status < 500 || answer.status === 501, `${answer.status} ${path} ${body} ${text}`);
      if (answer.status < 400) return;
      const json = JSON.parse(text);
      equal(Object.keys(json).join(), "error", text);
      equal(typeof json.error, "string");
      ok(json.error !== "", path);
    }),
    { numRuns: soakCount(3_000), endOnFailure: true },
  );
  const { last } = await askWell(server, "POST /api/generate", {
    model: "hello",
    prompt: "hi",
    stream: false,
  });
  equal(last.response, HELLO_SENTENCE);
});
