import assert from "node:assert/strict";
import { join, sep } from "node:path";

import fc from "fast-check";

import { AppError } from "../src/errors.ts";
import { hasLink, isInside, safeJoin } from "../src/models/safe_join.ts";
import { fileTree } from "./support/file_tree.ts";
import { HOSTILE_NAMES, hostileName } from "./support/hostile_names.ts";

function refuses(root: string, name: string): void {
  assert.throws(
    () => safeJoin(root, name),
    (error) => error instanceof AppError && error.code === "invalid_request",
    JSON.stringify(name),
  );
}

Deno.test("safeJoin() takes the names that model files have", async () => {
  await using home = await fileTree();
  const names = [
    "Phi-3-mini-4k-instruct-q4.gguf",
    "org/repo/model-00001-of-00003.gguf",
    "Meta Llama (v1.1) @Q4_K=x+y.gguf",
    "বাংলা-মডেল.gguf",
    "র\u200D্যাম.gguf",
    "e\u0301te\u0301.gguf",
    "모델.gguf",
    "a/b/c/d",
  ];
  for (const name of names) {
    assert.equal(safeJoin(home.root, name), join(home.root, ...name.split("/")));
  }
});

Deno.test("safeJoin() refuses every hostile name in the list", async () => {
  await using home = await fileTree();
  for (const name of HOSTILE_NAMES) refuses(home.root, name);
});

Deno.test("safeJoin() never leads outside, whatever the name", async () => {
  await using home = await fileTree();
  let refused = 0;
  fc.assert(
    fc.property(hostileName(), (name) => {
      let path: string;
      try {
        path = safeJoin(home.root, name);
      } catch (error) {
        assert.ok(error instanceof AppError && error.code === "invalid_request");
        refused++;
        return;
      }
      assert.ok(path.startsWith(home.root + sep), path);
      assert.ok(!path.split(sep).includes(".."), path);
      assert.doesNotMatch(path, /\p{Cc}/u);
    }),
    { numRuns: 1_000 },
  );
  assert.ok(refused >= 300, `only ${refused} of 1,000 names were refused`);
});

Deno.test("safeJoin() refuses links anywhere on the way", async () => {
  await using home = await fileTree({ "in/file.gguf": "x" });
  await using outside = await fileTree({ "file.gguf": "secret" });
  const root = join(home.root, "in");
  await Deno.symlink(join(outside.root, "file.gguf"), join(root, "link.gguf"));
  await Deno.symlink(outside.root, join(root, "folder"));
  await Deno.symlink(join(outside.root, "none"), join(root, "dangling.gguf"));
  await Deno.symlink(join(root, "file.gguf"), join(root, "to_itself.gguf"));
  assert.equal(safeJoin(root, "file.gguf"), join(root, "file.gguf"));
  for (const name of ["link.gguf", "folder/file.gguf", "folder/new", "dangling.gguf"]) {
    refuses(root, name);
  }
  refuses(root, "to_itself.gguf");
  assert.equal(hasLink(root, root), false);
});

Deno.test("safeJoin() answers the same for what exists outside and what does not", async () => {
  await using home = await fileTree({ "in/x": "" });
  await using outside = await fileTree({ "there": "secret" });
  const root = join(home.root, "in");
  await Deno.symlink(join(outside.root, "there"), join(root, "a"));
  await Deno.symlink(join(outside.root, "gone"), join(root, "b"));
  const messages = ["../x", "../y", "a", "b", "x/../x"].map((name) => {
    try {
      safeJoin(root, name);
    } catch (error) {
      return (error as AppError).message.replace(JSON.stringify(name), "NAME");
    }
  });
  assert.equal(new Set(messages).size, 1);
  assert.match(messages[0] ?? "", /^Cannot use NAME as a file name\. Use letters/);
});

Deno.test("isInside() goes by whole components", () => {
  const root = join(sep, "home", "models");
  assert.equal(isInside(root, join(root, "a")), true);
  assert.equal(isInside(root, join(root, "..a")), true);
  assert.equal(isInside(root, root), false);
  assert.equal(isInside(root, `${root}-other`), false);
  assert.equal(isInside(root, join(root, "..", "other")), false);
  assert.equal(isInside(root, sep), false);
});
