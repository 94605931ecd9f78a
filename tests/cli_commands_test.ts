import assert from "node:assert/strict";
import { join } from "node:path";
import type { ImportList, ModelRow, RuntimeList, ScopeInfo } from "../src/api_types.ts";
import { COMMANDS } from "../src/commands.ts";
import { buildTestModel, HELLO_SENTENCE, writeTestModel } from "../src/models/hello_model.ts";
import { assertOneLine, cli, cliEnv, cliHome, spawnCli } from "./support/cli.ts";
import { SLOW_MODEL } from "./support/gguf_files.ts";
import { putOllama } from "./support/other_programs.ts";
import { startServer, until } from "./support/server_process.ts";
import { tempDir } from "./support/temp_dir.ts";
import { startTerminal } from "./support/terminal.ts";

Deno.test("Every command prints JSON when asked", async () => {
  await using dir = await tempDir();
  const ollama = join(dir.path, "ollama");
  const blob = putOllama(ollama, "registry.ollama.ai/library/tiny/1b", {
    model: buildTestModel({ name: "tiny", sentence: "I am tiny." }),
  });
  await using server = await startServer({
    // Nobody answers there: no command needs the Hub but those that say so.
    env: { OLLAMA_MODELS: ollama, HF_ENDPOINT: "http://127.0.0.1:9" },
    prepare: (home) =>
      writeTestModel(join(home, "own.gguf"), { name: "own", sentence: "Mine." }).then(() => {}),
  });
  const env = cliEnv(server);
  const seen = new Set<string>();
  async function json<T>(...args: string[]): Promise<T[]> {
    const { code, stdout, stderr } = await cli([...args, "--json"], { env });
    assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
    seen.add(args[0]!);
    return LINES.has(args[0]!)
      ? stdout.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as T)
      : [JSON.parse(stdout) as T];
  }

  const [models] = await json<ModelRow[]>("list");
  assert.deepEqual(models!.map(({ id }) => id), ["own", "hello"]);
  assert.deepEqual(await json("ps"), [[]]);
  const [loaded] = await json<ModelRow>("load", "own", "--keep-alive", "1h");
  assert.deepEqual([loaded!.state, loaded!.keep_alive_ms], ["ready", 3_600_000]);
  assert.deepEqual((await json<ModelRow[]>("ps"))[0]!.map(({ id }) => id), ["own"]);
  const chunks = await json<{ choices: { delta: { content?: string } }[] }>("run", "own", "hi");
  assert.equal(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join(""), "Mine.");
  const [shown] = await json<ModelRow & { settings: unknown }>("show", "own");
  assert.equal(shown!.id, "own");
  assert.equal(typeof shown!.settings, "object");
  const lines = await json<{ line: string }>("logs");
  assert.ok(lines.some(({ line }) => line.includes("own")));
  await json("logs", "own");
  assert.deepEqual((await json<ModelRow[]>("stop", "own"))[0]!.map(({ state }) => state), [
    "stopped",
  ]);
  assert.deepEqual(await json("stop", "--all"), [[]]);
  const [found] = await json<ImportList>("import");
  assert.ok(found!.models.some(({ path }) => path === blob));
  assert.deepEqual((await json<{ id: string }[]>("import", blob))[0]!.map(({ id }) => id), [
    "tiny-1b",
  ]);
  assert.deepEqual(await json("rm", "tiny-1b", "--yes"), [{ id: "tiny-1b", removed: true }]);
  assert.ok(Deno.statSync(blob).isFile);
  assert.deepEqual(await json("pull"), []);
  assert.deepEqual(await json("keys"), [[]]);
  const [builds] = await json<RuntimeList>("runtime");
  assert.deepEqual([builds!.installed, builds!.job], [[], null]);
  assert.ok(builds!.available.some(({ offered }) => offered));
  await json("config");
  const [connection] = await json<{ address: string; needs_key: boolean }>("connect");
  assert.deepEqual([connection!.address, connection!.needs_key], [server.url, false]);
  const [findings] = await json<{ level: string; check: string }[]>("doctor");
  assert.deepEqual(findings!.filter(({ level }) => level === "broken"), []);
  assert.equal(findings!.find(({ check }) => check === "network")!.level, "warning");
  assert.equal(findings!.find(({ check }) => check === "prompt")!.level, "ok");
  const [scope] = await json<ScopeInfo>("scope");
  assert.deepEqual([scope!.permissions.run, scope!.missing], [false, []]);
  assert.ok(scope!.permissions.write.includes(server.home));
  for (const shell of ["bash", "zsh", "fish"]) await json("completions", shell);
  const [service] = await json<{ installed: boolean; address: string }>("service");
  assert.deepEqual([typeof service!.installed, service!.address], ["boolean", server.url]);
  await json("version");
  await json("help");
  // `search` with the Hub at hand is cli_pull_test.ts's, a window app_window_test.ts's.
  const others = COMMANDS.map(({ name }) => name).filter((name) => !seen.has(name));
  assert.deepEqual(others, ["serve", "search", "app"]);
});

