import assert from "node:assert/strict";
import { join } from "node:path";
import type { ScopeInfo, SystemInfo } from "../src/api_types.ts";
import type { CagePrograms } from "../src/host/cage_probe.ts";
import { writeTestModel } from "../src/models/hello_model.ts";
import { probeOptions } from "./support/caged_program.ts";
import { cli, cliEnv } from "./support/cli.ts";
import { ENDLESS_MODEL } from "./support/gguf_files.ts";
import { modelProcesses } from "./support/model_processes.ts";
import { type ServerOptions, type ServerProcess, startServer } from "./support/server_process.ts";
import { testBwrap } from "./support/test_cage.ts";
import { tempDir } from "./support/temp_dir.ts";
import { splitGguf } from "./support/split_gguf.ts";

const NONE = { bwrap: null, setpriv: null, sandboxExec: null };

/** A server whose system has these programs alone. */
function serverWith(
  programs: Partial<CagePrograms>,
  cage: string,
  options: ServerOptions = {},
): Promise<ServerProcess> {
  return startServer({
    ...options,
    entry: "tests/support/caged_main.ts",
    flags: ["--cage", cage],
    env: { ...options.env, ZOMBIE_TEST_CAGE_PROGRAMS: JSON.stringify({ ...NONE, ...programs }) },
  });
}

async function load(server: ServerProcess, model: string) {
  const answer = await server.post(`/admin/models/${model}/load`, {});
  return { status: answer.status, text: await answer.text() };
}

async function cageOf(server: ServerProcess): Promise<SystemInfo["cage"]> {
  return (await server.json<Pick<SystemInfo, "cage">>("/admin/system")).cage;
}

/** Whether each process of the home sees the network of this machine. */
function isCaged(server: ServerProcess): boolean[] {
  const ours = Deno.readLinkSync("/proc/self/ns/net");
  return modelProcesses(server.home).map(({ pid }) =>
    Deno.readLinkSync(`/proc/${pid}/ns/net`) !== ours
  );
}

Deno.test("--cage require loads in bubblewrap, and says that the best holds", async () => {
  await using server = await serverWith({ bwrap: await testBwrap() }, "require");
  assert.equal((await load(server, "hello")).status, 200);
  assert.deepEqual(isCaged(server), [true]);
  assert.deepEqual(await cageOf(server), {
    mode: "require",
    active: "bubblewrap",
    reason: null,
  });
});

Deno.test("--cage require refuses every load where there is none, in words that say what to install", async () => {
  await using server = await serverWith({}, "require");
  const { status, text } = await load(server, "hello");
  assert.equal(status, 502);
  const { error } = JSON.parse(text);
  assert.equal(error.code, "load_failed");
  assert.match(error.message, /^Cannot load a model in a cage: bubblewrap is not installed\./);
  assert.match(error.message, /sudo apt install bubblewrap/);
  assert.deepEqual(modelProcesses(server.home), []);
  const { mode, active, reason } = await cageOf(server);
  assert.deepEqual([mode, active], ["require", null]);
  assert.match(reason!, /apt install bubblewrap/);
});

Deno.test("--cage require loads as soon as there is one", async () => {
  await using dir = await tempDir();
  const bwrap = join(dir.path, "bwrap");
  await using server = await serverWith({ bwrap }, "require");
  const refused = await load(server, "hello");
  assert.match(JSON.parse(refused.text).error.message, /bubblewrap is not installed\./);
  Deno.symlinkSync(await testBwrap(), bwrap);
  const { status, text } = await load(server, "hello");
  assert.equal(status, 200, text);
  assert.deepEqual(isCaged(server), [true]);
});

Deno.test("A runtime home that cannot hold the filter takes no wall away", async () => {
  await using server = await serverWith({ bwrap: await testBwrap() }, "auto", {
    prepare: (home) => Deno.writeTextFileSync(join(home, "../runtime/.cage"), ""),
  });
  assert.equal((await load(server, "hello")).status, 200);
  assert.deepEqual(isCaged(server), [true]);
  assert.equal((await cageOf(server)).reason, null);
  const { pid } = modelProcesses(server.home)[0]!;
  assert.match(Deno.readTextFileSync(`/proc/${pid}/status`), /^Seccomp:\t2$/m);
  const run = join(server.home, "../run");
  const names = [...Deno.readDirSync(run)].map(({ name }) => name);
  const beside = join(run, names.find((name) => name.endsWith("-cage"))!);
  assert.equal(Deno.lstatSync(beside).mode! & 0o777, 0o700);
  const { permissions } = await server.json<ScopeInfo>("/admin/scope");
  assert.ok(!permissions.write.some((path) => beside.startsWith(path + "/") || path === beside));
  server.kill("SIGTERM");
  await server.status;
  assert.throws(() => Deno.lstatSync(beside), Deno.errors.NotFound);
});

