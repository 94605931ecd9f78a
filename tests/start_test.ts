import assert from "node:assert/strict";
import { join } from "node:path";
import { SLOW_MODEL } from "./support/gguf_files.ts";
import { writeTestModel } from "../src/models/hello_model.ts";
import { instancesWith } from "./support/instance_processes.ts";
import { isAlive } from "./support/model_processes.ts";
import { delay } from "./support/moments.ts";
import { serveArgs, startProgram } from "./support/program.ts";
import { startServer, until } from "./support/server_process.ts";
import { tempDir } from "./support/temp_dir.ts";

const DOORS = ["--runtime-ports", "28080-28100"];

async function statusOf(url: string, init?: RequestInit): Promise<number> {
  const answer = await fetch(url, init);
  await answer.body?.cancel();
  return answer.status;
}

Deno.test("serve says one line when it is ready, and nothing more until it ends with 0", async () => {
  await using dir = await tempDir();
  const env = { XDG_RUNTIME_DIR: dir.path };
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    await using program = startProgram(await serveArgs(dir.path, "--port", "0", ...DOORS), env);
    await until(() => program.stdout.includes("\n"));
    const url = /^ZombieCoder is ready at (http:\/\/127\.0\.0\.1:\d+)\n$/.exec(program.stdout)?.[1];
    assert.ok(url !== undefined, program.stdout);
    // Both loopback addresses, on one port.
    assert.equal(await statusOf(`${url}/health`), 200);
    assert.equal(await statusOf(`${url.replace("127.0.0.1", "[::1]")}/health`), 200);
    const notePath = join(dir.path, "home", "run", "server.json");
    const note = JSON.parse(Deno.readTextFileSync(notePath));
    assert.deepEqual(note, { address: url, pid: program.pid });
    const body = JSON.stringify({ model_id: "hello", prompt: "hi" });
    assert.equal(await statusOf(`${url}/generate`, { method: "POST", body }), 200);
    const instances = instancesWith(`${dir.path}/zombiecoder-`);
    assert.equal(instances.length, 1);
    program.kill(signal);
    const { code } = await program.ended;
    assert.equal(code, 0);
    assert.equal(program.stdout, `ZombieCoder is ready at ${url}\n`);
    assert.equal(program.stderr, "");
    assert.ok(!instances.some(isAlive));
    assert.throws(() => Deno.statSync(notePath), Deno.errors.NotFound);
  }
});

Deno.test("serve that is ended while it looks for an engine and a cage ends with 0, and says nothing of it", async () => {
  for (const afterMs of [0, 20, 60, 120, 200, 300]) {
    await using dir = await tempDir();
    const env = { XDG_RUNTIME_DIR: dir.path };
    await using program = startProgram(await serveArgs(dir.path, "--port", "0", ...DOORS), env);
    await until(() => program.stdout.includes("\n"));
    await delay(afterMs);
    program.kill("SIGTERM");
    assert.deepEqual([(await program.ended).code, program.stderr], [0, ""], `${afterMs} ms`);
  }
});

Deno.test("A second start with the same home ends with 1 and one line that names the first", async () => {
  await using server = await startServer();
  const args = ["serve", "--home", server.home, "--runtime-home", server.runtimeHome, "--no-open"];
  for (const more of [[], ["--port", "0"], ["--port", String(server.port)]]) {
    await using second = startProgram([...args, ...more]);
    const { code } = await second.ended;
    assert.equal(code, 1);
    assert.equal(second.stdout, "");
    assert.equal(second.stderr, `ZombieCoder is already running at ${server.url}\n`);
  }
  assert.equal(await statusOf(`${server.url}/health`), 200);
});

Deno.test("A start after kill -9 is not stopped by what the first left behind", async () => {
  await using dir = await tempDir();
  const env = { XDG_RUNTIME_DIR: dir.path };
  const args = await serveArgs(dir.path, "--port", "0", "--host", "127.0.0.1", ...DOORS);
  for (let round = 0; round < 2; round++) {
    await using program = startProgram(args, env);
    await until(() => program.stdout.includes("\n"));
    program.kill("SIGKILL");
    await program.ended;
  }
  await using program = startProgram(args, env);
  await until(() => program.stdout.includes("ready"));
  assert.equal(program.stderr, "");
});

