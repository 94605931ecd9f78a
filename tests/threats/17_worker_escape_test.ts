// Our own server taken over, as the code that would like to leave its Worker. A Worker is no wall against
// a busy loop or a full heap: there the whole process goes, with everything that it had started.

import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { join } from "node:path";
import { HELLO_SENTENCE } from "../../src/models/hello_model.ts";
import { crash, CRASHING } from "../support/crashes.ts";
import { instancesWith } from "../support/instance_processes.ts";
import { isAlive } from "../support/model_processes.ts";
import { generate } from "../support/moments.ts";
import { attempt, REFUSALS, startFlags } from "../support/scope_attempted.ts";
import { startServer } from "../support/server_process.ts";
import { tempDir } from "../support/temp_dir.ts";
import { threatName } from "./rows.ts";

Deno.test(
  threatName(
    17,
    "whatever it imports is refused, from the disk, the network and npm, also by a Worker of its own",
  ),
  async () => {
    const { escapes, seen, files } = await attempt("scope", startFlags());
    for (
      const name of [
        ...["import a file", "import JSON", "require", "import from loopback"],
        ...["import from the net", "import from JSR", "import from npm"],
        ...["import a file from a Worker", "import JSON statically in a Worker"],
        ...["import a module statically in a Worker", "start what we wrote as a Worker"],
        ...["start a Worker with more rights", "start a Worker with our rights"],
        ...["start a Worker by node", "be granted more"],
      ]
    ) {
      ok(
        REFUSALS.some((refusal) => refusal.test(escapes[name] ?? "")),
        `${name}: ${escapes[name]}`,
      );
    }
    deepEqual(seen, []);
    equal(files["secret.json"], '{"secret":1}');
  },
);

Deno.test(
  threatName(17, "an endless loop ends the program with code 1, and its processes with it"),
  async () => {
    await using server = await startServer({ entry: CRASHING });
    await generate(server);
    const sockets = join(server.home, "..", "run");
    const pids = instancesWith(sockets);
    ok(pids.length >= 1);
    const startedMs = performance.now();
    crash(server, "hang");
    const { code } = await server.status;
    const endMs = performance.now() - startedMs;
    equal(code, 1);
    // What it said last may be some seconds old when it begins to hang.
    ok(endMs > 2_000 && endMs < 30_000, `${Math.round(endMs)} ms`);
    match(server.stderr, /^The server showed no life for 6 seconds$/m);
    deepEqual(pids.filter(isAlive), []);
    deepEqual(instancesWith(sockets), []);
  },
);

Deno.test(
  threatName(
    17,
    "a heap without end ends the process, no child outlives it, and the next start is clean",
  ),
  async () => {
    await using dir = await tempDir();
    const home = join(dir.path, "home");
    const runs = join(dir.path, "run");
    Deno.mkdirSync(runs);
    {
      await using server = await startServer({
        home,
        entry: CRASHING,
        // The same end, sooner: of the system's memory V8 would take some GB.
        permissions: ["-A", "--v8-flags=--max-old-space-size=128"],
        env: { XDG_RUNTIME_DIR: runs },
      });
      await generate(server);
      const pids = instancesWith(runs);
      ok(pids.length >= 1);
      crash(server, "grow");
      const { code, signal } = await server.status;
      notEqual(code, 0, `${signal}`);
      // V8 tries hard before it gives up: on a busy machine the host's watch may be first.
      match(server.stderr, /heap out of memory|heap limit|^The server showed no life/im);
      // The kernel's signal to those that are tied to us may take a moment.
      const endMs = performance.now() + 5_000;
      while (pids.some(isAlive) && performance.now() < endMs) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      deepEqual(pids.filter(isAlive), []);
    }
    await using server = await startServer({ home, env: { XDG_RUNTIME_DIR: runs } });
    const answer = await server.post("/generate", { model_id: "hello", prompt: "hi" });
    equal((await answer.json()).response, HELLO_SENTENCE);
    equal(instancesWith(runs).length >= 1, true);
  },
);
