import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { AppError } from "../src/errors.ts";
import { parseGguf } from "../src/models/gguf.ts";
import { SCHEMA_VERSION } from "../src/models/migrations.ts";
import { DEFAULT_MODEL_SETTINGS, parseModelSettings } from "../src/models/model_settings.ts";
import { Registry } from "../src/models/registry.ts";
import type { ModelRecord } from "../src/models/registry_rows.ts";
import { registryFailure } from "../src/models/sqlite_failure.ts";
import { fileTree } from "./support/file_tree.ts";
import { ggufFile, memorySource } from "./support/gguf_files.ts";
import { logEntries } from "./support/log_entries.ts";

const IS_SOAK = Deno.env.get("ZOMBIE_SOAK") === "1";

function openRegistry(path: string): Registry {
  return Registry.open(path, { log: logEntries().log });
}

function record(change: Partial<ModelRecord> = {}): ModelRecord {
  return {
    id: "phi",
    path: "/models/phi.gguf",
    parts: ["/models/phi.gguf"],
    mmprojPath: null,
    source: "home",
    repo: null,
    sizeBytes: 5_000_000_000,
    mtimeMs: 1_780_000_000_123,
    facts: null,
    factsVersion: 1,
    error: { code: "model_file_invalid", message: "Cannot use it", values: { reason: "cut_off" } },
    ...change,
  };
}

function pragma(database: DatabaseSync, name: string): unknown {
  return Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
}

Deno.test("Registry.open() makes a file in WAL mode that a later start finds again", async () => {
  await using home = await fileTree();
  const path = join(home.root, "registry.db");
  {
    using registry = openRegistry(path);
    assert.equal(registry.recovered, null);
    registry.upsertModel(record());
    registry.setInstance("phi", { status: "ready", door: 8080, pid: 7 });
  }
  using registry = openRegistry(path);
  assert.deepEqual(registry.models(), [record()]);
  assert.equal(registry.instances()[0]?.door, 8080);
  const other = new DatabaseSync(path);
  assert.equal(pragma(other, "journal_mode"), "wal");
  other.close();
});

Deno.test("Registry.upsertModel() brings a header's facts back as they were", async () => {
  await using home = await fileTree();
  const path = join(home.root, "registry.db");
  const file = ggufFile({
    ".context_length": { u32: 4096 },
    ".block_count": { u32: 1 },
    ".some_factor": { f32: 0.5 },
  });
  const facts = parseGguf(memorySource(file), { file: "phi.gguf" });
  {
    using registry = openRegistry(path);
    registry.upsertModel(record({ facts, error: null }));
  }
  using registry = openRegistry(path);
  const [read] = registry.models();
  assert.deepEqual(read?.facts, facts);
  assert.equal(read?.facts?.metadata.get("llama.some_factor"), 0.5);
});

Deno.test("Registry.upsertModel() keeps the repo on record until the file changes", async () => {
  await using home = await fileTree();
  using registry = openRegistry(join(home.root, "registry.db"));
  registry.upsertModel(record({ repo: "org/phi" }));
  registry.upsertModel(record());
  assert.equal(registry.models()[0]?.repo, "org/phi");
  registry.upsertModel(record({ sizeBytes: 1 }));
  assert.equal(registry.models()[0]?.repo, null);
});

Deno.test("Registry.removeModel() leaves the settings for when the file comes back", async () => {
  await using home = await fileTree();
  using registry = openRegistry(join(home.root, "registry.db"));
  registry.upsertModel(record());
  registry.setSettings("phi", { ...DEFAULT_MODEL_SETTINGS, aliases: ["gpt"] });
  registry.removeModel("phi");
  assert.deepEqual(registry.models(), []);
  assert.deepEqual(registry.aliases(), new Map([["phi", ["gpt"]]]));
});

