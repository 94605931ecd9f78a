import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { loadConfig, readProcess } from "../src/config.ts";
import { SETTINGS } from "../src/settings.ts";
import { failure } from "./support/failure.ts";
import { type LoadInput, SettingsHome } from "./support/settings_home.ts";

Deno.test("loadConfig() without anything gives the documented defaults", async () => {
  await using home = new SettingsHome();
  const { config, warnings, command, explicit } = home.load();
  assert.deepEqual([command.name, explicit, warnings], ["serve", false, []]);
  const { sources, ...values } = config;
  assert.deepEqual(values, {
    home: join(home.folder, ".zombie_model"),
    runtimeHome: join(home.folder, ".zombie_runtime"),
    modelsDirs: [],
    hosts: ["127.0.0.1", "::1"],
    port: 8001,
    allowedHosts: [],
    origins: [],
    runtimePorts: { first: 8080, last: 8100 },
    llamaServer: null,
    releaseApi: "https://api.github.com",
    cage: "auto",
    apiKey: null,
    keepAliveMs: 600_000,
    sweepMs: 300_000,
    memoryBudgetBytes: null,
    threads: null,
    preload: [],
    open: true,
    logLevel: "info",
    downloadHosts: [],
    hfEndpoint: "https://huggingface.co",
    hfToken: null,
    proxy: null,
    queueLimit: 512,
    bodyLimitBytes: 64 * 1024 * 1024,
    connectionLimit: 1_024,
    loadStallMs: 300_000,
    downloadStallMs: 30_000,
    downloadLimit: 0,
  });
  assert.deepEqual(Object.keys(sources).sort(), Object.keys(values).sort());
  assert.deepEqual(new Set(Object.values(sources)), new Set(["default"]));
});

// What each setting is given in the tests of precedence: three values as text and what they become.
const SAMPLES: Record<string, [texts: [string, string, string], values: unknown[]]> = {
  keep_alive: [["1m", "2m", "3m"], [60_000, 120_000, 180_000]],
  sweep: [["1m", "2m", "3m"], [60_000, 120_000, 180_000]],
  memory_budget: [["1GB", "2GB", "3GB"], [1e9, 2e9, 3e9]],
  threads: [["1", "2", "3"], [1, 2, 3]],
  preload: [["a", "b,c", "d"], [["a"], ["b", "c"], ["d"]]],
  log_level: [["debug", "warn", "error"], ["debug", "warn", "error"]],
  cage: [["off", "require", "auto"], ["off", "require", "auto"]],
  port: [["1", "2", "3"], [1, 2, 3]],
  host: [["127.0.0.2", "127.0.0.3", "::1"], [["127.0.0.2"], ["127.0.0.3"], ["::1"]]],
  runtime_ports: [["1-2", "3-4", "5-6"], [
    { first: 1, last: 2 },
    { first: 3, last: 4 },
    { first: 5, last: 6 },
  ]],
  allowed_hosts: [["a", "b", "c"], [["a"], ["b"], ["c"]]],
  download_hosts: [["a", "b", "c"], [["a"], ["b"], ["c"]]],
  origins: [["http://a", "http://b", "http://c"], [["http://a"], ["http://b"], ["http://c"]]],
  home: [["/h1", "/h2", "/h3"], ["/h1", "/h2", "/h3"]],
  runtime_home: [["/h1", "/h2", "/h3"], ["/h1", "/h2", "/h3"]],
  llama_server: [["/h1", "/h2", "/h3"], ["/h1", "/h2", "/h3"]],
  models_dirs: [["/h1", "/h2", "/h3"], [["/h1"], ["/h2"], ["/h3"]]],
};

