import assert from "node:assert/strict";
import { join } from "node:path";
import type { Config } from "../src/config.ts";
import { failure } from "./support/failure.ts";
import { type LoadInput, SettingsHome } from "./support/settings_home.ts";

Deno.test("loadConfig() reads each flag's accepted forms", async () => {
  await using home = new SettingsHome();
  const folder = home.folder;
  const table: [args: string[], property: keyof Config, value: unknown][] = [
    [["--port", "0"], "port", 0],
    [["--port", "65535"], "port", 65_535],
    [["--runtime-ports", "9000"], "runtimePorts", { first: 9_000, last: 9_000 }],
    [["--runtime-ports", "0"], "runtimePorts", { first: 0, last: 0 }],
    [["--runtime-ports", "1-65535"], "runtimePorts", { first: 1, last: 65_535 }],
    [["--host", "localhost"], "hosts", ["127.0.0.1", "::1"]],
    [["--host", "localhost", "--host", "::1"], "hosts", ["127.0.0.1", "::1"]],
    [["--host", "[::1],127.0.0.9"], "hosts", ["::1", "127.0.0.9"]],
    [["--host", "0:0:0:0:0:0:0:1"], "hosts", ["::1"]],
    [["--allowed-hosts", "PC.lan:8001, nas"], "allowedHosts", ["pc.lan:8001", "nas"]],
    [["--allowed-hosts", "[::1]:80"], "allowedHosts", ["[::1]:80"]],
    [["--allowed-hosts", "বাংলা.example"], "allowedHosts", ["xn--54b7fta0cc.example"]],
    [["--origins", "HTTPS://Chat.Example:443/"], "origins", ["https://chat.example"]],
    [["--origins", "http://pc.lan:3000"], "origins", ["http://pc.lan:3000"]],
    [["--origins", "tauri://localhost"], "origins", ["tauri://localhost"]],
    [["--origins", "chrome-extension://abc"], "origins", ["chrome-extension://abc"]],
    [["--keep-alive", "-1"], "keepAliveMs", -1],
    [["--keep-alive", "-5m"], "keepAliveMs", -1],
    [["--keep-alive", "0"], "keepAliveMs", 0],
    [["--keep-alive", "90"], "keepAliveMs", 90_000],
    [["--keep-alive", "50ms"], "keepAliveMs", 50],
    [["--keep-alive", "576h"], "keepAliveMs", 576 * 3_600_000],
    [["--sweep", "100ms"], "sweepMs", 100],
    [["--memory-budget", "4GiB"], "memoryBudgetBytes", 4 * 1024 ** 3],
    [["--log-level", "DEBUG"], "logLevel", "debug"],
    [["--preload", "a,b,a", "--preload", "c"], "preload", ["a", "b", "c"]],
    [["--no-open"], "open", false],
    [["--models-dir", "a,b", "--models-dir", "/abs/"], "modelsDirs", [join(folder, "a,b"), "/abs"]],
    [["--models-dir", "~/x", "--models-dir", "~"], "modelsDirs", [join(folder, "x"), folder]],
    [["--models-dir", "~x"], "modelsDirs", [join(folder, "~x")]],
    [["--home", "ঘর/../মডেল"], "home", join(folder, "মডেল")],
  ];
  for (const [args, property, value] of table) {
    assert.deepEqual(home.load({ args }).config[property], value, args.join(" "));
  }
});

