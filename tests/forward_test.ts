// One request to one instance through a real gateway: the bytes are llama-server's, and neither a
// stale connection nor a killed process is the client's error where it need not be.

import { deepEqual, equal, match, notEqual } from "node:assert/strict";
import { join } from "node:path";
import { HELLO_SENTENCE, writeHelloModel, writeTestModel } from "../src/models/hello_model.ts";
import { startLlamaServer } from "./support/bare_llama_server.ts";
import { chat, post, rowOf, streamChat } from "./support/chat.ts";
import { SLOW_MODEL, THINKING_MODEL, TOOL_MODEL, WEATHER_TOOL } from "./support/gguf_files.ts";
import { unloadedHeavyServer } from "./support/heavy_server.ts";
import { isAlive } from "./support/model_processes.ts";
import { RawClient } from "./support/raw_client.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";
import { soakCount } from "./support/soak.ts";
import { tempDir } from "./support/temp_dir.ts";

const HELLO_CHAT = {
  path: "/v1/chat/completions",
  body: { model: "hello", messages: [{ role: "user", content: "hi" }] },
};

for (const clients of [16, 64]) {
  Deno.test(`every answer to ${clients} clients at a time that keep their connections is right`, async () => {
    await using server = await startServer();
    await chat(server, "hello");
    let left = soakCount(10_000);
    let right = 0;
    async function askUntilNoneIsLeft(): Promise<void> {
      using client = await RawClient.connect(server.port);
      while (left-- > 0) {
        await client.post(HELLO_CHAT);
        const { status, body } = await client.answer();
        equal(status, 200, body);
        equal(JSON.parse(body).choices[0].message.content, HELLO_SENTENCE);
        right++;
      }
    }
    await Promise.all(Array.from({ length: clients }, askUntilNoneIsLeft));
    equal(right, soakCount(10_000));
    equal((await rowOf(server, "hello")).leases, 0);
  });
}

Deno.test("an answer is the instance's own, byte for byte but for names and times", async () => {
  await using dir = await tempDir();
  const modelPath = await writeHelloModel(dir.path);
  await using bare = await startLlamaServer({ modelPath, args: ["-a", "hello", "-c", "8192"] });
  await using server = await startServer();
  const requests: [path: string, fields: Record<string, unknown>][] = [
    ["/v1/chat/completions", {}],
    ["/v1/chat/completions", { stream: true }],
    ["/v1/chat/completions", { stream: true, stream_options: { include_usage: true } }],
    ["/v1/completions", { prompt: "হ্যালো", n_predict: 3 }],
    // Fields that are llama-server's alone.
    ["/v1/completions", { prompt: "hi", n_probs: 2, seed: 7, timings_per_token: true }],
    ["/v1/completions", { prompt: "hi", stream: true, logprobs: 2, timings_per_token: true }],
    ["/v1/chat/completions", { logprobs: true, top_logprobs: 2, stop: ["works"] }],
    ["/v1/chat/completions", { logit_bias: "no list", top_logprobs: 99, logprobs: "no" }],
    ["/v1/chat/completions", { messages: [{ role: "user" }] }],
    ["/v1/chat/completions", { stream: true, response_format: { type: "nonsense" } }],
  ];
  const statuses = new Set<number>();
  for (const [path, fields] of requests) {
    const body = { ...HELLO_CHAT.body, cache_prompt: false, ...fields };
    const [own, passed] = [await post(bare, path, body), await post(server, path, body)];
    const what = `${path} ${JSON.stringify(fields)}`;
    equal(passed.status, own.status, what);
    equal(passed.headers.get("content-type"), own.headers.get("content-type"), what);
    equal(unnamed(await passed.text()), unnamed(await own.text()), what);
    statuses.add(own.status);
  }
  deepEqual([...statuses].sort(), [200, 400]);
});

Deno.test("fields that only llama-server knows have their effect", async () => {
  await using server = await startServer();
  const answer = await post(server, "/v1/completions", {
    model: "hello",
    prompt: "hi",
    n_predict: 2,
    n_probs: 3,
    return_tokens: true,
  });
  const { choices, usage } = await answer.json();
  equal(usage.completion_tokens, 2);
  equal(choices[0].logprobs.content.length, 2);
  equal(choices[0].logprobs.content[0].top_logprobs.length, 3);
});

