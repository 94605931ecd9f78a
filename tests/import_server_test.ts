// What other programs keep, used by the whole program with a real llama-server.

import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import type { GenerateAnswer, ImportList, ImportRow, ModelRow } from "../src/api_types.ts";
import { buildTestModel } from "../src/models/hello_model.ts";
import { put, putHub, putOllama } from "./support/other_programs.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";
import { splitGguf } from "./support/split_gguf.ts";
import { tempDir } from "./support/temp_dir.ts";

function speaker(sentence: string): Uint8Array<ArrayBuffer> {
  return buildTestModel({ name: "speaker", sentence });
}

async function importOf(server: ServerProcess, path: string): Promise<ImportRow> {
  const answer = await server.post("/admin/import", { paths: [path] });
  const text = await answer.text();
  assert.equal(answer.status, 201, text);
  return JSON.parse(text)[0];
}

async function ask(server: ServerProcess, model_id: string) {
  const answer = await server.post("/generate", { model_id, prompt: "hi" });
  const body = await answer.json();
  return { status: answer.status, body: body as GenerateAnswer & { error: { code: string } } };
}

function listOf(server: ServerProcess): Promise<ImportList> {
  return server.json<Record<string, unknown>>("/admin/import") as unknown as Promise<ImportList>;
}

async function rowOf(server: ServerProcess, id: string): Promise<ModelRow> {
  const rows = await server.json<Record<string, unknown>>("/admin/models") as unknown as ModelRow[];
  const row = rows.find((each) => each.id === id);
  assert.ok(row !== undefined, `${id} is not listed`);
  return row;
}

function statusOnRecord(server: ServerProcess, id: string): unknown {
  using database = new DatabaseSync(join(server.home, "registry.db"), { readOnly: true });
  return database.prepare("SELECT status FROM instances WHERE model_id = ?").get(id)?.["status"];
}

Deno.test("A model of Ollama's answers from its own blob, goes missing with it, and comes back by itself", async () => {
  await using dir = await tempDir();
  const root = join(dir.path, "ollama");
  const name = "registry.ollama.ai/library/tiny/1b";
  const blob = putOllama(root, name, { model: speaker("I am Ollama's.") });
  const before = Deno.readFileSync(blob);
  await using server = await startServer({ env: { OLLAMA_MODELS: root } });

  const listed = (await listOf(server)).models.find(({ path }) => path === blob);
  assert.deepEqual(
    [listed?.name, listed?.id, listed?.imported, listed?.architecture, listed?.error],
    ["tiny:1b", "tiny-1b", false, "llama", null],
  );
  assert.equal(listed!.size_bytes, before.length);
  assert.equal(await until(async () => (await listOf(server)).models[0]?.badge?.code), "fits");
  assert.equal((await ask(server, "tiny-1b")).status, 404);

  const row = await importOf(server, blob);
  assert.deepEqual([row.id, row.imported, row.path], ["tiny-1b", true, blob]);
  const first = await ask(server, "tiny-1b");
  assert.deepEqual([first.status, first.body.response], [200, "I am Ollama's."]);
  assert.equal((await rowOf(server, "tiny-1b")).source, "import");

  // What runs goes on without its file.
  const away = join(dir.path, "away");
  Deno.renameSync(blob, away);
  assert.equal((await rowOf(server, "tiny-1b")).state, "ready");
  assert.equal((await ask(server, "tiny-1b")).status, 200);
  await server.post("/admin/models/tiny-1b/unload", {});
  const missing = await rowOf(server, "tiny-1b");
  assert.deepEqual(
    [missing.state, missing.error?.code, missing.size_bytes, missing.architecture],
    ["missing", "model_missing", before.length, "llama"],
  );
  assert.equal(statusOnRecord(server, "tiny-1b"), "Missing");
  const refused = await ask(server, "tiny-1b");
  assert.deepEqual([refused.status, refused.body.error.code], [409, "model_missing"]);
  assert.equal((await rowOf(server, "tiny-1b")).state, "missing");

  // Nobody tells of it: it is seen when somebody asks.
  Deno.renameSync(away, blob);
  assert.deepEqual((await ask(server, "tiny-1b")).body.response, "I am Ollama's.");

  const loaded = await server.fetch("/admin/models/tiny-1b", { method: "DELETE" });
  assert.deepEqual([loaded.status, (await loaded.json()).error.code], [409, "model_loaded"]);
  await server.post("/admin/models/tiny-1b/unload", {});
  const forgotten = await server.fetch("/admin/models/tiny-1b", { method: "DELETE" });
  assert.equal(forgotten.status, 204);
  assert.deepEqual(Deno.readFileSync(blob), before);
  assert.equal((await ask(server, "tiny-1b")).status, 404);
});

