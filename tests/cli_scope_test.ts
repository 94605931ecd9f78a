import assert from "node:assert/strict";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { ScopeInfo } from "../src/api_types.ts";
import { sections } from "../src/cli/scope.ts";
import { cli, cliEnv } from "./support/cli.ts";
import { TestHub } from "./support/hub.ts";
import { startServer, until } from "./support/server_process.ts";
import { tempDir } from "./support/temp_dir.ts";

Deno.test("scope says in words what the server may do, and what it never can", async () => {
  await using dir = await tempDir();
  await using server = await startServer({
    host: "localhost",
    flags: ["--models-dir", dir.path],
    env: { ZOMBIE_DOWNLOAD_HOSTS: "cdn.example", OLLAMA_MODELS: join(dir.path, "ollama") },
  });
  const { code, stdout, stderr } = await cli(["scope"], { env: cliEnv(server) });
  assert.equal(code, 0, stderr);
  const lines = stdout.split("\n").map((line) => line.trim().replace(/ {2,}/g, " "));
  for (
    const line of [
      ...["The server, which answers the network", `reads ${server.home}`, dir.path],
      ...[join(dir.path, "ollama"), `writes ${server.home}`],
      ...["never start or signal a program", "read the environment", "load native code"],
      ...["import code from the network", "ask what computer this is"],
      ...["cdn.example, ports 80 and 443"],
      ...[`find llama.cpp, or install it in ${server.runtimeHome}`, "may do what your user may"],
      ...["Missing", "nothing"],
    ]
  ) assert.ok(lines.includes(line), `${line} is not in\n${stdout}`);
  assert.match(
    stdout,
    /reaches {3}ports 28080 to 28100, \d+ and any free one of this computer \(127\.0\.0\.1\)\n/,
  );
  assert.match(stdout, / {12}ports 28080 to 28100 and \d+ of this computer \(::1\)\n/);
  assert.match(stdout, /huggingface\.co, \*\.huggingface\.co, hf\.co and \*\.hf\.co, port 443\n/);
  assert.match(stdout, /its models, on 64 sockets in \/\S+\n/);
  // The cage may be found between two questions.
  const json = await until(async () => {
    const told = await cli(["scope", "--json"], { env: cliEnv(server) });
    const served = await server.json("/admin/scope");
    return isDeepStrictEqual(JSON.parse(told.stdout), served) && told;
  });
  const { permissions } = JSON.parse(json.stdout) as ScopeInfo;
  assert.ok(!JSON.stringify(permissions).includes(server.runtimeHome));
});

Deno.test("scope and doctor tell the running server's settings, whatever this command was given", async () => {
  await using hub = await TestHub.start();
  await using server = await startServer({ env: { HF_ENDPOINT: hub.endpoint } });
  // Of the command only what finds the server.
  const env = { ZOMBIE_HOME: server.home, ZOMBIE_RUNTIME_HOME: "", HF_ENDPOINT: "" };
  const scope = await cli(["scope"], { env });
  assert.equal(scope.code, 0, scope.stderr);
  assert.ok(scope.stdout.includes(`or install it in ${server.runtimeHome}\n`), scope.stdout);
  const doctor = await cli(["doctor"], { env });
  assert.ok(doctor.stdout.includes(`The Hub answers at ${hub.endpoint}\n`), doctor.stdout);
  assert.ok(doctor.stdout.includes(` free in ${server.home}\n`), doctor.stdout);
});

Deno.test("scope shows each cage with its reason, and each missing right with what it costs", () => {
  const scope: ScopeInfo = {
    permissions: {
      ...{ read: [], write: [], net: [] },
      ...{ run: false, env: false, ffi: false, import: false, sys: false },
    },
    missing: [{
      permission: "read /data/models",
      costs: { code: "models_folder", message: "Models in this folder are not seen" },
    }],
    runtime_home: "/rt",
    cage: { mode: "auto", active: null, reason: null },
  };
  const text = JSON.stringify(sections(scope));
  assert.ok(text.includes('["read /data/models","  Models in this folder are not seen"]'), text);
  assert.ok(text.includes('"label":"reads","lines":["nothing"]'), text);
  assert.ok(text.includes('"label":"may","lines":["do less than it would like"]'), text);
  const caged: ScopeInfo = {
    ...scope,
    cage: { mode: "auto", active: "landlock", reason: "bubblewrap is not there: install it" },
  };
  assert.ok(
    JSON.stringify(sections(caged)).includes(
      '["landlock (--cage auto)","bubblewrap is not there: install it"]',
    ),
  );
});
