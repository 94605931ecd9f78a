// /api/pull, field by field, against a stand-in for the Hub.

import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { join } from "node:path";
import { Ollama } from "ollama";
import type { DownloadRow } from "../src/api_types.ts";
import { buildTestModel, HELLO_SENTENCE } from "../src/models/hello_model.ts";
import { TestHub } from "./support/hub.ts";
import { bytesContent } from "./support/hub_content.ts";
import { askOllama, askWell, checkTable, type Json } from "./support/ollama_api.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";
import { textUntil } from "./support/text_until.ts";

const ROUTE = "POST /api/pull";
const MIB = 1024 ** 2;

function contentOf(name: string, sizeBytes = 0) {
  return bytesContent(buildTestModel({ sentence: HELLO_SENTENCE, name, sizeBytes }));
}

/** `org/tiny` with three quantizations, as their names say, and one of the catalogue. */
async function servedHub() {
  const hub = await TestHub.start();
  const files = {
    "tiny-Q8_0.gguf": contentOf("q8"),
    "tiny-Q4_K_M.gguf": contentOf("q4", 8 * MIB),
    "tiny-Q2_K.gguf": contentOf("q2"),
  };
  hub.add("org/tiny", { files });
  hub.add("org/one", { files: { "one.gguf": contentOf("one") } });
  const env = { HF_ENDPOINT: hub.endpoint, ZOMBIE_DOWNLOAD_HOSTS: hub.downloadHost };
  const server = await startServer({
    env,
    prepare: (home) =>
      Deno.writeTextFile(join(home, "models_registry.json"), JSON.stringify(CATALOGUE)),
  });
  return {
    hub,
    server,
    files,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await hub[Symbol.asyncDispose]();
    },
  };
}

const CATALOGUE = {
  version: 1,
  models: [{
    id: "tiny-chat",
    name: "Tiny chat",
    roles: ["chat"],
    parameters: 60_000,
    license: "mit",
    repo: "org/one",
    files: [{ file: "one.gguf", quantization: "F32", size_bytes: 250_000 }],
  }],
};

Deno.test("/api/pull has every field of Ollama's, each with its type and meaning", async () => {
  await using both = await servedHub();
  const { server, files, hub } = both;
  hub.fault = ({ host }) => host === "cdn" ? { bytesPerSecond: 2 * MIB } : null;
  const pull = (fields: Record<string, unknown>) => askWell(server, ROUTE, fields);
  const first = await pull({ model: "hf.co/org/tiny" });
  const { sha256, sizeBytes } = files["tiny-Q4_K_M.gguf"];
  const layers = first.lines.filter((line: Json) => line.digest !== undefined);
  await checkTable(ROUTE, {
    "> model": async () => {
      // The usual quantization where the name has none, and it answers to the name from now on.
      await answers(server, "hf.co/org/tiny");
      await answers(server, "tiny-Q4_K_M");
      await pull({ model: "hf.co/org/tiny:Q8_0" });
      await answers(server, "hf.co/org/tiny:Q8_0");
      await pull({ model: "tiny-chat:latest" });
      await answers(server, "tiny-chat");
      for (const model of [7, "", null]) {
        const { status, last } = await askOllama(server, ROUTE, { model });
        deepEqual([status, typeof last.error], [400, "string"]);
      }
      const unknown = await askOllama(server, ROUTE, { model: "nobody" });
      equal(unknown.status, 404);
      match(unknown.last.error, /^model 'nobody' not found\. .*hf\.co/);
    },
    "> name": async () => {
      await pull({ name: "hf.co/org/tiny:q2_k" });
      await answers(server, "tiny-Q2_K");
    },
    "> stream": async () => {
      equal(first.type, "application/x-ndjson");
      const whole = await pull({ model: "hf.co/org/tiny", stream: false });
      deepEqual([whole.type, whole.lines], ["application/json", [{ status: "success" }]]);
    },
    // Ollama leaves a certificate unchecked for it; here nothing changes.
    "> insecure": async () => {
      deepEqual((await pull({ model: "hello", insecure: true })).last, { status: "success" });
    },
    "< status": () => {
      const statuses = [...new Set(first.lines.map((line: Json) => line.status))];
      deepEqual(statuses, [
        "pulling manifest",
        `pulling ${sha256.slice(0, 12)}`,
        "verifying sha256 digest",
        "writing manifest",
        "removing unused layers",
        "success",
      ]);
    },
    "< digest": () => {
      ok(layers.length >= 2);
      ok(layers.every((line: Json) => line.digest === `sha256:${sha256}`));
    },
    "< total": () => ok(layers.every((line: Json) => line.total === sizeBytes)),
    "< completed": () => {
      const done = layers.map((line: Json) => line.completed);
      deepEqual(done, done.toSorted((a, b) => a - b), "never backwards");
      equal(done.at(-1), sizeBytes);
    },
  });
  // What is here is not fetched again.
  const before = hub.cdnRequests.length;
  deepEqual((await pull({ model: "hf.co/org/tiny:Q8_0" })).lines, [
    { status: "pulling manifest" },
    { status: "success" },
  ]);
  equal(hub.cdnRequests.length, before);
});

