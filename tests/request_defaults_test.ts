// A model's own system prompt and sampling: in every dialect, where the request leaves them open.

import assert from "node:assert/strict";
import { withModelDefaults } from "../src/gateway/request_defaults.ts";
import { startServer } from "./support/server_process.ts";

const NOTHING = { system_prompt: null, sampling: {}, chat_template: null };
const CHOSEN = {
  system_prompt: "Be kind.",
  sampling: { temperature: 0.2, max_tokens: 5, stop: ["END"] },
  chat_template: null,
};
const HI = { role: "user", content: "hi" };

Deno.test("withModelDefaults() leaves a request as it came where nothing was chosen, or it says all itself", () => {
  const own = {
    messages: [{ role: "developer", content: "Be short." }, HI],
    temperature: 0,
    max_completion_tokens: 9,
    stop: "x",
  };
  for (
    const [path, body, defaults] of [
      ["/v1/chat/completions", { messages: [HI] }, NOTHING],
      ["/v1/chat/completions", own, CHOSEN],
      ["/v1/embeddings", { input: "hi" }, CHOSEN],
      ["/v1/rerank", { query: "hi" }, CHOSEN],
      ["/v1/completions", { prompt: "hi", temperature: 1, n_predict: 1, stop: [] }, CHOSEN],
      ["/v1/completions", { prompt: "hi" }, { ...NOTHING, sampling: { max_tokens: -1 } }],
    ] as const
  ) {
    assert.equal(withModelDefaults(path, body as never, defaults as never), body, path);
  }
});

Deno.test("withModelDefaults() fills what is open in the words of each dialect", () => {
  const { sampling } = CHOSEN;
  const table: [path: string, body: Record<string, unknown>, filled: Record<string, unknown>][] = [
    ["/v1/chat/completions", { messages: [HI], temperature: null }, {
      messages: [{ role: "system", content: "Be kind." }, HI],
      ...sampling,
    }],
    ["/v1/completions", { prompt: "hi", top_k: 3 }, { prompt: "hi", top_k: 3, ...sampling }],
    ["/v1/responses", { input: "hi", max_output_tokens: 7 }, {
      input: "hi",
      max_output_tokens: 7,
      instructions: "Be kind.",
      temperature: 0.2,
      stop: ["END"],
    }],
    ["/v1/messages", { messages: [HI], max_tokens: 7 }, {
      messages: [HI],
      max_tokens: 7,
      system: "Be kind.",
      temperature: 0.2,
      stop_sequences: ["END"],
    }],
  ];
  for (const [path, body, filled] of table) {
    assert.deepEqual(withModelDefaults(path, body, CHOSEN), filled, path);
  }
});

Deno.test("a model's system prompt and sampling hold in every dialect, until they are taken back", async () => {
  await using server = await startServer();
  const model = "hello";
  const count = async (path: string, body: unknown, read: (answer: never) => unknown) => {
    const response = await server.post(path, body);
    const answer = await response.json();
    assert.equal(response.status, 200, JSON.stringify(answer));
    return read(answer as never);
  };
  interface Usage {
    usage: Record<string, number>;
  }
  const asked = {
    chat: () =>
      count("/v1/chat/completions", { model, messages: [HI] }, ({ usage }: Usage) => [
        usage.prompt_tokens,
        usage.completion_tokens,
      ]),
    completion: () =>
      count("/v1/completions", { model, prompt: "hi" }, ({ usage }: Usage) => [
        usage.completion_tokens,
      ]),
    responses: () =>
      count("/v1/responses", { model, input: "hi" }, ({ usage }: Usage) => [
        usage.input_tokens,
        usage.output_tokens,
      ]),
    messages: () =>
      count("/v1/messages/count_tokens", { model, messages: [HI] }, (answer: {
        input_tokens: number;
      }) => [answer.input_tokens]),
    generate: () =>
      count("/generate", { model_id: model, prompt: "hi" }, (answer: Record<string, number>) => [
        answer.prompt_tokens,
        answer.completion_tokens,
      ]),
  };
  async function all(): Promise<Record<string, number[]>> {
    const answers: Record<string, number[]> = {};
    for (const [name, ask] of Object.entries(asked)) answers[name] = await ask() as number[];
    return answers;
  }
  const choose = (settings: unknown) =>
    server.fetch("/admin/models/hello/settings", {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(settings),
    });
  const before = await all();
  const chosen = await choose({
    system_prompt: "Be kind to whoever asks.",
    sampling: { max_tokens: 3 },
  });
  assert.equal(chosen.status, 200, await chosen.text());
  const after = await all();
  for (const name of ["chat", "responses", "messages", "generate"]) {
    assert.ok(
      after[name]![0]! > before[name]![0]!,
      `${name}: ${after[name]} after ${before[name]}`,
    );
  }
  for (const name of ["chat", "completion", "responses", "generate"]) {
    assert.ok(before[name]!.at(-1)! > 3, name);
    assert.equal(after[name]!.at(-1), 3, name);
  }
  await (await choose({ system_prompt: null, sampling: {} })).body?.cancel();
  assert.deepEqual(await all(), before);
});
