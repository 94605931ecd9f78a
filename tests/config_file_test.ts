import assert from "node:assert/strict";
import { join } from "node:path";
import { saveSettings } from "../src/config_file.ts";
import { AppError } from "../src/errors.ts";
import type { SaveAnswer, SaveRequest } from "./support/save_settings_worker.ts";
import { SettingsHome } from "./support/settings_home.ts";

Deno.test("saveSettings() writes what the next start reads", async () => {
  await using home = new SettingsHome();
  const changes = {
    keep_alive: "30m",
    threads: 3,
    preload: ["a"],
    open: false,
    body_limit: "1MiB",
  };
  assert.deepEqual(await saveSettings(home.home, changes), changes);
  assert.deepEqual(home.read(), changes);
  assert.deepEqual(home.names(), ["config.json"]);
  const { config, warnings } = home.load();
  assert.deepEqual(warnings, []);
  assert.deepEqual([config.keepAliveMs, config.threads, config.open], [1_800_000, 3, false]);
  assert.equal(config.sources.bodyLimitBytes, "config.json");
});

Deno.test("saveSettings() changes only what it is given, and null takes a setting out", async () => {
  const before =
    '{"zebra": {"a": 1}, "threads": 2, "sweep": "1m", "port": 5, "__proto__": {"b": 2}}';
  await using home = new SettingsHome(before);
  await saveSettings(home.home, { threads: null, keep_alive: -1, memory_budget: null });
  const after = '{"zebra":{"a":1},"sweep":"1m","port":5,"__proto__":{"b":2},"keep_alive":-1}';
  assert.equal(JSON.stringify(home.read()), after);
});

Deno.test("saveSettings() writes nothing when one change is wrong, and names it", async () => {
  const table: [changes: unknown, param: string | null, message: string][] = [
    [
      { threads: 3, keep_alive: "soon" },
      "keep_alive",
      'Cannot set "keep_alive" to "soon": it takes a dur',
    ],
    [
      { threads: 0 },
      "threads",
      'Cannot set "threads" to 0: it takes a whole number from 1 to 1024',
    ],
    [{ threads: {} }, "threads", 'Cannot set "threads" to {}: it takes a whole number'],
    [{ preload: [1] }, "preload", 'Cannot set "preload" to 1: it takes a list of words'],
    [{ open: 1 }, "open", 'Cannot set "open" to 1: it takes true or false'],
    [
      { keepalive: 1 },
      "keepalive",
      'Cannot save settings: there is no setting "keepalive". Did you mean "keep',
    ],
    [
      JSON.parse('{"__proto__": 1}'),
      "__proto__",
      'Cannot save settings: there is no setting "__proto__"',
    ],
    [{ constructor: 1 }, "constructor", 'Cannot save settings: there is no setting "constructor"'],
    [{ port: 9 }, "port", 'Cannot save settings: "port" is read from --port and ZOMBIE_PORT only'],
    [
      { port: null },
      "port",
      'Cannot save settings: "port" is read from --port and ZOMBIE_PORT only',
    ],
    [
      { api_key: "x" },
      "api_key",
      'Cannot save settings: "api_key" is read from --api-key-file and ZOMB',
    ],
    [
      { hf_endpoint: "x" },
      "hf_endpoint",
      'Cannot save settings: "hf_endpoint" is read from HF_ENDPOINT only',
    ],
    [[], null, "Cannot save settings: send an object"],
    [null, null, "Cannot save settings: send an object"],
    ["threads", null, "Cannot save settings: send an object"],
  ];
  for (const [changes, param, message] of table) {
    await using home = new SettingsHome({ threads: 2 });
    await assert.rejects(saveSettings(home.home, changes), (error) => {
      assert.ok(error instanceof AppError);
      assert.deepEqual([error.code, error.param], ["invalid_request", param]);
      assert.ok(error.message.startsWith(message), error.message);
      return true;
    });
    assert.deepEqual([home.read(), home.names()], [{ threads: 2 }, ["config.json"]]);
  }
});

