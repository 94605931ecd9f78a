import assert from "node:assert/strict";
import { join } from "node:path";
import { runProgram } from "../src/host/run_program.ts";
import { isAlive } from "./support/model_processes.ts";
import { until } from "./support/server_process.ts";
import { tempDir } from "./support/temp_dir.ts";

/** Starts one that ends when it is asked to and one that does not, and writes the number of each. */
function hanging(pids: string): string[] {
  const script = `(trap '' TERM; while :; do sleep 0.1; done) & echo $! >>'${pids}'
sleep 600 & echo $! >>'${pids}'
echo up; wait`;
  return ["-c", script];
}

function started(pids: string): number[] {
  try {
    return Deno.readTextFileSync(pids).trim().split("\n").map(Number);
  } catch {
    return [];
  }
}

const ENVIRONMENT = { PATH: "/usr/bin:/bin" };

Deno.test("runProgram() ends what a program started that did not end in time", async () => {
  await using dir = await tempDir();
  const pids = join(dir.path, "pids");
  const result = await runProgram("/bin/sh", hanging(pids), {
    environment: ENVIRONMENT,
    timeoutMs: 1_000,
  });
  assert.deepEqual([result.timedOut, result.stdout], [true, "up\n"]);
  assert.equal(started(pids).length, 2);
  await until(() => started(pids).every((pid) => !isAlive(pid)));
});

Deno.test("runProgram() ends what a program started when it is told to, and throws the reason", async () => {
  await using dir = await tempDir();
  const pids = join(dir.path, "pids");
  const ending = new AbortController();
  const running = runProgram("/bin/sh", hanging(pids), {
    environment: ENVIRONMENT,
    timeoutMs: 60_000,
    signal: ending.signal,
  });
  await until(() => started(pids).length === 2);
  ending.abort(new Error("not any more"));
  await assert.rejects(running, /not any more/);
  await until(() => started(pids).every((pid) => !isAlive(pid)));
});

Deno.test("runProgram() leaves alone what a program started that ended by itself", async () => {
  const { code, stdout } = await runProgram("/bin/sh", [
    "-c",
    "sleep 600 >/dev/null 2>&1 & echo $!; exit 3",
  ], { environment: ENVIRONMENT, timeoutMs: 10_000 });
  assert.equal(code, 3);
  const pid = Number(stdout);
  assert.ok(isAlive(pid));
  Deno.kill(pid, "SIGKILL");
  await until(() => !isAlive(pid));
});

Deno.test("runProgram() throws where there is no such program", async () => {
  await assert.rejects(runProgram("/gone/program", [], { timeoutMs: 1_000 }), Deno.errors.NotFound);
});

Deno.test("runProgram() waits for a program that somebody still writes", async () => {
  if (Deno.build.os === "windows") return;
  await using dir = await tempDir();
  const path = join(dir.path, "program");
  const file = await Deno.open(path, { write: true, create: true, mode: 0o755 });
  await file.write(new TextEncoder().encode("#!/bin/sh\necho whole\n"));
  const close = setTimeout(() => file.close(), 200);
  const { stdout } = await runProgram(path, [], { environment: ENVIRONMENT, timeoutMs: 10_000 });
  clearTimeout(close);
  assert.equal(stdout, "whole\n");
});
