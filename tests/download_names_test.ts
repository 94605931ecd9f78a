import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { checkNames, checkWanted, freeId } from "../src/models/download_names.ts";
import { failure } from "./support/failure.ts";
import { HOSTILE_NAMES, hostileName } from "./support/hostile_names.ts";
import { tempDir } from "./support/temp_dir.ts";

const WANTED = { repo: "org/name", revision: "main", file: "a/model-Q4_K_M.gguf" };

Deno.test("checkWanted() lets the Hub's own names pass", () => {
  const table = [
    WANTED,
    { ...WANTED, repo: "TheBloke/Llama-2-7B_v1.1" },
    { ...WANTED, revision: "refs/pr/12" },
    { ...WANTED, revision: "5a1b2c3d4e5f60718293a4b5c6d7e8f901234567" },
    { ...WANTED, file: "UD-Q4_K_XL/Some Model (v2)-00001-of-00003.gguf" },
    { ...WANTED, file: "বাংলা মডেল.gguf" },
  ];
  for (const wanted of table) checkWanted(wanted);
});

Deno.test("checkWanted() refuses what could lead anywhere else", () => {
  const repos = [
    "",
    "name",
    "a/b/c",
    "../x",
    "a/..",
    "a/.b",
    "-a/b",
    "a/b?x",
    "a/b#c",
    "a b/c",
    "a/b\n",
  ];
  for (const repo of repos) {
    assert.equal(failure(() => checkWanted({ ...WANTED, repo })).param, "repo", repo);
  }
  for (const revision of ["", "..", "a/../b", "-x", "a b", "a?b", "a#b", "a%2fb"]) {
    assert.equal(failure(() => checkWanted({ ...WANTED, revision })).param, "revision", revision);
  }
  for (const name of HOSTILE_NAMES) {
    const refused = failure(() => checkWanted({ ...WANTED, file: name }));
    assert.equal(refused.status, 400, name);
  }
  for (
    const file of ["a/../model.gguf", "../model.gguf", "/model.gguf", "a//model.gguf", "a\\b.gguf"]
  ) {
    assert.equal(failure(() => checkWanted({ ...WANTED, file })).status, 400, file);
  }
});

Deno.test("checkNames() refuses names that no file here may have, and one name twice", () => {
  for (const name of HOSTILE_NAMES) {
    assert.equal(failure(() => checkNames([`x/${name}`])).code, "file_name_refused", name);
  }
  assert.equal(failure(() => checkNames([])).code, "file_name_refused");
  assert.equal(failure(() => checkNames(["a/m.gguf", "b/m.gguf"])).code, "file_name_refused");
  checkNames(["a/m.gguf", "b/mmproj-m.gguf"]);
});

Deno.test("A name that passes checkNames() lies directly in its folder", async () => {
  await using dir = await tempDir();
  fc.assert(fc.property(hostileName(), (name) => {
    try {
      checkNames([`${name}.gguf`]);
    } catch {
      return;
    }
    const files = [{ name: `${name}.gguf` }];
    const id = freeId({ home: dir.path, repo: "org/name", files, isTaken: () => false });
    assert.equal(join(dir.path, id), `${dir.path}/${id}`);
    assert.ok(!/[/\\:\0]/.test(id) && !id.startsWith(".") && id !== "");
  }));
});

Deno.test("freeId() takes the owner's name along where the name is taken, then a number", async () => {
  await using dir = await tempDir();
  const files = [{ name: "q4/model.gguf" }];
  const free = (taken: string[] = []) =>
    freeId({ home: dir.path, repo: "Org/name", files, isTaken: (id) => taken.includes(id) });
  assert.equal(free(), "model");
  assert.equal(free(["model"]), "model--Org");
  assert.equal(free(["model", "model--Org"]), "model--Org-2");
  // Whatever lies there, a scan may not have seen it yet.
  Deno.writeTextFileSync(join(dir.path, "model.gguf"), "");
  assert.equal(free(), "model--Org");
  Deno.mkdirSync(join(dir.path, "model--Org"));
  assert.equal(free(), "model--Org-2");
});

Deno.test("freeId() never gives a model the name of a folder of ours", async () => {
  await using dir = await tempDir();
  for (const name of ["downloads", "logs", "run", "builtin", "Run"]) {
    const files = [{ name: `${name}-00001-of-00002.gguf` }];
    const id = freeId({ home: dir.path, repo: "org/name", files, isTaken: () => false });
    assert.equal(id, `${name}--org`);
  }
});
