// What one client asked and was answered is nobody else's: not by another client's questions, not in a
// log, not in a file, not in the list of processes.

import { deepEqual, equal, ok } from "node:assert/strict";
import { join } from "node:path";
import type { NewKeyRow } from "../../src/api_types.ts";
import { writeTestModel } from "../../src/models/hello_model.ts";
import { environmentOf, instancesWith } from "../support/instance_processes.ts";
import { argumentsOf, processTree } from "../support/process_tree.ts";
import { rawRequest } from "../support/raw_request.ts";
import { type ServerProcess, startServer } from "../support/server_process.ts";
import { tempDir } from "../support/temp_dir.ts";
import { threatName } from "./rows.ts";

const DOORS = "29231-29240";
const OWNER = "owner-key-of-this-test-0123456789";
const HUB_TOKEN = "hf_" + "u".repeat(34);
/** In every prompt, and in the answer of the model that is asked. */
const ASKED = "xyzzyplugh";
const ANSWERED = "plover quux corge";

/** Each dialect's way to ask the model, and ways to ask wrongly with the same words. */
function questions(model: string): [path: string, body: unknown][] {
  const words = `My secret is ${ASKED}`;
  const chat = {
    model,
    messages: [{ role: "system", content: words }, { role: "user", content: words }],
  };
  const tool = {
    model,
    messages: [
      { role: "user", content: words },
      {
        role: "assistant",
        tool_calls: [{ id: "1", type: "function", function: { name: ASKED, arguments: "{}" } }],
      },
      { role: "tool", tool_call_id: "1", content: words },
    ],
  };
  return [
    ["/v1/chat/completions", chat],
    ["/v1/chat/completions", { ...chat, stream: true, user: ASKED }],
    ["/v1/chat/completions", tool],
    ["/v1/completions", { model, prompt: words }],
    ["/v1/responses", { model, input: words, instructions: words }],
    ["/v1/messages", { ...chat, max_tokens: 8, messages: chat.messages.slice(1), system: words }],
    ["/v1/messages/count_tokens", { model, messages: chat.messages.slice(1) }],
    ["/api/chat", chat],
    ["/api/generate", { model, prompt: words, system: words, suffix: null }],
    ["/api/embed", { model, input: words }],
    ["/generate", { model_id: model, prompt: words }],
    ["/generate", { model_id: model, prompt: words, stream: true }],
    [`/upstream/${model}/tokenize`, { content: words }],
    [`/upstream/${model}/completion`, { prompt: words, n_predict: 4 }],
    [`/upstream/${model}/apply-template`, chat],
    [`/upstream/${model}/infill`, { input_prefix: words, input_suffix: words }],
    // Refused, each at another place: here, at the library, at the instance, for its length.
    ["/v1/chat/completions", { model: `no such model ${ASKED}`, messages: chat.messages }],
    ["/v1/chat/completions", { ...chat, temperature: words }],
    ["/v1/chat/completions", { ...chat, messages: words }],
    ["/v1/chat/completions", { ...chat, tools: [{ type: words }] }],
    ["/v1/completions", { model, prompt: `${words} `.repeat(4_000) }],
    ["/api/chat", { ...chat, format: words }],
    ["/generate", { model_id: model, prompt: words, keep_alive: words }],
  ];
}

async function askAll(server: ServerProcess, key: string): Promise<number> {
  const headers = { "content-type": "application/json", "x-api-key": key };
  let answered = 0;
  for (const [path, body] of questions("writer")) {
    const answer = await server.post(path, body, { headers });
    if ((await answer.text()).includes("plover")) answered++;
  }
  // No JSON at all, and a client that leaves in the middle.
  for (const body of [`{"prompt":"${ASKED}`, `${ASKED}`, `{"a":${ASKED}}`]) {
    const answer = await server.fetch("/v1/chat/completions", { method: "POST", headers, body });
    await answer.body?.cancel();
    equal(answer.status, 400);
  }
  const left = new AbortController();
  const begun = await server.post("/v1/chat/completions", {
    ...questions("writer")[0]![1] as object,
    stream: true,
  }, { headers, signal: left.signal });
  left.abort();
  await begun.body?.cancel().catch(() => {});
  // In the address, where no client should write them.
  await rawRequest(
    server.port,
    `GET /v1/models?prompt=${ASKED}&api_key=${OWNER} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nx-api-key: ${key}\r\n\r\n`,
  );
  return answered;
}