Deno.test("loadConfig() reads the environment's own forms", async () => {
  await using home = new SettingsHome();
  const table: [env: Record<string, string>, property: keyof Config, value: unknown][] = [
    [{ ZOMBIE_NO_OPEN: "1" }, "open", false],
    [{ ZOMBIE_NO_OPEN: "True" }, "open", false],
    [{ ZOMBIE_NO_OPEN: "0" }, "open", true],
    [{ ZOMBIE_NO_OPEN: "off" }, "open", true],
    [{ ZOMBIE_NO_OPEN: "" }, "open", true],
    [{ ZOMBIE_MODELS_DIRS: "/a, /b ,,/a" }, "modelsDirs", ["/a", "/b"]],
    [{ ZOMBIE_API_KEY: " 0123456789abcdef " }, "apiKey", "0123456789abcdef"],
    [{ HF_ENDPOINT: "https://mirror.example/hf//" }, "hfEndpoint", "https://mirror.example/hf"],
    [{ HF_ENDPOINT: "http://127.0.0.1:4000/" }, "hfEndpoint", "http://127.0.0.1:4000"],
    [{ ZOMBIE_RELEASE_API: "https://git.lan/api/" }, "releaseApi", "https://git.lan/api"],
    [{ ZOMBIE_RELEASE_API: "http://[::1]:4000" }, "releaseApi", "http://[::1]:4000"],
    [{ ZOMBIE_RELEASE_API: "http://localhost:4000" }, "releaseApi", "http://localhost:4000"],
    [{ HF_TOKEN: "hf_abc" }, "hfToken", "hf_abc"],
    [{ HF_TOKEN: "" }, "hfToken", null],
    [{ HTTPS_PROXY: "http://proxy.lan:3128" }, "proxy", "http://proxy.lan:3128"],
    [{ https_proxy: "http://a.lan:1", HTTPS_PROXY: "http://b.lan:1" }, "proxy", "http://a.lan:1"],
    [{ https_proxy: "", HTTPS_PROXY: "http://b.lan:1" }, "proxy", "http://b.lan:1"],
    [{ HTTPS_PROXY: "proxy.lan:3128" }, "proxy", "http://proxy.lan:3128"],
    [{ HTTPS_PROXY: "http://u:p@proxy.lan:3128/" }, "proxy", "http://u:p@proxy.lan:3128"],
    [{ HTTP_PROXY: "http://proxy.lan:3128" }, "proxy", null],
  ];
  for (const [env, property, value] of table) {
    assert.deepEqual(home.load({ env }).config[property], value, JSON.stringify(env));
  }
});

