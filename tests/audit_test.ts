// What the server really asks of Deno's permissions, on a tour through all that it does: nothing beyond
// its scope, and nothing in the scope that nobody uses.

import assert from "node:assert/strict";
import { homedir } from "node:os";
import { join } from "node:path";
import type { DownloadList, ModelRow, ScopeInfo } from "../src/api_types.ts";
import { loadConfig } from "../src/config.ts";
import { grantableRoots, importRoots } from "../src/host/import_roots.ts";
import { PLACES } from "../src/host/messages.ts";
import { type Grant, serverGrants, serverScope } from "../src/host/scope.ts";
import { buildTestModel, HELLO_SENTENCE, writeTestModel } from "../src/models/hello_model.ts";
import { appRoutes } from "./support/app_routes.ts";
import { auditedServer } from "./support/audited_server.ts";
import { eventReader } from "./support/event_reader.ts";
import { TestHub } from "./support/hub.ts";
import { bytesContent } from "./support/hub_content.ts";
import { putOllama } from "./support/other_programs.ts";
import { type Access, grantsFor, readAudit } from "./support/permission_audit.ts";
import { type ServerProcess, until } from "./support/server_process.ts";
import { tempDir } from "./support/temp_dir.ts";

const HI = { messages: [{ role: "user", content: "hi" }] };
const DOOR = 28_180;

async function call(
  server: ServerProcess,
  path: string,
  { method = "POST", body, key }: { method?: string; body?: unknown; key?: string } = {},
): Promise<string> {
  const answer = await server.fetch(path, {
    method,
    headers: {
      "content-type": "application/json",
      ...key !== undefined && { "x-api-key": key },
    },
    ...body !== undefined && { body: JSON.stringify(body) },
  });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text;
}

/** Every route that answers to GET, for the model `hello` where one is named. */
async function everyGet(server: ServerProcess): Promise<void> {
  const paths = new Set(
    appRoutes().filter(({ method }) => ["GET", "ALL"].includes(method)).map(({ path }) =>
      path.replace(/:(id|model)(\{[^}]*\})?/g, "hello").replace(/:\w+(\{[^}]*\})?/g, "x")
    ),
  );
  assert.ok(paths.size > 30, `${paths.size}`);
  for (const path of paths) {
    if (path.includes("*")) continue;
    const answer = await server.fetch(path, { headers: { accept: "text/html" } });
    assert.ok(answer.status < 500 || answer.status === 501, `GET ${path}: ${answer.status}`);
    // Some never end.
    await answer.body?.getReader().read();
    await answer.body?.cancel().catch(() => {});
  }
}

async function pageOf(server: ServerProcess): Promise<void> {
  const answer = await server.fetch("/", { headers: { accept: "text/html" } });
  const html = await answer.text();
  const links = [...html.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, link]) => link!);
  assert.ok(links.length > 0, html.slice(0, 200));
  for (const link of [...links, "/static/i18n/en/home.json", "/docs", "/docs/docs.js"]) {
    await (await server.fetch(link)).body?.cancel();
  }
}

async function dialects(server: ServerProcess): Promise<void> {
  const chat = await call(server, "/v1/chat/completions", { body: { model: "hello", ...HI } });
  assert.ok(chat.includes(HELLO_SENTENCE));
  await call(server, "/v1/chat/completions", { body: { model: "hello", stream: true, ...HI } });
  await call(server, "/v1/completions", { body: { model: "hello", prompt: "hi", max_tokens: 3 } });
  await call(server, "/v1/embeddings", { body: { model: "hello", input: "hi" } });
  await call(server, "/v1/messages", { body: { model: "hello", max_tokens: 5, ...HI } });
  await call(server, "/generate", { body: { model_id: "hello", prompt: "hi" } });
  await call(server, "/api/chat", { body: { model: "hello", ...HI } });
  await call(server, "/api/generate", { body: { model: "hello", prompt: "hi" } });
  await call(server, "/api/show", { body: { model: "hello" } });
  await call(server, "/upstream/hello/tokenize", { body: { content: "hi" } });
  const gone = new AbortController();
  const left = server.post("/generate", { model_id: "hello", prompt: "x".repeat(3_000) }, {
    signal: gone.signal,
  });
  gone.abort();
  await assert.rejects(left);
}

async function library(server: ServerProcess, blob: string): Promise<void> {
  const listed = await call(server, "/admin/import", { method: "GET" });
  assert.ok(listed.includes(blob), listed);
  await call(server, "/admin/import", { body: { paths: [blob] } });
  assert.match(
    await call(server, "/generate", { body: { model_id: "tiny-1b", prompt: "hi" } }),
    /I am tiny/,
  );
  await call(server, "/admin/models/beside/pin");
  await call(server, "/admin/models/beside/unpin");
  await call(server, "/admin/models/beside/load");
  await call(server, "/admin/models/beside/unload");
  await call(server, "/admin/models/tiny-1b/unload");
  await call(server, "/api/copy", { body: { source: "got", destination: "copy" } });
  await call(server, "/api/delete", { method: "DELETE", body: { model: "copy" } });
  await call(server, "/admin/models/tiny-1b", { method: "DELETE" });
  await call(server, "/admin/models/got", { method: "DELETE" });
}

async function hubOf(server: ServerProcess): Promise<void> {
  await call(server, "/admin/catalogue", { method: "GET" });
  await call(server, "/admin/hub/search?q=repo", { method: "GET" });
  await call(server, "/admin/hub/repos/org/repo", { method: "GET" });
  await call(server, "/admin/downloads", { body: { repo: "org/repo", file: "got.gguf" } });
  await until(async () => {
    const { downloads } = await server.json<DownloadList>("/admin/downloads");
    const [row] = downloads;
    assert.notEqual(row?.state, "failed", JSON.stringify(row));
    return row?.state === "done";
  }, 30_000);
  await until(async () =>
    (await server.json<ModelRow[]>("/admin/models")).some(({ id }) => id === "got")
  );
}

