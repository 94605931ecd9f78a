import assert from "node:assert/strict";
import { join } from "node:path";

import { type DeletableModel, deleteModelFiles } from "../src/models/model_deletion.ts";
import { HOSTILE_NAMES } from "./support/hostile_names.ts";
import { ModelHome, partBytes } from "./support/model_home.ts";
import { put } from "./support/other_programs.ts";

function modelAt(paths: string[], more: Partial<DeletableModel> = {}): DeletableModel {
  return { id: "m", parts: paths, mmprojPath: null, source: "home", ...more };
}

Deno.test("deleteModelFiles() leaves everything where a folder was swapped for a link meanwhile", async () => {
  await using home = new ModelHome();
  const part = (no: number) => `big-0000${no}-of-00002.gguf`;
  for (const no of [1, 2]) {
    home.write(`home/big/${part(no)}`, partBytes(no - 1, 2));
    home.write(`outside/${part(no)}`, partBytes(no - 1, 2));
  }
  const library = await home.openWhole();
  Deno.renameSync(join(home.home, "big"), join(home.root, "moved"));
  Deno.symlinkSync(join(home.root, "outside"), join(home.home, "big"));
  const before = home.files();
  await assert.rejects(
    () => library.deleteModel("big"),
    { code: "invalid_request", message: /leads out of the models folder$/ },
  );
  assert.deepEqual(home.files(), before);
});

Deno.test("deleteModelFiles() takes one name of a file, and a link itself, never what they are elsewhere", async () => {
  await using home = new ModelHome();
  const own = home.write("home/own.gguf");
  const kept = join(home.root, "kept.gguf");
  Deno.linkSync(own, kept);
  const library = await home.openWhole();
  await library.deleteModel("own");
  assert.deepEqual(home.files(), ["kept.gguf"]);
  const target = home.write("extra/target.gguf");
  const link = join(home.home, "link.gguf");
  Deno.symlinkSync(target, link);
  await deleteModelFiles(modelAt([link]), { home: home.home, others: [] });
  assert.deepEqual(home.files(), ["extra/target.gguf", "kept.gguf"]);
});

Deno.test("deleteModelFiles() removes no folder that took a file's place", async () => {
  await using home = new ModelHome();
  const path = join(home.home, "x.gguf");
  Deno.mkdirSync(path);
  put(join(path, "inside"), "x");
  await deleteModelFiles(modelAt([path]), { home: home.home, others: [] });
  Deno.removeSync(join(path, "inside"));
  await deleteModelFiles(modelAt([path]), { home: home.home, others: [] });
  assert.ok(Deno.statSync(path).isDirectory);
});

Deno.test("deleteModelFiles() removes nothing by a path outside of the home, in whatever words", async () => {
  await using home = new ModelHome();
  const outside = home.write("outside/victim.gguf");
  home.write("home-more/victim.gguf");
  home.write("home/sound.gguf");
  Deno.symlinkSync(join(home.root, "outside"), join(home.home, "linked"));
  const before = home.files();
  const paths = [
    ...[outside, `${home.home}/../outside/victim.gguf`, `${home.home}/linked/victim.gguf`],
    ...[`${home.root}/home-more/victim.gguf`, home.home, `${home.home}/`, home.root, "/", ""],
    ...["victim.gguf", "../outside/victim.gguf", `${home.home}/x/../../outside/victim.gguf`],
  ];
  for (const path of paths) {
    for (
      const model of [
        modelAt([path]),
        modelAt([join(home.home, "sound.gguf"), path]),
        modelAt([join(home.home, "linked-no/x.gguf")], { mmprojPath: path }),
      ]
    ) {
      await assert.rejects(
        () => deleteModelFiles(model, { home: home.home, others: [] }),
        { code: "invalid_request" },
        path,
      );
    }
  }
  assert.deepEqual(home.files(), before);
});

Deno.test("deleteModelFiles() removes nothing outside by any hostile name", async () => {
  await using home = new ModelHome();
  home.write("x/x.gguf");
  home.write("outside/passwd");
  const before = home.files();
  for (const name of HOSTILE_NAMES) {
    const model = modelAt([`${home.home}/${name}`], { mmprojPath: `${home.home}/${name}/x.gguf` });
    await deleteModelFiles(model, { home: home.home, others: [] }).catch(() => {});
    assert.deepEqual(home.files(), before, JSON.stringify(name));
  }
});