Deno.test("a stream reaches its client while it is still being generated", async () => {
  await using server = await startServer({ prepare: writeSlow });
  using client = await RawClient.posting(server.port, {
    path: "/v1/completions",
    body: { model: "slow", prompt: "hi", stream: true },
  });
  await client.readUntil("data: ");
  const row = await rowOf(server, "slow");
  deepEqual([row.state, row.leases], ["ready", 1]);
  equal(client.received.includes("[DONE]"), false);
  match(client.received, /^HTTP\/1\.1 200 /);
  match(client.received, /content-type: text\/event-stream/i);
  match(client.received, /x-accel-buffering: no/i);
  // And it goes on.
  await client.readUntil("data: ", 100);
});

Deno.test("a tool's calls and a model's thoughts pass through", async () => {
  await using server = await startServer({
    async prepare(home) {
      await writeTestModel(join(home, "tool.gguf"), TOOL_MODEL);
      await writeTestModel(join(home, "thinking.gguf"), THINKING_MODEL);
    },
  });
  const messages = [{ role: "user", content: "hi" }];
  const tool = await (await post(server, "/v1/chat/completions", {
    model: "tool",
    messages,
    tools: [WEATHER_TOOL],
  })).json();
  equal(tool.choices[0].finish_reason, "tool_calls");
  const called = tool.choices[0].message.tool_calls[0].function;
  deepEqual([called.name, JSON.parse(called.arguments)], ["get_weather", { city: "Dhaka" }]);

  const thought = await (await post(server, "/v1/chat/completions", {
    model: "thinking",
    messages,
  })).json();
  equal(thought.choices[0].message.reasoning_content.trim(), "Two and two.");
  equal(thought.choices[0].message.content, "It is four.");
});

Deno.test("/v1/models lists the models, /upstream passes llama-server's own routes", async () => {
  await using server = await startServer({ prepare: writeSlow });
  const { object, data } = await server.json<{ object: string; data: { id: string }[] }>(
    "/v1/models",
  );
  equal(object, "list");
  deepEqual(data.map(({ id }) => id), ["slow", "hello"]);
  equal((await server.json("/v1/models/hello")).id, "hello");

  const props = await server.json("/upstream/hello/props");
  equal(props.total_slots, 1);
  const tokens = await (await post(server, "/upstream/hello/tokenize", { content: "hi" })).json();
  equal(tokens.tokens.length > 0, true, JSON.stringify(tokens));
  const native = await (await post(server, "/upstream/hello/completion", {
    prompt: "hi",
    n_predict: 1,
  })).json();
  equal(native.content, HELLO_SENTENCE.slice(0, native.content.length));
  notEqual(native.content, "");
  const head = await server.fetch("/upstream/hello/props", { method: "HEAD" });
  deepEqual([head.status, await head.text()], [200, ""]);
  equal((await server.fetch("/upstream/hello/props")).status, 200, "after HEAD");
});

Deno.test("no proxy stands between the gateway and its instances", async () => {
  const dead = "http://127.0.0.1:9";
  const names = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
  ];
  await using server = await startServer({
    env: Object.fromEntries(names.map((name) => [name, dead])),
  });
  equal((await chat(server, "hello")).text, HELLO_SENTENCE);
  await using stream = streamChat(server, "hello");
  await stream.ended;
  equal(stream.text, HELLO_SENTENCE);
});

Deno.test("a connection to the instance that went stale is no client's error", async () => {
  await using server = await startServer();
  const put = await server.fetch("/admin/models/hello/settings", {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ parallel: 8 }),
  });
  equal(put.status, 200, await put.text());
  // llama-server closes an idle connection after 5 s.
  const idleTimesMs = soakCount(10) === 10 ? [3_900, 4_100, 4_900, 5_000, 5_100, 6_000] : [5_000];
  for (const idleMs of [...idleTimesMs, 0]) {
    const answers = await Promise.all(Array.from({ length: 16 }, () => chat(server, "hello")));
    for (const answer of answers) equal(answer.text, HELLO_SENTENCE, JSON.stringify(answer.error));
    await new Promise((resolve) => setTimeout(resolve, idleMs));
  }
});