Deno.test("ollama: pull() tells its progress, and its errors as errors", async () => {
  await using both = await servedHub();
  const { server } = both;
  const client = new Ollama({ host: server.url });
  const statuses: string[] = [];
  for await (const { status } of await client.pull({ model: "hf.co/org/one", stream: true })) {
    statuses.push(status);
  }
  equal(statuses.at(-1), "success");
  equal((await client.pull({ model: "hf.co/org/tiny:Q2_K" })).status, "success");
  const wrong: [model: string, words: RegExp][] = [
    ["hf.co/org/nothing", /org\/nothing/],
    ["hf.co/org/tiny:Q5_K_M", /Q2_K, Q4_K_M, Q8_0|Q8_0, Q4_K_M, Q2_K|Q2_K/],
  ];
  for (const [model, words] of wrong) {
    let error = "";
    try {
      for await (const _line of await client.pull({ model, stream: true }));
    } catch (thrown) {
      error = String(thrown);
    }
    match(error, words);
    const { status, last } = await askOllama(server, ROUTE, { model, stream: false });
    equal(status, 404);
    match(last.error, words);
  }
});

for (const stream of [true, false]) {
  const how = stream ? "streamed" : "at once";
  Deno.test(`a pull (${how}) whose client leaves pauses, and the next one goes on where it stood`, async () => {
    await using both = await servedHub();
    const { server, hub, files } = both;
    const { sizeBytes } = files["tiny-Q4_K_M.gguf"];
    hub.fault = ({ host }) => host === "cdn" ? { bytesPerSecond: MIB } : null;
    const download = async () => {
      const { downloads } = await server.json<{ downloads: DownloadRow[] }>("/admin/downloads");
      return downloads[0];
    };
    const client = new AbortController();
    const body = { model: "hf.co/org/tiny", stream };
    const pulled = server.post("/api/pull", body, { signal: client.signal })
      .then(async (answer) => {
        for await (const _ of textUntil(answer, client.signal));
        client.signal.throwIfAborted();
      });
    await until(async () => ((await download())?.bytes_done ?? 0) > MIB);
    client.abort();
    await rejects(pulled, /abort/i);
    const row = await until(async () => {
      const row = await download();
      return row?.state === "paused" && row;
    });
    ok(row.bytes_done > 0 && row.bytes_done < sizeBytes, `${row.bytes_done}`);
    hub.fault = () => null;
    const { lines, last } = await askWell(server, ROUTE, { model: "hf.co/org/tiny" });
    deepEqual(last, { status: "success" });
    const [begun] = lines.filter((line: Json) => line.digest !== undefined);
    ok(begun.completed >= row.bytes_done - MIB, JSON.stringify(begun));
    await answers(server, "hf.co/org/tiny");
  });
}

async function answers(server: ServerProcess, model: string): Promise<void> {
  const { last } = await askWell(server, "POST /api/generate", {
    model,
    prompt: "hi",
    stream: false,
    options: { num_predict: 2 },
    keep_alive: 0,
  });
  equal(last.eval_count, 2, model);
}
