// What a service's settings say is taken apart again as each system does, by rules of its own.

import assert from "node:assert/strict";
import fc from "fast-check";
import { loadConfig } from "../src/config.ts";
import { launchdPlist, launchdWords } from "../src/host/service/launchd_plist.ts";
import { MARK, type ServiceSpec } from "../src/host/service/service_spec.ts";
import { serviceSettings } from "../src/host/service/service_settings.ts";
import { systemdUnit, systemdWords } from "../src/host/service/systemd_unit.ts";
import {
  utf16File,
  windowsTask,
  windowsWords as windowsTaskWords,
} from "../src/host/service/windows_task.ts";
import { failure } from "./support/failure.ts";
import { tempDir } from "./support/temp_dir.ts";

const SIGNS = [...`"\\%$'; &<>#{}=:,*?!|^~()[]-@খ্য😀é\``, "ab", "C:\\", "%h"];
const signs = fc.constantFrom(...SIGNS);
const words = fc.oneof(
  fc.string({ unit: signs }),
  fc.string({ unit: "grapheme" }).filter((text) => !UNWRITABLE.test(text)),
);
// deno-lint-ignore no-control-regex
const UNWRITABLE = /[\u0000-\u001f\u007f-\u009f\ud800-\udfff\ufffe\uffff]/u;
const specs: fc.Arbitrary<ServiceSpec> = fc.record({
  program: words.map((word) => `/opt/${word}`),
  args: fc.array(words, { maxLength: 6 }),
  env: fc.dictionary(fc.stringMatching(/^[A-Z_]{1,8}$/), words, { maxKeys: 3 }),
});

