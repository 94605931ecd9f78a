import assert from "node:assert/strict";
import { applySettings, describeSettings } from "../src/config_values.ts";
import { SETTINGS } from "../src/settings.ts";
import { SettingsHome } from "./support/settings_home.ts";

const KEY = "0123456789abcdef";

Deno.test("applySettings() applies the file at once, where neither flag nor environment decides", async () => {
  await using home = new SettingsHome({ keep_alive: "1m", threads: 2 });
  const start = home.load({ args: ["--sweep", "1m"], env: { ZOMBIE_THREADS: "8" } }).config;
  const next = applySettings(structuredClone(start), {
    keep_alive: -1,
    sweep: "9m",
    threads: 3,
    queue_limit: 7,
    memory_budget: "2GB",
    port: 1,
    cage: "off",
    load_stall: "never",
    unknown: true,
  });
  assert.deepEqual(
    [next.keepAliveMs, next.sweepMs, next.threads, next.queueLimit, next.memoryBudgetBytes],
    [-1, 60_000, 8, 7, 2e9],
  );
  assert.deepEqual([next.port, next.cage, next.loadStallMs], [8001, "auto", 300_000]);
  assert.deepEqual(
    [
      next.sources.keepAliveMs,
      next.sources.sweepMs,
      next.sources.threads,
      next.sources.loadStallMs,
    ],
    ["config.json", "flag", "environment", "default"],
  );
  assert.ok(
    Object.isFrozen(next) && Object.isFrozen(next.sources) && Object.isFrozen(next.preload),
  );
  assert.equal(start.keepAliveMs, 60_000, "the earlier Config is as it was");

  const back = applySettings(next, {});
  assert.deepEqual([back.keepAliveMs, back.sources.keepAliveMs], [600_000, "default"]);
  assert.deepEqual([back.memoryBudgetBytes, back.queueLimit], [null, 512]);
});

Deno.test("describeSettings() shows every setting, and of a secret only that it is set", async () => {
  await using home = new SettingsHome({ keep_alive: 90 });
  const env = { ZOMBIE_API_KEY: KEY, HF_TOKEN: "hf_hush", HTTPS_PROXY: "http://u:hush@p.lan:1" };
  const rows = describeSettings(home.load({ env }).config);
  assert.deepEqual(rows.map(({ name }) => name), SETTINGS.map(({ name }) => name));
  assert.ok(!JSON.stringify(rows).includes("hush") && !JSON.stringify(rows).includes(KEY));
  const shown = new Map(rows.map((row) => [row.name, row]));
  assert.equal(shown.get("hf_token")?.value, "set");
  assert.equal(shown.get("proxy")?.value, "http://***@p.lan:1");
  assert.deepEqual(shown.get("api_key"), {
    name: "api_key",
    value: "set",
    source: "environment",
    locked: true,
    flag: "--api-key-file",
    environment: "ZOMBIE_API_KEY",
  });
  assert.deepEqual(shown.get("keep_alive"), {
    name: "keep_alive",
    value: "1m30s",
    source: "config.json",
    locked: false,
    flag: "--keep-alive",
    environment: "ZOMBIE_KEEP_ALIVE",
  });
  assert.equal(
    describeSettings(home.load().config).find(({ name }) => name === "api_key")?.value,
    null,
  );
});

Deno.test("describeSettings() shows what config.json takes back as the same", async () => {
  await using home = new SettingsHome();
  const args = [
    "--keep-alive",
    "-1",
    "--sweep",
    "1h1s",
    "--memory-budget",
    "3GB",
    "--preload",
    "a,b",
    "--no-open",
  ];
  const { config } = home.load({ args });
  const open = describeSettings(config).filter(({ locked }) => !locked);
  const file = Object.fromEntries(open.map(({ name, value }) => [name, value]));
  const again = applySettings(home.load().config, file);
  for (const { property, locked } of SETTINGS) {
    if (!locked) assert.deepEqual(again[property], config[property], property);
  }
});
