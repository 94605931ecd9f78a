import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { checkModelPaths } from "../src/host/model_paths.ts";
import { failure } from "./support/failure.ts";
import { hostileName } from "./support/hostile_names.ts";
import { launchSpec } from "./support/launch_specs.ts";
import { tempDir } from "./support/temp_dir.ts";

async function folders() {
  const dir = await tempDir();
  const at = (name: string) => join(dir.path, name);
  for (const name of ["home", "home/split", "extra", "homeless", "outside"]) {
    Deno.mkdirSync(at(name));
  }
  for (
    const name of [
      ...["home/a.gguf", "home/split/b.gguf", "extra/c.gguf", "homeless/d.gguf"],
      "outside/secret.gguf",
    ]
  ) {
    Deno.writeTextFileSync(at(name), "GGUF and so on");
  }
  Deno.symlinkSync(at("outside/secret.gguf"), at("home/link.gguf"));
  Deno.symlinkSync(at("outside"), at("home/folder"));
  Deno.symlinkSync(at("home/nowhere"), at("home/dangling.gguf"));
  Deno.symlinkSync("loop.gguf", at("home/loop.gguf"));
  Deno.symlinkSync(at("extra/c.gguf"), at("home/inside.gguf"));
  Deno.symlinkSync(at("home"), at("linked-home"));
  return { at, [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() };
}

Deno.test("checkModelPaths() takes files in the folders, also by a link from one to another", async () => {
  await using dir = await folders();
  const roots = [dir.at("home"), dir.at("extra")];
  for (const name of ["home/a.gguf", "home/split/b.gguf", "extra/c.gguf", "home/inside.gguf"]) {
    checkModelPaths(launchSpec({ modelPath: dir.at(name) }), roots);
  }
  checkModelPaths(
    launchSpec({
      modelPath: dir.at("home/a.gguf"),
      mmprojPath: dir.at("home/split/b.gguf"),
      draftModelPath: dir.at("extra/c.gguf"),
      loraPaths: [dir.at("home/a.gguf"), dir.at("extra/c.gguf")],
    }),
    roots,
  );
  // The folder itself may be a link: the user named it so.
  checkModelPaths(launchSpec({ modelPath: dir.at("home/a.gguf") }), [dir.at("linked-home")]);
  checkModelPaths(launchSpec({ modelPath: dir.at("linked-home/a.gguf") }), [dir.at("home")]);
});

Deno.test("checkModelPaths() refuses what lies or leads outside, with the same words as what is not there", async () => {
  await using dir = await folders();
  const roots = [dir.at("home"), dir.at("extra"), dir.at("absent")];
  const paths = [
    ...["outside/secret.gguf", "homeless/d.gguf", "home/link.gguf", "home/folder/secret.gguf"],
    ...["home/dangling.gguf", "home/loop.gguf", "home/absent.gguf", "home", "home/split", "extra/"],
    ...["home/a.gguf/x", "home/../outside/secret.gguf"],
  ].map((name) => `${dir.at("")}/${name}`);
  paths.push("/etc/passwd", "/dev/zero", "/proc/self/mem", "", ".", "a.gguf", "/", "a\0b");
  const good = dir.at("home/a.gguf");
  for (const path of paths) {
    for (
      const change of [
        { modelPath: path },
        { modelPath: good, mmprojPath: path },
        { modelPath: good, draftModelPath: path },
        { modelPath: good, loraPaths: [good, path] },
      ]
    ) {
      const error = failure(() => checkModelPaths(launchSpec(change), roots));
      assert.equal(error.code, "invalid_request");
      assert.equal(
        error.message,
        `Cannot load "${path}": it is not a model file in the models folders. Put it there or add its ` +
          "folder with --models-dir",
      );
    }
  }
});

Deno.test("checkModelPaths() refuses every hostile name in the home", async () => {
  await using dir = await folders();
  const home = dir.at("home");
  const known = new Set(["a.gguf", "split/b.gguf", "inside.gguf"]);
  fc.assert(fc.property(hostileName(), (name) => {
    const modelPath = `${home}/${name}`;
    if (known.has(name)) return;
    failure(() => checkModelPaths(launchSpec({ modelPath }), [home]));
  }));
});

Deno.test("checkModelPaths() takes no file beside the models that is none, where a user names it", async () => {
  await using dir = await folders();
  const roots = [dir.at("home")];
  const modelPath = dir.at("home/a.gguf");
  for (const [name, text] of [["registry.db", "SQLite format 3"], ["b.gguf", "GGU"], ["c", ""]]) {
    const path = dir.at(`home/${name}`);
    Deno.writeTextFileSync(path, text!);
    failure(() => checkModelPaths(launchSpec({ modelPath, loraPaths: [path] }), roots));
    failure(() => checkModelPaths(launchSpec({ modelPath, draftModelPath: path }), roots));
    // A broken model is for its own load to tell.
    checkModelPaths(launchSpec({ modelPath: path }), roots);
  }
});