/** The words of a line of a unit: systemd.service(5), systemd.syntax(7). */
function unitWords(line: string): string[] {
  const found: string[] = [];
  let word: string | null = null;
  let isQuoted = false;
  for (let at = 0; at < line.length; at++) {
    const sign = line[at]!;
    if (sign === "\\") {
      const next = line[++at]!;
      assert.match(next, /["\\]/);
      word = (word ?? "") + next;
    } else if (sign === '"') {
      isQuoted = !isQuoted;
      word ??= "";
    } else if (sign === " " && !isQuoted) {
      if (word !== null) found.push(word);
      word = null;
    } else if (sign === "%") {
      assert.equal(line[++at], "%", "A placeholder of systemd's");
      word = (word ?? "") + "%";
    } else {
      word = (word ?? "") + sign;
    }
  }
  assert.ok(!isQuoted);
  return word === null ? found : [...found, word];
}

function valuesOf(unit: string, name: string): string[] {
  return unit.split("\n").filter((line) => line.startsWith(`${name}=`))
    .map((line) => line.slice(name.length + 1));
}

function xmlText(text: string): string {
  assert.doesNotMatch(text, /[<>]/);
  const signs: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  return text.replace(/&(\w*);?/g, (_, name) => {
    assert.ok(name in signs, name);
    return signs[name]!;
  });
}

/** As `CommandLineToArgvW` does, after the program's name. */
function windowsWords(line: string): string[] {
  const found: string[] = [];
  let at = 0;
  while (at < line.length) {
    while (line[at] === " ") at++;
    if (at >= line.length) break;
    let word = "";
    let isQuoted = false;
    for (; at < line.length && (isQuoted || line[at] !== " "); at++) {
      const slashes = /^\\*/.exec(line.slice(at))![0].length;
      if (line[at + slashes] === '"') {
        word += "\\".repeat(Math.floor(slashes / 2));
        at += slashes;
        if (slashes % 2 === 1) word += '"';
        else isQuoted = !isQuoted;
      } else if (slashes > 0) {
        word += "\\".repeat(slashes);
        at += slashes - 1;
      } else {
        word += line[at];
      }
    }
    found.push(word);
  }
  return found;
}

Deno.test("systemdUnit() starts exactly these words with exactly this environment, whatever is in them", () => {
  fc.assert(fc.property(specs, (spec) => {
    const unit = systemdUnit(spec);
    const starts = valuesOf(unit, "ExecStart");
    assert.equal(starts.length, 1);
    assert.equal(starts[0]![0], ":");
    assert.deepEqual(unitWords(starts[0]!.slice(1)), [spec.program, ...spec.args]);
    assert.deepEqual(
      valuesOf(unit, "Environment").flatMap(unitWords),
      Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
    );
    assert.deepEqual(systemdWords(unit), [spec.program, ...spec.args]);
    assert.ok(unit.startsWith(`# ${MARK}`));
    // Nothing of it became a line of its own.
    const names = unit.split("\n").filter((line) => !/^(#|$|\[)/.test(line))
      .map((line) => /^\w+(?==)/.exec(line)?.[0]);
    assert.equal(names.filter((name) => name === undefined).length, 0);
    // Models need namespaces for their cages.
    for (const name of names) {
      assert.doesNotMatch(name!, /^(Restrict|Private|Protect|NoNew|System)/);
    }
  }));
});

Deno.test("launchdPlist() starts exactly these words with exactly this environment, whatever is in them", () => {
  fc.assert(fc.property(specs, (spec) => {
    const plist = launchdPlist(spec);
    const list = /<array>\n([^]*?) {2}<\/array>/.exec(plist)![1]!;
    assert.deepEqual(
      list.split("\n").slice(0, -1).map((line) =>
        xmlText(/^ {4}<string>([^\n]*)<\/string>$/.exec(line)![1]!)
      ),
      [spec.program, ...spec.args],
    );
    const env = /<dict>\n((?: {4}[^\n]*\n)*) {2}<\/dict>/.exec(plist)![1]!;
    const pairs = [...env.matchAll(/ {4}<key>([^\n]*)<\/key>\n {4}<string>([^\n]*)<\/string>\n/g)];
    assert.deepEqual(
      pairs.map(([, name, value]) => [xmlText(name!), xmlText(value!)]),
      Object.entries(spec.env),
    );
    assert.deepEqual(launchdWords(plist), [spec.program, ...spec.args]);
    assert.ok(plist.includes(MARK));
  }));
});

Deno.test("windowsTask() starts exactly these words, whatever is in them, and for this user alone", () => {
  fc.assert(fc.property(specs, words, (spec, name) => {
    const task = windowsTask(spec, `PC\\${name}`);
    const program = xmlText(/<Command>([^\n]*)<\/Command>/.exec(task)![1]!);
    assert.equal(program, `"${spec.program}"`);
    const line = xmlText(/<Arguments>([^\n]*)<\/Arguments>/.exec(task)![1]!);
    assert.deepEqual(windowsWords(line), spec.args);
    const users = [...task.matchAll(/<UserId>([^\n]*)<\/UserId>/g)].map(([, user]) =>
      xmlText(user!)
    );
    assert.deepEqual(users, [`PC\\${name}`, `PC\\${name}`]);
    const isPlain = /^[ -~]*$/.test(spec.program);
    assert.deepEqual(windowsTaskWords(task), isPlain ? [spec.program] : []);
    assert.ok(task.includes(MARK));
    // Its reader takes the first two bytes away.
    assert.equal(new TextDecoder("utf-16le").decode(utf16File(task)), task);
    assert.deepEqual([...utf16File(task).slice(0, 2)], [0xff, 0xfe]);
  }));
});

Deno.test("No form of a service holds a line's end or another sign that could begin a setting of its own", () => {
  const texts = [systemdUnit, launchdPlist, (spec: ServiceSpec) => windowsTask(spec, "PC\\u")];
  for (const bad of ["a\nExecStart=/bin/sh", "a\r", "\0", "\x1b[0m", "\x7f", "\x85", "\ud800"]) {
    for (const text of texts) {
      const specs: ServiceSpec[] = [
        { program: `/${bad}`, args: [], env: {} },
        { program: "/p", args: ["a", bad], env: {} },
        { program: "/p", args: [], env: { NAME: bad } },
      ];
      for (const spec of specs) assert.equal(failure(() => text(spec)).code, "bad_flag");
    }
  }
});

function settingsOf(args: string[], env: Record<string, string> = {}, cwd = "/here") {
  const process = { args, env, homeDir: "/home/রহিম", cwd, os: "linux" };
  const { config, flags } = loadConfig(process);
  return serviceSettings({ config, flags, process });
}

Deno.test("serviceSettings() repeats what was chosen here by flag and environment, with whole paths", async () => {
  await using dir = await tempDir();
  const here = dir.path;
  await Deno.writeTextFile(`${here}/key`, "secret_secret_secret\n");
  assert.deepEqual(settingsOf(["service", "install"]), {
    args: ["serve", "--no-open"],
    env: {},
    leftOut: [],
  });
  const env = {
    ZOMBIE_MODELS_DIRS: "a,~/খ",
    ZOMBIE_THREADS: "2",
    ZOMBIE_PORT: "1",
    ZOMBIE_NO_OPEN: "1",
    HF_ENDPOINT: "https://mirror.example",
    HF_TOKEN: "hf_secret_secret",
    HTTPS_PROXY: "http://user:secret@proxy.example:1",
    UNRELATED: "x",
  };
  const flags = ["--port", "9000", "--home=h", "--keep-alive", "-1", "--api-key-file", "key"];
  const settings = settingsOf(
    ["service", "install", ...flags, "--host=::1", "--host", "127.0.0.1"],
    env,
    here,
  );
  assert.deepEqual(settings, {
    args: [
      "serve",
      "--no-open",
      `--home=${here}/h`,
      `--models-dir=${here}/a`,
      "--models-dir=/home/রহিম/খ",
      "--host=::1",
      "--host=127.0.0.1",
      "--port=9000",
      `--api-key-file=${here}/key`,
      "--keep-alive=-1",
      "--threads=2",
    ],
    env: { HF_ENDPOINT: "https://mirror.example" },
    leftOut: ["HF_TOKEN", "HTTPS_PROXY"],
  });
  assert.doesNotMatch(JSON.stringify(settings), /secret/);
});

Deno.test("serviceSettings() refuses to write the key of the environment down", () => {
  const error = failure(() => settingsOf(["service"], { ZOMBIE_API_KEY: "0123456789abcdef" }));
  assert.equal(error.code, "bad_flag");
  assert.match(error.message, /key of ZOMBIE_API_KEY.+--api-key-file FILE$/);
  assert.doesNotMatch(error.message, /0123456789/);
});
