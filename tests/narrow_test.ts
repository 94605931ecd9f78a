// Started with fewer rights than it would like: it runs with what it got, and says what is missing.

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import type { HostReading, ScopeInfo, SystemInfo } from "../src/api_types.ts";
import { type IsGranted, scopeWithin } from "../src/host/rights.ts";
import { serverGrants, serverScope } from "../src/host/scope.ts";
import { HELLO_SENTENCE } from "../src/models/hello_model.ts";
import { cli, cliEnv } from "./support/cli.ts";
import { testRuntime } from "./support/llama_server.ts";
import { modelProcesses } from "./support/model_processes.ts";
import { fromSource, startProgram } from "./support/program.ts";
import { SCOPE_CONFIG } from "./support/scope_config.ts";
import { startServer, until } from "./support/server_process.ts";
import { tempDir } from "./support/temp_dir.ts";

const PLACES = [{ socketPath: "/run/z/00.sock" }, { socketPath: "/run/z/01.sock" }];
const PATHS = {
  socketDir: "/run/z",
  places: PLACES,
  importRoots: [{ program: "ollama", path: "/home/u/.ollama" }, { program: "jan", path: "/jan" }],
};

function within(isGranted: IsGranted) {
  const grants = serverGrants(SCOPE_CONFIG, PATHS);
  // `/proc` is Linux's: these tables are for every system.
  return scopeWithin({
    config: SCOPE_CONFIG,
    grants,
    places: PLACES,
    platform: "darwin",
    isGranted,
  });
}

Deno.test("scopeWithin() gives all that is wanted where nothing is refused", () => {
  assert.deepEqual(within(() => true), {
    permissions: serverScope(SCOPE_CONFIG, PATHS),
    missing: [],
  });
});

Deno.test("scopeWithin() leaves out what the program itself may not, and says what each costs", () => {
  const { permissions, missing } = within((right) => {
    if (right.name === "read") return !["/data/models", "/jan"].includes(String(right.path));
    if (right.name === "net") return !/hf\.co|808[12]/.test(right.host!);
    if (right.name === "env") return right.variable !== "HF_TOKEN";
    return right.name === "run" ? right.command !== undefined : true;
  });
  const whole = serverScope(SCOPE_CONFIG, PATHS);
  assert.deepEqual(permissions, {
    ...whole,
    read: whole.read.filter((path) => !["/data/models", "/jan"].includes(path)),
    net: whole.net.filter((host) => !/hf\.co|808[12]/.test(host)),
  });
  assert.deepEqual(missing.map(({ permission, costs }) => [permission, costs.code]), [
    ["read /data/models", "models_folder"],
    ["read /jan", "import_places"],
    ["net 127.0.0.1, ::1 (8081 and 8082)", "doors"],
    ["net hf.co, *.hf.co (443)", "hub"],
    ["run", "programs"],
    ["env HF_TOKEN", "environment"],
  ]);
  for (const { costs } of missing) assert.match(costs.message, /^[A-Z].+[^.]$/);
});

Deno.test("scopeWithin() gives nothing where all is refused", () => {
  const { permissions, missing } = within(() => false);
  assert.deepEqual([permissions.read, permissions.write, permissions.net], [[], [], []]);
  assert.ok(missing.length > 10);
});

Deno.test("Every probe bears to be refused everything, and then knows nothing", async () => {
  const worker = new Worker(import.meta.resolve("./support/refused_probes_worker.ts"), {
    type: "module",
    deno: { permissions: "none" },
  } as WorkerOptions);
  const { promise, resolve } = Promise.withResolvers<Record<string, unknown>>();
  worker.onmessage = ({ data }) => resolve(data);
  worker.postMessage("begin");
  const answers = await promise;
  worker.terminate();
  for (const family of ["linux", "darwin", "windows"]) {
    const { reading, ...rest } = answers[family] as { reading: HostReading };
    assert.deepEqual(rest, { times: null, boot: "", process: null, found: [], departed: [] });
    const { cpu, memory, gpus, os, ...others } = reading;
    assert.deepEqual(memory, { total_bytes: null, available_bytes: null }, family);
    assert.deepEqual([gpus, others], [[], { cpu_quota_cores: null, disk_free_bytes: null }]);
    assert.deepEqual([cpu.model, cpu.physical_cores, cpu.features, cpu.usage], [
      ...[null, null],
      [],
      null,
    ]);
    assert.deepEqual([os!.family, os!.name, os!.kernel, os!.container], [family, null, null, null]);
  }
});

interface Narrow {
  flags: string[];
  path: string;
}

/** The set that `deno task start:narrow` runs with; folders and engine are the test's own. */
async function narrow(dir: string): Promise<Narrow> {
  const { tasks } = JSON.parse(Deno.readTextFileSync(new URL("../deno.json", import.meta.url)));
  const { command } = tasks["start:narrow"];
  assert.match(command, / deno run -P=narrow --no-prompt --quiet --cached-only /);
  const engine = dirname(await testRuntime());
  return {
    // A flag of the same kind takes the place of the set's list.
    flags: ["-P=narrow", `--allow-read=.,${engine},${dir}`, `--allow-write=${dir}`],
    path: `${engine}:${Deno.env.get("PATH")}`,
  };
}

