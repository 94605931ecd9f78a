import assert from "node:assert/strict";
import { join } from "node:path";
import { LogFile } from "../src/host/log_file.ts";
import { formatEntry, type LogEntry } from "../src/log.ts";
import { startServer } from "./support/server_process.ts";
import { tempDir } from "./support/temp_dir.ts";

function entry(change: Partial<LogEntry> = {}): LogEntry {
  const time = Date.UTC(2026, 10, 22, 15, 7, 1, 123);
  return {
    time,
    level: "info",
    part: "test",
    message: "Something happened",
    fields: {},
    ...change,
  };
}

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

Deno.test("formatEntry() writes one line for any entry", () => {
  assert.equal(
    formatEntry(entry({ fields: { model: "hello", ms: 34, text: "two words", none: null } })),
    '2026-11-22T15:07:01.123Z info test: Something happened model=hello ms=34 text="two words" none=null',
  );
  const forged = "x\n2026-11-22T15:07:01.123Z error host: Forged\r\u0085\u2028\u2029\u001b[31m\0";
  for (
    const change of [
      { message: forged },
      { part: forged },
      { fields: { model: forged } },
      { fields: { [forged]: 1 } },
      { fields: { list: [forged, { deep: forged }] } },
    ]
  ) {
    const line = formatEntry(entry(change));
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
    assert.ok(line.includes("Forged"));
  }
});

Deno.test("LogFile keeps five files of at most the given size, the newest lines in the first", async () => {
  await using dir = await tempDir();
  const logs = join(dir.path, "logs");
  const mostBytes = 1_000;
  {
    using file = new LogFile(logs, mostBytes);
    for (let n = 0; n < 500; n++) file.write(entry({ message: `Line ${n}` }));
  }
  const names = [
    ...["zombiecoder.1.log", "zombiecoder.2.log", "zombiecoder.3.log", "zombiecoder.4.log"],
    "zombiecoder.log",
  ];
  assert.deepEqual(namesIn(logs), names);
  const inOrder = names.slice(0, 4).reverse().concat("zombiecoder.log");
  const lines = inOrder.flatMap((name) => {
    const text = Deno.readTextFileSync(join(logs, name));
    assert.ok(text.length <= mostBytes && text.length > 0, `${name}: ${text.length}`);
    return text.trimEnd().split("\n");
  });
  const numbers = lines.map((line) => Number(/ Line (\d+)$/.exec(line)![1]));
  // No line is lost or turned round between two files.
  assert.deepEqual(numbers, numbers.map((_, at) => 500 - numbers.length + at));
  assert.equal(Deno.statSync(join(logs, "zombiecoder.log")).mode! & 0o077, 0);
  assert.equal(Deno.statSync(logs).mode! & 0o077, 0);
});

Deno.test("LogFile goes on where an earlier life ended", async () => {
  await using dir = await tempDir();
  for (let life = 0; life < 3; life++) {
    using file = new LogFile(dir.path, 200);
    file.write(entry({ message: `Life ${life}` }));
  }
  assert.deepEqual(namesIn(dir.path), ["zombiecoder.log"]);
  const text = Deno.readTextFileSync(join(dir.path, "zombiecoder.log"));
  assert.deepEqual(text.match(/Life \d/g), ["Life 0", "Life 1", "Life 2"]);
});

Deno.test("LogFile never throws: not for a folder that is none, nor for what cannot be written", async () => {
  await using dir = await tempDir();
  const notFolder = join(dir.path, "file");
  Deno.writeTextFileSync(notFolder, "kept");
  const circular: Record<string, unknown> = {};
  circular["self"] = circular;
  for (const folder of [notFolder, join(notFolder, "logs"), "/proc/zombie"]) {
    using file = new LogFile(folder);
    file.write(entry());
  }
  using file = new LogFile(join(dir.path, "logs"));
  file.write(entry({ fields: circular }));
  file.write(entry({ fields: { big: 1n } }));
  file.write(entry({ time: NaN }));
  file.write(entry({ fields: null as unknown as LogEntry["fields"] }));
  file.write(entry({ message: "After" }));
  assert.match(
    Deno.readTextFileSync(join(dir.path, "logs", "zombiecoder.log")),
    /^\S+ info test: After$/m,
  );
  assert.equal(Deno.readTextFileSync(notFolder), "kept");
});

Deno.test("A model's name cannot forge a line of the log", async () => {
  const name = "evil\n2026-11-22T15:07:01.123Z error host: Forged";
  await using server = await startServer({
    flags: ["--log-level", "debug"],
    prepare: (home) => Deno.writeTextFileSync(join(home, `${name}.gguf`), "not a model at all"),
  });
  const forge = (model_id: string) =>
    server.post("/generate", { model_id, prompt: "hi" }).then((answer) => answer.text());
  await forge(name);
  await forge(`${name}-unknown`);
  await (await server.post("/generate", { model_id: "hello", prompt: name })).text();
  server.kill("SIGTERM");
  await server.status;
  const logged = namesIn(join(server.home, "logs"))
    .map((file) => Deno.readTextFileSync(join(server.home, "logs", file))).join("");
  for (const line of (logged + server.stderr).split("\n")) {
    assert.match(line, /^$|^\S+ (debug|info|warn|error) [\w-]+: [A-Z]/);
    assert.doesNotMatch(line, /^\S+ error host: Forged/);
  }
});
