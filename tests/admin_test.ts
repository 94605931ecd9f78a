import assert from "node:assert/strict";
import { join } from "node:path";
import type { ModelRow, ModelSettings, RequestRow, SettingRow } from "../src/api_types.ts";
import { writeTestModel } from "../src/models/hello_model.ts";
import { eventReader } from "./support/event_reader.ts";
import { ENDLESS_MODEL, LASTING_MODEL } from "./support/gguf_files.ts";
import { rawRequest } from "./support/raw_request.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";

const HELLO = "/admin/models/hello";

interface ErrorAnswer {
  error: { message: string; type: string; code: string; param: string | null; values: unknown };
}

async function answerOf<T>(answering: Promise<Response>, status: number): Promise<T> {
  const response = await answering;
  const text = await response.text();
  assert.equal(response.status, status, text);
  return text === "" ? undefined as T : JSON.parse(text);
}

function put(server: ServerProcess, path: string, body: unknown): Promise<Response> {
  return server.post(path, body, { method: "PUT" });
}

function stateOf(server: ServerProcess, id: string): Promise<string> {
  return server.json<{ state: string }>(`/admin/models/${id}`).then((row) => row.state);
}

Deno.test("/admin/models loads, pins, unloads and shows each state of a model", async () => {
  await using server = await startServer();
  const rows = await server.json<ModelRow[]>("/admin/models") as unknown as ModelRow[];
  assert.deepEqual(rows.map(({ id, state, builtin }) => [id, state, builtin]), [
    ["hello", "stopped", true],
  ]);

  const ready = await answerOf<ModelRow>(
    server.post(`${HELLO}/load`, { keep_alive: "1h" }),
    200,
  );
  assert.equal(ready.state, "ready");
  assert.equal(ready.keep_alive_ms, 3_600_000);
  assert.ok(ready.port !== null && ready.pid !== null && ready.memory_bytes! > 0);
  const leftMs = Date.parse(ready.expires_at!) - Date.now();
  assert.ok(leftMs > 3_500_000 && leftMs <= 3_600_000, `${leftMs}`);

  const pinned = await answerOf<ModelRow>(server.post(`${HELLO}/pin`, {}), 200);
  assert.deepEqual([pinned.pinned, pinned.expires_at], [true, null]);
  assert.equal((await server.json<ModelSettings>(`${HELLO}/settings`)).pinned, true);
  const unpinned = await answerOf<ModelRow>(server.post(`${HELLO}/unpin`, {}), 200);
  assert.equal(unpinned.pinned, false);
  assert.notEqual(unpinned.expires_at, null);

  const stopped = await answerOf<ModelRow>(server.post(`${HELLO}/unload`, {}), 200);
  assert.deepEqual([stopped.state, stopped.pid, stopped.port], ["stopped", null, null]);
  // Once more is no error: it is what was asked for.
  await answerOf(server.post(`${HELLO}/unload`, {}), 200);

  const soon = await answerOf<ModelRow>(server.post(`${HELLO}/load?wait=false`, {}), 202);
  assert.equal(soon.state, "loading");
  await until(async () => await stateOf(server, "hello") === "ready");
});

Deno.test("GET /admin/models/{id}/command shows what would run, without its key, and starts nothing", async () => {
  await using server = await startServer();
  const { command } = await server.json<{ command: string[] }>(`${HELLO}/command`);
  assert.match(command[0]!, /llama-server/);
  assert.equal(command[command.indexOf("-a") + 1], "hello");
  assert.ok(!command.some((word) => /api-key|^[0-9a-f]{32}$/.test(word)), command.join(" "));
  assert.equal(await stateOf(server, "hello"), "stopped");
  // Asking about a model that runs must leave it alone.
  await answerOf(server.post(`${HELLO}/load`, {}), 200);
  await server.json(`${HELLO}/command`);
  const { response } = await answerOf<{ response: string }>(
    server.post("/generate", { model_id: "hello", prompt: "hi" }),
    200,
  );
  assert.match(response, /^Hello/);
});