Deno.test("loadConfig() lets the flag win over the environment, that over config.json", async () => {
  for (const { name, property, flag, environment, locked } of SETTINGS) {
    const [texts, values] = SAMPLES[name] ?? [];
    if (texts === undefined || values === undefined || environment === null) continue;
    await using home = new SettingsHome({ [name]: texts[2] });
    const asFlag = { args: [`--${flag}`, texts[0]] };
    const asVariable = { env: { [environment]: texts[1] } };
    const table: [LoadInput, unknown, string][] = [
      [{ ...asFlag, ...asVariable }, values[0], "flag"],
      [asFlag, values[0], "flag"],
      [asVariable, values[1], "environment"],
    ];
    if (!locked) table.push([{}, values[2], "config.json"]);
    if (!locked) table.push([{ env: { [environment]: " " } }, values[2], "config.json"]);
    for (const [input, value, source] of table) {
      const { config } = home.load(input);
      assert.deepEqual([config[property], config.sources[property]], [value, source], name);
    }
  }
});

Deno.test("loadConfig() ignores every locked setting in config.json and says so", async () => {
  const locked = SETTINGS.filter((setting) => setting.locked);
  const names = ["home", "host", "port", "llama_server", "cage", "api_key", "origins", "proxy"];
  for (const name of names) assert.ok(locked.some((setting) => setting.name === name), name);
  for (const { name, property, flag, environment } of locked) {
    await using home = new SettingsHome({ [name]: SAMPLES[name]?.[0][0] ?? "http://x.example" });
    const { config, warnings } = home.load();
    assert.equal(config.sources[property], "default", name);
    const places = [flag === null ? null : `--${flag}`, environment].filter(Boolean).join(" and ");
    assert.deepEqual(warnings, [
      `Ignored "${name}" in config.json: "${name}" is read from ${places} only`,
    ]);
  }
});

Deno.test("loadConfig() lets help and version answer whatever else is wrong", async () => {
  await using home = new SettingsHome("{broken");
  for (const args of [["version"], ["help"], ["--help"], ["version", "--port", "x"]]) {
    const loaded = loadConfig({
      args,
      env: { ZOMBIE_PORT: "x", ZOMBIE_HOME: home.home },
      homeDir: null,
      cwd: "/",
      os: "linux",
    });
    assert.deepEqual(loaded.warnings, []);
  }
  assert.deepEqual(home.names(), ["config.json"]);
});

Deno.test("loadConfig() ignores what is wrong in config.json, line by line", async () => {
  await using home = new SettingsHome({
    keep_alive: "soon",
    keepalive: "5m",
    threads: 4,
    sweep: 60,
    open: false,
    queue_limit: "many",
    body_limit: "1MiB",
    preload: ["a", 5],
    log_level: null,
    zebra: { any: "thing" },
  });
  const { config, warnings } = home.load();
  assert.deepEqual(
    [config.threads, config.sweepMs, config.open, config.bodyLimitBytes],
    [4, 60_000, false, 1_048_576],
  );
  assert.deepEqual([config.keepAliveMs, config.queueLimit, config.preload], [600_000, 512, []]);
  assert.equal(config.sources.keepAliveMs, "default");
  assert.deepEqual(
    warnings.map((line) => line.slice(0, 60)),
    [
      'Ignored "keep_alive" in config.json: "soon" is wrong, it takes',
      'Ignored "keepalive" in config.json: there is no setting "keepa',
      'Ignored "queue_limit" in config.json: "many" is wrong, it take',
      'Ignored "preload" in config.json: ["a",5] is wrong, it takes a',
      'Ignored "zebra" in config.json: there is no setting "zebra"',
    ].map((line) => line.slice(0, 60)),
  );
  assert.match(warnings[1] ?? "", /Did you mean "keep_alive"$/);
  assert.deepEqual(home.names(), ["config.json"], "the file is left as it is");
});

Deno.test("loadConfig() points at a variable that is nearly one of ours", async () => {
  await using home = new SettingsHome();
  const env = { ZOMBIE_KEEPALIVE: "1m", ZOMBIE_SOAK: "1", ZOMBIE_PORT: "9", PORT: "7" };
  assert.deepEqual(home.load({ env }).warnings, [
    "Ignored ZOMBIE_KEEPALIVE: did you mean ZOMBIE_KEEP_ALIVE?",
  ]);
});

