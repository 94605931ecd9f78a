import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { AppError } from "../src/errors.ts";
import { migrate, MIGRATIONS, SCHEMA_VERSION } from "../src/models/migrations.ts";
import { DEFAULT_MODEL_SETTINGS } from "../src/models/model_settings.ts";
import { Registry } from "../src/models/registry.ts";
import { fileTree } from "./support/file_tree.ts";
import { logEntries } from "./support/log_entries.ts";

const FIXTURES = join(import.meta.dirname!, "fixtures", "registry");

/** A file as an earlier release left it. */
async function buildFixture(name: string, path: string): Promise<void> {
  using database = new DatabaseSync(path);
  database.exec(await Deno.readTextFile(join(FIXTURES, name)));
}

/** Tables with their columns: what a statement can rely on, however the SQL was written. */
function schemaOf(database: DatabaseSync): Record<string, unknown[]> {
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
  return Object.fromEntries(
    tables.map(({ name }) => {
      const columns = database.prepare(`PRAGMA table_xinfo(${name})`).all();
      return [String(name), columns.map((column) => ({ ...column }))];
    }),
  );
}

Deno.test("MIGRATIONS have a stored file of each schema", () => {
  const stored = [...Deno.readDirSync(FIXTURES)].map(({ name }) => name).sort();
  assert.deepEqual(stored, MIGRATIONS.map((_, step) => `v${step + 1}.sql`));
});

Deno.test("Registry.open() reads a file of schema 1 with all that is in it", async () => {
  await using home = await fileTree();
  const path = join(home.root, "registry.db");
  await buildFixture("v1.sql", path);
  {
    using registry = Registry.open(path, { log: logEntries().log });
    assert.equal(registry.recovered, null);
    const [broken, phi] = registry.models();
    assert.equal(phi?.id, "phi-3");
    assert.equal(phi.repo, "org/phi-3-GGUF");
    assert.equal(phi.sizeBytes, 2_393_231_072);
    assert.equal(phi.facts?.quantization, "Q4_K_M");
    assert.equal(phi.facts.metadata.get("general.name"), "Phi");
    assert.equal(broken?.error?.values["reason"], "cut_off");
    assert.deepEqual(registry.settingsOf("phi-3"), {
      ...DEFAULT_MODEL_SETTINGS,
      threads: 4,
      context: 2048,
      aliases: ["gpt-4o-mini"],
      keep_alive: "1h",
      pinned: true,
    });
    assert.deepEqual(registry.leftovers(), [{
      pid: 4242,
      startTime: "123456",
      boot: "5f0c1c1e-0000-4000-8000-000000000001",
      token: "0123456789abcdef0123456789abcdef",
    }]);
    assert.deepEqual(registry.instances().map((row) => row.status), ["failed", "ready"]);
  }
  using database = new DatabaseSync(path);
  for (const table of ["downloads", "keys"]) {
    assert.equal(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"], 1);
  }
});

Deno.test("Registry.open() reads a file of schema 2 with all that it added", async () => {
  await using home = await fileTree();
  const path = join(home.root, "registry.db");
  await buildFixture("v2.sql", path);
  using registry = Registry.open(path, { log: logEntries().log });
  assert.equal(registry.models().length, 2);
  const [download] = registry.downloads.list();
  assert.equal(download?.state, "downloading");
  assert.equal(download.commit, "1".repeat(40));
  assert.equal(download.bytesDone, 3_145_728);
  const [file] = registry.downloads.files();
  assert.equal(file?.sha256, "a".repeat(64));
  assert.deepEqual(file.parts, [
    [0, 1_196_615_536, 2_097_152],
    [1_196_615_536, 2_393_231_072, 1_048_576],
  ]);
  assert.deepEqual(file.synced[0], [0, 1_196_615_536, 1_048_576]);
  assert.equal(file.verified, false);
  const [imported] = registry.imports.list();
  assert.equal(imported?.modelId, "llama3.2-3b");
  assert.equal(imported.name, "llama3.2:3b");
  assert.deepEqual(registry.measurements.get("memory_bandwidth"), {
    bytes_per_second: 21_000_000_000,
  });
});

Deno.test("migrate() makes the same tables from nothing as from each stored file", async () => {
  await using home = await fileTree();
  using fresh = new DatabaseSync(":memory:");
  migrate(fresh, ":memory:");
  for (const step of MIGRATIONS.keys()) {
    const path = join(home.root, `old-${step}.db`);
    await buildFixture(`v${step + 1}.sql`, path);
    using old = new DatabaseSync(path);
    migrate(old, path);
    assert.deepEqual(schemaOf(old), schemaOf(fresh));
  }
  const version = fresh.prepare("PRAGMA user_version").get()?.["user_version"];
  assert.equal(version, SCHEMA_VERSION);
});

Deno.test("migrate() leaves a file as it was when a step fails, and can go on later", () => {
  using database = new DatabaseSync(":memory:");
  // In the way of the last table of the first step.
  database.exec("CREATE TABLE keys (other)");
  assert.throws(() => migrate(database, "registry.db"), /table keys already exists/);
  assert.deepEqual(Object.keys(schemaOf(database)), ["keys"]);
  assert.equal(database.prepare("PRAGMA user_version").get()?.["user_version"], 0);
  database.exec("DROP TABLE keys");
  migrate(database, "registry.db");
  assert.equal(Object.keys(schemaOf(database)).length, 8);
});

Deno.test("Registry.open() refuses the file of a newer release and changes nothing in it", async () => {
  await using home = await fileTree();
  const path = join(home.root, "registry.db");
  Registry.open(path, { log: logEntries().log })[Symbol.dispose]();
  {
    using database = new DatabaseSync(path);
    database.exec(`CREATE TABLE of_next_year (n); PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
  }
  const before = await Deno.readFile(path);
  assert.throws(
    () => Registry.open(path, { log: logEntries().log }),
    (error) =>
      error instanceof AppError && error.code === "folder_unusable" &&
      error.message.includes("a newer release wrote it") &&
      error.values["version"] === SCHEMA_VERSION + 1,
  );
  assert.deepEqual(await Deno.readFile(path), before);
  assert.deepEqual([...Deno.readDirSync(home.root)].map(({ name }) => name), ["registry.db"]);
});