Deno.test("Registry.settingsOf() is the defaults where nothing, or nothing readable, is stored", async () => {
  await using home = await fileTree();
  const path = join(home.root, "registry.db");
  const { log, entries } = logEntries();
  using registry = Registry.open(path, { log });
  assert.deepEqual(registry.settingsOf("phi"), DEFAULT_MODEL_SETTINGS);
  const chosen = {
    ...DEFAULT_MODEL_SETTINGS,
    threads: 3,
    keep_alive: -1,
    sampling: { temperature: 0, stop: ["\n"] },
    aliases: ["বাংলা"],
  };
  const revision = registry.settingsRevision;
  registry.setSettings("phi", chosen);
  assert.deepEqual(registry.settingsOf("phi"), chosen);
  assert.notEqual(registry.settingsRevision, revision);
  using other = new DatabaseSync(path);
  const broken = ['{"threads":', '"text"', '{"threads":"many"}', "[]", '{"aliases":[1]}', "null"];
  for (const json of broken) {
    entries.length = 0;
    other.prepare("UPDATE model_settings SET settings = ?").run(json);
    assert.deepEqual(registry.settingsOf("phi"), DEFAULT_MODEL_SETTINGS, json);
    assert.equal(entries[0]?.level, "warn", json);
  }
  entries.length = 0;
  other.prepare("UPDATE model_settings SET settings = ?").run('{"threads":2,"of_next_year":1}');
  assert.deepEqual(registry.settingsOf("phi"), { ...DEFAULT_MODEL_SETTINGS, threads: 2 });
  assert.equal(entries.length, 0);
});

Deno.test("parseModelSettings() names the field that is wrong", () => {
  const wrong: [unknown, string][] = [
    [null, "settings"],
    [{ thread: 1 }, "thread"],
    [{ threads: 0 }, "threads"],
    [{ context: 1.5 }, "context"],
    [{ gpu_layers: -1 }, "gpu_layers"],
    [{ pinned: "yes" }, "pinned"],
    [{ lora: "a" }, "lora"],
    [{ sampling: { temperature: "hot" } }, "sampling"],
    [{ sampling: { heat: 1 } }, "sampling"],
    [JSON.parse('{"__proto__": 1}'), "__proto__"],
  ];
  for (const [json, param] of wrong) {
    assert.throws(() => parseModelSettings(json), { code: "invalid_request", param });
  }
  const settings = parseModelSettings({ gpu_layers: 0, keep_alive: "5m" });
  assert.deepEqual(settings, { ...DEFAULT_MODEL_SETTINGS, gpu_layers: 0, keep_alive: "5m" });
  settings.aliases.push("x");
  assert.deepEqual(DEFAULT_MODEL_SETTINGS.aliases, []);
});

Deno.test("Registry.setInstance() changes what it is given and keeps the rest", async () => {
  await using home = await fileTree();
  using registry = openRegistry(join(home.root, "registry.db"));
  registry.setInstance("phi", { status: "loading", token: "a".repeat(32) });
  registry.setInstance("phi", { pid: 42, startTime: "12345", boot: "b", door: 8081 });
  registry.setInstance("phi", { status: "ready" });
  const error = { code: "load_failed" as const, message: "Cannot load", values: { n: 1 } };
  registry.setInstance("phi", { error });
  assert.deepEqual(registry.instances(), [{
    modelId: "phi",
    status: "ready",
    door: 8081,
    pid: 42,
    startTime: "12345",
    boot: "b",
    token: "a".repeat(32),
    lastActivity: null,
    error,
  }]);
  registry.setInstance("phi", { status: "stopped", door: null, pid: null, error: null });
  assert.deepEqual(registry.instances()[0]?.door, null);
});

