// The description is true: what a real server answers has the shape that it says, and a body that is
// not as it says is refused.

import { deepEqual, equal, ok } from "node:assert/strict";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { buildTestModel } from "../src/models/hello_model.ts";
import { TestHub } from "./support/hub.ts";
import { modelContent } from "./support/model_content.ts";
import {
  type JsonSchema,
  openApiOf,
  type Operation,
  operationsOf,
  pathOf,
} from "./support/openapi.ts";
import { putOllama } from "./support/other_programs.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";
import { tempDir } from "./support/temp_dir.ts";

const JSON_TYPE = { "content-type": "application/json" };

/** Refuses what the description leaves out, as a reader of it would be surprised by it. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict);
  if (typeof schema !== "object" || schema === null) return schema;
  const inner = Object.fromEntries(
    Object.entries(schema).map(([keyword, value]) => [keyword, strict(value)]),
  );
  const isClosed = "properties" in schema && "required" in schema;
  return isClosed && !("additionalProperties" in schema)
    ? { ...inner, additionalProperties: false }
    : inner;
}

Deno.test("each route's answer has the shape that the document says", async () => {
  await using dir = await tempDir();
  const ollama = join(dir.path, "ollama");
  const blob = putOllama(ollama, "registry.ollama.ai/library/tiny/1b", {
    model: buildTestModel({ name: "tiny", sentence: "I am tiny." }),
  });
  await using hub = await TestHub.start();
  hub.add("org/repo", { files: { "model-Q4_0.gguf": modelContent(1, 2 * 1024 ** 2) } });
  await using server = await startServer({
    env: {
      HF_ENDPOINT: hub.endpoint,
      // Nobody answers there.
      ZOMBIE_RELEASE_API: "http://127.0.0.1:9",
      ZOMBIE_DOWNLOAD_HOSTS: hub.downloadHost,
      OLLAMA_MODELS: ollama,
    },
  });
  const document = await openApiOf(server);
  const operations = operationsOf(document);
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: "doc", ...strict({ components: document.components }) as object });
  const shown = new Set<string>();

  async function ask(route: string, body?: unknown, values: Record<string, string> = {}) {
    const [method, path] = route.split(" ") as [string, string];
    const operation = operations.find((each) => each.method === method && each.path === path);
    ok(operation !== undefined, route);
    const query = values.query ?? "";
    const answer = await server.fetch(pathOf(operation, values) + query, {
      method,
      headers: body === undefined ? {} : JSON_TYPE,
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await answer.text();
    const schema = operation.answers.get(String(answer.status));
    const isError = answer.status >= 400;
    ok(
      isError || schema !== undefined || text === "",
      `${route}: ${answer.status} is not described`,
    );
    const json = text === "" ? null : JSON.parse(text);
    const expected = schema ?? (isError ? operation.answers.get("default") : undefined);
    if (expected !== undefined) {
      const own = JSON.stringify(strict(expected)).replaceAll('"#/', '"doc#/');
      const validate = ajv.compile(JSON.parse(own));
      ok(validate(json), `${route}: ${ajv.errorsText(validate.errors)}\n${text.slice(0, 2_000)}`);
    }
    if (!isError) shown.add(route);
    return json;
  }

  await ask("POST /generate", { model_id: "hello", prompt: "hi" });
  await ask("POST /admin/models/{id}/unload", {});
  await ask("POST /admin/models/{id}/load", {}, { query: "?wait=false" });
  await ask("POST /admin/models/{id}/load", { keep_alive: "1h" });
  await ask("POST /admin/models/{id}/pin", {});
  await ask("POST /admin/models/{id}/unpin");
  await ask("PUT /admin/models/{id}/settings", { threads: 1, sampling: { temperature: 0 } });
  await ask("PUT /admin/settings", { keep_alive: "9m" });
  await ask("GET /admin/hub/search", undefined, { query: "?q=repo" });
  await ask("GET /admin/hub/repos/{org}/{name}", undefined, { org: "org", name: "repo" });
  const download = await ask("POST /admin/downloads", {
    repo: "org/repo",
    file: "model-Q4_0.gguf",
  });
  const { id } = download as { id: string };
  await until(async () =>
    (await ask("GET /admin/downloads/{id}", undefined, { id })).state === "done"
  );
  hub.add("org/other", { files: { "other-Q4_0.gguf": modelContent(2, 2 * 1024 ** 2) } });
  hub.fault = ({ host }) => host === "cdn" ? { bytesPerSecond: 1_000 } : null;
  const other = await ask("POST /admin/downloads", { repo: "org/other", file: "other-Q4_0.gguf" });
  for (const step of ["pause", "resume", "move"]) {
    await ask(`POST /admin/downloads/{id}/${step}`, {}, { id: other.id });
  }
  await ask("PUT /admin/downloads/limit", { bytes_per_second: 0 });
  await ask("POST /admin/import", { paths: [blob] });
  const { available: [first] } = await ask("GET /admin/runtimes");
  await ask("POST /admin/runtimes", {
    ...{ action: "install", variant: first.variant, latest: true, unverified: true },
  });
  const key = await ask("POST /admin/keys", { name: "owner", scope: "admin" });
  await server.fetch(`/admin/keys/${key.id}`, {
    method: "DELETE",
    headers: { "x-api-key": key.key },
  });
  await ask("GET /static/{file}", undefined, { file: "i18n/en.json" });
  for (const operation of operations) {
    const { method, path, answers } = operation;
    if (method === "GET" && answers.has("200")) {
      const route = `${method} ${path}`;
      if (!shown.has(route)) await ask(route, undefined, { path: "props", id: "hello" });
    }
  }
  await ask("GET /admin/models/{id}", undefined, { id: "nobody" });
  await ask("POST /api/show", { model: "nobody" });
  await ask("POST /v1/messages", { model: "nobody", messages: [] });
  // What an instance answers is llama-server's, and what Ollama's routes answer has tables of its own.
  const ours = operations.filter(({ method, path, answers }) =>
    (path.startsWith("/admin") || method === "GET") && answers.has("200") &&
    Object.keys(answers.get("200")!).length > 0
  ).map(({ method, path }) => `${method} ${path}`);
  deepEqual(ours.filter((route) => !shown.has(route)), []);
});

/** A value of no type that the schema has. */
function wrongFor({ type, enum: values }: JsonSchema): unknown {
  if (values !== undefined) return "no such word";
  const types = [type ?? []].flat();
  return [7.5, "text", true, { a: 1 }, ["x"]].find((value) =>
    types.length > 0 && !types.includes(typeOf(value)) &&
    !(typeof value === "number" && types.includes("integer") && Number.isInteger(value))
  );
}

