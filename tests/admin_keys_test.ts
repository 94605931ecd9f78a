// Keys through the whole program: one made by a route is asked for everywhere from then on.

import { deepEqual, equal, match, ok } from "node:assert/strict";
import type { KeyRow, NewKeyRow } from "../src/api_types.ts";
import { post } from "./support/chat.ts";
import { tempDir } from "./support/temp_dir.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";

async function make(
  server: ServerProcess,
  body: Record<string, unknown>,
  key?: string,
): Promise<NewKeyRow> {
  const answer = await server.fetch("/admin/keys", {
    method: "POST",
    headers: { "content-type": "application/json", ...(key !== undefined && { "x-api-key": key }) },
    body: JSON.stringify(body),
  });
  const row = await answer.json();
  equal(answer.status, 201, JSON.stringify(row));
  return row;
}

async function status(url: string, init?: RequestInit): Promise<number> {
  const answer = await fetch(url, init);
  await answer.body?.cancel();
  return answer.status;
}

Deno.test("the first key closes a server that was open, its revocation opens it again", async () => {
  await using server = await startServer();
  deepEqual(await server.json("/admin/keys"), []);
  const owner = await make(server, { name: "owner", scope: "admin" });
  match(owner.key, /^zc_/);
  equal(await status(`${server.url}/admin/keys`), 401);
  equal(await status(`${server.url}/v1/models`), 401);
  equal(await status(`${server.url}/health`), 200);
  const headers = { authorization: `Bearer ${owner.key}` };
  const rows: KeyRow[] = await server.json("/admin/keys", { headers });
  deepEqual(rows.map(({ name, scope }) => [name, scope]), [["owner", "admin"]]);
  ok(!JSON.stringify(rows).includes(owner.key));
  const revoked = await server.fetch(`/admin/keys/${owner.id}`, { method: "DELETE", headers });
  await revoked.body?.cancel();
  equal(revoked.status, 204);
  equal(await status(`${server.url}/v1/models`), 200);
});

Deno.test("a key with the scope use opens every dialect, its model's port too, and nothing else", async () => {
  await using server = await startServer();
  const owner = await make(server, { name: "owner", scope: "admin" });
  const { key } = await make(server, { name: "guest" }, owner.key);
  const headers = { authorization: `Bearer ${key}` };
  const generated = await server.fetch("/generate", {
    method: "POST",
    headers,
    body: JSON.stringify({ model_id: "hello", prompt: "hi" }),
  });
  equal(generated.status, 200);
  const { port } = await generated.json();
  const door = `http://127.0.0.1:${port}`;
  equal(await status(`${door}/props`), 401);
  equal(await status(`${door}/props`, { headers }), 200);
  equal(await status(`${door}/health`), 200);
  for (const path of ["/v1/models", "/api/tags", "/running", "/upstream/hello/props"]) {
    equal(await status(server.url + path), 401, path);
    equal(await status(server.url + path, { headers }), 200, path);
  }
  const forbidden: [method: string, path: string][] = [
    ["GET", "/admin/keys"],
    ["POST", "/admin/keys"],
    ["GET", "/%61dmin/keys"],
    ["GET", "/unload"],
    ["GET", "/logs"],
    ["DELETE", "/api/delete"],
    ["DELETE", "/api/%64elete"],
    ["POST", "/api/models/unload"],
    ["GET", "/nowhere"],
  ];
  for (const [method, path] of forbidden) {
    equal(await status(server.url + path, { method, headers }), 403, `${method} ${path}`);
  }
});

Deno.test("keys are still there after a restart, and the one of the start opens everything", async () => {
  await using dir = await tempDir();
  let key: string;
  {
    await using server = await startServer({ home: dir.path });
    ({ key } = await make(server, { name: "owner", scope: "admin" }));
  }
  const start = "correct-horse-battery-staple";
  await using server = await startServer({ home: dir.path, env: { ZOMBIE_API_KEY: start } });
  for (const each of [key, start]) {
    equal(await status(`${server.url}/admin/keys`, { headers: { "x-api-key": each } }), 200);
  }
  const rows: KeyRow[] = await server.json("/admin/keys", { headers: { "x-api-key": key } });
  deepEqual(rows.map(({ name, source }) => [name, source]), [
    ["ZOMBIE_API_KEY", "start"],
    ["owner", "made"],
  ]);
  ok(!JSON.stringify(rows).includes(start));
});

Deno.test("wrong keys are told to wait, in the caller's dialect", async () => {
  await using server = await startServer({ env: { ZOMBIE_API_KEY: "correct-horse-battery" } });
  const headers = { "x-api-key": "wrong-horse-battery" };
  for (let time = 0; time < 5; time++) {
    equal(await status(`${server.url}/v1/models`, { headers }), 401);
  }
  // The wait is a second at first, which a busy computer may spend between two requests. Each wrong
  // key after it makes the next one longer.
  const refusal = (path: string, init: RequestInit = {}) =>
    until(async () => {
      const answer = await server.fetch(path, { ...init, headers });
      if (answer.status === 429) return answer;
      await answer.body?.cancel();
      equal(answer.status, 401, path);
      return null;
    }, 30_000);
  const refused = await refusal("/v1/models");
  match(refused.headers.get("retry-after") ?? "none", /^[1-9]\d*$/);
  equal((await refused.json()).error.code, "too_many_wrong_keys");
  const ollama = await refusal("/api/tags");
  match((await ollama.json()).error, /Try again in/);
  const anthropic = await refusal("/v1/messages", { method: "POST" });
  equal((await anthropic.json()).error.type, "rate_limit_error");
});

Deno.test("POST /admin/keys refuses what is no name, no scope, or another field", async () => {
  await using server = await startServer();
  const bodies: [body: Record<string, unknown>, param: string][] = [
    [{}, "name"],
    [{ name: 7 }, "name"],
    [{ name: "" }, "name"],
    [{ name: "  " }, "name"],
    [{ name: "a\nb" }, "name"],
    [{ name: "x".repeat(101) }, "name"],
    [{ name: "a", scope: "root" }, "scope"],
    [{ name: "a", scope: null }, "scope"],
    [{ name: "a", key: "mine" }, "key"],
  ];
  for (const [body, param] of bodies) {
    const answer = await post(server, "/admin/keys", body);
    const { error } = await answer.json();
    deepEqual([answer.status, error.code, error.param], [400, "invalid_request", param]);
  }
  const unknown = await server.fetch("/admin/keys/none", { method: "DELETE" });
  equal(unknown.status, 404);
  equal((await unknown.json()).error.code, "key_not_found");
  deepEqual(await server.json("/admin/keys"), []);
});
