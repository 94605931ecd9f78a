import assert from "node:assert/strict";
import { join } from "node:path";
import { AppError } from "../src/errors.ts";
import { Children } from "./support/children.ts";
import { isAlive } from "./support/model_processes.ts";
import { until } from "./support/server_process.ts";
import { tempDir } from "./support/temp_dir.ts";

/** Ends by nothing but SIGKILL, and so does its own child. */
const STUBBORN = `trap '' TERM INT HUP
  sh -c 'trap "" TERM INT HUP; while :; do sleep 1; done' & echo "grandchild $!"
  while :; do sleep 1; done`;

async function timed(action: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await action();
  return performance.now() - startedMs;
}

Deno.test("stop() ends a process by the exit line alone where it listens", async () => {
  await using children = new Children({ patienceMs: 15_000 });
  const child = await children.shell(
    `trap 'echo TERM' TERM; echo up; read -r line; echo "got $line"; exit 5`,
  );
  await child.said("up");
  const stopMs = await timed(() => children.processes.stop(child.id, 30_000));
  assert.deepEqual(await child.exited, { code: 5, signal: null });
  assert.deepEqual(child.lines, ["up", "got cmd_router_to_child:exit"]);
  assert.ok(stopMs < 12_000, `${stopMs} ms`);
  assert.equal(isAlive(child.pid), false);
});

Deno.test("stop() sends SIGTERM to a process that does not read its stdin", async () => {
  await using children = new Children();
  const child = await children.shell(
    `trap 'echo term; exit 7' TERM; echo up; while :; do sleep 0.02; done`,
  );
  await child.said("up");
  const stopMs = await timed(() => children.processes.stop(child.id, 15_000));
  assert.deepEqual(await child.exited, { code: 7, signal: null });
  assert.deepEqual(child.lines, ["up", "term"]);
  assert.ok(stopMs > 400 && stopMs < 12_000, `${stopMs} ms`);
});

Deno.test("stop() kills the group of a process that ignores all else, its children as well", async () => {
  await using children = new Children();
  const child = await children.shell(STUBBORN);
  const grandchild = Number(await child.said("grandchild "));
  assert.ok(isAlive(grandchild));
  const stopMs = await timed(() => children.processes.stop(child.id, 900));
  assert.deepEqual(await child.exited, { code: 137, signal: "SIGKILL" });
  assert.ok(stopMs > 850 && stopMs < 12_000, `${stopMs} ms`);
  assert.equal(isAlive(child.pid), false);
  await until(() => !isAlive(grandchild));
});

Deno.test("stop() ends a process that is stopped by SIGSTOP", async () => {
  await using children = new Children();
  const child = await children.shell("echo up; read -r line");
  await child.said("up");
  Deno.kill(child.pid, "SIGSTOP");
  await children.processes.stop(child.id, 700);
  assert.deepEqual(await child.exited, { code: 137, signal: "SIGKILL" });
});

Deno.test("stop() is harmless twice at once, afterwards, and for a number that nothing has", async () => {
  await using children = new Children({ patienceMs: 15_000 });
  const child = await children.shell("echo up; read -r line");
  await child.said("up");
  await Promise.all([1, 2, 3].map(() => children.processes.stop(child.id, 30_000)));
  await children.processes.stop(child.id, 5_000);
  await children.processes.stop(4711, 5_000);
  assert.deepEqual(await child.exited, { code: 0, signal: null });
});

Deno.test("stop() is not troubled by a process that closed its stdin", async () => {
  await using children = new Children();
  const child = await children.shell("exec 0<&-; echo closed; exec sleep 600");
  await child.said("closed");
  await children.processes.stop(child.id, 15_000);
  assert.deepEqual(await child.exited, { code: 143, signal: "SIGTERM" });
});

Deno.test("start() reports a death that nobody asked for, with code or signal", async () => {
  await using children = new Children();
  const killed = await children.shell("echo up; read -r line");
  await killed.said("up");
  assert.deepEqual(
    await children.processes.running().then((all) => all.map(({ id, pid }) => [id, pid])),
    [
      [killed.id, killed.pid],
    ],
  );
  Deno.kill(killed.pid, "SIGKILL");
  assert.deepEqual(await killed.exited, { code: 137, signal: "SIGKILL" });
  const crashed = await children.shell("echo last words >&2; kill -SEGV $$");
  assert.equal((await crashed.exited).signal, "SIGSEGV");
  assert.deepEqual(crashed.lines, ["last words"]);
  const failed = await children.shell("exit 3");
  assert.deepEqual(await failed.exited, { code: 3, signal: null });
  assert.deepEqual(await children.processes.running(), []);
});

Deno.test("start() tells an exit at once, and takes what the process started with it", async () => {
  // Where somebody of its group held the output open, its exit would be told so late.
  await using children = new Children({ patienceMs: 15_000 });
  let grandchild = 0;
  const endMs = await timed(async () => {
    const child = await children.shell("sleep 600 & echo grandchild $!; exit 3");
    assert.deepEqual(await child.exited, { code: 3, signal: null });
    grandchild = Number(child.lines[0]!.slice("grandchild ".length));
  });
  await until(() => !isAlive(grandchild));
  assert.ok(endMs < 12_000, `${endMs} ms`);
});