Deno.test(
  threatName(
    14,
    "after a whole run 0 prompts, 0 answers and 0 keys are in logs, files and arguments",
  ),
  async () => {
    await using dir = await tempDir();
    const home = join(dir.path, "home");
    await using server = await startServer({
      doors: DOORS,
      home,
      env: { ZOMBIE_API_KEY: OWNER, HF_TOKEN: HUB_TOKEN },
      flags: ["--log-level", "debug"],
      async prepare(home) {
        await writeTestModel(join(home, "writer.gguf"), { sentence: ANSWERED });
      },
    });
    const owner = { "content-type": "application/json", "x-api-key": OWNER };
    // As talkative as instances of large models are.
    const changed = await server.fetch("/admin/models/writer/settings", {
      method: "PUT",
      headers: owner,
      body: JSON.stringify({ extra_args: ["-lv", "4"] }),
    });
    equal(changed.status, 200, await changed.text());
    const [first, second] = await Promise.all(["first", "second"].map(async (name) => {
      const made = await server.post("/admin/keys", { name, scope: "use" }, { headers: owner });
      return await made.json() as NewKeyRow;
    }));
    ok(await askAll(server, first!.key) >= 8);
    const instance = instancesWith(dir.path).find((pid) =>
      argumentsOf(pid)[0]!.endsWith("llama-server")
    )!;
    const instanceKey = environmentOf(instance).get("LLAMA_API_KEY")!;
    const secrets = [ASKED, "plover", OWNER, HUB_TOKEN, first!.key, second!.key, instanceKey];

    // What another client gets to see, and what it is refused.
    const other = { "x-api-key": second!.key };
    const { port } = await server.json<{ port: number }>("/admin/models/writer", {
      headers: owner,
    });
    const door = `http://127.0.0.1:${port}`;
    const native = [
      "slots",
      "slots/0",
      "props",
      "metrics",
      "v1/models",
      "v1/slots",
      "lora-adapters",
      "stream",
    ];
    const urls = [
      ...["/admin/requests", "/admin/models/writer/log", "/logs", "/admin/events", "/admin/keys"],
      ...["/slots", "/props", "/metrics", "/running", "/v1/models", "/api/ps", "/openapi.json"],
      ...native.map((path) => `/upstream/writer/${path}`),
      ...["//slots", "/%73lots", "/v1//slots", "/slots/", "/slots?x"].map((path) =>
        `/upstream/writer${path}`
      ),
    ].map((path) => server.url + path);
    urls.push(...native.map((path) => `${door}/${path}`));
    for (const url of urls) {
      const answer = await fetch(url, { headers: other });
      const text = await answer.text();
      for (const secret of secrets) ok(!text.includes(secret), `${url}: ${text.slice(0, 200)}`);
      if (/slots|\/stream$|lora/.test(url)) ok(answer.status >= 400, `${url}: ${answer.status}`);
    }
    // Not the owner either: requests are counted, their texts are not kept.
    for (
      const path of [
        "/admin/requests",
        "/admin/models/writer/log",
        "/logs",
        "/metrics",
        "/admin/keys",
      ]
    ) {
      const text = await (await server.fetch(path, { headers: owner })).text();
      for (const secret of secrets) ok(!text.includes(secret), `${path} holds ${secret}: ${text}`);
    }
    const told = await toldOf(server, owner);
    for (const secret of secrets) ok(!told.includes(secret), `/admin/events holds ${secret}`);

    for (const pid of processTree(server.pid)) {
      const args = argumentsOf(pid).join(" ");
      for (const secret of secrets) ok(!args.includes(secret), `an argument holds ${secret}`);
    }
    server.kill("SIGTERM");
    await server.status;
    const places = new Map([["stderr", server.stderr], ...filesBelow(dir.path)]);
    for (const folder of [join(server.runtimeHome, "..")]) {
      for (const [path, text] of filesBelow(folder)) places.set(path, text);
    }
    ok([...places.keys()].some((path) => path.endsWith("registry.db")));
    ok([...places.keys()].some((path) => path.includes("/logs/")));
    const found = [...places].flatMap(([path, text]) =>
      // The model's own file holds the words that it always says.
      secrets.filter((secret) => text.includes(secret) && !path.endsWith("writer.gguf"))
        .map((secret) => `${path}: ${secret}`)
    );
    deepEqual(found, []);
    // What is looked for is found where it is.
    ok(places.get(join(home, "writer.gguf"))?.includes("plover"));
    ok([...places.values()].some((text) => text.includes("writer")));
  },
);

/** The stream of events: what it begins with, and what it says of one more request. */
async function toldOf(server: ServerProcess, headers: Record<string, string>): Promise<string> {
  const signal = AbortSignal.timeout(20_000);
  const events = await server.fetch("/admin/events", { headers, signal });
  const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader();
  let told = "";
  async function readUntil(text: string): Promise<void> {
    while (!told.includes(text)) {
      const { done, value } = await reader.read();
      if (done) throw new Error(`The stream ended before ${text}`);
      told += value;
    }
  }
  await readUntil("event: model");
  const [path, body] = questions("writer")[0]!;
  const answer = await server.post(path, body, { headers, signal });
  await answer.body?.cancel();
  await readUntil("event: request");
  await reader.cancel();
  return told;
}

/** Characters are bytes: databases are searched as well. */
function filesBelow(folder: string): [path: string, text: string][] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory, isFile }) => {
    const path = join(folder, name);
    if (isDirectory) return filesBelow(path);
    return isFile ? [[path, new TextDecoder("latin1").decode(Deno.readFileSync(path))]] : [];
  });
}
