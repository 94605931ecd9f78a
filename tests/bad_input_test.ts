// What goes wrong on a client's or a file's side is told by status and words, and nothing else
// is answered in its place.

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { join } from "node:path";
import { HELLO_SENTENCE, writeTestModel } from "../src/models/hello_model.ts";
import { chat, post, rowOf } from "./support/chat.ts";
import { ENDLESS_MODEL, ggufFile, helloBytes } from "./support/gguf_files.ts";
import { RawClient } from "./support/raw_client.ts";
import { rawRequest } from "./support/raw_request.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";
import { sentenceOf, writeSpeakers } from "./support/speakers.ts";

const MESSAGES = [{ role: "user", content: "hi" }];
const LIMIT_BYTES = 4_096;

Deno.test("an unknown model is 404 with the names that exist, on every route", async () => {
  await using server = await startServer({ prepare: (home) => writeSpeakers(home, ["a", "b"]) });
  const asks: [path: string, body: Record<string, unknown>][] = [
    ["/v1/chat/completions", { model: "nobody", messages: MESSAGES }],
    ["/v1/completions", { model: "nobody", prompt: "hi" }],
    ["/generate", { model_id: "nobody", prompt: "hi" }],
    ["/upstream/nobody/completion", { prompt: "hi" }],
    ["/v1/chat/completions", { model: "../hello", messages: MESSAGES }],
  ];
  for (const [path, body] of asks) {
    const answer = await post(server, path, body);
    const { error } = await answer.json();
    equal(answer.status, 404, path);
    equal(error.code, "model_not_found", path);
    for (const name of ['"a"', '"b"', '"hello"']) ok(error.message.includes(name), error.message);
  }
  const missing = await post(server, "/v1/completions", { prompt: "hi" });
  equal(missing.status, 400);
  equal((await missing.json()).error.code, "model_required");
});

Deno.test("malformed bodies are 400 that says where", async () => {
  await using server = await startServer();
  const bodies: [body: string, words: RegExp][] = [
    ['{"model": "hello",\n "prompt": }', /line 2, column 12/],
    ['{"model": "hello"', /ends too early/],
    ["", /empty/],
    ["[1]", /an array/],
    ['{"model": 7, "prompt": "hi"}', /"model".*string/],
    ['{"model": "hello", "prompt": "hi", "keep_alive": "soon"}', /"keep_alive"/],
  ];
  for (const [body, words] of bodies) {
    const answer = await server.fetch("/v1/completions", { method: "POST", body });
    const { error } = await answer.json();
    equal(answer.status, 400, body);
    equal(error.type, "invalid_request_error");
    match(error.message, words);
  }
});

Deno.test("a body over the limit is 413, with its length and in chunks", async () => {
  await using server = await startServer({
    prepare: (home) =>
      Deno.writeTextFile(join(home, "config.json"), JSON.stringify({ body_limit: LIMIT_BYTES })),
  });
  const request = { path: "/v1/completions", body: { model: "hello", prompt: "hi" } };
  for (const chunkBytes of [undefined, 1_000]) {
    const chunks = chunkBytes === undefined ? {} : { chunkBytes };
    using client = await RawClient.posting(server.port, {
      ...request,
      ...chunks,
      sizeBytes: LIMIT_BYTES + 1,
    });
    const { status, body } = await client.answer();
    equal(status, 413, body);
    const { error } = JSON.parse(body);
    deepEqual([error.code, error.values], ["body_too_large", { limit_bytes: LIMIT_BYTES }]);
    using small = await RawClient.posting(server.port, {
      ...request,
      ...chunks,
      sizeBytes: LIMIT_BYTES,
    });
    equal((await small.answer()).status, 200);
  }
});

Deno.test("an image at an address is 400 and is never fetched", async () => {
  let fetched = 0;
  await using web = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    fetched++;
    return new Response();
  });
  await using server = await startServer();
  const url = `http://127.0.0.1:${web.addr.port}/image.png`;
  const parts = [
    { type: "image_url", image_url: { url } },
    { type: "image_url", image_url: url },
    { type: "input_audio", input_audio: { url } },
    { type: "image_url", image_url: { url: "file:///etc/passwd" } },
  ];
  for (const path of ["/v1/chat/completions", "/upstream/hello/v1/chat/completions"]) {
    for (const part of parts) {
      const answer = await post(server, path, {
        model: "hello",
        messages: [{ role: "user", content: [part] }],
      });
      const { error } = await answer.json();
      equal(answer.status, 400, JSON.stringify(part));
      equal(error.code, "remote_media_refused");
      match(error.message, /data: URL/);
    }
  }
  equal(fetched, 0);
});

