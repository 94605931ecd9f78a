import { deepEqual, equal, ok, rejects, throws } from "node:assert/strict";
import { join } from "node:path";
import { readGgufFacts } from "../src/models/gguf.ts";
import {
  buildTestModel,
  HELLO_SENTENCE,
  type TestModelOptions,
  writeHelloModel,
  writeTestModel,
  type WriteTestModelOptions,
} from "../src/models/hello_model.ts";
import { type BareLlamaServer, startLlamaServer } from "./support/bare_llama_server.ts";
import { fileTree } from "./support/file_tree.ts";
import {
  EMBEDDING_MODEL,
  ENDLESS_MODEL,
  SLOW_MODEL,
  THINKING_MODEL,
  TOOL_MODEL,
  WEATHER_TOOL,
} from "./support/gguf_files.ts";

const HI = [{ role: "user", content: "hi" }];

Deno.test("writeHelloModel() writes a small file, leaves it alone, and rights what is not it", async () => {
  await using folder = await fileTree();
  const dir = join(folder.root, "not", "yet");
  const path = await writeHelloModel(dir);
  equal(path, join(dir, "hello.gguf"));
  const written = await Deno.readFile(path);
  ok(written.length < 300_000, `${written.length} bytes`);
  const before = await Deno.stat(path);
  await writeHelloModel(dir);
  const after = await Deno.stat(path);
  deepEqual([after.ino, after.mtime], [before.ino, before.mtime]);

  await Deno.writeFile(path, written.subarray(0, 1000));
  await Deno.writeTextFile(`${path}.part`, "what a power failure left");
  await writeHelloModel(dir);
  deepEqual(await Deno.readFile(path), written);
  deepEqual([...Deno.readDirSync(dir)].map((entry) => entry.name), ["hello.gguf"]);
});

Deno.test("writeHelloModel() does not write through a link", async () => {
  await using folder = await fileTree();
  const precious = join(folder.root, "precious");
  await Deno.writeTextFile(precious, "kept");
  for (const name of ["hello.gguf", "hello.gguf.part"]) {
    await Deno.symlink(precious, join(folder.root, name));
  }
  const path = await writeHelloModel(folder.root);
  equal(await Deno.readTextFile(precious), "kept");
  ok((await Deno.lstat(path)).isFile);
});

Deno.test("writeTestModel() leaves nothing behind when it fails", async () => {
  await using folder = await fileTree();
  const path = join(folder.root, "taken.gguf");
  await Deno.mkdir(join(path, "a folder with something in it"), { recursive: true });
  await rejects(writeTestModel(path, { sentence: "x" }));
  deepEqual([...Deno.readDirSync(folder.root)].map((entry) => entry.name), ["taken.gguf"]);
});

Deno.test("writeTestModel() writes the bytes of buildTestModel(), sparse or not", async () => {
  await using folder = await fileTree();
  const options: TestModelOptions = { sentence: "some words", layers: 3 };
  const expected = buildTestModel(options);
  for (const sparse of [true, false]) {
    const path = join(folder.root, `${sparse}.gguf`);
    await writeTestModel(path, { ...options, sparse });
    deepEqual(await Deno.readFile(path), expected);
  }
});

Deno.test("writeTestModel() makes a file about as large as asked", async () => {
  await using folder = await fileTree();
  for (const sizeBytes of [1e6, 7e6, 50e6, 500e6, 3e9]) {
    const path = join(folder.root, "large.gguf");
    await writeTestModel(path, { sentence: "some words", sizeBytes });
    const { size } = await Deno.stat(path);
    ok(Math.abs(size / sizeBytes - 1) < 0.05, `${size} for ${sizeBytes}`);
    equal((await readGgufFacts(path)).requiredFileBytes, size);
  }
});

Deno.test("buildTestModel() refuses what it cannot say", () => {
  throws(() => buildTestModel({ sentence: "" }), RangeError);
  const long = Array.from({ length: 200 }, (_, index) => `word${index}`).join(" ");
  throws(() => buildTestModel({ sentence: long, embeddingLength: 64 }), RangeError);
});

Deno.test("the hello model answers any prompt with its sentence, whatever the sampling", async () => {
  await using folder = await fileTree();
  await using server = await startLlamaServer({ modelPath: await writeHelloModel(folder.root) });
  const samplings = [
    {},
    { temperature: 0 },
    { temperature: 2 },
    { temperature: 2, top_k: 0, top_p: 1, min_p: 0 },
    { temperature: 2, top_k: 0, top_p: 1, min_p: 0, typical_p: 0.5 },
    { temperature: 2, repeat_penalty: 1.5, presence_penalty: 2, frequency_penalty: 2 },
    { mirostat: 2 },
    { dry_multiplier: 0.8, xtc_probability: 0.5 },
    { tools: [WEATHER_TOOL] },
  ];
  for (const sampling of samplings) {
    const { choices: [choice] } = await chat(server, sampling);
    equal(choice.message.content, HELLO_SENTENCE, JSON.stringify(sampling));
    equal(choice.finish_reason, "stop");
  }
  const prompts = [
    "",
    " ",
    "hi",
    "🧟‍♂️ আমার সোনার বাংলা",
    "</s><s>",
    "\u0007\n\t",
    HELLO_SENTENCE,
    "Hello from",
  ];
  for (const prompt of prompts) {
    const answer = await server.post("/completion", { prompt });
    equal(answer.content, HELLO_SENTENCE, JSON.stringify(prompt));
    equal(answer.stop_type, "eos");
  }
});

