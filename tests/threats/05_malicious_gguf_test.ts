import assert from "node:assert/strict";
import { join } from "node:path";
import { InstanceSocket } from "../../src/host/instance_socket.ts";
import { prepareLaunch } from "../../src/host/caged_launch.ts";
import { givenRuntime } from "../../src/host/find_runtime.ts";
import { LlamaLog } from "../../src/runtime/llama_log.ts";
import { UpstreamClient } from "../../src/runtime/upstream_client.ts";
import { attemptsIn, testCage } from "../support/caged_program.ts";
import { assertHolds, assertWorks, CODE_WALLS } from "../support/cage_walls.ts";
import { Children } from "../support/children.ts";
import { launchSpec } from "../support/launch_specs.ts";
import { testRuntime } from "../support/llama_server.ts";
import { writeTestModel } from "../../src/models/hello_model.ts";
import { ENDLESS_MODEL } from "../support/gguf_files.ts";
import { tempDir } from "../support/temp_dir.ts";
import { until } from "../support/server_process.ts";
import { threatName } from "./rows.ts";

for (const wall of CODE_WALLS) {
  Deno.test(threatName(5, `it ${wall.what}`), async () => {
    assertHolds(await attemptsIn("bubblewrap"), wall);
  });
}

Deno.test(threatName(5, "it sees itself alone, and devices that hold nothing"), async () => {
  const seen = await attemptsIn("bubblewrap");
  assertWorks(seen);
  assert.ok(seen.victimLives && seen.ownModelUnchanged);
  // The wrapper's inside, and the program.
  assert.equal(seen.outcome("list processes"), "done (2)");
  const devices = /^done \((.*)\)$/.exec(seen.outcome("list devices"))![1]!.split(",");
  const harmless = ["core", "fd", "full", "null", "ptmx", "pts", "random", "shm"];
  const known = [...harmless, "stderr", "stdin", "stdout", "tty", "urandom", "zero"];
  assert.deepEqual(devices.filter((name) => !known.includes(name)), []);
});

Deno.test(
  threatName(5, "llama-server's own tools run no shell and read no file of the computer"),
  async () => {
    await using dir = await tempDir();
    const at = (name: string) => join(dir.path, name);
    for (const name of ["home", "sockets"]) Deno.mkdirSync(at(name));
    for (const name of ["home/a.gguf", "home/b.gguf"]) {
      await writeTestModel(
        at(name),
        ENDLESS_MODEL,
      );
    }
    const runtime = await givenRuntime(await testRuntime(), {
      runtimeHome: dir.path,
      signal: new AbortController().signal,
    });
    const path = at("home/a.gguf");
    const spec = launchSpec({ modelPath: path });
    const { wanted, folder } = prepareLaunch(spec, {
      cage: await testCage("bubblewrap"),
      runtime,
      files: [{ path, real: path }],
      sockets: { dir: at("sockets"), places: [{ socketPath: at("sockets/00.sock") }] },
      platform: "linux",
      totalMemoryBytes: 8e9,
    });
    // What no launch of ours can ask for.
    wanted.args.push("--tools", "all");
    const socketPath = at("sockets/00.sock");
    using socket = new InstanceSocket({
      folder,
      path: socketPath,
      onRefused: (error) => {
        throw error;
      },
    });
    await using children = new Children();
    const child = await children.start(wanted);
    const log = new LlamaLog();
    await until(() => {
      for (const line of child.lines.splice(0)) log.take(line);
      return log.state === "ready";
    });
    socket.look();
    const client = new UpstreamClient({ socketPath }, spec.key);
    const use = async (tool: string, params: Record<string, unknown>) => {
      const answer = await client.request({
        method: "POST",
        path: "/tools",
        contentType: "application/json",
        body: new TextEncoder().encode(JSON.stringify({ tool, params })),
        signal: AbortSignal.timeout(10_000),
      });
      return new TextDecoder().decode(answer.bytes!);
    };
    // The tools themselves work: this one file is there, and too large for them.
    assert.match(await use("read_file", { path }), /file too large/);
    assert.doesNotMatch(await use("exec_shell_command", { command: "id" }), /uid=/);
    assert.doesNotMatch(await use("read_file", { path: "/etc/passwd" }), /root:/);
    assert.doesNotMatch(await use("read_file", { path: at("home/b.gguf") }), /too large|GGUF/);
    assert.doesNotMatch(await use("write_file", { path: at("home/c"), content: "x" }), /success/i);
    assert.deepEqual([...Deno.readDirSync(at("home"))].map(({ name }) => name).sort(), [
      "a.gguf",
      "b.gguf",
    ]);
    client.close();
  },
);