function typeOf(value: unknown): string {
  return Array.isArray(value) ? "array" : typeof value;
}

/** Bodies that break one rule of the schema each, with the field that they break it in. */
function wrongBodies(schema: JsonSchema): [field: string, body: Record<string, unknown>][] {
  const { properties = {}, required = [], additionalProperties } = schema;
  const good = Object.fromEntries(required.map((name) => [name, goodFor(properties[name]!)]));
  const wrong = Object.entries(properties).flatMap(([name, property]) => {
    const value = wrongFor(property);
    return value === undefined ? [] : [[name, { ...good, [name]: value }] as const];
  });
  return [
    ...wrong,
    ...required.map((name) => [name, omit(good, name)] as const),
    ...(additionalProperties === false ? [["no_such_field", { ...good, no_such_field: 1 }]] : []),
  ] as [string, Record<string, unknown>][];
}

function goodFor({ type, examples }: JsonSchema): unknown {
  if (Array.isArray(examples)) return examples[0];
  const [first] = [type ?? []].flat();
  return first === "array" ? ["x"] : first === "integer" ? 1 : "x";
}

function omit(body: Record<string, unknown>, name: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(body).filter(([each]) => each !== name));
}

Deno.test("each body is checked by the schema that the document shows", async () => {
  await using server = await startServer();
  const operations = operationsOf(await openApiOf(server));
  let asked = 0;
  for (const operation of operations) {
    // The settings have a table of their own, by which they are shown and checked.
    if (operation.body === null || operation.path === "/admin/settings") continue;
    for (const [field, body] of wrongBodies(operation.body)) {
      await refused(server, operation, { field, body });
      asked++;
    }
  }
  ok(asked > 200, String(asked));
  // Nothing of it was done.
  deepEqual(await server.json("/admin/keys"), []);
  equal((await server.json<{ state: string }>("/admin/models/hello")).state, "stopped");
});

async function refused(
  server: ServerProcess,
  operation: Operation,
  { field, body }: { field: string; body: Record<string, unknown> },
): Promise<void> {
  const answer = await server.fetch(pathOf(operation), {
    method: operation.method,
    headers: JSON_TYPE,
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  const about = `${operation.method} ${operation.path} ${JSON.stringify(body)}: ${text}`;
  equal(answer.status, 400, about);
  ok(text.includes(field), about);
}