Deno.test("A split model in the Hub's cache answers from its links, in a place that was made after the start", async () => {
  await using dir = await tempDir();
  const root = join(dir.path, "later", "hub");
  await using server = await startServer({ env: { HF_HUB_CACHE: root } });
  const place = (await listOf(server)).places.find(({ path }) => path === root);
  assert.deepEqual([place?.program, place?.found, place?.error], ["huggingface", 0, null]);
  const [first, second] = splitGguf(speaker("I come in two."));
  const path = putHub(root, "org/Two-GGUF", "Two-Q8-00001-of-00002.gguf", { bytes: first });
  putHub(root, "org/Two-GGUF", "Two-Q8-00002-of-00002.gguf", { bytes: second });
  const row = await importOf(server, path);
  assert.deepEqual([row.id, row.parts.length], ["Two-Q8", 2]);
  assert.equal((await ask(server, "hf.co/org/Two-GGUF")).body.response, "I come in two.");
});

Deno.test("A model that is missing at the start is listed, and the start is none the worse", async () => {
  await using dir = await tempDir();
  const root = join(dir.path, "ollama");
  const blob = putOllama(root, "registry.ollama.ai/library/tiny/latest", {
    model: speaker("Here I am."),
  });
  const home = join(dir.path, "home");
  const env = { OLLAMA_MODELS: root };
  {
    await using server = await startServer({ env, home });
    await importOf(server, blob);
  }
  Deno.renameSync(root, join(dir.path, "unplugged"));
  await using server = await startServer({ env, home });
  const row = await rowOf(server, "tiny");
  assert.deepEqual([row.state, row.architecture], ["missing", "llama"]);
  assert.ok(row.size_bytes > 0);
  await until(() => statusOnRecord(server, "tiny") === "Missing");
  Deno.renameSync(join(dir.path, "unplugged"), root);
  assert.equal((await rowOf(server, "tiny")).state, "stopped");
  assert.equal((await ask(server, "tiny")).body.response, "Here I am.");
});

Deno.test("POST /admin/import refuses what is not in a place, and says with which words to start", async () => {
  await using dir = await tempDir();
  const root = join(dir.path, "ollama");
  putOllama(root, "registry.ollama.ai/library/tiny/latest", { model: speaker("x") });
  const beside = put(join(dir.path, "beside.gguf"), speaker("I am beside."));
  Deno.symlinkSync(beside, join(root, "blobs", "link.gguf"));
  await using server = await startServer({ env: { OLLAMA_MODELS: root } });
  async function refusal(body: unknown) {
    const answer = await server.post("/admin/import", body);
    const { error } = await answer.json();
    return { status: answer.status, ...error };
  }
  const outside = await refusal({ paths: [beside] });
  assert.deepEqual([outside.status, outside.code], [400, "import_refused"]);
  assert.match(outside.message, /: zombiecoder serve --models-dir '\/.+'$/);
  assert.equal(
    (await refusal({ paths: [join(root, "blobs", "link.gguf")] })).code,
    "import_refused",
  );
  assert.equal((await refusal({ paths: [join(root, "../beside.gguf")] })).code, "import_refused");
  const many = Array.from({ length: 101 }, () => beside);
  for (
    const body of [
      ...[{}, { paths: [] }, { paths: beside }, { paths: [1] }, { paths: [""] }, { paths: many }],
      ...[{ paths: ["x".repeat(4_097)] }, { paths: [beside], more: 1 }, []],
    ]
  ) {
    const { status, code } = await refusal(body);
    assert.deepEqual([status, code], [400, "invalid_request"], JSON.stringify(body).slice(0, 80));
  }
  assert.ok(!(await listOf(server)).models.some(({ id }) => id === "beside"));
});
