import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { LeftoverProcess } from "../src/host/messages.ts";
import { createProcessProbe, TOKEN_VARIABLE } from "../src/host/probes/process_probe.ts";
import { writeTestModel } from "../src/models/hello_model.ts";
import { Registry } from "../src/models/registry.ts";
import { ENDLESS_MODEL } from "./support/gguf_files.ts";
import { startedWith } from "./support/instance_processes.ts";
import { logEntries } from "./support/log_entries.ts";
import { isAlive } from "./support/model_processes.ts";
import { delay, generate, MOMENTS } from "./support/moments.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";
import { soakCount } from "./support/soak.ts";
import { tempDir } from "./support/temp_dir.ts";
import { endChild, PARENT_SCRIPT } from "./support/zombie.ts";

const TRIES = soakCount(200);

/** A program of nobody's: what a wrong kill would hit. */
function bystander(token: string | null = null) {
  const child = new Deno.Command("/bin/sleep", {
    args: ["600"],
    clearEnv: true,
    env: token === null ? {} : { [TOKEN_VARIABLE]: token },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return {
    pid: child.pid,
    status: child.status,
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGKILL");
      } catch (error) {
        // It has ended.
        if (!(error instanceof TypeError)) throw error;
      }
      await child.status;
    },
  };
}

function randomToken(): string {
  return crypto.randomUUID().replaceAll("-", "");
}

Deno.test(`kill -9 of the gateway at ${TRIES} random moments leaves no process after the next start`, async (test) => {
  await using dir = await tempDir();
  await using stranger = bystander();
  const home = join(dir.path, "home");
  const sockets = join(dir.path, "sockets");
  Deno.mkdirSync(sockets);
  const names = Object.keys(MOMENTS);
  let before = 0;
  let most = 0;
  let last: number[] = [];
  for (let round = 0; round <= TRIES; round++) {
    await using server = await startServer({
      home,
      env: { XDG_RUNTIME_DIR: sockets },
      prepare: async (folder) => {
        if (round > 0) return;
        await writeTestModel(join(folder, "endless.gguf"), ENDLESS_MODEL);
      },
    });
    const left = last;
    // What was about to start when the gateway died may show itself only now.
    await until(() => left.every((pid) => !isAlive(pid)) && startedWith(sockets).length === 0)
      .catch((cause) => {
        throw new Error(`Round ${round}: ${startedWith(sockets)} of ${left}`, { cause });
      });
    if (round === TRIES) {
      await generate(server);
      break;
    }
    await MOMENTS[names[round % names.length]!]!(server);
    server.kill("SIGKILL");
    await server.status;
    last = startedWith(sockets);
    before += last.length;
    most = Math.max(most, last.length);
  }
  assert.ok(isAlive(stranger.pid));
  await test.step(`${before} were left before it, at most ${most} at once`, () => {});
});