Deno.test("Registry shows each state to a second connection and to a second process", async () => {
  await using home = await fileTree();
  const path = join(home.root, "registry.db");
  using registry = openRegistry(path);
  using other = new DatabaseSync(path, { readOnly: true });
  await using process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", join(import.meta.dirname!, "support/registry_reader.ts"), path],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const asked = process.stdin.getWriter();
  const answers = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const activity = "2026-11-22T15:07:01.123Z";
  for (const status of ["stopped", "loading", "ready", "stopping", "failed", "missing"] as const) {
    registry.setInstance("phi", { status, door: 8080, lastActivity: activity });
    const expected = {
      model_id: "phi",
      status: status.charAt(0).toUpperCase() + status.slice(1),
      door: 8080,
      pid: null,
      process_start_time: null,
      boot: null,
      token: null,
      last_activity: activity,
      error: null,
    };
    assert.deepEqual({ ...other.prepare("SELECT * FROM instances").get() }, expected);
    await asked.write(new TextEncoder().encode("?\n"));
    const { value } = await answers.read();
    assert.deepEqual(JSON.parse(value ?? "null"), [expected]);
  }
  await asked.close();
  assert.equal((await process.status).code, 0);
  await answers.cancel();
});

Deno.test("Registry.touch() is written together with a change, at the end, and soon by itself", async () => {
  await using home = await fileTree();
  const path = join(home.root, "registry.db");
  {
    using registry = openRegistry(path);
    registry.touch("a", "2026-01-01T00:00:00.000Z");
    assert.deepEqual(registry.instances(), []);
    registry.setInstance("a", { status: "ready" });
    assert.equal(registry.instances()[0]?.lastActivity, "2026-01-01T00:00:00.000Z");
    registry.touch("a", "2026-01-02T00:00:00.000Z");
    registry.touch("b", "2026-01-03T00:00:00.000Z");
    const { promise, resolve } = Promise.withResolvers<void>();
    const poll = setInterval(() => {
      if (registry.instances().length === 2) resolve();
    }, 10);
    await promise;
    clearInterval(poll);
    assert.equal(registry.instances()[0]?.lastActivity, "2026-01-02T00:00:00.000Z");
    registry.touch("a", "2026-01-04T00:00:00.000Z");
  }
  using registry = openRegistry(path);
  assert.equal(registry.instances()[0]?.lastActivity, "2026-01-04T00:00:00.000Z");
});

Deno.test("Registry.leftovers() are the processes of an earlier life, and of no later one", async () => {
  await using home = await fileTree();
  const path = join(home.root, "registry.db");
  const at = "2026-01-01T00:00:00.000Z";
  {
    using registry = openRegistry(path);
    registry.setInstance("a", { status: "ready", pid: 7, startTime: "1", boot: "b", token: "t1" });
    registry.setInstance("b", { status: "loading", token: "t2", lastActivity: at });
    registry.setInstance("c", { status: "stopped" });
    registry.setInstance("d", { status: "missing" });
    registry.setInstance("e", { status: "failed" });
    registry.setInstance("f", { status: "missing" });
    assert.deepEqual(registry.leftovers(), []);
  }
  using registry = openRegistry(path);
  registry.setInstance("c", { status: "ready", pid: 9, startTime: "2", boot: "b", token: "t3" });
  // Of one that loads nothing is started yet.
  registry.setInstance("h", { status: "loading" });
  assert.deepEqual(registry.leftovers(), [
    { pid: 7, startTime: "1", boot: "b", token: "t1" },
    { pid: null, startTime: null, boot: "", token: "t2" },
  ]);
  // "f" is back, "g" has gone.
  registry.endEarlierLife(["d", "g"]);
  assert.deepEqual(registry.leftovers(), []);
  const states = registry.instances().map((row) => [row.modelId, row.status, row.token]);
  assert.deepEqual(states, [
    ["a", "stopped", null],
    ["b", "stopped", null],
    ["c", "ready", "t3"],
    ["d", "missing", null],
    ["e", "stopped", null],
    ["f", "stopped", null],
    ["g", "missing", null],
    ["h", "loading", null],
  ]);
  assert.equal(registry.instances()[1]?.lastActivity, at);
});