Deno.test("/admin finds a model by the rule for names, and no file by its path", async () => {
  await using server = await startServer();
  await answerOf(
    put(server, `${HELLO}/settings`, { aliases: ["gpt-4o-mini", "org/name:tag"] }),
    200,
  );
  for (const name of ["hello", "HELLO", "hello:latest", "gpt-4o-mini", "org%2Fname%3Atag"]) {
    const row = await server.json<ModelRow>(`/admin/models/${name}`);
    assert.equal(row.id, "hello", name);
  }
  for (
    const name of ["nothing", "hello.gguf", "builtin%2Fhello", "%2Fetc%2Fpasswd", "%zz", "a%20b"]
  ) {
    const { error } = await answerOf<ErrorAnswer>(server.fetch(`/admin/models/${name}`), 404);
    assert.equal(error.code, "model_not_found");
    assert.match(error.message, /"hello"/);
  }
  for (const name of ["..%2f..%2fetc%2fpasswd", "a%00b", "..%5c"]) {
    await answerOf<ErrorAnswer>(server.fetch(`/admin/models/${name}`), 400);
  }
});

Deno.test("PUT settings checks everything, keeps nothing of what is wrong, and merges what is right", async () => {
  await using server = await startServer();
  const path = `${HELLO}/settings`;
  const before = await server.json(path);
  const wrong: [change: Record<string, unknown>, param: string][] = [
    [{ treads: 4 }, "treads"],
    [{ threads: 0 }, "threads"],
    [{ threads: 2_000 }, "threads"],
    [{ threads: 1.5 }, "threads"],
    [{ threads: "4" }, "threads"],
    [{ context: -1 }, "context"],
    [{ context: 1 }, "context"],
    [{ context: 2 ** 40 }, "context"],
    [{ parallel: 1_000 }, "parallel"],
    [{ gpu_layers: -1 }, "gpu_layers"],
    [{ cache_type_k: "q9_9" }, "cache_type_k"],
    [{ cache_type_v: "" }, "cache_type_v"],
    [{ keep_alive: "soon" }, "keep_alive"],
    [{ keep_alive: true }, "keep_alive"],
    [{ pinned: "yes" }, "pinned"],
    [{ aliases: [""] }, "aliases"],
    [{ aliases: ["a\nb"] }, "aliases"],
    [{ aliases: "gpt" }, "aliases"],
    [{ sampling: { heat: 1 } }, "sampling"],
    [{ extra_args: "--mlock" }, "extra_args"],
    [{ extra_args: ["--host", "0.0.0.0"] }, "extra_args"],
    [{ extra_args: ["--tools", "all"] }, "extra_args"],
    [{ extra_args: ["--mlock", "--mlock"] }, "extra_args"],
    [{ threads: 2, extra_args: ["--rpc", "x"] }, "extra_args"],
  ];
  for (const [change, param] of wrong) {
    const { error } = await answerOf<ErrorAnswer>(put(server, path, change), 400);
    assert.deepEqual([error.code, error.param], ["invalid_request", param], JSON.stringify(change));
  }
  for (const change of [{ lora: ["../../etc/passwd"] }, { draft_model: "/etc/passwd" }]) {
    const { error } = await answerOf<ErrorAnswer>(put(server, path, change), 400);
    assert.equal(error.code, "invalid_request");
  }
  assert.deepEqual(await server.json(path), before);

  const first = await answerOf<ModelSettings & { applies: string }>(
    put(server, path, { threads: 1, extra_args: ["--swa-full"] }),
    200,
  );
  assert.equal(first.applies, "now");
  const second = await answerOf<ModelSettings>(put(server, path, { keep_alive: 90 }), 200);
  assert.deepEqual([second.threads, second.extra_args, second.keep_alive], [1, ["--swa-full"], 90]);
  const { command } = await server.json<{ command: string[] }>(`${HELLO}/command`);
  assert.ok(command.includes("--swa-full"));
  assert.equal(command[command.indexOf("-t") + 1], "1");
});

Deno.test("PUT settings reaches a running model: keep-alive and pin at once, the rest at its next load", async () => {
  await using server = await startServer();
  await answerOf(server.post(`${HELLO}/load`, {}), 200);
  const path = `${HELLO}/settings`;
  const now = await answerOf<{ applies: string }>(
    put(server, path, { keep_alive: "2h", pinned: true }),
    200,
  );
  assert.equal(now.applies, "now");
  const row = await server.json<ModelRow>(HELLO);
  assert.deepEqual([row.keep_alive_ms, row.pinned, row.state], [7_200_000, true, "ready"]);
  const later = await answerOf<{ applies: string }>(put(server, path, { threads: 1 }), 200);
  assert.equal(later.applies, "next load");
  assert.equal((await server.json<ModelRow>(HELLO)).pid, row.pid);
});

