// What of Ollama's requests reaches the instance, seen by a stand-in that writes it down.

import { deepEqual, equal } from "node:assert/strict";
import { join } from "node:path";
import { buildTestModel } from "../src/models/hello_model.ts";
import { ggufFile, TOOL_MODEL } from "./support/gguf_files.ts";
import { askWell, type Json, OLLAMA_OPTIONS } from "./support/ollama_api.ts";
import { writeRecordingServer } from "./support/recording_server.ts";
import { type ServerProcess, startServer } from "./support/server_process.ts";
import { tempDir } from "./support/temp_dir.ts";

const HI = { role: "user", content: "hi" };
const PNG = btoa("\x89PNG\r\n\x1a\n and more");
const JPEG = btoa("\xff\xd8\xff\xe0 and more");
const WEBP = btoa("RIFF\x00\x00\x00\x00WEBP and more");
const WAVE = btoa("RIFF\x00\x00\x00\x00WAVE and more");

interface Recorded extends AsyncDisposable {
  server: ServerProcess;
  /** The request's body at the instance, and its path. */
  sent(route: string, fields: Record<string, unknown>): Promise<{ path: string; body: Json }>;
}

async function recorded(): Promise<Recorded> {
  const dir = await tempDir();
  const recording = await writeRecordingServer(dir.path);
  const server = await startServer({
    flags: ["--llama-server", recording.path],
    async prepare(home) {
      await Deno.mkdir(join(home, "sees"));
      await Deno.writeFile(join(home, "sees", "sees.gguf"), buildTestModel(TOOL_MODEL));
      await Deno.writeFile(join(home, "sees", "mmproj-model-f16.gguf"), PROJECTOR);
    },
  });
  return {
    server,
    async sent(route, fields) {
      await askWell(server, route, { model: "sees", stream: false, ...fields });
      const { path, body } = (await recording.requests()).at(-1)!;
      const text = new TextDecoder().decode(Uint8Array.fromBase64(body));
      return { path, body: JSON.parse(text) };
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

const PROJECTOR = ggufFile({
  "general.architecture": { string: "clip" },
  "clip.has_vision_encoder": { bool: true },
  "clip.has_audio_encoder": { bool: true },
});

Deno.test("each of Ollama's options reaches the instance under its name there", async () => {
  await using recording = await recorded();
  const values: Record<string, [value: unknown, field: string | null, there?: unknown]> = {
    num_ctx: [4096, null],
    num_batch: [64, null],
    num_gpu: [0, null],
    num_thread: [1, null],
    main_gpu: [0, null],
    use_mmap: [true, null],
    draft_num_predict: [4, null],
    num_keep: [7, "n_keep"],
    seed: [42, "seed"],
    num_predict: [5, "n_predict"],
    top_k: [3, "top_k"],
    top_p: [0.4, "top_p"],
    min_p: [0.1, "min_p"],
    typical_p: [0.6, "typical_p"],
    repeat_last_n: [9, "repeat_last_n"],
    temperature: [1.5, "temperature"],
    repeat_penalty: [1.2, "repeat_penalty"],
    presence_penalty: [0.3, "presence_penalty"],
    frequency_penalty: [0.2, "frequency_penalty"],
    stop: [["a", "b"], "stop"],
  };
  deepEqual(Object.keys(values), OLLAMA_OPTIONS);
  const options = Object.fromEntries(
    Object.entries(values).filter(([, [, field]]) => field !== null)
      .map(([name, [value]]) => [name, value]),
  );
  const there = Object.fromEntries(
    Object.values(values).flatMap(([value, field]) => field === null ? [] : [[field, value]]),
  );
  const asks: [route: string, fields: Record<string, unknown>, path: string][] = [
    ["POST /api/chat", { messages: [HI] }, "/v1/chat/completions"],
    ["POST /api/generate", { prompt: "hi" }, "/v1/chat/completions"],
    ["POST /api/generate", { prompt: "hi", raw: true }, "/completion"],
    ["POST /api/generate", { prompt: "hi", suffix: "ho" }, "/infill"],
  ];
  for (const [route, fields, path] of asks) {
    const sent = await recording.sent(route, { ...fields, options });
    equal(sent.path, path);
    deepEqual(Object.fromEntries(Object.keys(there).map((name) => [name, sent.body[name]])), there);
    equal(sent.body.stream, true, "so that it ends when its client leaves");
    // Ollama's own defaults where nothing is said.
    const plain = await recording.sent(route, fields);
    deepEqual(
      ["temperature", "top_k", "top_p", "min_p", "repeat_penalty", "n_keep", "seed", "n_predict"]
        .map((name) => plain.body[name]),
      [0.8, 40, 0.9, 0, 1, 4, undefined, undefined],
    );
  }
  const endless = await recording.sent("POST /api/chat", {
    messages: [HI],
    options: { num_predict: -1, seed: -1, temperature: null },
  });
  deepEqual([endless.body.n_predict, endless.body.seed, endless.body.temperature], [
    undefined,
    undefined,
    0.8,
  ]);
});

Deno.test("a model's own sampling and system prompt stand where the request has none", async () => {
  await using recording = await recorded();
  const { server, sent } = recording;
  const answer = await server.fetch("/admin/models/sees/settings", {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      system_prompt: "Be kind",
      sampling: { temperature: 0.2, max_tokens: 9, stop: ["z"], repeat_last_n: 5 },
    }),
  });
  equal(answer.status, 200, await answer.text());
  const system = { role: "system", content: "Be kind" };
  for (
    const [route, fields] of [
      ["POST /api/chat", { messages: [HI] }],
      ["POST /api/generate", { prompt: "hi" }],
    ] as const
  ) {
    const { body } = await sent(route, fields);
    deepEqual(body.messages, [system, HI]);
    deepEqual([body.temperature, body.n_predict, body.stop, body.repeat_last_n], [
      0.2,
      9,
      ["z"],
      5,
    ]);
    equal(body.max_tokens, undefined);
    const own = await sent(route, { ...fields, options: { temperature: 1, num_predict: -1 } });
    deepEqual([own.body.temperature, own.body.stop], [1, ["z"]]);
  }
  const other = { role: "system", content: "Be rude" };
  deepEqual((await sent("POST /api/chat", { messages: [other, HI] })).body.messages, [other, HI]);
  const own = await sent("POST /api/generate", { prompt: "hi", system: "Be rude" });
  deepEqual(own.body.messages, [other, HI]);
  const none = await sent("POST /api/generate", { prompt: "hi", system: "" });
  deepEqual(none.body.messages, [HI]);
});

Deno.test("images and sound reach the instance as parts with their type", async () => {
  await using recording = await recorded();
  const image = (type: string, data: string) => ({
    type: "image_url",
    image_url: { url: `data:${type};base64,${data}` },
  });
  const images = [PNG, JPEG, WEBP, WAVE, `data:image/png;base64,${PNG}`, btoa("unknown bytes")];
  const parts = [
    image("image/png", PNG),
    image("image/jpeg", JPEG),
    image("image/webp", WEBP),
    { type: "input_audio", input_audio: { data: WAVE, format: "wav" } },
    image("image/png", PNG),
    image("image/png", btoa("unknown bytes")),
  ];
  const chat = await recording.sent("POST /api/chat", { messages: [{ ...HI, images }] });
  deepEqual(chat.body.messages, [
    { role: "user", content: [{ type: "text", text: "hi" }, ...parts] },
  ]);
  const generated = await recording.sent("POST /api/generate", { images: [PNG] });
  deepEqual(generated.body.messages, [{ role: "user", content: [parts[0]] }]);
});

Deno.test("calls of tools and their answers belong together at the instance", async () => {
  await using recording = await recorded();
  const call = (name: string, id?: string) => ({
    ...(id !== undefined && { id }),
    function: { name, arguments: { of: name } },
  });
  const { body } = await recording.sent("POST /api/chat", {
    messages: [
      HI,
      { role: "assistant", content: "", tool_calls: [call("a"), call("b"), call("c", "own")] },
      { role: "tool", tool_name: "b", content: "from b" },
      { role: "tool", content: "from a" },
      { role: "tool", tool_call_id: "own", content: "from c" },
      { role: "tool", tool_call_id: "never", content: "from nowhere" },
    ],
  });
  const [, assistant, ...answers] = body.messages;
  deepEqual(assistant.tool_calls.map((each: Json) => [each.id, each.type, each.function]), [
    ["call_0", "function", { name: "a", arguments: '{"of":"a"}' }],
    ["call_1", "function", { name: "b", arguments: '{"of":"b"}' }],
    ["own", "function", { name: "c", arguments: '{"of":"c"}' }],
  ]);
  deepEqual(answers.map((each: Json) => [each.tool_call_id, each.name, each.content]), [
    ["call_1", "b", "from b"],
    ["call_0", "a", "from a"],
    ["own", "c", "from c"],
    ["never", undefined, "from nowhere"],
  ]);
});