Deno.test("Registry.open() keeps a damaged file aside, says so and starts with a fresh one", async (t) => {
  await using home = await fileTree();
  const path = join(home.root, "registry.db");
  {
    using registry = openRegistry(path);
    for (let n = 0; n < 200; n++) registry.upsertModel(record({ id: `m${n}` }));
  }
  const whole = await Deno.readFile(path);
  const damaged: Record<string, Uint8Array> = {
    "an empty file": new Uint8Array(0),
    "a text": new TextEncoder().encode("this is no database\n".repeat(1000)),
    "random bytes": crypto.getRandomValues(new Uint8Array(40_000)),
    "a cut-off file": whole.slice(0, whole.length / 2),
    "a file cut off within its first page": whole.slice(0, 1000),
    "a file with a page of zeros": whole.with(0, whole[0]!).fill(0, 4096, 8192),
    "a file that lost its schema version": whole.slice().fill(0, 60, 64),
    "a file with another table's name": renamed(whole, "model_settings", "nodel_settings"),
  };
  for (const [name, bytes] of Object.entries(damaged)) {
    await t.step(name, async () => {
      await Deno.writeFile(path, bytes);
      const { log, messages } = logEntries();
      using registry = Registry.open(path, { log });
      assert.ok(registry.recovered, "not recovered");
      assert.match(registry.recovered.path, /registry\.db\.corrupt-\d{4}-\d\d-\d\dT\d{6}\.\d{3}Z/);
      assert.deepEqual(await Deno.readFile(registry.recovered.path), bytes);
      assert.equal(messages("warn").length, 1);
      assert.deepEqual(registry.models(), []);
      registry.upsertModel(record());
      assert.equal(registry.models().length, 1);
    });
    for (const suffix of ["", "-wal", "-shm"]) {
      await Deno.remove(path + suffix).catch(() => {});
    }
  }
});

function renamed(bytes: Uint8Array, from: string, to: string): Uint8Array {
  const text = [...bytes].map((byte) => String.fromCharCode(byte)).join("");
  return Uint8Array.from(text.replaceAll(from, to), (letter) => letter.charCodeAt(0));
}

Deno.test("Registry.open() notices a flipped byte that costs rows, wherever it is", async () => {
  await using home = await fileTree();
  const path = join(home.root, "registry.db");
  {
    using registry = openRegistry(path);
    for (let n = 0; n < 20; n++) registry.upsertModel(record({ id: `m${n}` }));
  }
  const whole = await Deno.readFile(path);
  const outcomes = { whole: 0, recovered: 0, newer: 0 };
  const tries = IS_SOAK ? 2_000 : 100;
  for (let n = 0; n < tries; n++) {
    const bytes = whole.slice();
    // The header and the pages in turn, each try another byte.
    const at = n % 2 === 0 ? n % 100 : (n * 7919) % bytes.length;
    bytes[at]! ^= 0xff;
    await Deno.writeFile(path, bytes);
    try {
      using registry = openRegistry(path);
      if (registry.recovered !== null) outcomes.recovered++;
      else {
        outcomes.whole++;
        assert.equal(registry.models().length, 20, `byte ${at}`);
      }
    } catch (error) {
      assert.ok(
        error instanceof AppError && error.values["known"] === SCHEMA_VERSION,
        String(error),
      );
      outcomes.newer++;
    }
    for await (const { name } of Deno.readDir(home.root)) await Deno.remove(join(home.root, name));
  }
  assert.ok(outcomes.whole > 0 && outcomes.recovered > 0, JSON.stringify(outcomes));
});

Deno.test("Registry.open() says folder_unusable where the file cannot be opened, and moves nothing", async () => {
  await using home = await fileTree({ "registry.db/inside": "" });
  assert.throws(
    () => openRegistry(join(home.root, "registry.db")),
    (error) => error instanceof AppError && error.code === "folder_unusable",
  );
  assert.throws(
    () => openRegistry(join(home.root, "none", "registry.db")),
    (error) => error instanceof AppError && error.code === "folder_unusable",
  );
  assert.deepEqual([...Deno.readDirSync(home.root)].map(({ name }) => name), ["registry.db"]);
});