Deno.test("saveSettings() loses no change of those made at the same moment", async () => {
  await using home = new SettingsHome({ zebra: 1 });
  const changes = [
    { threads: 3 },
    { keep_alive: "1m" },
    { sweep: "2m" },
    { queue_limit: 9 },
    { body_limit: 4_096 },
    { preload: "a" },
    { open: false },
    { log_level: "warn" },
  ];
  await Promise.all(changes.map((change) => saveSettings(home.home, change)));
  assert.deepEqual(home.read(), Object.assign({ zebra: 1 }, ...changes));
  assert.deepEqual(home.names(), ["config.json"]);
});

Deno.test("saveSettings() never shows a half-written file to a reader", async () => {
  await using home = new SettingsHome({ queue_limit: 1, preload: [] });
  let saving = true;
  async function save(): Promise<void> {
    try {
      for (let n = 2; n <= 20; n++) {
        await saveSettings(home.home, { queue_limit: n, preload: Array(n * 50).fill("model") });
      }
    } finally {
      saving = false;
    }
  }
  let reads = 0;
  async function read(): Promise<void> {
    while (saving) {
      const file = JSON.parse(await Deno.readTextFile(home.configPath));
      assert.equal(file.preload.length, file.queue_limit === 1 ? 0 : file.queue_limit * 50);
      reads += 1;
    }
  }
  await Promise.all([save(), read()]);
  assert.ok(reads > 0);
});

Deno.test("saveSettings() does not write over a file that it cannot read", async () => {
  for (const text of ["{", "[1]", ""]) {
    await using home = new SettingsHome(text);
    await assert.rejects(saveSettings(home.home, { threads: 3 }), {
      code: "folder_unusable",
      message: /^Cannot save settings: config\.json was changed and it is not .+ try again$/,
    });
    assert.equal(Deno.readTextFileSync(home.configPath), text);
    assert.deepEqual(home.names(), ["config.json"]);
  }
});

Deno.test("saveSettings() does not write through a link", async () => {
  await using home = new SettingsHome();
  const elsewhere = home.writeFile("elsewhere", "{}");
  Deno.symlinkSync(elsewhere, home.configPath);
  await assert.rejects(saveSettings(home.home, { threads: 3 }), { code: "folder_unusable" });
  assert.equal(Deno.readTextFileSync(elsewhere), "{}");
});

Deno.test("saveSettings() says so when the home is gone", async () => {
  await using home = new SettingsHome();
  await assert.rejects(saveSettings(join(home.folder, "gone"), { threads: 3 }), {
    code: "folder_unusable",
    message: /^Cannot write ".+config\.json": /,
  });
});

Deno.test("saveSettings() cut off by a power failure leaves the old file, and the next start tidies up", async () => {
  await using home = new SettingsHome({ threads: 2 });
  const old = join(home.home, `config.json.new-${"0".repeat(36)}`);
  const fresh = join(home.home, `config.json.new-${"1".repeat(36)}`);
  const other = join(home.home, "config.json.new-notes");
  for (const path of [old, fresh, other]) Deno.writeTextFileSync(path, '{"thr');
  const nowMs = Date.now();
  const longAgo = new Date(nowMs - 3_600_000);
  for (const path of [old, other]) Deno.utimeSync(path, longAgo, longAgo);
  assert.equal(home.load({ args: ["serve"], nowMs }).config.threads, 2);
  assert.deepEqual(
    home.names(),
    ["config.json", fresh, other].map((path) => path.split("/").at(-1)),
  );
});

Deno.test("saveSettings() needs no permission but to read and write the home", async () => {
  await using home = new SettingsHome({ threads: 2 });
  const worker = new Worker(new URL("./support/save_settings_worker.ts", import.meta.url), {
    type: "module",
    deno: {
      permissions: {
        read: [home.home],
        write: [home.home],
        env: false,
        net: false,
        run: false,
        sys: false,
        ffi: false,
        import: false,
      },
    },
  });
  try {
    const { promise, resolve, reject } = Promise.withResolvers<SaveAnswer>();
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    const forbidden = home.writeFile("forbidden", "");
    const request: SaveRequest = { home: home.home, changes: { sweep: "9m" }, forbidden };
    worker.postMessage(request);
    const answer = await promise;
    assert.equal(answer.refusal, "NotCapable");
    assert.deepEqual(answer.saved, { threads: 2, sweep: "9m" });
    assert.deepEqual(home.read(), { threads: 2, sweep: "9m" });
  } finally {
    worker.terminate();
  }
});