Deno.test("loadConfig() says in one line what a bad value is and what is accepted", async () => {
  await using home = new SettingsHome();
  const ports = "it takes a whole number from 0 to 65535";
  const range = 'it takes ports such as "8080-8100", from 1 to 65535, the lower one first';
  const address = "it takes an IP address without a port";
  const exact = 'it takes exact values only, without "*"';
  const duration = 'it takes a duration such as "90s", "10m" or "1h30m", or a number of seconds';
  const table: [input: LoadInput, begin: string][] = [
    [{ args: ["--port", "80a"] }, `Cannot use --port "80a": ${ports}`],
    [{ args: ["--port", "65536"] }, `Cannot use --port "65536": ${ports}`],
    [{ args: ["--port", "-1"] }, `Cannot use --port "-1": ${ports}`],
    [{ args: ["--port", "1.5"] }, `Cannot use --port "1.5": ${ports}`],
    [{ env: { ZOMBIE_PORT: "x" } }, `Cannot use ZOMBIE_PORT "x": ${ports}`],
    [{ args: ["--runtime-ports", "9-8"] }, `Cannot use --runtime-ports "9-8": ${range}`],
    [{ args: ["--runtime-ports", "0-8"] }, `Cannot use --runtime-ports "0-8": ${range}`],
    [{ args: ["--runtime-ports", "1-65536"] }, `Cannot use --runtime-ports "1-65536": ${range}`],
    [{ args: ["--host", "pc.lan"] }, `Cannot use --host "pc.lan": ${address}`],
    [{ args: ["--host", "127.0.0.1:80"] }, `Cannot use --host "127.0.0.1:80": ${address}`],
    [{ args: ["--host", "127.0.0.01"] }, `Cannot use --host "127.0.0.01": ${address}`],
    [{ args: ["--host", "256.0.0.1"] }, `Cannot use --host "256.0.0.1": ${address}`],
    [{ args: ["--host", ":::1"] }, `Cannot use --host ":::1": ${address}`],
    [{ args: ["--host", "::1]:80/["] }, `Cannot use --host "::1]:80/[": ${address}`],
    [{ args: ["--host", "127.1"] }, `Cannot use --host "127.1": ${address}`],
    [{ args: ["--host", "fe80::1%eth0"] }, `Cannot use --host "fe80::1%eth0": ${address}`],
    [{ args: ["--host", "*"] }, `Cannot use --host "*": ${address}`],
    [{ args: ["--host", ","] }, 'Cannot use --host ",": it takes at least one value'],
    [{ args: ["--allowed-hosts", "*"] }, `Cannot use --allowed-hosts "*": ${exact}`],
    [{ args: ["--allowed-hosts", "*.lan"] }, `Cannot use --allowed-hosts "*.lan": ${exact}`],
    [{ args: ["--allowed-hosts", "http://a"] }, "Cannot use --allowed-hosts"],
    [{ args: ["--allowed-hosts", "a/b"] }, "Cannot use --allowed-hosts"],
    [{ args: ["--allowed-hosts", "a:0"] }, "Cannot use --allowed-hosts"],
    [{ args: ["--allowed-hosts", "u@a"] }, "Cannot use --allowed-hosts"],
    [{ args: ["--origins", "*"] }, `Cannot use --origins "*": ${exact}`],
    [{ args: ["--origins", "https://*.a"] }, `Cannot use --origins "https://*.a": ${exact}`],
    [{ args: ["--origins", "a.example"] }, "Cannot use --origins"],
    [{ args: ["--origins", "null"] }, "Cannot use --origins"],
    [{ args: ["--origins", "http://a/path"] }, "Cannot use --origins"],
    [{ args: ["--origins", "http://u@a"] }, "Cannot use --origins"],
    [{ args: ["--origins", "file://"] }, "Cannot use --origins"],
    [{ args: ["--download-hosts", "*"] }, `Cannot use --download-hosts "*": ${exact}`],
    [
      { args: ["--cage", "maybe"] },
      'Cannot use --cage "maybe": it takes one of auto, require, off',
    ],
    [{ args: ["--keep-alive", "ten"] }, `Cannot use --keep-alive "ten": ${duration}`],
    // Beyond what a timer can wait for, it would fire at once.
    [{ args: ["--keep-alive", "577h"] }, `Cannot use --keep-alive "577h": ${duration}`],
    [{ args: ["--sweep", "0"] }, `Cannot use --sweep "0": ${duration}, from 100ms to 576h`],
    [{ args: ["--sweep", "-1"] }, `Cannot use --sweep "-1": ${duration}, from 100ms to 576h`],
    [{ args: ["--memory-budget", "4"] }, 'Cannot use --memory-budget "4": it takes a size'],
    [{ args: ["--memory-budget", "lots"] }, 'Cannot use --memory-budget "lots": it takes a size'],
    [{ args: ["--threads", "0"] }, 'Cannot use --threads "0": it takes a whole number from 1'],
    [{ args: ["--log-level", "loud"] }, 'Cannot use --log-level "loud": it takes one of debug'],
    [{ args: ["--preload", "a\nb"] }, 'Cannot use --preload "a\\nb": it takes one line of text'],
    [{ args: ["--home", "a\u001bb"] }, 'Cannot use --home "a\\u001bb": it takes one line of text'],
    [{ env: { ZOMBIE_NO_OPEN: "maybe" } }, 'Cannot use ZOMBIE_NO_OPEN "maybe": it takes 1, true'],
    [{ env: { HF_ENDPOINT: "ftp://a" } }, 'Cannot use HF_ENDPOINT "ftp://a": it takes an address'],
    [{ env: { HF_ENDPOINT: "https://u:p@a" } }, "Cannot use HF_ENDPOINT"],
    [
      { env: { ZOMBIE_RELEASE_API: "http://mirror.lan" } },
      'Cannot use ZOMBIE_RELEASE_API "http://mirror.lan": it takes an address that begins with',
    ],
    [{ env: { ZOMBIE_RELEASE_API: "http://127.0.0.1.evil.lan" } }, "Cannot use ZOMBIE_RELEASE_API"],
    [{ args: ["--nope"] }, 'Unknown flag "--nope"'],
    [{ args: ["nope"] }, 'Unknown command "nope"'],
  ];
  for (const [input, begin] of table) {
    const error = failure(() => home.load(input));
    assert.equal(error.code, "bad_flag");
    assert.ok(error.message.startsWith(begin), `${error.message}\n    instead of ${begin}`);
    assert.ok(!error.message.includes("\n") && !error.message.endsWith("."), error.message);
  }
});

Deno.test("loadConfig() never repeats a secret in a message", async () => {
  await using home = new SettingsHome();
  const table: [env: Record<string, string>, message: string][] = [
    [
      { ZOMBIE_API_KEY: "hush" },
      "Cannot use ZOMBIE_API_KEY: it takes a key of at least 16 characters; this one has 4",
    ],
    [
      { ZOMBIE_API_KEY: "hush hush hush hush" },
      "Cannot use ZOMBIE_API_KEY: it takes letters, digits and signs of ASCII, without spaces",
    ],
    [
      { HF_TOKEN: "hush hush" },
      "Cannot use HF_TOKEN: it takes letters, digits and signs of ASCII, without spaces",
    ],
    [
      { HTTPS_PROXY: "ftp://u:hush@p" },
      'Cannot use HTTPS_PROXY: it takes an address such as "http://proxy.lan:3128"',
    ],
  ];
  for (const [env, message] of table) {
    const error = failure(() => home.load({ env }));
    assert.equal(error.message, message);
    assert.ok(!JSON.stringify(error.toData()).includes("hush"));
  }
});