Deno.test("Registry.setInstance() does not throw while another program holds the file", async () => {
  await using home = await fileTree();
  const path = join(home.root, "registry.db");
  const { log, messages } = logEntries();
  using registry = Registry.open(path, { log });
  using other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE");
  registry.setInstance("phi", { status: "ready" });
  registry.setInstance("phi", { status: "ready" });
  assert.deepEqual(registry.instances(), []);
  assert.equal(messages("warn").length, 1);
  assert.throws(() => registry.upsertModel(record()), {
    code: "folder_unusable",
    message: /another program holds it/,
  });
  other.exec("ROLLBACK");
  registry.setInstance("phi", { status: "ready" });
  assert.equal(registry.instances()[0]?.status, "ready");
  assert.equal(messages("info").length, 1);
});

Deno.test("registryFailure() tells a full disk from other failures", () => {
  using database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE t (a); PRAGMA max_page_count = 3");
  const insert = database.prepare("INSERT INTO t VALUES (?)");
  const failure = caught(() => {
    while (true) insert.run("x".repeat(4000));
  });
  const error = registryFailure(failure, "/home/registry.db");
  assert.equal(error?.values["reason"], "disk_full");
  assert.match(error?.message ?? "", /the disk is full. Free some space and try again$/);
  const thrownByExec = caught(() => database.exec(`INSERT INTO t VALUES ('${"x".repeat(9000)}')`));
  assert.equal(registryFailure(thrownByExec, "/x")?.values["reason"], "disk_full");
  assert.equal(registryFailure(new TypeError("a bug"), "/x"), null);
  assert.equal(registryFailure(caught(() => database.prepare("SELEC 1")), "/x"), null);
});

function caught(run: () => void): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("It did not fail");
}

Deno.test({
  name: "Registry refuses a write that the disk cannot take, and goes on reading",
  // The limit on a file's length stands for the full disk; Windows has no such limit.
  ignore: Deno.build.os === "windows",
  async fn() {
    await using home = await fileTree();
    const path = join(home.root, "registry.db");
    openRegistry(path)[Symbol.dispose]();
    const writer = join(import.meta.dirname!, "support/registry_writer.ts");
    const output = await new Deno.Command("/bin/sh", {
      args: [
        "-c",
        // Ignored, the signal leaves the error to the writer.
        `trap '' XFSZ; ulimit -f 1000; exec "$@"`,
        "sh",
        Deno.execPath(),
        "run",
        "-A",
        "--quiet",
        writer,
        path,
        "until-full",
      ],
    }).output();
    const result = JSON.parse(new TextDecoder().decode(output.stdout));
    assert.equal(result.code, "folder_unusable");
    assert.ok(result.saved > 0);
    assert.equal(result.read, true);
    assert.equal(result.log.length, 1);
    using registry = openRegistry(path);
    assert.equal(registry.recovered, null);
    assert.equal(registry.aliases().size, result.saved);
  },
});

Deno.test("Registry.setSettings() loses nothing that it acknowledged when the process is killed", async () => {
  await using home = await fileTree();
  const path = join(home.root, "registry.db");
  const writer = join(import.meta.dirname!, "support/registry_writer.ts");
  for (let round = 0; round < (IS_SOAK ? 60 : 6); round++) {
    await using process = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", writer, path],
      stdout: "piped",
    }).spawn();
    let said = "";
    let isKilled = false;
    const wanted = Math.floor(Math.random() * 200);
    for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
      said += text;
      if (isKilled || said.split("\n").length <= wanted) continue;
      process.kill("SIGKILL");
      isKilled = true;
    }
    await process.status;
    const last = Number(said.slice(0, said.lastIndexOf("\n")).split("\n").at(-1));
    using registry = openRegistry(path);
    assert.equal(registry.recovered, null);
    assert.equal(registry.settingsOf(`m${last}`).context, last + 1);
  }
});
