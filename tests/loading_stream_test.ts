// A client that streams and asks to be told about loading hears of it, in its own dialect; who does
// not ask gets llama-server's answer and nothing else.

import { deepEqual, equal, match, ok } from "node:assert/strict";
import OpenAI from "openai";
import { HELLO_SENTENCE } from "../src/models/hello_model.ts";
import { post, rowOf } from "./support/chat.ts";
import { type RecordingServer, writeRecordingServer } from "./support/recording_server.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";
import { tempDir } from "./support/temp_dir.ts";

const MESSAGES = [{ role: "user", content: "hi" }];
const CHAT = "/v1/chat/completions";
const ASK = { model: "hello", messages: MESSAGES, stream: true };

interface Loading extends AsyncDisposable {
  server: ServerProcess;
  recorded: RecordingServer;
}

/** A server whose models stay at 43 % of their load until they are released. */
async function loadingServer(): Promise<Loading> {
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(await tempDir());
  const recorded = await writeRecordingServer(dir.path, { holdAt: 0.43 });
  const server = stack.use(await startServer({ flags: ["--llama-server", recorded.path] }));
  const whole = stack.move();
  return { server, recorded, [Symbol.asyncDispose]: () => whole.disposeAsync() };
}

/** What comes of an answer, as far as it has come. */
function textOf(answer: Response) {
  const state = { text: "", ended: Promise.resolve() };
  state.ended = (async () => {
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
      state.text += chunk;
    }
  })();
  return state;
}

Deno.test("loading is told in comments by header or field, before the answer begins", async () => {
  for (const how of ["header", "field"]) {
    await using loading = await loadingServer();
    const { server, recorded } = loading;
    const answer = await server.post(
      CHAT,
      how === "field" ? { ...ASK, loading: "comments" } : ASK,
      {
        headers: how === "header" ? { "x-loading": "comments" } : {},
      },
    );
    equal(answer.status, 200);
    equal(answer.headers.get("content-type"), "text/event-stream");
    const came = textOf(answer);
    await until(() => came.text.includes(": loading 43%\n\n"));
    deepEqual(
      came.text.split("\n\n").filter((block) => block !== "" && !block.startsWith(": ")),
      [],
    );
    await recorded.release();
    await came.ended;
    // The stand-in does not stream: what it answers is the last event.
    match(came.text, /\n\ndata: \{"choices":.*"seen".*\}\n\n$/);
  }
});

Deno.test("loading as text is a part of the answer, in steps, for chats and completions alone", async () => {
  await using loading = await loadingServer();
  const { server, recorded } = loading;
  const chat = textOf(await post(server, CHAT, { ...ASK, loading: "text" }));
  const completion = textOf(
    await post(server, "/v1/completions", { ...ASK, prompt: "hi", loading: "text" }),
  );
  const messages = textOf(await post(server, "/v1/messages", { ...ASK, loading: "text" }));
  await until(() => messages.text.includes(": loading 43%\n\n"));
  await until(() => chat.text.includes("40%") && completion.text.includes("40%"));
  const [chunk] = chat.text.split("\n\n").filter((block) => block.includes("40%"))
    .map((block) => JSON.parse(block.slice("data: ".length)));
  deepEqual([chunk.object, chunk.model], ["chat.completion.chunk", "hello"]);
  deepEqual(chunk.choices[0].delta, { role: "assistant", content: "[loading 40%]\n" });
  match(completion.text, /"object":"text_completion".*"text":"\[loading 40%\]\\n"/);
  ok(!messages.text.includes("data:"));
  await recorded.release();
  await Promise.all([chat.ended, completion.ended, messages.ended]);
});

Deno.test("a load that fails under an announced answer is its last event, in the caller's dialect", async () => {
  const events: [path: string, pattern: RegExp][] = [
    [CHAT, /\n\ndata: \{"error":\{"message":"\\"hello\\" was stopped.*"code":"cancelled".*\}\n\n$/],
    [
      "/v1/messages",
      /\n\nevent: error\ndata: \{"type":"error","error":\{"type":"[a-z_]+","message":"\\"hello\\" was/,
    ],
  ];
  for (const [path, pattern] of events) {
    await using loading = await loadingServer();
    const { server } = loading;
    const came = textOf(await post(server, path, { ...ASK, loading: "comments" }));
    await until(() => came.text.includes(": loading 43%\n\n"));
    await (await post(server, "/admin/models/hello/unload", {})).body?.cancel();
    await came.ended;
    match(came.text, pattern);
  }
});

Deno.test("who leaves an announced answer is not waited for: the load is cancelled", async () => {
  await using loading = await loadingServer();
  const { server } = loading;
  const abort = new AbortController();
  const answer = await post(server, CHAT, { ...ASK, loading: "comments" }, abort.signal);
  const reader = answer.body!.getReader();
  await reader.read();
  abort.abort();
  await reader.read().catch(() => {});
  await until(async () => (await rowOf(server, "hello")).state === "stopped");
});

Deno.test("who does not ask, does not stream or finds the model ready gets the status and nothing else", async () => {
  await using server = await startServer();
  const refused = await post(server, CHAT, { ...ASK, model: "nobody", loading: "comments" });
  equal(refused.status, 404);
  await refused.body?.cancel();
  const wrong = await post(server, CHAT, { ...ASK, loading: "loud" });
  equal(wrong.status, 400);
  match((await wrong.json()).error.message, /"loading".*"comments".*"text"/);
  const plain = textOf(await post(server, CHAT, ASK));
  await plain.ended;
  ok(!plain.text.includes(": ") || plain.text.startsWith("data: "), plain.text);
  const whole = await post(server, CHAT, { ...ASK, stream: false, loading: "text" });
  equal((await whole.json()).choices[0].message.content, HELLO_SENTENCE);
  // Ready: even now an error keeps its status.
  const bad = await post(server, CHAT, { ...ASK, messages: "none", loading: "comments" });
  equal(bad.status, 400);
  await bad.body?.cancel();
});

Deno.test("OpenAI's own client passes over the comments", async () => {
  await using server = await startServer();
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "any", maxRetries: 0 });
  const stream = await client.chat.completions.create(
    { model: "hello", messages: [{ role: "user", content: "hi" }], stream: true },
    { headers: { "x-loading": "comments" } },
  );
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
  equal(text, HELLO_SENTENCE);
});
