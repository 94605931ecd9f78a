import assert from "node:assert/strict";
import { join } from "node:path";
import { readServerNote, ServerLock } from "../src/host/server_lock.ts";
import { failure } from "./support/failure.ts";
import { delay } from "./support/moments.ts";
import { tempDir } from "./support/temp_dir.ts";

const NOTE = { address: "http://127.0.0.1:8001", pid: 4711 };

/** Another process that holds the lock until it is killed. */
function otherHolder(home: string) {
  return otherProcess(
    home,
    `import { ServerLock } from "${import.meta.resolve("../src/host/server_lock.ts")}";
    const lock = ServerLock.take(Deno.args[0]);
    lock.note(${JSON.stringify(NOTE)});
    console.log("held");
    setInterval(() => lock, 1_000_000);`,
  );
}

/** Another process that looks again and again whether a server runs. */
function otherLooker(home: string) {
  return otherProcess(
    home,
    `import { runningServer } from "${import.meta.resolve("../src/host/detached_server.ts")}";
    console.log("held");
    setInterval(() => {
      for (let look = 0; look < 20; look++) runningServer(Deno.args[0]);
    });`,
  );
}

async function otherProcess(home: string, code: string) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", `data:application/typescript,${encodeURIComponent(code)}`, home],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  assert.match(new TextDecoder().decode((await reader.read()).value), /^held/);
  const kill = async () => {
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
  };
  return { kill, [Symbol.asyncDispose]: kill };
}

Deno.test("ServerLock.take() is given once, and again after its end", async () => {
  await using dir = await tempDir();
  const home = join(dir.path, "home");
  {
    using lock = ServerLock.take(home);
    const starting = failure(() => ServerLock.take(home));
    assert.equal(starting.code, "already_running");
    assert.equal(starting.message, `ZombieCoder is already starting with "${home}"`);
    lock.note(NOTE);
    assert.deepEqual(readServerNote(home), NOTE);
    const running = failure(() => ServerLock.take(home));
    assert.equal(running.message, "ZombieCoder is already running at http://127.0.0.1:8001");
    assert.equal(running.values.address, "http://127.0.0.1:8001");
    // Who was refused takes nothing with him.
    assert.deepEqual(readServerNote(home), NOTE);
  }
  assert.equal(readServerNote(home), null);
  ServerLock.take(home)[Symbol.dispose]();
});

Deno.test("ServerLock.take() does not fail for what a killed server left, and removes its note", async () => {
  await using dir = await tempDir();
  const other = await otherHolder(dir.path);
  assert.equal(failure(() => ServerLock.take(dir.path)).values.address, NOTE.address);
  await other.kill();
  assert.deepEqual(readServerNote(dir.path), NOTE);
  using lock = ServerLock.take(dir.path);
  assert.ok(lock);
  assert.equal(readServerNote(dir.path), null);
});

Deno.test("ServerLock.take() is not kept from it by those who look whether a server runs", async () => {
  await using home = await tempDir();
  const run = join(home.path, "run");
  await Deno.mkdir(run);
  await using _looker = await otherLooker(home.path);
  await using _other = await otherLooker(home.path);
  for (let round = 0; round < 500; round++) {
    // A note is what makes them look at the lock.
    await Deno.writeTextFile(join(run, "server.json"), JSON.stringify(NOTE));
    await delay(1);
    using _lock = ServerLock.take(home.path);
  }
});

Deno.test("ServerLock.take() waits for one who looks and is held up meanwhile", async () => {
  await using home = await tempDir();
  await Deno.mkdir(join(home.path, "run"));
  const look = `
    const file = Deno.openSync(Deno.args[0], { create: true, read: true, write: true });
    file.tryLockSync(false);
    console.log("looks");
    setTimeout(() => file.close(), 500);
  `;
  const looker = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", look, join(home.path, "run", "lock")],
    stdout: "piped",
  }).spawn();
  const reader = looker.stdout.getReader();
  await reader.read();
  using lock = ServerLock.take(home.path);
  assert.ok(lock);
  await reader.cancel();
  assert.equal((await looker.status).code, 0);
});

Deno.test("ServerLock.note() writes nothing but whole notes, and leaves nothing beside", async () => {
  await using dir = await tempDir();
  using lock = ServerLock.take(dir.path);
  const path = join(dir.path, "run", "server.json");
  lock.note(NOTE);
  let isOver = false;
  const reading = (async () => {
    let reads = 0;
    while (!isOver) {
      JSON.parse(await Deno.readTextFile(path));
      reads++;
    }
    return reads;
  })();
  for (let pid = 1; pid < 300; pid++) {
    lock.note({ ...NOTE, pid });
    if (pid % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  isOver = true;
  assert.ok(await reading > 5);
  assert.deepEqual(
    [...Deno.readDirSync(join(dir.path, "run"))].map(({ name }) => name).sort(),
    ["lock", "server.json"],
  );
});

Deno.test("ServerLock.take() says where the home cannot be written", async () => {
  await using dir = await tempDir();
  const file = join(dir.path, "file");
  Deno.writeTextFileSync(file, "");
  for (const home of [file, join(file, "home"), "/proc/zombie"]) {
    const error = failure(() => ServerLock.take(home));
    assert.equal(error.code, "folder_unusable");
    assert.ok(error.message.startsWith(`Cannot write into "${home}": `), error.message);
    assert.match(error.message, /\. Choose another folder with --home$/);
  }
});

Deno.test("readServerNote() takes what is no note for none", async () => {
  await using dir = await tempDir();
  Deno.mkdirSync(join(dir.path, "run"));
  const path = join(dir.path, "run", "server.json");
  for (const text of ["", "{", "null", "[]", '{"address":1,"pid":1}', '{"address":"x"}', "\0"]) {
    Deno.writeTextFileSync(path, text);
    assert.equal(readServerNote(dir.path), null, text);
  }
  Deno.writeTextFileSync(path, JSON.stringify({ ...NOTE, more: true }));
  assert.deepEqual(readServerNote(dir.path), NOTE);
});