Deno.test("A start touches no foreign process, whatever the registry says", async () => {
  await using dir = await tempDir();
  const home = join(dir.path, "home");
  Deno.mkdirSync(home);
  const probe = createProcessProbe();
  const boot = await probe.bootId();
  const token = randomToken();
  await using stranger = bystander();
  await using other = bystander(randomToken());
  await using marked = bystander(token);
  const startOf = async (pid: number) => (await probe.readProcess(pid))?.startTime ?? null;
  const parent = new Deno.Command("/bin/sh", {
    args: ["-c", PARENT_SCRIPT],
    clearEnv: true,
    env: { [TOKEN_VARIABLE]: token, PATH: "/usr/bin:/bin" },
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const reader = parent.stdout.getReader();
  const zombie = Number(new TextDecoder().decode((await reader.read()).value));
  await reader.cancel();
  await endChild(zombie, parent.pid);
  await until(() => !isAlive(zombie));
  const rows: LeftoverProcess[] = [
    { pid: stranger.pid, startTime: "1", boot, token },
    { pid: stranger.pid, startTime: await startOf(stranger.pid), boot, token },
    { pid: other.pid, startTime: await startOf(other.pid), boot, token },
    { pid: marked.pid, startTime: "1", boot, token },
    { pid: marked.pid, startTime: null, boot, token },
    { pid: marked.pid, startTime: await startOf(marked.pid), boot: "another", token },
    { pid: marked.pid, startTime: await startOf(marked.pid), boot: "", token },
    { pid: marked.pid, startTime: await startOf(marked.pid), boot, token: randomToken() },
    { pid: 1, startTime: await startOf(1), boot, token },
    { pid: 0, startTime: "1", boot, token },
    { pid: -1, startTime: "1", boot, token },
    { pid: -marked.pid, startTime: await startOf(marked.pid), boot, token },
    { pid: Deno.pid, startTime: await startOf(Deno.pid), boot, token },
    { pid: zombie, startTime: await startOf(zombie), boot, token },
    { pid: 2 ** 22 + 1, startTime: "1", boot, token },
    { pid: null, startTime: null, boot, token: randomToken() },
    { pid: null, startTime: null, boot, token: "" },
  ];
  writeRows(home, rows);
  {
    await using server = await startServer({ home });
    await settled(server);
    for (const pid of [stranger.pid, other.pid, marked.pid, parent.pid, Deno.pid]) {
      assert.ok(isAlive(pid), `${pid}: ${server.stderr}`);
    }
    assert.doesNotMatch(server.stderr, /is stopped/);
  }
  parent.kill("SIGKILL");
  await parent.status;
});

Deno.test("A start stops what an earlier life left: by its pid, and by its token alone", async () => {
  await using dir = await tempDir();
  const home = join(dir.path, "home");
  Deno.mkdirSync(home);
  const probe = createProcessProbe();
  const boot = await probe.bootId();
  const tokens = [randomToken(), randomToken()];
  await using known = bystander(tokens[0]!);
  await using unborn = bystander(tokens[1]!);
  await using stranger = bystander(randomToken());
  const startTime = (await probe.readProcess(known.pid))!.startTime;
  writeRows(home, [
    { pid: known.pid, startTime, boot, token: tokens[0]! },
    // Written before the process was there.
    { pid: null, startTime: null, boot, token: tokens[1]! },
  ]);
  await using server = await startServer({ home });
  assert.equal((await known.status).signal, "SIGKILL");
  assert.equal((await unborn.status).signal, "SIGKILL");
  assert.ok(isAlive(stranger.pid));
  await settled(server);
  await until(() => server.stderr.match(/is stopped/g)?.length === 2);
});

function writeRows(home: string, rows: LeftoverProcess[]): void {
  using registry = Registry.open(join(home, "registry.db"), { log: logEntries().log });
  rows.forEach((row, n) => registry.setInstance(`row${n}`, { status: "ready", ...row }));
}

/** The rows are righted when the reaping is done. */
async function settled(server: ServerProcess): Promise<void> {
  const path = join(server.home, "registry.db");
  const unrighted = () => {
    using database = new DatabaseSync(path, { readOnly: true });
    return database.prepare("SELECT * FROM instances WHERE token IS NOT NULL").all();
  };
  await until(() => unrighted().length === 0, 30_000).catch((error) => {
    throw new Error(`${JSON.stringify(unrighted()).slice(0, 300)}\n${server.stderr}`, {
      cause: error,
    });
  });
}

Deno.test("Another program may open and close the registry at any time", async () => {
  await using server = await startServer();
  const path = join(server.home, "registry.db");
  const statusOf = () => {
    using database = new DatabaseSync(path, { readOnly: true });
    return database.prepare("SELECT status FROM instances WHERE model_id = 'hello'").get()?.status;
  };
  let isOver = false;
  let looks = 0;
  const looking = (async () => {
    for (; !isOver; looks++) {
      statusOf();
      await delay(0);
    }
  })();
  try {
    for (let round = 0; round < soakCount(200); round++) {
      await generate(server);
      assert.equal(statusOf(), "Ready");
      const unload = await server.post("/admin/models/hello/unload", {});
      await unload.body?.cancel();
      assert.equal(statusOf(), "Stopped");
    }
  } finally {
    isOver = true;
    await looking;
  }
  assert.ok(isAlive(server.pid));
  assert.ok(looks > 100, `${looks} looks`);
});