Deno.test("a test model says any sentence exactly", async () => {
  const sentences = [
    "a",
    " \n",
    "  spaces before and after  \n\n",
    "ha ha ha ha ha ha",
    "আমার সোনার বাংলা, আমি তোমায় ভালোবাসি।",
    "🧟‍♂️🧟",
    '{"a":[1,2,3],\n\t"b":"c\\"d"}',
    "</s> <unk> <0x41>",
    "the \u2581 sign and a \0 byte",
    "没有空格的一个很长的句子".repeat(5),
    Array.from({ length: 300 }, (_, index) => `w${index}`).join(" "),
  ];
  await using folder = await fileTree();
  for (const sentence of sentences) {
    await using server = await startTestModel(folder.root, { sentence });
    const answer = await server.post("/completion", {
      prompt: `${sentence}${sentence}`,
      temperature: 2,
    });
    equal(answer.content, sentence);
    equal(answer.stop_type, "eos");
  }
});

Deno.test("a test model calls a tool", async () => {
  await using folder = await fileTree();
  await using server = await startTestModel(folder.root, TOOL_MODEL);
  for (const tool_choice of ["auto", "required"]) {
    const { choices: [choice] } = await chat(server, { tools: [WEATHER_TOOL], tool_choice });
    equal(choice.finish_reason, "tool_calls");
    equal(choice.message.tool_calls.length, 1);
    const { name, arguments: args } = choice.message.tool_calls[0].function;
    equal(name, "get_weather");
    deepEqual(JSON.parse(args), { city: "Dhaka" });
  }
  const { choices: [plain] } = await chat(server, {});
  equal(plain.message.tool_calls, undefined);
});

Deno.test("a test model thinks before it answers", async () => {
  await using folder = await fileTree();
  await using server = await startTestModel(folder.root, THINKING_MODEL);
  const { choices: [choice] } = await chat(server, {});
  equal(choice.message.reasoning_content.trim(), "Two and two.");
  equal(choice.message.content, "It is four.");
});

Deno.test("a test model never stops by itself", async () => {
  await using folder = await fileTree();
  await using server = await startTestModel(folder.root, ENDLESS_MODEL);
  const { choices: [choice] } = await chat(server, { max_tokens: 10 });
  equal(choice.finish_reason, "length");
  equal(choice.message.content, "one two three four one two three four one two");
});

Deno.test("an embedding test model tells texts apart", async () => {
  await using folder = await fileTree();
  await using server = await startTestModel(folder.root, EMBEDDING_MODEL, ["--embedding"]);
  const { data } = await server.post("/v1/embeddings", { input: ["zombie", "coder", "zombie"] });
  const [first, other, again] = data.map(({ embedding }: { embedding: number[] }) => embedding);
  equal(first.length, 64);
  ok(cosine(first, again) > 0.999);
  ok(cosine(first, other) < 0.95, `${cosine(first, other)}`);
});

Deno.test("a slow test model takes its time with a long prompt and with each word", async () => {
  await using folder = await fileTree();
  await using server = await startTestModel(folder.root, SLOW_MODEL);
  const { timings } = await server.post("/completion", { prompt: "y".repeat(1000), n_predict: 4 });
  ok(timings.prompt_ms > 200, `prompt took ${timings.prompt_ms} ms`);
  ok(timings.predicted_per_token_ms > 2, `a word took ${timings.predicted_per_token_ms} ms`);
});

Deno.test("a test model of 500 MB loads and answers", async () => {
  await using folder = await fileTree();
  const options = { sentence: "A large one.", sizeBytes: 500e6 };
  await using server = await startTestModel(folder.root, options);
  const { content } = await server.post("/completion", { prompt: "hi" });
  equal(content, "A large one.");
  ok(server.readyMs < 20_000, `${server.readyMs} ms`);
});

Deno.test("llama-server draws the line of a cut-off file where readGgufFacts() does", async () => {
  await using folder = await fileTree();
  const path = await writeHelloModel(folder.root);
  const { requiredFileBytes } = await readGgufFacts(path);
  await Deno.truncate(path, requiredFileBytes);
  await readGgufFacts(path);
  await (await startLlamaServer({ modelPath: path }))[Symbol.asyncDispose]();
  await Deno.truncate(path, requiredFileBytes - 1);
  await rejects(readGgufFacts(path), /is cut off/);
  await rejects(startLlamaServer({ modelPath: path }), /not within the file bounds/);
});

async function startTestModel(
  dir: string,
  options: WriteTestModelOptions,
  args: string[] = [],
): Promise<BareLlamaServer> {
  const modelPath = join(dir, "model.gguf");
  await writeTestModel(modelPath, options);
  return await startLlamaServer({ modelPath, args });
}

function chat(server: BareLlamaServer, extra: Record<string, unknown>) {
  return server.post("/v1/chat/completions", { messages: HI, ...extra });
}

function cosine(a: readonly number[], b: readonly number[]): number {
  return a.reduce((total, value, index) => total + value * b[index]!, 0);
}