Deno.test("A port that is in use ends the start at once with 1 and one line that says what to do", async () => {
  await using dir = await tempDir();
  const tookMs: number[] = [];
  for (const hostname of ["127.0.0.1", "::1", "0.0.0.0"]) {
    using taken = Deno.listen({ hostname, port: 0 });
    const { port } = taken.addr;
    await using program = startProgram(await serveArgs(dir.path, "--port", String(port)));
    const startedMs = performance.now();
    const { code } = await program.ended;
    tookMs.push(Math.round(performance.now() - startedMs));
    assert.equal(code, 1);
    assert.equal(program.stdout, "");
    assert.equal(
      program.stderr,
      `Cannot listen on port ${port}: another program uses it. Stop that program or choose ` +
        "another port with --port\n",
    );
  }
  // What else the machine does may hold up any of them, but hardly all.
  assert.ok(Math.min(...tookMs) < 3_000 && Math.max(...tookMs) < 20_000, `${tookMs.join(", ")} ms`);
});

Deno.test("A home that cannot be written ends the start with 1 and one line", async () => {
  await using dir = await tempDir();
  const file = join(dir.path, "file");
  Deno.writeTextFileSync(file, "");
  const homes = [join(file, "home"), file, "/proc/zombie", "/dev/null"];
  for (const home of homes) {
    const args = ["serve", "--home", home, "--runtime-home", join(dir.path, "r"), "--no-open"];
    await using program = startProgram([...args, "--port", "0"]);
    const { code } = await program.ended;
    assert.equal(code, 1, home);
    assert.equal(program.stdout, "");
    assert.match(program.stderr, /^Cannot (write into|read) "[^"\n]+": .+ --home\n$/, home);
  }
  assert.equal(Deno.readTextFileSync(file), "");
});

Deno.test("Arguments that cannot be meant end the start with 2 and one line", async () => {
  await using dir = await tempDir();
  const table: [string[], RegExp][] = [
    [["--prot", "1"], /"--prot".*--port/],
    [["--port", "70000"], /--port/],
    [["--port"], /--port/],
    [["--host", "0.0.0.0"], /without an API key: .+--api-key-file/],
    [["--host", "example.com"], /--host/],
    [["--runtime-ports", "9-1"], /--runtime-ports/],
    [["--cage", "maybe"], /--cage/],
    [["--keep-alive", "soon"], /--keep-alive/],
    [["extra"], /extra/],
  ];
  for (const [flags, message] of table) {
    const args = ["serve", "--home", join(dir.path, "home"), "--runtime-home", join(dir.path, "r")];
    await using program = startProgram([...args, ...flags]);
    const { code } = await program.ended;
    assert.equal(code, 2, `${flags.join(" ")}: ${program.stderr}`);
    assert.equal(program.stdout, "");
    assert.match(program.stderr, message);
    assert.equal(program.stderr.trimEnd().split("\n").length, 1, program.stderr);
  }
  assert.throws(() => Deno.statSync(join(dir.path, "home")), Deno.errors.NotFound);
});

Deno.test("Beyond loopback the server wants the key from everybody but /health", async () => {
  const key = "0123456789abcdef0123";
  await using dir = await tempDir();
  const args = await serveArgs(dir.path, "--port", "0", "--host", "0.0.0.0", ...DOORS);
  await using program = startProgram(args, { XDG_RUNTIME_DIR: dir.path, ZOMBIE_API_KEY: key });
  await until(() => program.stdout.includes("\n"));
  const port = /:(\d+)\n$/.exec(program.stdout)?.[1];
  assert.ok(port !== undefined, program.stdout);
  const url = `http://127.0.0.1:${port}`;
  assert.equal(await statusOf(`${url}/health`), 200);
  assert.equal(await statusOf(`${url}/v1/models`), 401);
  assert.equal(await statusOf(`${url}/v1/models`, { headers: { "x-api-key": key } }), 200);
  const headers = { authorization: `Bearer ${key}` };
  assert.equal(await statusOf(`${url}/v1/models`, { headers }), 200);
  // In no argument of any process, and in no log.
  for (const pid of [program.pid, ...instancesWith(dir.path)]) {
    assert.ok(!Deno.readTextFileSync(`/proc/${pid}/cmdline`).includes(key));
  }
  assert.ok(!program.stdout.includes(key) && !program.stderr.includes(key));
});