Deno.test("loadConfig() sets a broken config.json aside, whole, and goes on with the defaults", async () => {
  const broken = ["", "{", '{"keep_alive": "5m",}', "[]", "null", '"5m"', "\u0000\u0001"];
  for (const text of broken) {
    await using home = new SettingsHome(text);
    const nowMs = Date.UTC(2026, 10, 22, 15, 7, 1, 123);
    const { config, warnings } = home.load({ args: ["serve"], nowMs });
    assert.equal(config.keepAliveMs, 600_000);
    assert.equal(warnings.length, 1, text);
    assert.match(
      warnings[0] ?? "",
      /^Ignored config\.json in ".+": it is not .+ kept as "config\.json\.broken-/,
    );
    assert.deepEqual(home.names(), ["config.json.broken-20261122T150701123Z"]);
    const kept = join(home.home, "config.json.broken-20261122T150701123Z");
    assert.equal(Deno.readTextFileSync(kept), text);
    assert.deepEqual(home.load({ args: ["serve"] }).warnings, [], "the next start is a clean one");
  }
});

Deno.test("loadConfig() leaves a broken config.json where it is unless it serves", async () => {
  await using home = new SettingsHome("{");
  assert.match(home.load({ args: ["config"] }).warnings[0] ?? "", /^Ignored config\.json/);
  assert.deepEqual(home.names(), ["config.json"]);
});

Deno.test("loadConfig() reads config.json with a byte order mark", async () => {
  await using home = new SettingsHome('\ufeff{"threads": 3}');
  assert.equal(home.load().config.threads, 3);
});

Deno.test("loadConfig() follows no link and reads no flood in place of config.json", async () => {
  await using linked = new SettingsHome();
  const elsewhere = linked.writeFile("elsewhere", '{"threads": 3}');
  Deno.symlinkSync(elsewhere, linked.configPath);
  const loaded = linked.load({ args: ["serve"] });
  assert.equal(loaded.config.threads, null);
  assert.match(loaded.warnings[0] ?? "", /it is not a regular file/);
  assert.equal(Deno.readTextFileSync(elsewhere), '{"threads": 3}');

  await using flooded = new SettingsHome(`{"threads": 3${" ".repeat(1_100_000)}}`);
  assert.match(flooded.load().warnings[0] ?? "", /larger than 1 MiB/);
});

Deno.test("loadConfig() reports a home that is a file as a folder that cannot be used", async () => {
  await using home = new SettingsHome();
  const error = failure(() => home.load({ args: ["--home", home.writeFile("file", "")] }));
  assert.equal(error.code, "folder_unusable");
});

Deno.test("loadConfig() accepts any JSON object as config.json", async () => {
  await using home = new SettingsHome();
  const name = fc.oneof(fc.constantFrom(...SETTINGS.map((row) => row.name)), fc.string());
  fc.assert(
    fc.property(fc.dictionary(name, fc.jsonValue()), (file) => {
      home.write(file);
      const { config } = home.load({ args: ["config"] });
      assert.equal(config.home, home.home);
      assert.ok(
        config.keepAliveMs >= -1 && config.queueLimit >= 1 && config.bodyLimitBytes >= 1_024,
      );
    }),
    { numRuns: 300 },
  );
});

Deno.test("loadConfig() gives a Config that is frozen to the ground and survives postMessage", async () => {
  await using home = new SettingsHome({ threads: 2 });
  const { config } = home.load({ args: ["--models-dir", "/a", "--preload", "x"] });
  const objects = [config, ...Object.values(config).filter((value) => typeof value === "object")];
  for (const value of objects) assert.ok(value === null || Object.isFrozen(value));
  assert.deepEqual(structuredClone(config), config);
});

Deno.test("readProcess() gives what loadConfig() needs", () => {
  const input = readProcess();
  assert.equal(input.cwd, Deno.cwd());
  assert.equal(input.env.PATH, Deno.env.get("PATH"));
  assert.ok(input.tmpDir.length > 0);
  assert.deepEqual(input.args, [...Deno.args]);
});