for (const cage of ["bubblewrap", "landlock"] as const) {
  Deno.test(`Sockets may lie in /dev/shm (${cage})`, async () => {
    const folder = Deno.makeTempDirSync({ dir: "/dev/shm", prefix: "zombie-test-" });
    try {
      const { programs } = await probeOptions(cage);
      await using server = await serverWith(programs, "require", {
        env: { XDG_RUNTIME_DIR: folder },
      });
      const { status, text } = await load(server, "hello");
      assert.equal(status, 200, text);
      const { pid } = modelProcesses(server.home)[0]!;
      if (cage === "landlock") return;
      const dev = Deno.readTextFileSync(`/proc/${pid}/mountinfo`).split("\n").map((line) =>
        line.split(" ")
      ).find((fields) => fields[4] === "/dev")!;
      assert.ok(dev[5]!.split(",").includes("ro"), dev.join(" "));
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

Deno.test("--cage auto loads without where there is none, and doctor says so", async () => {
  await using server = await serverWith({}, "auto");
  assert.equal((await load(server, "hello")).status, 200);
  assert.deepEqual(isCaged(server), [false]);
  const { active, reason } = await cageOf(server);
  assert.equal(active, null);
  assert.match(reason!, /apt install bubblewrap/);
  const { stdout } = await cli(["doctor"], { env: cliEnv(server) });
  assert.match(stdout, /Models run without a cage: bubblewrap is not installed/);
  const log = Deno.readTextFileSync(join(server.home, "logs", "zombiecoder.log"));
  const warnings = log.split("\n").filter((line) => line.includes("Models run without a cage"));
  assert.equal(warnings.length, 1);
  assert.match(stdout, /apt install bubblewrap/);
});

Deno.test("doctor says which cage holds", async () => {
  await using server = await serverWith({ bwrap: await testBwrap() }, "auto");
  const { stdout } = await cli(["doctor"], { env: cliEnv(server) });
  assert.match(stdout, /Models run in a cage, bubblewrap: each sees its own files/);
});

Deno.test("--cage off loads without, though there is one", async () => {
  await using server = await serverWith({ bwrap: await testBwrap() }, "off");
  assert.equal((await load(server, "hello")).status, 200);
  assert.deepEqual(isCaged(server), [false]);
  assert.deepEqual(await cageOf(server), {
    mode: "off",
    active: null,
    reason: "Switched off with --cage off",
  });
});

Deno.test("A cage that was seen to work and fails at a load is that load's error, never a load without", async () => {
  await using dir = await tempDir();
  const bwrap = join(dir.path, "bwrap");
  const line = (text: string) =>
    Deno.writeTextFileSync(bwrap, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  line(`exec '${await testBwrap()}' "$@"`);
  await using server = await serverWith({ bwrap }, "auto");
  assert.equal((await load(server, "hello")).status, 200);
  await (await server.post("/admin/models/hello/unload", {})).body?.cancel();
  line("echo 'bwrap: No space for another mount' >&2; exit 1");
  const { status, text } = await load(server, "hello");
  assert.equal(status, 502);
  const { error } = JSON.parse(text);
  assert.equal(error.code, "load_failed");
  assert.match(error.message, /the system did not make its cage \(No space for another mount\)/);
  assert.deepEqual(modelProcesses(server.home), []);
});

Deno.test("A filter that somebody took away is that load's error", async () => {
  await using server = await serverWith({ bwrap: await testBwrap() }, "auto");
  assert.equal((await load(server, "hello")).status, 200);
  await (await server.post("/admin/models/hello/unload", {})).body?.cancel();
  Deno.removeSync(join(server.runtimeHome, ".cage"), { recursive: true });
  const { status, text } = await load(server, "hello");
  assert.equal(status, 502);
  assert.match(JSON.parse(text).error.message, /its cage has lost a file \(cannot open .*\.bpf/);
});

Deno.test("A model that is a link, or has a hostile name, or comes in parts is found in the cage", async () => {
  await using server = await serverWith({ bwrap: await testBwrap() }, "require", {
    async prepare(home) {
      await writeTestModel(join(home, "real.gguf"), ENDLESS_MODEL);
      Deno.mkdirSync(join(home, "blobs"));
      await writeTestModel(join(home, "blobs", "blob"), ENDLESS_MODEL);
      Deno.symlinkSync("blobs/blob", join(home, "linked.gguf"));
      await writeTestModel(join(home, "a b; $(id) 'বাংলা.gguf"), ENDLESS_MODEL);
      const parts = splitGguf(Deno.readFileSync(join(home, "real.gguf")));
      for (const [index, part] of parts.entries()) {
        Deno.writeFileSync(join(home, `split-0000${index + 1}-of-00002.gguf`), part);
      }
    },
  });
  const models = await server.json<{ id: string }[]>("/admin/models");
  assert.ok(models.length >= 5, JSON.stringify(models.map(({ id }) => id)));
  for (const { id } of models) {
    const { status, text } = await load(server, encodeURIComponent(id));
    assert.equal(status, 200, `${id}: ${text}`);
  }
  assert.ok(isCaged(server).every((each) => each));
});
