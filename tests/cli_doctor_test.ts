import assert from "node:assert/strict";
import { join } from "node:path";
import { writeTestModel } from "../src/models/hello_model.ts";
import { TOOLS } from "../src/connect_tools.ts";
import { cli, cliEnv, cliHome } from "./support/cli.ts";
import { TestHub } from "./support/hub.ts";
import { startServer } from "./support/server_process.ts";

interface Finding {
  check: string;
  level: string;
  finding: string;
  remedy: string | null;
}

function findingsOf(stdout: string): Map<string, Finding> {
  const findings = JSON.parse(stdout) as Finding[];
  return new Map(findings.map((finding) => [finding.check, finding]));
}

Deno.test("doctor starts a server, looks at everything, and ends with 0 where all that is needed works", async () => {
  await using hub = await TestHub.start();
  await using home = await cliHome({ HF_ENDPOINT: hub.endpoint });
  const { code, stdout, stderr } = await cli(["doctor"], { env: home.env });
  assert.deepEqual([code, stderr], [0, ""], stdout);
  const lines = stdout.split("\n");
  const wanted = [
    /^ok {6}server {4}Started in the background at http:\/\/127\.0\.0\.1:\d+$/,
    /^ok {6}runtime {3}llama\.cpp build \d+ \(flag\), /,
    /^(ok|! ) {4,5} memory {4}[\d.]+ GB free, at most [\d.]+ GB for models/,
    /^(ok|! ) {4,5} disk {6}[\d.]+ .B free in /,
    /^ok {6}ports {5}The server has port \d+, the test model 28\d\d\d$/,
    /^ok {6}network {3}The Hub answers at http:\/\/127\.0\.0\.1:\d+$/,
    /^ok {6}prompt {4}hello answered after \d+ ms: Hello from ZombieCoder!/,
    /^Everything that is needed works$/,
  ];
  for (const line of wanted) assert.ok(lines.some((each) => line.test(each)), `${line}\n${stdout}`);
});

Deno.test("doctor names what is broken with its remedy, and ends with 1", async () => {
  const nowhere = "/nonexistent/llama-server";
  await using home = await cliHome({
    ZOMBIE_LLAMA_SERVER: nowhere,
    // A port that nothing listens on: no network.
    HF_ENDPOINT: "http://127.0.0.1:9",
  });
  const { code, stdout, stderr } = await cli(["doctor", "--json"], { env: home.env });
  assert.deepEqual([code, stderr], [1, ""]);
  const findings = findingsOf(stdout);
  const runtime = findings.get("runtime")!;
  assert.equal(runtime.level, "broken");
  assert.match(runtime.finding, /"\/nonexistent\/llama-server": there is no such file$/);
  assert.match(runtime.remedy!, /--llama-server/);
  assert.equal(findings.get("prompt")!.level, "broken");
  assert.ok(findings.get("prompt")!.remedy);
  // What is installed works without it.
  assert.equal(findings.get("network")!.level, "warning");
  assert.ok(findings.get("network")!.remedy);
  for (const { level, remedy } of findings.values()) {
    assert.ok(level === "ok" || remedy !== null);
  }
});

Deno.test("doctor tells that no port is left for a model", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  await using server = await startServer({ doors: `${port}-${port}` });
  const { code, stdout } = await cli(["doctor", "--json"], { env: cliEnv(server) });
  assert.equal(code, 0, stdout);
  const ports = findingsOf(stdout).get("ports")!;
  assert.equal(ports.level, "warning");
  assert.match(
    ports.finding,
    new RegExp(`; all of ${port} is in use, so that a model gets \\d+$`),
  );
  assert.match(ports.remedy!, /--runtime-ports/);
});

Deno.test("connect names the running address and a model in the settings of every tool", async () => {
  await using server = await startServer({
    prepare: (home) =>
      writeTestModel(join(home, "it's mine.gguf"), { name: "m", sentence: "Mine." }).then(() => {}),
  });
  const env = cliEnv(server);
  const all = await cli(["connect"], { env });
  assert.deepEqual([all.code, all.stderr], [0, ""]);
  for (const { name, title } of TOOLS) {
    assert.ok(all.stdout.includes(title), title);
    const one = await cli(["connect", name], { env });
    assert.ok(one.stdout.includes(server.url), name);
    assert.ok(!one.stdout.includes("ZOMBIE_API_KEY"), name);
  }
  const named = await cli(["connect", "continue", "--model", "HELLO"], { env });
  assert.match(named.stdout, /model: "hello"/);
  const unknown = await cli(["connect", "curl", "--model", "helo"], { env });
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /Did you mean "hello"\?/);
});

Deno.test("connect's line for curl works as it is printed, whatever the model is called", async () => {
  await using server = await startServer({
    prepare: (home) =>
      writeTestModel(join(home, "it's $(mine).gguf"), { name: "m", sentence: "Mine." })
        .then(() => {}),
  });
  const { stdout } = await cli(["connect", "curl", "--json"], { env: cliEnv(server) });
  const { tools } = JSON.parse(stdout) as { tools: { text: string }[] };
  const run = await new Deno.Command("bash", { args: ["-c", tools[0]!.text] }).output();
  const answer = JSON.parse(new TextDecoder().decode(run.stdout));
  assert.equal(answer.choices[0].message.content, "Mine.");
});

Deno.test("connect without a server says where it would be, and starts none", async () => {
  await using home = await cliHome({ ZOMBIE_PORT: "8123", ZOMBIE_API_KEY: "0123456789abcdef" });
  const { code, stdout, stderr } = await cli(["connect", "curl"], { env: home.env });
  assert.equal(code, 0);
  assert.match(stdout, /curl http:\/\/127\.0\.0\.1:8123\/v1[^]*Bearer \$ZOMBIE_API_KEY/);
  assert.match(stderr, /^The server is not running; .+\n/);
  assert.throws(() => Deno.statSync(home.home), Deno.errors.NotFound);
});
