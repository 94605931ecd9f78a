// /api/create, /api/blobs, /api/copy and /api/delete, field by field, and the routes that say why not.

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { join } from "node:path";
import { buildTestModel, HELLO_SENTENCE, writeTestModel } from "../src/models/hello_model.ts";
import { ggufFile, helloBytes, TOOL_MODEL } from "./support/gguf_files.ts";
import { askOllama, askWell, checkTable, type Json } from "./support/ollama_api.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";

const CREATE = "POST /api/create";
const BLOB = "POST /api/blobs/:digest";

function served(): Promise<ServerProcess> {
  return startServer({
    prepare: (home) => writeTestModel(join(home, "tool.gguf"), TOOL_MODEL),
  });
}

async function digestOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return `sha256:${hash.toHex()}`;
}

async function send(
  server: ServerProcess,
  { digest, bytes }: { digest: string; bytes: Uint8Array<ArrayBuffer> },
): Promise<{ status: number; text: string }> {
  const answer = await server.fetch(`/api/blobs/${digest}`, { method: "POST", body: bytes });
  return { status: answer.status, text: await answer.text() };
}

async function sent(server: ServerProcess, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = await digestOf(bytes);
  deepEqual(await send(server, { digest, bytes }), { status: 201, text: "" });
  return digest;
}

async function namesOf(server: ServerProcess): Promise<string[]> {
  const { models } = (await askWell(server, "GET /api/tags")).last;
  return models.map(({ name }: Json) => name);
}

async function refuse(
  server: ServerProcess,
  { route, body, status = 400, words = /./ }: {
    route: string;
    body: unknown;
    status?: number;
    words?: RegExp;
  },
): Promise<void> {
  const answer = await askOllama(server, route, body);
  equal(answer.status, status, JSON.stringify([body, answer.last]));
  match(answer.last.error, words);
}

