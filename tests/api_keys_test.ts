// Keys in a real registry: hashed, found again after a restart, revoked for good.

import { deepEqual, equal, match, ok, rejects, throws } from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ApiKeys } from "../src/gateway/api_keys.ts";
import { Registry } from "../src/models/registry.ts";
import { logEntries } from "./support/log_entries.ts";
import { until } from "./support/server_process.ts";
import { tempDir } from "./support/temp_dir.ts";

function openKeys(folder: string, { startKey = null }: { startKey?: string | null } = {}) {
  const { log } = logEntries();
  const stack = new DisposableStack();
  const registry = stack.use(Registry.open(join(folder, "registry.db"), { log }));
  const keys = stack.use(new ApiKeys({ registry: registry.keys, startKey, log }));
  return { keys, registry, [Symbol.dispose]: () => stack.dispose() };
}

function rowsIn(folder: string): Record<string, unknown>[] {
  using database = new DatabaseSync(join(folder, "registry.db"), { readOnly: true });
  return database.prepare("SELECT * FROM keys ORDER BY name").all();
}

Deno.test("ApiKeys shows a new key once and keeps its hash alone", async () => {
  await using dir = await tempDir();
  using opened = openKeys(dir.path);
  const { keys } = opened;
  equal(keys.required, false);
  const made = await keys.make({ name: "laptop", scope: "admin" });
  match(made.key, /^zc_[\w-]{43}$/);
  equal(keys.required, true);
  const [row] = rowsIn(dir.path);
  equal(row!.hash, createHash("sha256").update(made.key).digest("hex"));
  ok(!JSON.stringify([row, keys.list()]).includes(made.key.slice(3)));
  deepEqual(keys.list(), [{
    id: made.id,
    name: "laptop",
    scope: "admin",
    source: "made",
    created_at: made.created_at,
    last_used_at: null,
  }]);
});

Deno.test("ApiKeys.find() knows each key after a restart, and no other", async () => {
  await using dir = await tempDir();
  const secrets: string[] = [];
  {
    using opened = openKeys(dir.path);
    for (const [name, scope] of [["a", "admin"], ["b", "use"]] as const) {
      secrets.push((await opened.keys.make({ name, scope })).key);
    }
  }
  using opened = openKeys(dir.path, { startKey: "correct-horse-battery" });
  const { keys } = opened;
  // Twice: the second time by the bytes that the first one left.
  for (let time = 0; time < 2; time++) {
    equal((await keys.find(secrets[0]!))?.name, "a");
    equal((await keys.find(secrets[1]!))?.scope, "use");
    equal((await keys.find("correct-horse-battery"))?.scope, "admin");
    const wrong = [
      secrets[0]!.slice(0, -1),
      `${secrets[0]}A`,
      secrets[0]!.toUpperCase(),
      "",
      "zc_",
    ];
    for (const secret of [...wrong, rowsIn(dir.path)[0]!.hash as string]) {
      equal(await keys.find(secret), null, secret);
    }
  }
  ok(!(keys.find(secrets[0]!) instanceof Promise));
});

Deno.test("ApiKeys.revoke() takes effect at once, for a key that was just used too", async () => {
  await using dir = await tempDir();
  using opened = openKeys(dir.path);
  const { keys } = opened;
  await keys.make({ name: "owner", scope: "admin" });
  const { id, key } = await keys.make({ name: "guest", scope: "use" });
  equal((await keys.find(key))?.id, id);
  keys.revoke(id);
  equal(await keys.find(key), null);
  deepEqual(rowsIn(dir.path).map((row) => row.name), ["owner"]);
  throws(() => keys.revoke(id), { code: "key_not_found" });
  // While it was being looked at.
  const again = await keys.make({ name: "guest", scope: "use" });
  const look = keys.find(again.key);
  keys.revoke(again.id);
  equal(await look, null);
});

Deno.test("ApiKeys never leaves a server without somebody who may administer it", async () => {
  await using dir = await tempDir();
  using opened = openKeys(dir.path);
  const { keys } = opened;
  await rejects(keys.make({ name: "guest", scope: "use" }), { code: "key_refused" });
  const owner = await keys.make({ name: "owner", scope: "admin" });
  const guest = await keys.make({ name: "guest", scope: "use" });
  await rejects(keys.make({ name: "GUEST", scope: "use" }), { code: "key_refused" });
  throws(() => keys.revoke(owner.id), { code: "key_refused" });
  keys.revoke(guest.id);
  keys.revoke(owner.id);
  equal(keys.required, false);
});

Deno.test("ApiKeys with the key of the start may have users only, and cannot revoke it", async () => {
  await using dir = await tempDir();
  using opened = openKeys(dir.path, { startKey: "correct-horse-battery" });
  const { keys } = opened;
  const guest = await keys.make({ name: "guest", scope: "use" });
  const [start] = keys.list();
  deepEqual([start!.scope, start!.source], ["admin", "start"]);
  throws(() => keys.revoke(start!.id), { code: "key_refused" });
  keys.revoke(guest.id);
  equal(keys.required, true);
});

Deno.test("ApiKeys notes when a key was used, and not at every use", async () => {
  await using dir = await tempDir();
  let id: string;
  let lastUsed: string;
  {
    using opened = openKeys(dir.path);
    const { keys } = opened;
    const made = await keys.make({ name: "laptop", scope: "admin" });
    id = made.id;
    await keys.find(made.key);
    lastUsed = await until(() => rowsIn(dir.path)[0]!.last_used_at as string | null);
    for (let time = 0; time < 1_000; time++) await keys.find(made.key);
    equal(keys.list()[0]!.last_used_at, lastUsed);
  }
  using opened = openKeys(dir.path);
  deepEqual(opened.keys.list().map((row) => [row.id, row.last_used_at]), [[id, lastUsed]]);
});

Deno.test("a row whose hash cannot be read opens nothing, and is asked for all the same", async () => {
  await using dir = await tempDir();
  openKeys(dir.path)[Symbol.dispose]();
  {
    using database = new DatabaseSync(join(dir.path, "registry.db"));
    database.exec("INSERT INTO keys VALUES ('x', 'x', 'admin', 'no hash', '2026', NULL)");
  }
  using opened = openKeys(dir.path);
  equal(opened.keys.required, true);
  for (const secret of ["", "x", "no hash"]) equal(await opened.keys.find(secret), null);
});