/** An object a line. */
const LINES = new Set(["run", "logs", "pull"]);

Deno.test("run answers a pipe with the answer alone, and takes its question from one", async () => {
  await using server = await startServer();
  const env = cliEnv(server);
  const table: [args: string[], input: string | undefined][] = [
    [["run", "hello", "hi"], undefined],
    [["run", "hello", "how", "are", "you"], undefined],
    [["run", "hello"], "hi"],
    [["run", "HELLO:latest", "Summarize:"], "a text\nof two lines\n"],
    [["run", "hello", "--system", "Be brief", "hi"], ""],
  ];
  for (const [args, input] of table) {
    const got = await cli(args, { env, ...(input !== undefined && { input }) });
    assert.deepEqual(got, { code: 0, stdout: `${HELLO_SENTENCE}\n`, stderr: "" });
  }
  for (const input of [undefined, "", " \n"]) {
    const got = await cli(["run", "hello"], { env, ...(input !== undefined && { input }) });
    assert.equal(got.code, 2);
    assertOneLine(got, "nothing asked");
  }
});

Deno.test("A proxy of the environment is not asked for this machine", async () => {
  await using server = await startServer();
  const nobody = "http://127.0.0.1:9";
  const env = { ...cliEnv(server), HTTP_PROXY: nobody, http_proxy: nobody, ALL_PROXY: nobody };
  assert.deepEqual(await cli(["run", "hello", "hi"], { env }), {
    code: 0,
    stdout: `${HELLO_SENTENCE}\n`,
    stderr: "",
  });
});

Deno.test("An unknown model is an error that names near ones, in every command that takes one", async () => {
  await using server = await startServer({
    prepare: (home) =>
      writeTestModel(join(home, "Qwen3-4B-Q4_K_M.gguf"), { name: "q", sentence: "Hi." })
        .then(() => {}),
  });
  const env = cliEnv(server);
  const table: [name: string, message: RegExp][] = [
    ["helo", /^Cannot find the model "helo"\. Did you mean "hello"\?\n$/],
    ["qwen3", /^Cannot find the model "qwen3"\. Did you mean "Qwen3-4B-Q4_K_M"\?\n$/],
    [
      "phi-3-mimi",
      /^Cannot find the model "phi-3-mimi"\. To download it: zombiecoder pull phi-3-mini\n$/,
    ],
    ["xyzzyx", /^Cannot find the model "xyzzyx"\. There is "Qwen3-4B-Q4_K_M" or "hello"; .+\n$/],
    ["..", /^Cannot find the model "\.\."\. .+\n$/],
    ["../../etc/passwd", /^Cannot .+\n$/],
    ["a\x1b]0;b\x07\u009bc", /^Cannot find the model "a\\u001b\]0;b\\u0007c"\. .+\n$/],
  ];
  for (const [name, message] of table) {
    const got = await cli(["run", name, "hi"], { env });
    assert.equal(got.code, 1);
    assertOneLine(got, name);
    assert.match(got.stderr, message);
  }
  for (const words of [["load"], ["stop"], ["show"], ["rm", "--yes"], ["logs"], ["logs", "-f"]]) {
    const got = await cli([...words, "helo"], { env });
    assert.equal(got.code, 1, words.join(" "));
    assertOneLine(got, words.join(" "));
    assert.match(got.stderr, /Did you mean "hello"\?/);
  }
});