Deno.test("/api/create has every field of Ollama's, each with its type and meaning", async () => {
  await using server = await served();
  const create = (fields: Record<string, unknown>) => askWell(server, CREATE, fields);
  const show = async (model: string) => (await askWell(server, "POST /api/show", { model })).last;
  const wrong = async (...all: Record<string, unknown>[]) => {
    for (const fields of all) {
      await refuse(server, { route: CREATE, body: { model: "x", from: "hello", ...fields } });
    }
  };
  const notHere = (fields: Record<string, unknown>, words: RegExp) =>
    refuse(server, {
      route: CREATE,
      body: { model: "x", from: "hello", ...fields },
      status: 501,
      words,
    });
  await checkTable(CREATE, {
    "> model": async () => {
      await create({ model: "boss", from: "hello" });
      ok((await namesOf(server)).includes("boss:latest"));
      await create({ model: "jo/boss:v2", from: "hello" });
      ok((await namesOf(server)).includes("jo/boss:v2"));
      const { last } = await askWell(server, "POST /api/generate", {
        model: "jo/boss:v2",
        prompt: "hi",
        stream: false,
      });
      equal(last.response, HELLO_SENTENCE);
      // Another model's name is never taken over.
      await wrong({ model: "tool" }, { model: "" }, { model: 7 }, { model: "../x" }, {
        model: "-x",
      });
    },
    "> name": async () => {
      await create({ name: "named", from: "hello" });
      ok((await namesOf(server)).includes("named:latest"));
    },
    "> from": async () => {
      await refuse(server, { route: CREATE, body: { model: "x", from: "nobody" }, status: 404 });
      await wrong({ from: undefined }, { from: "" }, { from: 7 });
      // From itself: only what it is told changes.
      await create({ model: "boss", from: "boss", system: "Be bossy" });
      equal((await show("boss")).system, "Be bossy");
    },
    "> files": async () => {
      const bytes = buildTestModel({ sentence: "Sent in pieces.", name: "sent" });
      const files = { "any name.gguf": await sent(server, bytes) };
      deepEqual((await create({ model: "sent", files })).last, { status: "success" });
      const { last } = await askWell(server, "POST /api/generate", {
        model: "sent",
        prompt: "hi",
        stream: false,
      });
      equal(last.response, "Sent in pieces.");
      const text = await sent(server, new TextEncoder().encode("no model at all"));
      const projector = await sent(server, PROJECTOR);
      const unknown = `sha256:${"0".repeat(64)}`;
      await refuse(server, {
        route: CREATE,
        body: { model: "x", files: { "a.gguf": text } },
        words: /a\.gguf.*not a GGUF file/,
      });
      for (const digest of [unknown, "sha256:../../x", projector, 7]) {
        await refuse(server, { route: CREATE, body: { model: "x", files: { "a.gguf": digest } } });
      }
      equal((await namesOf(server)).includes("x:latest"), false);
      const seeing = {
        "model.gguf": await sent(server, buildTestModel({ ...TOOL_MODEL, name: "sees" })),
        "mmproj.gguf": projector,
      };
      await create({ model: "sees", files: seeing });
      deepEqual((await show("sees")).capabilities, ["completion", "tools", "vision"]);
    },
    "> adapters": () => notHere({ adapters: { "a.gguf": "sha256:0" } }, /"lora"/),
    "> template": async () => {
      await notHere({ template: "{{ .Prompt }}" }, /template language/);
      const template = "{% for m in messages %}<{{ m.content }}>{% endfor %}";
      await create({ model: "templated", from: "hello", template });
      equal((await show("templated")).template, template);
      const { last } = await askWell(server, "POST /api/chat", {
        model: "templated",
        messages: [{ role: "user", content: "hi" }],
        _debug_render_only: true,
      });
      equal(last._debug_info.rendered_template, "<hi>");
      await wrong({ template: 7 });
    },
    "> license": async () => {
      const { lines } = await create({ model: "free", from: "hello", license: "MIT" });
      ok(lines.some(({ status }) => /license is not kept/.test(status)));
    },
    "> system": async () => {
      await create({ model: "kind", from: "boss", system: "Be kind" });
      const { last } = await askWell(server, "POST /api/chat", {
        model: "kind",
        messages: [{ role: "user", content: "hi" }],
        _debug_render_only: true,
      });
      match(last._debug_info.rendered_template, /^system: Be kind\nuser: hi/);
      equal((await show("boss")).system, "Be bossy", "its own, not its source's");
      await wrong({ system: 7 });
    },
    "> parameters": async () => {
      const parameters = { temperature: 0.1, num_predict: 2, num_ctx: 1024, top_k: 5 };
      await create({ model: "short", from: "hello", parameters });
      match((await show("short")).parameters, /num_predict +2\ntemperature +0.1\ntop_k +5/);
      const { last } = await askWell(server, "POST /api/generate", {
        model: "short",
        prompt: "hi",
        stream: false,
      });
      deepEqual([last.eval_count, last.done_reason], [2, "length"]);
      const { models } = (await askWell(server, "GET /api/ps")).last;
      equal(models.find(({ name }: Json) => name === "short:latest").context_length, 1024);
      // Made anew from its source, it has nothing of what it was.
      await create({ model: "short", from: "hello", parameters: { top_k: 6 } });
      equal((await show("short")).parameters.replace(/ +/, " "), "top_k 6");
      await wrong({ parameters: 7 }, { parameters: { temperature: "hot" } });
    },
    "> messages": () => notHere({ messages: [{ role: "user", content: "hi" }] }, /"messages"/),
    "> quantize": () => notHere({ quantize: "q4_K_M" }, /quantize/),
    "> stream": async () => {
      const whole = await create({ model: "whole", from: "hello", stream: false });
      deepEqual([whole.type, whole.lines], ["application/json", [{ status: "success" }]]);
      await wrong({ stream: "yes" });
    },
    "< status": async () => {
      const { type, lines } = await create({ model: "told", from: "hello", system: "x" });
      equal(type, "application/x-ndjson");
      deepEqual(lines.map(({ status }) => status), [
        "reading model metadata",
        "creating system layer",
        "writing manifest",
        "success",
      ]);
    },
  });
});

Deno.test("/api/blobs keeps what has its digest, and nothing else", async () => {
  await using server = await served();
  const bytes = helloBytes();
  const digest = await digestOf(bytes);
  const head = async (name: string) =>
    (await server.fetch(`/api/blobs/${name}`, { method: "HEAD" })).status;
  await checkTable("HEAD /api/blobs/:digest", {
    "> digest": async () => {
      deepEqual([await head(digest), await head("sha256:12"), await head("x")], [404, 400, 400]);
    },
  });
  await checkTable(BLOB, {
    "> digest": async () => {
      const wrong = await send(server, { digest, bytes: bytes.slice(1) });
      equal(wrong.status, 400);
      match(wrong.text, /digest mismatch, expected \\"sha256:/);
      equal(await head(digest), 404);
      for (const name of ["sha256:12", "md5:00", `sha256:${"g".repeat(64)}`]) {
        equal((await send(server, { digest: name, bytes })).status, 400, name);
      }
      deepEqual([...Deno.readDirSync(join(server.home, "blobs"))], []);
    },
    "> body": async () => {
      equal((await send(server, { digest, bytes })).status, 201);
      equal(await head(digest), 200);
      equal((await send(server, { digest, bytes })).status, 200, "it is here already");
      deepEqual(await namesOf(server), ["tool:latest", "hello:latest"], "and not offered");
    },
  });
  const left = new AbortController();
  let pulled = 0;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      if (++pulled === 3) left.abort();
      else controller.enqueue(bytes.slice(0, 60_000));
    },
  });
  const other = `sha256:${"1".repeat(64)}`;
  await server.fetch(`/api/blobs/${other}`, { method: "POST", body, signal: left.signal }).catch(
    () => {},
  );
  await until(() => [...Deno.readDirSync(join(server.home, "blobs"))].length === 1);
});

