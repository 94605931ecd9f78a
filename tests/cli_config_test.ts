import assert from "node:assert/strict";
import { printConfig } from "../src/cli/config.ts";
import { helpText, printHelp } from "../src/cli/help.ts";
import { programName } from "../src/cli/program_name.ts";
import type { Io } from "../src/cli/io.ts";
import { printVersion } from "../src/cli/version.ts";
import { describeSettings } from "../src/config_values.ts";
import { COMMANDS } from "../src/commands.ts";
import { SETTINGS } from "../src/settings.ts";
import { failure } from "./support/failure.ts";
import { SettingsHome } from "./support/settings_home.ts";

Deno.test("printConfig() prints each value with its source in aligned columns", async () => {
  await using home = new SettingsHome({ threads: 2, port: 1 });
  const loaded = home.load({
    args: ["config", "--memory-budget", "4GiB"],
    env: { ZOMBIE_PORT: "9" },
  });
  const { out, err, code } = await printed((io) => printConfig(loaded, io));
  assert.equal(code, 0);
  assert.match(err, /^Ignored "port" in config\.json: .+\n$/);
  const lines = out.trimEnd().split("\n");
  assert.equal(lines.length, SETTINGS.length);
  const table = lines.map((line) => line.split(/ {2,}/));
  for (
    const row of [
      ["threads", "2", "config.json"],
      ["port", "9", "ZOMBIE_PORT"],
      ["memory_budget", "4GiB", "--memory-budget"],
      ["keep_alive", "10m", "default"],
      ["llama_server", "(found or installed)", "default"],
    ]
  ) assert.ok(table.some((cells) => cells.join("|") === row.join("|")), row.join(" "));
});

Deno.test("printConfig() prints JSON when asked", async () => {
  await using home = new SettingsHome();
  const loaded = home.load({ args: ["config", "--json"] });
  const { out } = await printed((io) => printConfig(loaded, io));
  assert.deepEqual(JSON.parse(out), JSON.parse(JSON.stringify(describeSettings(loaded.config))));
});

Deno.test("printVersion() prints the version of deno.json", async () => {
  const manifest = JSON.parse(Deno.readTextFileSync(new URL("../deno.json", import.meta.url)));
  const { out, code } = await printed((io) => printVersion(new Map(), io));
  assert.deepEqual([out, code], [`zombiecoder ${manifest.version}\n`, 0]);
  const json = await printed((io) => printVersion(new Map([["json", true]]), io));
  assert.deepEqual(JSON.parse(json.out), { name: "zombiecoder", version: manifest.version });
});

Deno.test("printHelp() prints the help text and nothing on standard error", async () => {
  const { out, err, code } = await printed((io) =>
    printHelp({ words: [], switches: new Map() }, io)
  );
  assert.deepEqual([out, err, code], [helpText(), "", 0]);
});

Deno.test("printHelp() prints a command's words and flags, and knows no other command", async () => {
  for (const { name, help, switches } of COMMANDS) {
    const { out } = await printed((io) => printHelp({ words: [name], switches: new Map() }, io));
    assert.match(out, new RegExp(`^Usage: zombiecoder ${name}\\b`));
    assert.ok(out.includes(help));
    for (const own of switches) assert.ok(out.includes(`--${own.name}`), own.name);
  }
  const wrong = failure(() =>
    printHelp({ words: ["lst"], switches: new Map() }, { out() {}, err() {} })
  );
  assert.equal(wrong.code, "bad_flag");
  assert.equal(wrong.message, 'Cannot help with "lst": no such command. Did you mean "list"?');
});

Deno.test("helpText() names every flag, variable and setting of config.json", () => {
  const text = helpText();
  for (const { flag, environment, name } of SETTINGS) {
    if (flag !== null) assert.match(text, new RegExp(`^  --${flag}\\b`, "m"));
    if (environment !== null) assert.match(text, new RegExp(`^  ${environment} `, "m"));
    if (flag === null && environment === null) assert.match(text, new RegExp(`^  ${name} `, "m"));
  }
});

Deno.test("The help is about the program as its file is called", () => {
  const names: [executable: string | null, name: string][] = [
    [null, "zombiecoder"],
    ["/usr/local/bin/zombiecoder", "zombiecoder"],
    ["/home/u/Downloads/zombiecoder-linux-x64", "zombiecoder-linux-x64"],
    ["/c/zc.EXE", "zc"],
    ["/home/u/$(reboot)", "zombiecoder"],
    ["/home/u/a b", "zombiecoder"],
  ];
  for (const [executable, name] of names) {
    assert.equal(programName(executable), name);
    assert.match(helpText(name), new RegExp(`^Usage: ${name} \\[COMMAND\\]`));
    assert.match(helpText(name), new RegExp(`^${name} help COMMAND shows`, "m"));
  }
});

async function printed(
  command: (io: Io) => Promise<number>,
): Promise<{ out: string; err: string; code: number }> {
  let out = "";
  let err = "";
  const code = await command({ out: (text) => out += text, err: (text) => err += text });
  return { out, err, code };
}
