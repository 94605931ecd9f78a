import assert from "node:assert/strict";
import { join } from "node:path";
import { loadConfig } from "../src/config.ts";
import { BuildGuard } from "../src/host/build_check.ts";
import { Host } from "../src/host/host.ts";
import { wrongMessage } from "../src/host/message_check.ts";
import { ServerLock } from "../src/host/server_lock.ts";
import { prepareSocketFolder } from "../src/host/socket_folder.ts";
import { EVERY_FLAG } from "./support/launch_specs.ts";
import { logEntries } from "./support/log_entries.ts";
import { isAlive } from "./support/model_processes.ts";
import { until } from "./support/server_process.ts";
import { tempDir } from "./support/temp_dir.ts";
import { damaged, SAMPLES } from "./support/wrong_messages.ts";
import type { WrongServerReport, WrongServerTask } from "./support/wrong_server.ts";

Deno.test("wrongMessage() takes every message of the server, and none that differs in one place", () => {
  let count = 0;
  for (const sample of SAMPLES) {
    assert.equal(wrongMessage(structuredClone(sample)), null, JSON.stringify(sample));
    for (const message of damaged(sample)) {
      count++;
      const wrong = wrongMessage(message);
      assert.notEqual(wrong, null, Deno.inspect(message, { depth: 6, strAbbreviateSize: 80 }));
      // It reaches the log: short, and nothing of the message is in it.
      assert.ok(wrong!.kind.length <= 20 && wrong!.problem.length <= 200, wrong!.problem);
    }
  }
  assert.ok(count > 1_000, `${count}`);
});

Deno.test("wrongMessage() refuses a log line that could not be written, or that never ends", () => {
  const line = (fields: unknown, change: object = {}) => ({
    type: "log",
    entry: { time: 1, level: "warn", part: "x", message: "y", fields, ...change },
  });
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  let deep: unknown = 1;
  for (let depth = 0; depth < 10_000; depth++) deep = [deep];
  const wide = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [index, index]));
  assert.equal(wrongMessage(line({ a: [1, { b: null, c: undefined }], d: "x" })), null);
  for (
    const fields of [
      ...[circle, { deep }, wide, { a: 1n }, { a: new Map() }, { a: new Date() }],
      ...[{ a: "x".repeat(2 ** 21) }, { ["x".repeat(2 ** 21)]: 1 }, new Array(10), null],
      ...[{ a: new Array(2 ** 31) }],
    ]
  ) {
    assert.notEqual(wrongMessage(line(fields)), null, Deno.inspect(fields).slice(0, 200));
  }
  for (const change of [{ time: NaN }, { level: "for" }, { level: "constructor" }, { part: {} }]) {
    assert.notEqual(wrongMessage(line({}, change)), null, Deno.inspect(change));
  }
});

Deno.test("Whatever is sent to the host that is not of its form starts, signals and breaks nothing", async () => {
  await using dir = await tempDir();
  const at = (name: string) => join(dir.path, name);
  for (const name of ["home", "run"]) Deno.mkdirSync(at(name));
  // Whatever is started leaves its mark.
  await Deno.writeTextFile(at("llama-server"), `#!/bin/sh\necho x >> ${at("started")}\n`, {
    mode: 0o755,
  });
  await Deno.writeTextFile(at("secret"), "secret");
  const { config } = loadConfig({
    args: [
      ...["serve", "--home", at("home"), "--runtime-home", at("runtime"), "--host", "127.0.0.1"],
      ...["--port", "0", "--runtime-ports", "28080-28100"],
    ],
    env: {},
    homeDir: dir.path,
    cwd: dir.path,
    os: Deno.build.os,
  });
  const foreign = new Deno.Command("/bin/sleep", { args: ["300"] }).spawn();
  try {
    const { log, entries } = logEntries();
    const task: WrongServerTask = {
      count: 20_000,
      seed: 20_261_129,
      foreignPid: foreign.pid,
    };
    using lock = ServerLock.take(config.home);
    let ready: string | null = null;
    let report: WrongServerReport;
    {
      await using host = new Host({
        cagePrograms: () => ({ bwrap: null, setpriv: null, sandboxExec: null }),
        config,
        version: JSON.stringify(task),
        log,
        lock,
        sockets: prepareSocketFolder({
          runtimeDir: null,
          tmpDir: at("run"),
          home: config.home,
          platform: Deno.build.os,
        }),
        findRuntime: () =>
          Promise.resolve({
            path: at("llama-server"),
            build: 99_999,
            version: "x",
            flags: EVERY_FLAG,
            devices: [],
            source: "flag",
          }),
        guard: new BuildGuard(),
        runtimes: () => Promise.reject(new Error("Somebody asked for the builds")),
        serverUrl: import.meta.resolve("./support/wrong_server.ts"),
        onReady: (address) => ready = address,
      });
      await host.start();
      const said = await Promise.race([
        host.failed,
        until(() => entries.find(({ message }) => message === "report"), 60_000),
      ]);
      report = said.fields["report"] as WrongServerReport;
    }
    assert.ok(report.sent > task.count, `${report.sent} messages`);
    assert.ok(report.refusable > 500, `${report.refusable} calls`);
    assert.equal(report.refused, report.refusable, "each call that is refused is answered so");
    // Those that are of their form and do no harm: nothing was reaped, and nothing stopped.
    assert.deepEqual(report.results.toSorted((a, b) => a - b), [1_000_100, 1_000_101, 9_000_000]);
    assert.equal(ready, null, "nobody is told of another address");
    assert.equal(isAlive(foreign.pid), true);
    assert.equal(existsAt(at("started")), false);
    const refusals = entries.filter(({ message }) => message === "Refused a message of the server");
    assert.ok(refusals.every(({ level }) => level === "warn"));
    const kinds = refusals.map(({ fields }) => String(fields["kind"])).toSorted();
    assert.deepEqual(kinds, [
      ...[
        "bandwidth",
        "cancelRuntime",
        "command",
        "departed",
        "drained",
        "fatal",
        "heartbeat",
        "installRuntime",
      ],
      ...["listening", "log", "processes", "reading", "reap", "removeRuntime", "runtime"],
      ...["runtimes", "start", "stop", "unknown", "useRuntime", "watch"],
    ], "each kind once");
    assert.deepEqual(
      entries.filter(({ level, message }) => level === "error" || /died|earlier life/.test(message))
        .map(({ message, fields }) => ({ message, fields })),
      [],
    );
  } finally {
    foreign.kill("SIGKILL");
    await foreign.status;
  }
});

function existsAt(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