Deno.test("/api/copy gives a model a second name that lives on without the first", async () => {
  await using server = await served();
  const copy = (source: unknown, destination: unknown) =>
    server.fetch("/api/copy", { method: "POST", body: JSON.stringify({ source, destination }) });
  const status = async (...names: [unknown, unknown]) => {
    const answer = await copy(...names);
    await answer.body?.cancel();
    return answer.status;
  };
  await checkTable("POST /api/copy", {
    "> source": async () => {
      equal(await status("nobody", "x"), 404);
      for (const source of [7, "", null]) equal(await status(source, "x"), 400);
    },
    "> destination": async () => {
      const answer = await copy("tool", "second");
      deepEqual([answer.status, await answer.text()], [200, ""]);
      equal(await status("tool", "second:latest"), 400, "it is another model's now");
      equal(await status("tool", "tool"), 200, "it has this name");
      for (const name of [7, "", "../x", "a/../b", "hello"]) equal(await status("tool", name), 400);
    },
  });
  equal(
    (await server.fetch("/api/delete", { method: "DELETE", body: '{"model":"tool"}' })).status,
    200,
  );
  const { last } = await askWell(server, "POST /api/chat", {
    model: "second",
    messages: [{ role: "user", content: "hi" }],
    stream: false,
  });
  match(last.message.content, /get_weather/);
});

Deno.test("a copy of a model in a folder that is only read is a further name of it", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await writeTestModel(join(folder, "theirs.gguf"), TOOL_MODEL);
    await using server = await startServer({ flags: ["--models-dir", folder] });
    await askOllama(server, "POST /api/copy", { source: "theirs", destination: "mine:v1" });
    deepEqual(await namesOf(server), ["theirs:latest", "mine:v1", "hello:latest"]);
    await refuse(server, {
      route: CREATE,
      body: { model: "x", from: "theirs" },
      status: 501,
      words: /only read/,
    });
    // Taking the name away leaves the model.
    equal((await askOllama(server, "DELETE /api/delete", { model: "mine:v1" })).status, 200);
    deepEqual(await namesOf(server), ["theirs:latest", "hello:latest"]);
    await refuse(server, {
      route: "DELETE /api/delete",
      body: { model: "theirs" },
      words: /only read/,
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("/api/delete unloads a model and takes its files away", async () => {
  await using server = await served();
  await askWell(server, "POST /api/generate", { model: "tool" });
  const remove = (body: unknown) => askOllama(server, "DELETE /api/delete", body);
  await checkTable("DELETE /api/delete", {
    "> model": async () => {
      deepEqual(await remove({ model: "tool" }), {
        status: 200,
        type: "",
        lines: [],
        last: undefined,
      });
      deepEqual(await namesOf(server), ["hello:latest"]);
      deepEqual((await askWell(server, "GET /api/ps")).last.models, []);
      const again = await remove({ model: "tool" });
      equal(again.status, 404);
      match(again.last.error, /^model 'tool' not found/);
      for (const model of [7, "", null, "hello"]) equal((await remove({ model })).status, 400);
    },
    "> name": async () => {
      await askWell(server, CREATE, { model: "named", from: "hello" });
      equal((await remove({ name: "named:latest" })).status, 200);
      deepEqual(await namesOf(server), ["hello:latest"]);
    },
  });
});

Deno.test("what cannot be done here is 501 with its reason, or 404, in Ollama's shape", async () => {
  await using server = await served();
  const not = (route: string, status: number, words: RegExp) => async () => {
    const { status: got, last } = await askOllama(
      server,
      route,
      route.startsWith("POST") ? {} : undefined,
    );
    deepEqual([got, Object.keys(last)], [status, ["error"]], route);
    match(last.error, words);
  };
  await checkTable("POST /api/push", {
    "> model": not("POST /api/push", 501, /publishes none/),
    "> stream": not("POST /api/push", 501, /publishes none/),
    "< error": not("POST /api/push", 501, /publishes none/),
  });
  for (const route of ["POST /api/me", "POST /api/signout", "GET /api/status"]) {
    await checkTable(route, { "< error": not(route, 501, /account/) });
  }
  await not("POST /api/experimental/anything", 501, /experiment/)();
  await not("POST /api/nothing", 404, /Cannot find/)();
  await not("GET /api/chat", 405, /use POST/)();
});

const PROJECTOR = ggufFile({
  "general.architecture": { string: "clip" },
  "clip.has_vision_encoder": { bool: true },
});