Deno.test("a file that cannot be loaded fails with the reason, and the next request tries again", async () => {
  const whole = helloBytes();
  const files: [id: string, bytes: Uint8Array, words: RegExp][] = [
    ["text", new TextEncoder().encode("This is no model at all.\n".repeat(100)), /not a GGUF/],
    ["cut", whole.subarray(0, Math.floor(whole.length * 0.7)), /cut off|incomplete|ends/],
    ["header", whole.subarray(0, 200), /cut off|incomplete|ends/],
  ];
  await using server = await startServer({
    async prepare(home) {
      // Old enough not to be taken for files that are still being written.
      const time = Date.now() / 1_000 - 60;
      for (const [id, bytes] of files) {
        const path = join(home, `${id}.gguf`);
        await Deno.writeFile(path, bytes);
        await Deno.utime(path, time, time);
      }
    },
  });
  for (const [id, , words] of files) {
    const answer = await chat(server, id);
    equal(answer.status, 502, `${id}: ${JSON.stringify(answer.error)}`);
    match(answer.error!.message, words);
    const row = await rowOf(server, id);
    equal(row.state, "failed", id);
    equal(row.error?.message, answer.error!.message);
    await replace(server, id, whole);
    equal((await chat(server, id)).text, HELLO_SENTENCE, id);
    equal((await rowOf(server, id)).error, null);
  }
});

Deno.test("a model of an unknown architecture fails with the process's last words, each time anew", async () => {
  await using server = await startServer({
    prepare: (home) => Deno.writeFile(join(home, "martian.gguf"), martian()),
  });
  const pids = new Set<string>();
  for (let request = 1; request <= 2; request++) {
    const answer = await chat(server, "martian");
    equal(answer.status, 502, JSON.stringify(answer.error));
    match(answer.error!.message, /architecture "martian"/);
    const row = await rowOf(server, "martian");
    equal(row.state, "failed");
    equal(row.error?.message, answer.error!.message);
    ok(row.error!.log.some((line) => line.includes("unknown model architecture")));
    const { lines } = await server.json<{ lines: string[] }>("/admin/models/martian/log");
    // Time stamps differ: each request started a process of its own.
    pids.add(lines.join("\n"));
  }
  equal(pids.size, 2);
});

Deno.test("a prompt longer than the context is llama-server's own 400 with both numbers", async () => {
  await using server = await startServer({
    prepare: (home) =>
      writeTestModel(join(home, "short.gguf"), { ...ENDLESS_MODEL, contextLength: 512 }),
  });
  for (const stream of [false, true]) {
    const answer = await post(server, "/v1/completions", {
      model: "short",
      prompt: "x ".repeat(1_000),
      stream,
    });
    const { error } = await answer.json();
    equal(answer.status, 400);
    equal(error.n_ctx, 512, JSON.stringify(error));
    ok(error.n_prompt_tokens > 512);
    match(error.message, /\d+ tokens.*512/);
  }
});

Deno.test("what writes files or shows other clients' prompts is not offered", async () => {
  await using server = await startServer();
  await chat(server, "hello");
  const { port } = await rowOf(server, "hello");
  const door = `http://127.0.0.1:${port}`;
  for (
    const path of ["/slots", "/slots/0?action=save", "/v1/slots", "/lora-adapters", "/models/load"]
  ) {
    for (const url of [`${server.url}/upstream/hello${path}`, door + path]) {
      for (const method of ["GET", "POST"]) {
        const answer = await fetch(url, { method, ...(method === "POST" && { body: "{}" }) });
        await answer.body?.cancel();
        equal(answer.status, 404, `${method} ${url}`);
      }
    }
  }
});

Deno.test("a door answers by its own model alone, and behind the guard", async () => {
  await using server = await startServer({ prepare: (home) => writeSpeakers(home, ["a", "b"]) });
  await chat(server, "a");
  await chat(server, "b");
  const [a, b] = [await rowOf(server, "a"), await rowOf(server, "b")];
  equal((await chat({ url: `http://127.0.0.1:${a.port}` }, "a")).text, sentenceOf("a"));
  equal((await chat({ url: `http://127.0.0.1:${b.port}` }, "b")).text, sentenceOf("b"));
  for (const [host, status] of [["evil.example", 403], [`127.0.0.1:${a.port}`, 200]] as const) {
    const answer = await rawRequest(a.port!, `GET /props HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    equal(answer.status, status, host);
  }
  const page = await rawRequest(
    a.port!,
    `GET /props HTTP/1.1\r\nHost: 127.0.0.1:${a.port}\r\nOrigin: http://evil.example\r\n\r\n`,
  );
  equal(page.status, 403);
});

/** A file that is sound but for what it is. */
function martian(): Uint8Array {
  return ggufFile({
    "general.architecture": { string: "martian" },
    ".context_length": { u32: 512 },
    ".embedding_length": { u32: 32 },
    ".block_count": { u32: 1 },
  });
}

/** Puts another file in its place and waits until the gateway has seen it. */
async function replace(server: ServerProcess, id: string, bytes: Uint8Array): Promise<void> {
  const aside = join(server.home, "aside");
  await Deno.writeFile(aside, bytes);
  await Deno.rename(aside, join(server.home, `${id}.gguf`));
  await until(async () => (await rowOf(server, id)).size_bytes === bytes.length);
}