Deno.test("start() tells an exit also where somebody outside the group holds the output open", async () => {
  await using dir = await tempDir();
  await using children = new Children();
  const end = join(dir.path, "end");
  const child = await children.shell(
    `setsid sh -c 'echo "away $$"; exec sleep 600' & until [ -e '${end}' ]; do sleep 0.02; done
    exit 4`,
  );
  const away = Number(await child.said("away "));
  Deno.writeTextFileSync(end, "");
  assert.deepEqual(await child.exited, { code: 4, signal: null });
  assert.ok(isAlive(away));
  Deno.kill(away, "SIGKILL");
});

Deno.test("start() gives a process nothing of our own environment", async () => {
  Deno.env.set("LLAMA_ARG_TOOLS", "all");
  try {
    await using children = new Children();
    const child = await children.start({ program: "/usr/bin/env", env: { ONE: "1" } });
    await child.exited;
    assert.deepEqual(child.lines.sort(), ["ONE=1", "PATH=/usr/bin:/bin"]);
  } finally {
    Deno.env.delete("LLAMA_ARG_TOOLS");
  }
});

Deno.test("start() refuses a program that is not there, and a number that is taken", async () => {
  await using children = new Children({ tools: { setpriv: null, setsid: null, shell: null } });
  await assert.rejects(children.start({ program: "/nonexistent/llama-server" }), (error) => {
    assert.ok(error instanceof AppError);
    assert.equal(error.code, "load_failed");
    return /^Cannot start "\/nonexistent\/llama-server": /.test(error.message);
  });
  const child = await children.shell("read -r line");
  const wanted = { program: "/bin/true", args: [], env: {} };
  const options = { wanted, onLines() {}, onExit() {} };
  await assert.rejects(children.processes.start(child.id, options), /is taken/);
  await children.processes[Symbol.asyncDispose]();
  await assert.rejects(
    children.processes.start(99, options),
    (error) => error instanceof AppError && error.code === "shutting_down",
  );
});

Deno.test("start() leaves no open file behind when the process ends", async () => {
  await using children = new Children();
  const openFiles = () => [...Deno.readDirSync("/proc/self/fd")].length;
  await (await children.shell("exit 0")).exited;
  const before = openFiles();
  for (let round = 0; round < 20; round++) {
    const child = await children.shell("setsid sleep 0.3 & exit 0");
    await child.exited;
  }
  await until(() => openFiles() <= before);
});

Deno.test("start() hands on a last line without a newline, in the order of each stream", async () => {
  await using children = new Children();
  const child = await children.shell(`printf 'one\\n\\ntwo\\r\\nlast ✓'`);
  await child.exited;
  assert.deepEqual(child.lines, ["one", "two", "last ✓"]);
});

Deno.test("start() cuts a line of 50 MB and survives binary garbage", async () => {
  await using children = new Children();
  const giant = await children.shell(
    `head -c 50000000 /dev/zero | tr '\\0' x; echo; echo after; printf '\\377\\376\\0\\033[31m' >&2`,
  );
  await giant.exited;
  assert.equal(giant.lines.find((line) => line.startsWith("x"))?.length, 4_096);
  assert.ok(giant.lines.includes("after"));
  assert.equal(giant.lines.length, 3);
  const garbage = await children.shell(
    "head -c 5000000 /dev/urandom; head -c 5000000 /dev/urandom >&2",
  );
  assert.deepEqual(await garbage.exited, { code: 0, signal: null });
  assert.ok(garbage.lines.every((line) => line.length <= 4_096 && !line.includes("\n")));
});

Deno.test("start() stays small while a process writes 100 MB, and hears its last words", async () => {
  await using children = new Children();
  const before = Deno.memoryUsage().rss;
  let most = 0;
  const watch = setInterval(() => most = Math.max(most, Deno.memoryUsage().rss), 10);
  const line = "a line of a length that is usual in the log of a server, and then some";
  const child = await children.shell(
    `echo 'cmd_child_to_router:state:{"state":"ready"}'
    yes '${line}' | head -c 100000000; echo; echo 'the end'; exit 9`,
  );
  assert.deepEqual(await child.exited, { code: 9, signal: null });
  clearInterval(watch);
  assert.equal(child.lines[0], 'cmd_child_to_router:state:{"state":"ready"}');
  assert.equal(child.lines.at(-1), "the end");
  const perBatch = Math.max(...child.batches);
  assert.ok(perBatch < 10_000, `${perBatch} lines at once`);
  // The lines that this test itself keeps are a part of it.
  const kept = child.lines.length * 40;
  assert.ok(most - before - kept < 150e6, `${Math.round((most - before) / 1e6)} MB more`);
});