Deno.test("An unknown model where there is none at all is an error that says how to find some", async () => {
  await using server = await startServer();
  Deno.removeSync(join(server.home, "builtin", "hello.gguf"));
  await until(async () => (await server.json<ModelRow[]>("/admin/models")).length === 0);
  const got = await cli(["load", "xyzzyx"], { env: cliEnv(server) });
  assert.equal(got.code, 1);
  assertOneLine(got, "no model");
  assert.match(
    got.stderr,
    /^Cannot find the model "xyzzyx"\. There is none here yet; zombiecoder /,
  );
});

Deno.test("Wrong arguments end with 2 and one line, and start no server", async () => {
  await using home = await cliHome();
  const table: [args: string[], message: RegExp][] = [
    [["lsit"], /^Unknown command "lsit"\. Did you mean "list"\?/],
    [["run"], /^Cannot use run alone/],
    [["stop"], /^Cannot tell what to stop/],
    [["stop", "m", "--all"], /^Cannot tell what to stop/],
    [["keys", "remove"], /^Cannot tell what to do/],
    [["keys", "add", "me", "--scope", "all"], /--scope "all": it is use or admin/],
    [["connect", "curll"], /Did you mean "curl"\?/],
    [["completions", "tcsh"], /it is one of bash, zsh, fish/],
    [["help", "lsit"], /Did you mean "list"\?/],
    [["list", "--port", "none"], /--port/],
  ];
  for (const [args, message] of table) {
    const got = await cli(args, { env: home.env });
    assert.equal(got.code, 2, `${args.join(" ")}: ${got.stderr}`);
    assertOneLine(got, args.join(" "));
    assert.match(got.stderr, message);
  }
  const silent = [["--help"], ["run", "--help"], ["version"], ["config"], ["ps"], [
    "stop",
    "--all",
  ]];
  silent.push(["stop", "--server"], ["logs"], ["connect"], ["completions", "bash"]);
  silent.push(["completions", "models"], ["pull"]);
  for (const args of silent) {
    const got = await cli(args, { env: home.env });
    assert.equal(got.code, 0, `${args.join(" ")}: ${got.stderr}`);
    assert.throws(() => Deno.statSync(join(home.home, "run")), Deno.errors.NotFound);
  }
});

Deno.test("A server that is killed in the middle ends the commands that wait for it with one line", async () => {
  await using server = await startServer({
    prepare: (home) => writeTestModel(join(home, "endless.gguf"), SLOW_MODEL).then(() => {}),
  });
  const env = cliEnv(server);
  const run = spawnCli(["run", "endless", "hi"], { env });
  const logs = spawnCli(["logs", "-f"], { env });
  const [answer, more] = run.stdout.tee();
  const reader = answer.getReader();
  await reader.read();
  const logReader = logs.stdout.getReader();
  await logReader.read();
  server.kill("SIGKILL");
  await server.status;
  const stderr = await new Response(run.stderr).text();
  const logStderr = await new Response(logs.stderr).text();
  assert.deepEqual([(await run.status).code, (await logs.status).code], [1, 1]);
  for (const text of [stderr, logStderr]) {
    assertOneLine({ code: 1, stdout: "", stderr: text }, "killed");
    assert.match(text, /^Cannot (reach the server|go on)/);
  }
  await Promise.all([reader.cancel(), more.cancel(), logReader.cancel()]);
  // The note of a killed server is not believed.
  assert.deepEqual(await cli(["ps", "--json"], { env }), { code: 0, stdout: "[]\n", stderr: "" });
});