Deno.test("an alias that another model answers to is refused", async () => {
  await using server = await startServer({
    prepare: (home) => writeTestModel(join(home, "Second.gguf"), ENDLESS_MODEL),
  });
  await answerOf(put(server, "/admin/models/Second/settings", { aliases: ["mine"] }), 200);
  for (const alias of ["second", "Second:latest", "MINE"]) {
    const { error } = await answerOf<ErrorAnswer>(
      put(server, `${HELLO}/settings`, { aliases: [alias] }),
      400,
    );
    assert.match(error.message, /"Second" answers to it/);
  }
});

Deno.test("writes want JSON: anything else is 415 and has no effect", async () => {
  await using server = await startServer();
  const writes: [method: string, path: string][] = [
    ["POST", `${HELLO}/load`],
    ["POST", `${HELLO}/pin`],
    ["PUT", `${HELLO}/settings`],
    ["PUT", "/admin/settings"],
    ["DELETE", HELLO],
    ["DELETE", "/admin/requests/x"],
  ];
  for (const [method, path] of writes) {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"]) {
      const { error } = await answerOf<ErrorAnswer>(
        server.fetch(path, { method, headers: { "content-type": type }, body: '{"pinned":true}' }),
        415,
      );
      assert.equal(error.code, "unsupported_media_type");
    }
    const untyped = await rawRequest(
      server.port,
      `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nContent-Length: 15\r\n\r\n{"pinned":true}`,
    );
    assert.equal(untyped.status, 415, `${method} ${path}`);
  }
  const row = await server.json<ModelRow>(HELLO);
  assert.deepEqual([row.state, row.pinned], ["stopped", false]);
  // Nothing to misread in nothing; and a charset is no other type.
  await answerOf(server.fetch(`${HELLO}/pin`, { method: "POST" }), 200);
  await answerOf(
    server.post(`${HELLO}/unpin`, {}, {
      headers: { "content-type": "Application/JSON;charset=utf-8" },
    }),
    200,
  );
  const { error } = await answerOf<ErrorAnswer>(
    server.post(`${HELLO}/load`, { keep_alife: 5 }),
    400,
  );
  assert.equal(error.param, "keep_alife");
});

Deno.test("unknown routes are 404, wrong methods 405 with Allow, and nothing loads by GET", async () => {
  await using server = await startServer();
  const routes: [request: string, status: number, allow: string | null][] = [
    ["GET /nowhere", 404, null],
    ["POST /admin/nowhere", 404, null],
    ["GET /admin", 404, null],
    ["GET /admin/models/hello/load", 405, "POST"],
    ["POST /admin/models/hello/settings", 405, "GET, HEAD, PUT"],
    ["PATCH /admin/models/hello", 405, "DELETE, GET, HEAD"],
    ["GET /v1/chat/completions", 405, "POST"],
    ["DELETE /health", 405, "GET, HEAD"],
    ["POST /", 405, "GET, HEAD"],
    ["OPTIONS /admin/models/hello/load", 204, "POST"],
    ["OPTIONS /nowhere", 404, null],
  ];
  for (const [request, status, allow] of routes) {
    const [method, path] = request.split(" ") as [string, string];
    const response = await server.fetch(path, { method });
    const text = await response.text();
    assert.equal(response.status, status, `${request}: ${text}`);
    assert.equal(response.headers.get("allow"), allow, request);
    if (status === 204) continue;
    const { error } = JSON.parse(text) as ErrorAnswer;
    assert.equal(error.code, status === 404 ? "route_not_found" : "method_not_allowed");
  }
  const reads = ["", "/settings", "/command", "/log", "/log?follow=true"].map((path) =>
    HELLO + path
  );
  for (const path of [...reads, "/admin/system", "/admin/events", "/", "/health"]) {
    const response = await server.fetch(path, { method: "HEAD" });
    assert.equal(response.status, 200, `HEAD ${path}`);
    assert.equal(await response.text(), "");
  }
  assert.equal(await stateOf(server, "hello"), "stopped");
});