Deno.test("a process that is killed in the middle of a stream ends it with an error event", async () => {
  await using server = await startServer({ prepare: writeSlow });
  for (const path of ["/v1/chat/completions", "/generate"]) {
    using client = await RawClient.posting(server.port, {
      path,
      body: {
        model: "slow",
        messages: [{ role: "user", content: "hi" }],
        prompt: "hi",
        stream: true,
      },
      headers: { connection: "close" },
    });
    await client.readUntil("data: ");
    const { pid } = await rowOf(server, "slow");
    Deno.kill(pid!, "SIGKILL");
    const received = await client.readAll();
    // The stream has an end, it is not cut off.
    match(received, /\r\n0\r\n\r\n$/);
    const last = received.split("data: ").at(-1)!.split("\n")[0]!;
    const { error } = JSON.parse(last);
    equal(error.code, "upstream_failed", last);
    match(error.message, /"slow" broke off/);
    const next = await post(server, "/v1/completions", {
      model: "slow",
      prompt: "hi",
      max_tokens: 4,
    });
    equal((await next.json()).choices[0].text, SLOW_MODEL.sentence);
    notEqual((await rowOf(server, "slow")).pid, pid);
  }
});

Deno.test("a request whose process is killed before the first byte is answered by a fresh one", async () => {
  await using server = await unloadedHeavyServer();
  await server.post("/admin/models/heavy/load", {}).then((loaded) => loaded.body?.cancel());
  for (const stream of [false, true]) {
    const { pid } = await rowOf(server, "heavy");
    // However quick the machine is, it has answered nothing when it is killed.
    Deno.kill(pid!, "SIGSTOP");
    using client = await RawClient.posting(server.port, {
      path: "/v1/completions",
      body: { model: "heavy", prompt: "x ".repeat(300), max_tokens: 4, stream },
      headers: { connection: "close" },
    });
    await until(async () => (await rowOf(server, "heavy")).leases === 1);
    Deno.kill(pid!, "SIGKILL");
    const received = await client.readAll();
    match(received, /^HTTP\/1\.1 200 /, received);
    match(received, stream ? /\[DONE\]/ : /one two three four /);
    notEqual((await rowOf(server, "heavy")).pid, pid);
  }
});

Deno.test("a model whose process dies five times in a minute is failed until it is loaded by hand", async () => {
  await using server = await startServer();
  for (let death = 1; death <= 5; death++) {
    equal((await chat(server, "hello")).text, HELLO_SENTENCE, `before death ${death}`);
    await kill(server, "hello");
  }
  const failed = await rowOf(server, "hello");
  equal(failed.state, "failed");
  const refused = await chat(server, "hello");
  // That is what SIGKILL means where nobody but the kernel sends it.
  deepEqual([refused.status, refused.error?.code], [507, "out_of_memory"]);
  equal(refused.error?.message, failed.error?.message);
  equal((await rowOf(server, "hello")).pid, null, "nothing was started");

  const loaded = await server.post("/admin/models/hello/load", {});
  equal(loaded.status, 200, await loaded.text());
  equal((await chat(server, "hello")).text, HELLO_SENTENCE);
  equal((await rowOf(server, "hello")).error, null);
});

function writeSlow(home: string): Promise<void> {
  return writeTestModel(join(home, "slow.gguf"), SLOW_MODEL);
}

/** Kills the model's process and waits until the gateway knows. */
async function kill(server: ServerProcess, model: string): Promise<void> {
  const { pid } = await rowOf(server, model);
  Deno.kill(pid!, "SIGKILL");
  await until(() => !isAlive(pid!));
  await until(async () => (await rowOf(server, model)).state === "failed");
}

/** Without what differs from one answer to the next: IDs, times and how long things took. */
function unnamed(text: string): string {
  return text
    .replace(/"id":"[\w-]+"/g, '"id":"ID"')
    .replace(/"created":\d+/g, '"created":0')
    .replace(/"(\w+_ms|\w+_per_second)":[\d.e+-]+/g, '"$1":0');
}