/** Milliseconds from the second SIGINT to the end. */
async function endBySecondSigint(): Promise<number> {
  await using server = await startServer({
    prepare: (home) => writeTestModel(join(home, "slow.gguf"), SLOW_MODEL).then(() => {}),
  });
  const answer = await server.post("/generate", {
    model_id: "slow",
    prompt: "hi",
    stream: true,
  });
  const reader = answer.body!.getReader();
  await reader.read();
  const instances = instancesWith(join(server.home, "..", "run"));
  assert.equal(instances.length, 1);
  // One key may come as two signals: from the terminal, and from whoever started us.
  server.kill("SIGINT");
  server.kill("SIGINT");
  // It waits for the answer, and takes no new request meanwhile.
  await until(() => statusOf(`${server.url}/health`).then((status) => status !== 200, () => true));
  await new Promise((resolve) => setTimeout(resolve, 600));
  assert.ok(isAlive(server.pid));
  const startedMs = performance.now();
  server.kill("SIGINT");
  const { code } = await server.status;
  const endMs = Math.round(performance.now() - startedMs);
  assert.equal(code, 1);
  await until(() => !instances.some(isAlive));
  assert.throws(() => Deno.statSync(join(server.home, "run", "server.json")), Deno.errors.NotFound);
  await reader.cancel().catch(() => {});
  return endMs;
}

Deno.test("A second SIGINT ends the server at once, and its processes with it", async () => {
  const endMs: number[] = [];
  // The best of some: what else the machine does must not fail a test.
  while (endMs.length < 5 && !(Math.min(...endMs) < 500)) endMs.push(await endBySecondSigint());
  assert.ok(Math.min(...endMs) < 500, `${endMs.join(", ")} ms`);
});

Deno.test("SIGTERM lets an answer in progress end before the server does", async () => {
  const sentence = Array.from({ length: 60 }, (_, n) => `word${n}`).join(" ") + ".";
  await using server = await startServer({
    prepare: (home) =>
      writeTestModel(join(home, "talker.gguf"), { name: "talker", sentence }).then(() => {}),
  });
  const answer = await server.post("/generate", { model_id: "talker", prompt: "hi", stream: true });
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = (await reader.read()).value ?? "";
  server.kill("SIGTERM");
  for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value;
  const said = text.split("\n").filter((line) => line.startsWith("data: "))
    .map((line) => JSON.parse(line.slice(6)).response ?? "").join("");
  assert.equal(said.trim(), sentence);
  assert.equal((await server.status).code, 0);
});

Deno.test("Without llama-server the gateway is up, and says what is missing", async () => {
  await using dir = await tempDir();
  const home = join(dir.path, "home");
  const args = ["serve", "--home", home, "--runtime-home", join(dir.path, "runtime"), "--no-open"];
  const flags = ["--port", "0", ...DOORS, "--llama-server", "/nonexistent/llama-server"];
  const env = { XDG_RUNTIME_DIR: dir.path };
  await using program = startProgram([...args, ...flags], env);
  await until(() => program.stdout.includes("\n"));
  const url = /at (\S+)\n$/.exec(program.stdout)![1]!;
  assert.equal(await statusOf(`${url}/health`), 200);
  const missing =
    /^Cannot use "\/nonexistent\/llama-server": there is no such file\. Correct --llama-server/;
  for (let round = 0; round < 2; round++) {
    const body = JSON.stringify({ model_id: "hello", prompt: "hi" });
    const answer = await fetch(`${url}/generate`, { method: "POST", body });
    const { error } = await answer.json();
    assert.equal(answer.status, 503, error.message);
    assert.equal(error.code, "runtime_missing");
    assert.match(error.message, missing);
  }
  const { runtime } = await (await fetch(`${url}/admin/system`)).json();
  assert.equal(runtime.phase, "failed");
  assert.equal(runtime.error.code, "runtime_missing");
  assert.match(runtime.error.message, missing);
  program.kill("SIGTERM");
  assert.equal((await program.ended).code, 0);
});