Deno.test("DELETE /admin/models/{id} removes a model that is not loaded, by its exact name", async () => {
  await using server = await startServer({
    prepare: (home) => writeTestModel(join(home, "Mine.gguf"), ENDLESS_MODEL),
  });
  const path = "/admin/models/Mine";
  const file = join(server.home, "Mine.gguf");
  await answerOf(server.post(`${path}/load`, {}), 200);
  const { error } = await answerOf<ErrorAnswer>(server.fetch(path, { method: "DELETE" }), 409);
  assert.equal(error.code, "model_loaded");
  await answerOf(server.post(`${path}/unload`, {}), 200);
  await answerOf(server.fetch("/admin/models/mine", { method: "DELETE" }), 404);
  assert.ok((await Deno.stat(file)).isFile);
  await answerOf(server.fetch(path, { method: "DELETE" }), 204);
  await assert.rejects(Deno.stat(file), Deno.errors.NotFound);
  await answerOf(server.fetch(path), 404);
  await answerOf(server.fetch(HELLO, { method: "DELETE" }), 400);
});

Deno.test("a file that is no model shows as failed with the reason, and a load says the same", async () => {
  await using server = await startServer({
    prepare: (home) => Deno.writeTextFile(join(home, "broken.gguf"), "GGUF? no. ".repeat(100)),
  });
  const row = await until(async () => {
    const rows = await server.json<ModelRow[]>("/admin/models") as unknown as ModelRow[];
    return rows.find(({ id }) => id === "broken");
  });
  assert.equal(row.state, "failed");
  assert.equal(row.error?.code, "model_file_invalid");
  const { error } = await answerOf<ErrorAnswer>(
    server.post("/admin/models/broken/load", {}),
    502,
  );
  assert.deepEqual([error.code, error.message], ["model_file_invalid", row.error?.message]);
});

Deno.test("a load that was refused for want of memory shows the numbers and no foreign log", async () => {
  await using server = await startServer({ flags: ["--memory-budget", "64MiB"] });
  const { error } = await answerOf<ErrorAnswer>(server.post(`${HELLO}/load`, {}), 507);
  assert.equal(error.code, "out_of_memory");
  const row = await server.json<ModelRow>(HELLO);
  assert.equal(row.state, "failed");
  assert.deepEqual([row.error?.code, row.error?.log], ["out_of_memory", []]);
});

Deno.test("/admin/settings shows each value with its source, and a change works at once", async () => {
  await using server = await startServer({ flags: ["--sweep", "1h"] });
  async function setting(name: string): Promise<SettingRow> {
    const rows = await server.json("/admin/settings") as unknown as SettingRow[];
    return rows.find((row) => row.name === name)!;
  }
  assert.deepEqual(
    [(await setting("keep_alive")).value, (await setting("keep_alive")).source],
    ["10m", "default"],
  );
  assert.equal((await setting("sweep")).source, "flag");
  await answerOf(server.post(`${HELLO}/load`, {}), 200);

  const rows = await answerOf<SettingRow[]>(
    put(server, "/admin/settings", { keep_alive: "1h", sweep: "2m" }),
    200,
  );
  const keepAlive = rows.find(({ name }) => name === "keep_alive")!;
  assert.deepEqual([keepAlive.value, keepAlive.source], ["1h", "config.json"]);
  assert.equal((await setting("sweep")).value, "1h");
  assert.equal((await server.json<ModelRow>(HELLO)).keep_alive_ms, 3_600_000);
  const file = JSON.parse(await Deno.readTextFile(join(server.home, "config.json")));
  assert.deepEqual(file, { keep_alive: "1h", sweep: "2m" });

  for (const [change, param] of [[{ port: 1 }, "port"], [{ keepalive: 1 }, "keepalive"]] as const) {
    const { error } = await answerOf<ErrorAnswer>(put(server, "/admin/settings", change), 400);
    assert.equal(error.param, param);
  }
  assert.deepEqual(JSON.parse(await Deno.readTextFile(join(server.home, "config.json"))), file);
});

