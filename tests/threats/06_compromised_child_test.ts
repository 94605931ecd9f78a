import assert from "node:assert/strict";
import { join } from "node:path";
import { attemptsIn } from "../support/caged_program.ts";
import { assertHolds, assertWorks, DATA_WALLS } from "../support/cage_walls.ts";
import { writeTestModel } from "../../src/models/hello_model.ts";
import { ENDLESS_MODEL } from "../support/gguf_files.ts";
import { modelProcesses } from "../support/model_processes.ts";
import { startServer } from "../support/server_process.ts";
import { threatName } from "./rows.ts";

for (const wall of DATA_WALLS) {
  Deno.test(threatName(6, `it ${wall.what}`), async () => {
    assertHolds(await attemptsIn("bubblewrap"), wall);
  });
}

Deno.test(
  threatName(6, "of a home folder it sees its one model, and nothing of it arrives anywhere"),
  async () => {
    const seen = await attemptsIn("bubblewrap");
    assertWorks(seen);
    assert.equal(seen.outcome("list home"), "done (1)");
    assert.equal(seen.arrived, 0);
  },
);

Deno.test(
  threatName(6, "the files that a real instance can see are the exact set that it needs"),
  async () => {
    await using server = await startServer({
      flags: ["--cage", "require"],
      prepare: async (home) => {
        for (const name of ["one", "two"]) {
          await writeTestModel(join(home, `${name}.gguf`), { ...ENDLESS_MODEL, name });
        }
      },
    });
    const loaded = await server.post("/admin/models/one/load", {});
    assert.equal(loaded.status, 200, await loaded.text());
    const { pid, modelPath } = modelProcesses(server.home)[0]!;
    const mounts = Deno.readTextFileSync(`/proc/${pid}/mountinfo`).trim().split("\n").map(
      (line) => {
        const [, , , , path, options] = line.split(" ");
        return {
          path: path!.replaceAll("\\040", " "),
          writable: options!.split(",").includes("rw"),
        };
      },
    );
    const ours = mounts.filter(({ path }) => !/^\/(?:proc|dev|tmp|$)(?:\/(?!zombie)|$)/.test(path));
    const runtimeOrSystem = /^\/(?:usr|lib|lib64|etc\/(?:ld\.so\.cache|alternatives))(?:\/|$)/;
    const place = join(server.home, "..", "run");
    for (const { path, writable } of ours) {
      const isPlace = path.startsWith(`${place}/`) && path.endsWith("/00");
      assert.equal(writable, isPlace, path);
      const known = isPlace || path === modelPath || runtimeOrSystem.test(path) ||
        path.includes("zombiecoder-test-runtime") || path === "/";
      assert.ok(known, `It sees ${path}`);
    }
    assert.ok(ours.some(({ path }) => path === modelPath));
    assert.ok(!ours.some(({ path }) => path === server.home || path.endsWith("two.gguf")));
    const devices = Deno.readTextFileSync(`/proc/${pid}/net/dev`);
    assert.doesNotMatch(devices, /eth|ens|wl/, "a network of its own has no card");
  },
);