Deno.test("A reader that has read enough ends a command without a word", async () => {
  await using server = await startServer();
  const env = { ...Deno.env.toObject(), ...cliEnv(server) };
  const main = new URL("../main.ts", import.meta.url).pathname;
  const command = `"${Deno.execPath()}" run -A --quiet --cached-only "${main}" help | head -1`;
  const { code, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-o", "pipefail", "-c", command],
    env,
  }).output();
  assert.equal(new TextDecoder().decode(stderr), "");
  assert.equal(new TextDecoder().decode(stdout), "Usage: zombiecoder [COMMAND] [FLAGS]\n");
  assert.equal(code, 0);
});

Deno.test("rm asks at a terminal, wants --yes without one, and says what stands against it", async () => {
  await using server = await startServer({
    async prepare(home) {
      for (const name of ["one", "two"]) {
        await writeTestModel(join(home, `${name}.gguf`), { name, sentence: "Hi." });
      }
    },
  });
  const env = cliEnv(server);
  const refused = await cli(["rm", "one"], { env });
  assert.equal(refused.code, 2);
  assertOneLine(refused, "no terminal");
  assert.match(refused.stderr, /Add --yes to rm\n$/);

  await using terminal = await startTerminal({ env });
  await terminal.enter("zombiecoder rm one; echo over $?");
  await terminal.see(/Remove one \(\d+ kB\) from the disk\? \[y\/N\]\s*$/);
  await terminal.enter("n");
  await terminal.see(/Nothing was removed\nover 0/);
  assert.ok(Deno.statSync(join(server.home, "one.gguf")).isFile);
  await terminal.clear();
  await terminal.enter("zombiecoder rm one; echo again $?");
  await terminal.see(/\[y\/N\]\s*$/);
  await terminal.enter("y");
  await terminal.see(/Removed one\nagain 0/);
  await until(() => {
    try {
      Deno.statSync(join(server.home, "one.gguf"));
      return false;
    } catch {
      return true;
    }
  });
  await cli(["load", "two"], { env });
  const loaded = await cli(["rm", "two", "--yes"], { env });
  assert.equal(loaded.code, 1);
  assertOneLine(loaded, "loaded");
  assert.match(loaded.stderr, /Unload it first/);
});

Deno.test("Tables and facts are plain where no terminal shows them", async () => {
  await using dir = await tempDir();
  const ollama = join(dir.path, "ollama");
  putOllama(ollama, "registry.ollama.ai/library/tiny/1b", {
    model: buildTestModel({ name: "tiny", sentence: "I am tiny." }),
  });
  await using server = await startServer({ env: { OLLAMA_MODELS: ollama } });
  const env = cliEnv(server);
  const table: [args: string[], wanted: RegExp][] = [
    [
      ["list"],
      /^NAME +SIZE +QUANTIZATION +CONTEXT +STATE +FIT\nhello +252 kB +F32 +8192 +stopped +\w/,
    ],
    [["load", "hello"], /^Loaded hello \([\d.]+ MB\)\n$/],
    [["ps"], /\nhello +ready +[\d.]+ MB +28\d\d\d +0 +\d+ min( \d+ s)? from now\n$/],
    [["show", "hello"], /^Name +hello\n[^]+\nCan +chat[^]+\nLies in +this program\n/],
    [["logs"], / info orchestrator: Model is ready model=hello /],
    [["logs", "hello"], /\S/],
    [["import"], /^PROGRAM +NAME +SIZE +FIT +HERE\nOllama +tiny:1b +\d+ kB +\w/],
    [["import", "tiny:1b"], /^Imported tiny-1b from .+\n$/],
    [["import"], /\nOllama +tiny:1b .+ imported\n$/],
    [["rm", "tiny-1b", "--yes"], /^Removed tiny-1b\n$/],
    [["stop", "hello"], /^Stopped hello\n$/],
    [["keys"], /^ID +NAME +SCOPE +MADE +LAST USED\n$/],
  ];
  for (const [args, wanted] of table) {
    const { code, stdout, stderr } = await cli(args, { env: { ...env, NO_COLOR: "" } });
    assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
    assert.match(stdout, wanted);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(stdout + stderr, /[\x1b\r]/);
  }
});