Deno.test("With the narrow set it serves page, chat and settings, says what is missing, and ends clean", async () => {
  await using dir = await tempDir();
  const home = join(dir.path, "home");
  const { flags, path } = await narrow(dir.path);
  {
    await using server = await startServer({
      home,
      permissions: flags,
      env: {
        ...{ PATH: path, OLLAMA_MODELS: join(dir.path, "ollama"), ZOMBIE_LOG_LEVEL: "debug" },
        // A cage has no network, and without sockets a model is reached by that alone.
        ZOMBIE_CAGE: "auto",
      },
    });
    const page = await server.fetch("/", { headers: { accept: "text/html" } });
    assert.match(await page.text(), /<!doctype html>/i);
    const answer = await server.post("/v1/chat/completions", {
      model: "hello",
      messages: [{ role: "user", content: "hi" }],
    });
    const chat = await answer.json();
    assert.equal(chat.choices?.[0].message.content, HELLO_SENTENCE, JSON.stringify(chat));
    const models = await server.json<{ id: string; port: number }[]>("/admin/models");
    const door = models.find(({ id }) => id === "hello")!.port;
    const direct = await fetch(`http://127.0.0.1:${door}/props`);
    assert.equal(direct.status, 200, await direct.text());
    const saved = await server.fetch("/admin/settings", {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ keep_alive: "1h" }),
    });
    assert.equal(saved.status, 200, await saved.text());

    const scope = await server.json<ScopeInfo>("/admin/scope");
    assert.deepEqual(scope.missing.map(({ costs }) => costs.code), [
      ...["import_places", "programs", "builds", "install", "cage"],
      ...["private_sockets", "system_files"],
    ]);
    assert.ok(scope.permissions.net.length > 64);
    assert.ok(scope.permissions.net.every((each) => !each.startsWith("unix:")));
    // What it cannot know is null; the memory Deno itself tells.
    const system = await server.json<SystemInfo>("/admin/system");
    assert.equal(system.cpu.usage, null);
    assert.ok(system.memory.total_bytes! > 2 ** 28);
    const text = await cli(["scope"], { env: cliEnv(server) });
    assert.equal(text.code, 0, text.stderr);
    for (const { permission, costs } of scope.missing) {
      assert.ok(
        text.stdout.includes(permission) && text.stdout.includes(costs.message),
        permission,
      );
    }
    assert.equal(modelProcesses(server.home).length, 1);
    assert.doesNotMatch(server.stderr, /bug|NotCapable|Refused a message|\berror\b/);
  }
  await until(() => modelProcesses(home).length === 0);
});

Deno.test("Without the right to start programs all but models works, and it says why", async () => {
  await using dir = await tempDir();
  await using server = await startServer({
    home: join(dir.path, "home"),
    permissions: [
      ...[`--allow-read=.,${dir.path}`, `--allow-write=${dir.path}`],
      ...["--allow-net=127.0.0.1", "--allow-env=PATH"],
    ],
    // It may not listen on the second one.
    host: "localhost",
  });
  assert.equal((await server.json<{ status: string }>("/health")).status, "ok");
  const { missing } = await server.json<ScopeInfo>("/admin/scope");
  const codes = missing.map(({ costs }) => costs.code);
  for (const code of ["hub", "engine", "watchdog", "disk", "memory", "environment"]) {
    assert.ok(codes.includes(code), `${code}: ${codes}`);
  }
  const load = await server.post("/admin/models/hello/load", {});
  const { error } = await load.json();
  assert.deepEqual([load.status, error.code], [503, "runtime_missing"], error.message);
  const system = await server.json<SystemInfo>("/admin/system");
  assert.deepEqual(
    [system.memory.total_bytes, system.disk.free_bytes, system.cpu.usage],
    [null, null, null],
  );
  assert.doesNotMatch(server.stderr, /bug/);
});

Deno.test("An engine that may not be read is passed over, in one line", async () => {
  await using dir = await tempDir();
  const at = (name: string) => join(dir.path, name);
  for (const name of ["home", "runtime", "bin", "sbin"]) Deno.mkdirSync(at(name));
  const args = ["serve", "--home", at("home"), "--runtime-home", at("runtime"), "--no-open"];
  await using program = startProgram(
    [...args, "--port", "0", "--host", "127.0.0.1", "--runtime-ports", "28080-28100"],
    { PATH: `${at("bin")}:${at("sbin")}` },
    fromSource([
      `--allow-read=.,${at("home")},${at("runtime")}`,
      `--allow-write=${at("home")},${at("runtime")}`,
      ...["--allow-net=127.0.0.1", "--allow-env"],
    ]),
  );
  await until(() => program.stderr.includes("Models cannot be loaded"));
  const lines = program.stderr.split("\n").filter((line) => / is not used /.test(line));
  assert.equal(lines.length, 1, program.stderr);
  assert.match(lines[0]!, /folders of PATH, for want of a right to read: /);
  for (const name of ["bin", "sbin"]) assert.ok(lines[0]!.includes(at(name)), lines[0]);
  // Nor may it read what tells which system this is: each source says why it is none.
  assert.match(program.stderr, /Source ..debian..: (Requires read access|this is not Debian)/);
  assert.match(program.stderr, /Install llama\.cpp by hand .*--llama-server PATH/);
  assert.doesNotMatch(program.stderr, /bug/);
});

Deno.test("Without what it needs to start it ends with one line, and never asks", async () => {
  await using dir = await tempDir();
  const args = ["serve", "--home", join(dir.path, "home"), "--runtime-home", join(dir.path, "rt")];
  const table: [flags: string[], message: RegExp][] = [
    [["--allow-read", "--allow-net", "--allow-env"], /^Cannot write into "[^\n]+home"[^\n]+\n$/],
    [
      [`--allow-read`, `--allow-write=${dir.path}`, "--allow-env"],
      /^Requires net access to "127\.0\.0\.1:0", [^\n]+ --allow-net [^\n]+\n$/,
    ],
  ];
  for (const [flags, message] of table) {
    await using program = startProgram([...args, "--port", "0"], {}, fromSource(flags));
    const { code } = await program.ended;
    assert.equal(code, 1, program.stderr);
    assert.match(program.stderr, message);
    assert.equal(program.stdout, "");
  }
});
