import assert from "node:assert/strict";
import { join } from "node:path";
import { loadConfig } from "../src/config.ts";
import { runningServer, settingFlags } from "../src/host/detached_server.ts";
import { HELLO_SENTENCE } from "../src/models/hello_model.ts";
import { assertOneLine, cli, cliHome } from "./support/cli.ts";
import { until } from "./support/server_process.ts";
import { tempDir } from "./support/temp_dir.ts";
import { startTerminal } from "./support/terminal.ts";

Deno.test("A command starts a server that goes on without it, and stop --server ends it", async () => {
  await using home = await cliHome();
  const { env } = home;
  const first = await cli(["list"], { env });
  assert.equal(first.code, 0, first.stderr);
  const address = /^Started the server at (\S+); zombiecoder stop --server ends it\n/.exec(
    first.stderr,
  )![1]!;
  assert.match(first.stdout, /^NAME .+\nhello +252 kB +F32 .+\n$/);
  assert.equal((await fetch(`${address}/health`).then((answer) => answer.json())).status, "ok");
  const answer = await cli(["run", "hello", "hi"], { env });
  assert.deepEqual(answer, { code: 0, stdout: `${HELLO_SENTENCE}\n`, stderr: "" });
  // The next one finds it; what it was told by flags it was told, too.
  const second = await cli(["connect", "curl"], { env });
  assert.ok(second.stdout.includes(`curl ${address}/v1/chat/completions`));
  const config = await fetch(`${address}/admin/settings`).then((answer) => answer.json());
  assert.equal(config.find(({ name }: { name: string }) => name === "home").value, home.home);
  assert.ok(Deno.statSync(join(home.home, "logs", "zombiecoder.log")).size > 0);
  const end = await cli(["stop", "--server"], { env });
  assert.deepEqual(end, { code: 0, stdout: "Stopped the server\n", stderr: "" });
  await assert.rejects(fetch(`${address}/health`));
  assert.deepEqual(await cli(["stop", "--server", "--json"], { env }), {
    code: 0,
    stdout: '{"ended":false}\n',
    stderr: "",
  });
});

Deno.test("Eight commands at once start one server", async () => {
  await using home = await cliHome();
  const all = await Promise.all(
    Array.from(
      { length: 8 },
      () =>
        cli(["connect", "--json"], { env: home.env }).then(() =>
          cli(["list", "--json"], { env: home.env })
        ),
    ),
  );
  for (const { code, stdout, stderr } of all) {
    assert.equal(code, 0, stderr);
    assert.equal(JSON.parse(stdout)[0].id, "hello");
  }
  const addresses = new Set(all.flatMap(({ stderr }) => /at (\S+);/.exec(stderr)?.[1] ?? []));
  assert.equal(addresses.size, 1);
});

Deno.test("A server that cannot be started says why through the command", async () => {
  await using dir = await tempDir();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using home = await cliHome({ ZOMBIE_PORT: String(taken.addr.port) });
  const got = await cli(["list"], { env: home.env });
  assert.equal(got.code, 1);
  assertOneLine(got, "port");
  assert.match(got.stderr, /^Cannot listen on port \d+: another program uses it/);

  const file = join(dir.path, "file");
  Deno.writeTextFileSync(file, "");
  for (const path of [join(file, "home"), "/proc/zombie", "/dev/null"]) {
    const refused = await cli(["list"], { env: { ...home.env, ZOMBIE_HOME: path } });
    assert.equal(refused.code, 1, refused.stderr);
    assertOneLine(refused, path);
    assert.match(refused.stderr, /--home\n$/);
  }
  // `doctor` says so as a finding.
  const doctor = await cli(["doctor"], { env: home.env });
  assert.equal(doctor.code, 1);
  assert.match(
    doctor.stdout,
    /^broken {2}server +Cannot listen on port \d+: another program uses it\n +Stop that program or choose another port with --port\n/,
  );
});

Deno.test("A server that a command started outlives its terminal, and Ctrl-C there", async () => {
  await using home = await cliHome();
  let address: string;
  {
    await using terminal = await startTerminal({ columns: 120, env: home.env });
    // Ctrl-C is for what comes after the command: it has ended by then.
    await terminal.enter("zombiecoder list; echo over; sleep 100");
    const screen = await terminal.see(/Started the server at (\S+);[^]*hello[^]*\nover/);
    address = /Started the server at (\S+);/.exec(screen)![1]!;
    await terminal.press("C-c");
    await terminal.see(/\$ *\n*$/);
  }
  assert.equal((await fetch(`${address}/health`).then((answer) => answer.json())).status, "ok");
  const answer = await cli(["run", "hello", "hi"], { env: home.env });
  assert.equal(answer.stdout, `${HELLO_SENTENCE}\n`);
});

Deno.test("A server is started with the flags and the relative paths of the command", async () => {
  await using dir = await tempDir();
  await using home = await cliHome();
  const { ZOMBIE_HOME: _, ZOMBIE_RUNTIME_PORTS: __, ...env } = home.env;
  await Deno.mkdir(join(dir.path, "more"));
  await Deno.writeTextFile(join(dir.path, "key"), "0123456789abcdef0123\n");
  // The home that ends with this test, seen from where the command is run.
  const relative = `../${home.home.split("/").slice(-2).join("/")}`;
  const flags = ["--home", relative, "--models-dir", "more", "--runtime-ports", "28080-28090"];
  const got = await cli(["list", ...flags, "--api-key-file", "key", "--log-level=debug"], {
    env,
    cwd: dir.path,
  });
  assert.equal(got.code, 0, got.stderr);
  const { address } = runningServer(home.home)!;
  assert.equal((await fetch(`${address}/v1/models`)).status, 401);
  const answer = await fetch(`${address}/admin/settings`, {
    headers: { "x-api-key": "0123456789abcdef0123" },
  });
  const rows = await answer.json() as { name: string; value: unknown }[];
  const value = (name: string) => rows.find((row) => row.name === name)!.value;
  assert.equal(value("home"), home.home);
  assert.deepEqual(value("models_dirs"), [join(dir.path, "more")]);
  assert.equal(value("runtime_ports"), "28080-28090");
  assert.equal(value("log_level"), "debug");
});

Deno.test("settingFlags() repeats what was given, paths as they were understood, no secret", () => {
  const loaded = loadConfig({
    args: [
      ...["run", "m", "--home=h", "--port", "0", "--no-open", "--host", "::1"],
      ...["--host", "127.0.0.1", "--keep-alive", "-1"],
    ],
    env: { ZOMBIE_MODELS_DIRS: "a,b", ZOMBIE_API_KEY: "0123456789abcdef", ZOMBIE_THREADS: "2" },
    homeDir: "/nonexistent/user",
    cwd: "/nonexistent/here",
    os: "linux",
  });
  assert.deepEqual(settingFlags(loaded), [
    "--no-open",
    "--home=/nonexistent/here/h",
    "--models-dir=/nonexistent/here/a",
    "--models-dir=/nonexistent/here/b",
    "--host=::1",
    "--host=127.0.0.1",
    "--port=0",
    "--keep-alive=-1",
  ]);
});

Deno.test("runningServer() believes a note only while the server holds its lock", async () => {
  await using home = await cliHome();
  assert.equal(runningServer(home.home), null);
  await cli(["list"], { env: home.env });
  const note = runningServer(home.home)!;
  Deno.kill(note.pid, "SIGKILL");
  await until(() => runningServer(home.home) === null);
  assert.ok(Deno.statSync(join(home.home, "run", "server.json")).isFile);
});