Deno.test("/admin/requests shows a running request, and cancelling it ends its answer", async () => {
  await using server = await startServer({
    prepare: (home) => writeTestModel(join(home, "endless.gguf"), LASTING_MODEL),
  });
  const answering = server.post("/v1/chat/completions", {
    model: "endless",
    messages: [{ role: "user", content: "a private question" }],
  });
  const running = await until(async () => {
    const rows = await server.json("/admin/requests") as unknown as RequestRow[];
    return rows.find(({ state }) => state === "answering");
  });
  assert.equal(running.model, "endless");
  assert.match(running.route, /\/v1\/chat\/completions$/);
  await answerOf(server.fetch(`/admin/requests/${running.id}`, { method: "DELETE" }), 204);
  const { error } = await answerOf<ErrorAnswer>(answering, 499);
  assert.equal(error.code, "cancelled");
  const text = await (await server.fetch("/admin/requests")).text();
  const [row] = JSON.parse(text) as RequestRow[];
  assert.deepEqual([row?.id, row?.state], [running.id, "cancelled"]);
  assert.ok(!text.includes("private"));
  const again = await answerOf<ErrorAnswer>(
    server.fetch(`/admin/requests/${running.id}`, { method: "DELETE" }),
    404,
  );
  assert.equal(again.error.code, "request_not_found");
  assert.equal((await server.json<ModelRow>("/admin/models/endless")).leases, 0);
});

Deno.test("/admin/events begins with everything, then tells what changes, and goes on where one left", async () => {
  await using server = await startServer();
  const first = eventReader(await server.fetch("/admin/events"));
  const system = await first.next();
  assert.equal(system?.event, "system");
  assert.equal(typeof (system?.data.memory as { total_bytes: number }).total_bytes, "number");
  const model = await first.next();
  assert.deepEqual([model?.event, model?.data.id, model?.data.state], [
    "model",
    "hello",
    "stopped",
  ]);

  await answerOf(server.post("/generate", { model_id: "hello", prompt: "hi" }), 200);
  const seen = new Set<string>();
  let last = model!;
  while (!seen.has("ready") || !seen.has("done")) {
    last = (await first.next())!;
    if (last.event === "model" || last.event === "request") seen.add(String(last.data.state));
    assert.ok(!JSON.stringify(last.data).includes('"hi"'));
  }
  await first.leave();

  await answerOf(server.post(`${HELLO}/unload`, {}), 200);
  await using again = eventReader(
    await server.fetch("/admin/events", { headers: { "last-event-id": last.id! } }),
  );
  for (;;) {
    const event = await again.next();
    // No snapshot: it would hold the model at rest without the way there.
    assert.ok(Number(event?.id?.split("-")[1]) > Number(last.id!.split("-")[1]));
    if (event?.event === "model" && event.data.state === "stopped") break;
  }
});

Deno.test("a log can be followed before its model is loaded and across its next load", async () => {
  await using server = await startServer();
  // A small model's process says little unless it is asked to.
  await answerOf(put(server, `${HELLO}/settings`, { extra_args: ["-lv", "3"] }), 200);
  await using follower = eventReader(await server.fetch(`${HELLO}/log?follow=true`));
  for (const round of [1, 2]) {
    await answerOf(server.post(`${HELLO}/load`, {}), 200);
    for (;;) {
      const event = await follower.next();
      assert.equal(event?.event, "line", `round ${round}`);
      if (/loading model/.test(String(event?.data.line))) break;
    }
    await answerOf(server.post(`${HELLO}/unload`, {}), 200);
  }
  const { lines } = await server.json<{ lines: string[] }>(`${HELLO}/log`);
  assert.ok(lines.length > 3);
});

Deno.test("/ is a page for a browser and Ollama's words for a program", async () => {
  await using server = await startServer();
  const program = await server.fetch("/");
  assert.equal(await program.text(), "Ollama is running");
  assert.match(program.headers.get("content-type") ?? "", /^text\/plain/);
  const browser = await server.fetch("/", { headers: { accept: "text/html,*/*;q=0.8" } });
  const page = await browser.text();
  assert.match(browser.headers.get("content-type") ?? "", /^text\/html/);
  assert.match(page, /<script type="module" src="\/static\/app\.js">/);
  assert.match(browser.headers.get("content-security-policy") ?? "", /default-src 'none'/);
  assert.equal(browser.headers.get("x-content-type-options"), "nosniff");
});
