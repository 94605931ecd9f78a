import assert from "node:assert/strict";
import { join } from "node:path";
import { loadConfig } from "../src/config.ts";
import { failure } from "./support/failure.ts";
import { SettingsHome } from "./support/settings_home.ts";

const KEY = "0123456789abcdef";

Deno.test("loadConfig() listens beyond loopback only together with an API key", async () => {
  await using home = new SettingsHome({ api_key: KEY, host: "0.0.0.0" });
  const open = ["0.0.0.0", "::", "192.168.1.5", "2001:db8::1", "128.0.0.1", "::ffff:192.168.1.5"];
  for (const address of open) {
    const args = ["--host", "127.0.0.1", "--host", address];
    const error = failure(() => home.load({ args }));
    assert.equal(error.code, "bad_flag");
    assert.match(error.message, /^Cannot listen on ".+" without an API key: .+--api-key-file/);
    const { config } = home.load({ args, env: { ZOMBIE_API_KEY: KEY } });
    assert.equal(config.hosts.length, 2);
  }
  for (const address of ["127.0.0.1", "127.255.255.254", "::1", "localhost"]) {
    assert.equal(home.load({ args: ["--host", address] }).config.apiKey, null);
  }
});

Deno.test("loadConfig() takes the first line of the API key file, and the file wins over the variable", async () => {
  await using home = new SettingsHome();
  const env = { ZOMBIE_API_KEY: "ffffffffffffffff" };
  for (const text of [KEY, `${KEY}\n`, ` ${KEY} \r\nmore`, `\ufeff${KEY}\n`]) {
    const args = ["--api-key-file", home.writeFile("key", text)];
    const { config } = home.load({ args, env });
    assert.deepEqual([config.apiKey, config.sources.apiKey], [KEY, "flag"]);
  }
});

Deno.test("loadConfig() says why an API key file cannot be used", async () => {
  await using home = new SettingsHome();
  const table: [path: string, message: RegExp][] = [
    [
      join(home.folder, "absent"),
      /^Cannot use --api-key-file ".+absent": .*there is no such file$/,
    ],
    [home.folder, /^Cannot use --api-key-file ".+": it takes the path of a readable file/],
    [home.writeFile("empty", ""), /at least 16 characters; this one has 0$/],
    [home.writeFile("short", "abc\n0123456789abcdef"), /at least 16 characters; this one has 3$/],
    [home.writeFile("words", "correct horse battery staple"), /without spaces$/],
    [home.writeFile("bengali", "চাবিচাবিচাবিচাবিচাবি"), /ASCII/],
    [home.writeFile("large", "x".repeat(70_000)), /a file of at most 64 KiB$/],
  ];
  for (const [path, message] of table) {
    const error = failure(() => home.load({ args: ["--api-key-file", path] }));
    assert.equal(error.code, "bad_flag");
    assert.match(error.message, message);
  }
});

Deno.test("loadConfig() refuses to run, or to be guarded by, what the server could write", async () => {
  await using home = new SettingsHome();
  const inside = join(home.home, "inside");
  Deno.writeTextFileSync(inside, KEY);
  Deno.mkdirSync(join(home.home, "runtime"));
  const link = join(home.folder, "link");
  Deno.symlinkSync(join(home.home, "runtime"), link);
  // The server could lead it elsewhere.
  const out = join(home.home, "out");
  Deno.symlinkSync(home.folder, out);
  Deno.symlinkSync(join(home.home, "later"), join(home.folder, "dangling"));
  const table: [args: string[], begin: string][] = [
    [["--llama-server", join(out, "llama-server")], "Cannot use --llama-server"],
    [["--runtime-home", join(home.folder, "dangling")], "Cannot use --runtime-home"],
    [["--runtime-home", home.home], "Cannot use --runtime-home"],
    [["--runtime-home", join(home.home, "a", "b")], "Cannot use --runtime-home"],
    [["--runtime-home", link], "Cannot use --runtime-home"],
    [["--runtime-home", join(link, "not", "there", "yet")], "Cannot use --runtime-home"],
    [["--home", home.folder], "Cannot use --runtime-home"],
    [["--home", "/"], "Cannot use --runtime-home"],
    [["--runtime-home", home.folder], "Cannot use --home"],
    [["--home", join(home.folder, ".zombie_runtime", "x")], "Cannot use --home"],
    [["--llama-server", inside], "Cannot use --llama-server"],
    [["--llama-server", join(link, "llama-server")], "Cannot use --llama-server"],
    [["--api-key-file", inside], "Cannot use --api-key-file"],
  ];
  for (const [args, begin] of table) {
    const error = failure(() => home.load({ args }));
    assert.equal(error.code, "bad_flag");
    assert.ok(error.message.startsWith(begin), error.message);
  }
  const beside = ["--home", join(home.folder, "a"), "--runtime-home", join(home.folder, "ab")];
  assert.equal(home.load({ args: beside }).config.runtimeHome, join(home.folder, "ab"));
});

Deno.test("loadConfig() compares folders without letter case where the system does", async () => {
  await using home = new SettingsHome();
  const args = ["--home", "/Zombie", "--runtime-home", "/zombie/runtime"];
  assert.equal(home.load({ args, os: "linux" }).config.home, "/Zombie");
  assert.match(
    failure(() => home.load({ args, os: "darwin" })).message,
    /^Cannot use --runtime-home/,
  );
});

Deno.test("loadConfig() understands the paths of Windows", () => {
  const homeDir = "C:\\Users\\রহিম";
  const input = { env: {}, homeDir, cwd: "D:\\work", os: "windows" };
  const { config } = loadConfig({
    ...input,
    args: ["--models-dir", "gguf", "--models-dir", "~\\m"],
  });
  assert.equal(config.home, "C:\\Users\\রহিম\\.zombie_model");
  assert.equal(config.runtimeHome, "C:\\Users\\রহিম\\.zombie_runtime");
  assert.deepEqual(config.modelsDirs, ["D:\\work\\gguf", "C:\\Users\\রহিম\\m"]);
  const args = ["--runtime-home", "c:\\users\\রহিম\\.ZOMBIE_model\\r"];
  assert.match(failure(() => loadConfig({ ...input, args })).message, /^Cannot use --runtime-home/);
});

Deno.test("loadConfig() needs no home folder when both are given, and says so otherwise", () => {
  const input = { env: {}, homeDir: null, cwd: "/srv", os: "linux" };
  const error = failure(() => loadConfig({ ...input, args: ["--home", "a"] }));
  assert.match(
    error.message,
    /^Cannot use runtime_home "~\/\.zombie_runtime": .*--home and --runtime-home$/,
  );
  const { config } = loadConfig({ ...input, args: ["--home", "a", "--runtime-home", "b"] });
  assert.deepEqual([config.home, config.runtimeHome], ["/srv/a", "/srv/b"]);
});

Deno.test("loadConfig() refuses folders in shared memory, in which the server could open nothing", async () => {
  await using home = new SettingsHome();
  for (
    const [flag, path] of [["--home", "/dev/shm/x"], ["--models-dir", "/dev/shm"]] as const
  ) {
    const error = failure(() => home.load({ args: [flag, path], os: "linux" }));
    assert.equal(error.code, "bad_flag");
    assert.match(
      error.message,
      /: in \/dev\/shm the server may open no file\. Choose a/,
    );
  }
  assert.equal(home.load({ args: ["--home", "/dev/shmx"], os: "linux" }).config.home, "/dev/shmx");
});