async function settings(server: ServerProcess): Promise<void> {
  const change = { method: "PUT", body: { keep_alive: "1h" } };
  await call(server, "/admin/settings", change);
  await call(server, "/admin/models/hello/settings", change);
  await call(server, "/admin/downloads/limit", { method: "PUT", body: { bytes_per_second: 0 } });
  const made = await call(server, "/admin/keys", { body: { name: "me", scope: "admin" } });
  const { id, key } = JSON.parse(made);
  await call(server, "/admin/keys", { method: "GET", key });
  await call(server, `/admin/keys/${id}`, { method: "DELETE", key });
}

function describe({ permission, value }: Access): string {
  return `${permission} ${value ?? "of all"}`;
}

Deno.test("On a tour through everything the server asks for nothing outside its scope, and uses all of it", async () => {
  await using dir = await tempDir();
  const at = (name: string) => join(dir.path, name);
  await using hub = await TestHub.start();
  const got = buildTestModel({ name: "got", sentence: "I was got." });
  hub.add("org/repo", { files: { "got.gguf": bytesContent(got) } });
  Deno.mkdirSync(at("models"));
  await writeTestModel(join(at("models"), "beside.gguf"), { name: "beside", sentence: "Beside." });
  const blob = putOllama(at("ollama"), "registry.ollama.ai/library/tiny/1b", {
    model: buildTestModel({ name: "tiny", sentence: "I am tiny." }),
  });
  const env = {
    OLLAMA_MODELS: at("ollama"),
    HF_ENDPOINT: hub.endpoint,
    ZOMBIE_DOWNLOAD_HOSTS: hub.downloadHost,
  };
  let scope: ScopeInfo;
  let port: number;
  let runtimeHome: string;
  {
    // One door, so that a second model needs a port that the system chooses.
    await using audited = await auditedServer({
      dir: dir.path,
      auditFile: at("audit.jsonl"),
      home: at("home"),
      host: "localhost",
      doors: `${DOOR}-${DOOR}`,
      flags: ["--models-dir", at("models")],
      env,
    });
    const { server } = audited;
    ({ port, runtimeHome } = server);
    scope = await server.json<ScopeInfo>("/admin/scope");
    await using events = eventReader(await server.fetch("/admin/events"));
    await pageOf(server);
    await hubOf(server);
    await dialects(server);
    for (const host of ["127.0.0.1", "[::1]"]) {
      assert.equal((await (await fetch(`http://${host}:${DOOR}/props`)).json()).error, undefined);
      await (await fetch(`http://${host}:${port}/health`)).body?.cancel();
    }
    await library(server, blob);
    await settings(server);
    await everyGet(server);
    assert.doesNotMatch(server.stderr, /NotCapable|Requires \w+ access|Refused a message/);
    void events;
  }

  // The expectation is computed: by the same rules, from what this test chose.
  const { config } = loadConfig({
    args: [
      ...["serve", "--home", at("home"), "--runtime-home", runtimeHome, "--host", "localhost"],
      ...["--port", String(port), "--runtime-ports", `${DOOR}-${DOOR}`],
      ...["--models-dir", at("models")],
    ],
    env,
    homeDir: homedir(),
    cwd: dir.path,
    os: Deno.build.os,
  });
  const socketDir = scope.permissions.write.find((folder) => folder !== at("home"))!;
  const paths = {
    socketDir,
    places: Array.from({ length: PLACES }, (_, place) => ({
      socketPath: join(socketDir, `${String(place).padStart(2, "0")}.sock`),
    })),
    importRoots: grantableRoots(
      importRoots({
        env: { ...Deno.env.toObject(), ...env },
        homeDir: homedir(),
        os: Deno.build.os,
      }),
      { own: [at("home"), runtimeHome], userHome: homedir() },
    ).roots,
  };
  assert.deepEqual(scope.permissions, serverScope(config, paths));
  assert.deepEqual(scope.missing, []);

  const { accesses, modules } = readAudit(at("audit.jsonl"));
  assert.ok(accesses.length > 200, `${accesses.length} accesses`);
  const program = new URL("../", import.meta.url).href;
  assert.deepEqual(modules.filter((url) => !/^(src|static)\//.test(url.replace(program, ""))), []);
  assert.deepEqual(
    accesses.filter((access) => grantsFor(access, scope.permissions).length === 0).map(describe),
    [],
  );

  const used = new Set(accesses.flatMap((access) => grantsFor(access, scope.permissions)));
  assert.deepEqual(
    unused(serverGrants(config, paths), used),
    [],
    "a grant that nobody needs is not given",
  );
});

/**
 * Those of one use that nobody used, by address or folder. Of the sockets one stands for all, and so
 * does one of the places where other programs keep models; of the Hub's addresses only the stand-in's
 * can be asked here.
 */
function unused(grants: readonly Grant[], used: ReadonlySet<string>): string[] {
  const groups = Map.groupBy(grants, ({ kind, value, costs: { code } }) => {
    const isOneOfMany = ["import_places", "hub"].includes(code) ||
      (code === "sockets" && kind === "net");
    return isOneOfMany ? `${kind} ${code}` : `${kind} ${value}`;
  });
  return [...groups].filter(([, same]) =>
    !same.some(({ kind, value }) => used.has(`${kind} ${value}`))
  ).map(([name]) => name);
}
