import assert from "node:assert/strict";
import { landlockWords } from "../src/host/landlock.ts";
import type { SystemInfo } from "../src/api_types.ts";
import { attemptsIn, probeOptions } from "./support/caged_program.ts";
import { assertHolds, assertWorks, CODE_WALLS, DATA_WALLS } from "./support/cage_walls.ts";
import { modelProcesses } from "./support/model_processes.ts";
import { startServer } from "./support/server_process.ts";

for (const wall of [...CODE_WALLS, ...DATA_WALLS]) {
  Deno.test(`A program in Landlock ${wall.what}`, async () => {
    assertHolds(await attemptsIn("landlock"), wall);
  });
}

Deno.test("A program in Landlock lists nothing, and nothing of it arrives anywhere", async () => {
  const seen = await attemptsIn("landlock");
  assertWorks(seen);
  assert.ok(seen.victimLives && seen.ownModelUnchanged);
  assert.equal(seen.arrived, 0);
  for (const name of ["list home", "list processes", "list devices"]) {
    assert.match(seen.outcome(name), /^refused /, name);
  }
});

Deno.test("An instance in Landlock answers, and says what Landlock leaves open", async () => {
  const { programs } = await probeOptions("landlock");
  await using server = await startServer({
    entry: "tests/support/caged_main.ts",
    flags: ["--cage", "require"],
    env: { ZOMBIE_TEST_CAGE_PROGRAMS: JSON.stringify(programs) },
  });
  const answer = await server.post("/v1/chat/completions", {
    model: "hello",
    messages: [{ role: "user", content: "hi" }],
  });
  assert.equal(answer.status, 200, await answer.text());
  const { cage } = await server.json<Pick<SystemInfo, "cage">>("/admin/system");
  assert.equal(cage.active, "landlock");
  assert.match(cage.reason!, /^bubblewrap is not installed\. Install it/);
  assert.match(cage.reason!, /shows the names and sizes of files$/);
  const { pid } = modelProcesses(server.home)[0]!;
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  assert.match(status, /^NoNewPrivs:\t1$/m);
  assert.match(status, /^Seccomp:\t2$/m);
  assert.match(status, /^CapEff:\t0+$/m);
});

Deno.test("landlockWords() gives a file the rights of a file and a folder those of a folder", () => {
  const words = landlockWords(["/opt/llama/llama-server", "-m", "/home/u/a.gguf"], {
    cage: { kind: "landlock", program: "/usr/bin/setpriv", filters: { plain: "/f", gpu: "/g" } },
    view: {
      libraries: ["/opt/llama", "/etc/ld.so.cache", "/gone", "/home/u/libggml-cpu-x64.so"],
      files: [{ path: "/home/u/link.gguf", real: "/home/u/a.gguf" }],
      writable: "/run/s/00",
      gpu: false,
      privateBytes: null,
    },
    isFolder: (path) =>
      path === "/gone" ? null : ["/opt/llama", "/run/s/00", "/home/u"].includes(path),
    uid: 1000,
  });
  const rules = words.filter((word) => word.startsWith("path-beneath:")).slice(0, 5);
  assert.deepEqual(rules, [
    "path-beneath:read-file,read-dir,execute:/opt/llama",
    "path-beneath:read-file,execute:/etc/ld.so.cache",
    "path-beneath:read-file,execute:/home/u/libggml-cpu-x64.so",
    // Backends are found by listing their folder.
    "path-beneath:read-dir:/home/u",
    "path-beneath:read-file:/home/u/a.gguf",
  ]);
  assert.ok(words.includes("path-beneath:read-dir,make-sock,remove-file:/run/s/00"));
  assert.ok(!words.some((word) => word.includes("caps")), "an ordinary user has none to give up");
  assert.deepEqual(words.slice(words.indexOf("--seccomp-filter")), [
    ...["--seccomp-filter", "/f", "--"],
    ...["/opt/llama/llama-server", "-m", "/home/u/a.gguf"],
  ]);
});
