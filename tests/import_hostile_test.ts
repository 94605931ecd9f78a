// Folders of other programs as a stranger may fill them.

import assert from "node:assert/strict";
import { join } from "node:path";

import fc from "fast-check";

import { BoundedWalk } from "../src/models/bounded_walk.ts";
import { ollamaNameOf, parseOllamaManifest } from "../src/models/import_ollama.ts";
import { searchPlace } from "../src/models/import_search.ts";
import { isModelId } from "../src/models/model_names.ts";
import { hostileName } from "./support/hostile_names.ts";
import { ImportHome } from "./support/import_home.ts";
import { modelBytes } from "./support/model_home.ts";
import { digestOf, put, putHub, putOllama } from "./support/other_programs.ts";
import { tempDir } from "./support/temp_dir.ts";

const MODEL = "application/vnd.ollama.image.model";
const HEX = digestOf("hostile");

function manifestOf(...layers: unknown[]): string {
  return JSON.stringify({ schemaVersion: 2, layers });
}

Deno.test("parseOllamaManifest() takes a checksum that is one, and nothing else", () => {
  for (const digest of [`sha256:${HEX}`, `sha256-${HEX}`]) {
    const manifest = parseOllamaManifest(manifestOf({ mediaType: MODEL, digest }));
    assert.deepEqual(manifest, { models: [HEX], projector: null, hasAdapter: false });
  }
  for (
    const digest of [
      ...["", "sha256:", "sha256:..", `sha256:${"../".repeat(21)}x`, `sha256:${HEX.toUpperCase()}`],
      ...[`sha256:${HEX}0`, `sha256:${HEX.slice(1)}`, `sha1:${HEX}`, HEX, `sha256:${HEX}\n`],
      ...[`sha256:${HEX}/../x`, `/sha256:${HEX}`, 7, null, undefined, [], { toString: HEX }],
    ]
  ) {
    const text = manifestOf({ mediaType: MODEL, digest });
    assert.equal(parseOllamaManifest(text), null, text);
  }
});

Deno.test("parseOllamaManifest() answers whatever it is given", () => {
  const texts = [
    ...["", "null", "7", "[]", "{}", '{"layers":7}', '{"layers":[null,7,"x",[]]}', "{", "\0"],
    ...["[".repeat(500_000), `{"layers":${"[".repeat(200_000)}${"]".repeat(200_000)}}`],
    manifestOf(...Array.from({ length: 1_001 }, () => ({ mediaType: MODEL, digest: HEX }))),
    '{"layers":[{"__proto__":{"mediaType":"x"}}]}',
  ];
  for (const text of texts) assert.equal(parseOllamaManifest(text), null, text.slice(0, 40));
  fc.assert(fc.property(fc.json(), (text) => {
    assert.equal(parseOllamaManifest(text), null);
  }));
  const digest = fc.oneof(fc.string(), fc.constant(`sha256:${HEX}`), fc.jsonValue());
  const layer = fc.record({ mediaType: fc.constantFrom(MODEL, "x"), digest }, { requiredKeys: [] });
  fc.assert(fc.property(fc.array(layer), (layers) => {
    for (const hex of parseOllamaManifest(manifestOf(...layers))?.models ?? []) {
      assert.match(hex, /^[0-9a-f]{64}$/);
    }
  }));
});

Deno.test("ollamaNameOf() makes IDs that can be asked for, of 300 hostile names as well", () => {
  for (const name of fc.sample(hostileName(), 300)) {
    for (const segments of [["hf.co", "o", name, "t"], ["registry.ollama.ai", name, "m", name]]) {
      const named = ollamaNameOf(segments);
      if (named === null) continue;
      assert.ok(isModelId(named.id), JSON.stringify(name));
      assert.doesNotMatch(named.owner, /[/\\:]/);
    }
  }
  assert.equal(ollamaNameOf(["a", "b", "c"]), null);
  assert.equal(ollamaNameOf(["a", "b", "c", "d", "e"]), null);
});

Deno.test("Imports.list() passes over manifests and blobs that are not what they should be", async () => {
  await using home = new ImportHome();
  const root = home.place("ollama");
  const secret = put(join(home.models.root, "secret"), modelBytes());
  const library = join(root, "manifests/registry.ollama.ai/library");
  const model = manifestOf({ mediaType: MODEL, digest: `sha256:${HEX}` });
  putOllama(root, "registry.ollama.ai/library/good/latest");
  // Its blob is a link out.
  put(join(library, "stolen/latest"), model);
  Deno.symlinkSync(secret, join(root, "blobs", `sha256-${HEX}`));
  put(join(library, "huge/latest"), model.padEnd(2_000_000));
  put(join(library, "deep/latest"), "[".repeat(900_000));
  put(join(library, "up/latest"), manifestOf({ mediaType: MODEL, digest: "sha256:../../secret" }));
  put(
    join(library, "absent/latest"),
    manifestOf({ mediaType: MODEL, digest: `sha256:${digestOf("no")}` }),
  );
  put(join(library, "a/b/c/d/latest"), model);
  Deno.mkdirSync(join(library, "folder/latest"), { recursive: true });
  Deno.mkdirSync(join(library, "linked"));
  put(join(home.models.root, "manifest"), model);
  Deno.symlinkSync(join(home.models.root, "manifest"), join(library, "linked/latest"));
  Deno.symlinkSync(library, join(root, "manifests/registry.ollama.ai/loop"));
  const folder = digestOf("folder");
  Deno.mkdirSync(join(root, "blobs", `sha256-${folder}`));
  put(join(library, "dir/latest"), manifestOf({ mediaType: MODEL, digest: `sha256:${folder}` }));
  // To open a pipe would wait for its writer.
  const pipe = digestOf("pipe");
  const made = new Deno.Command("mkfifo", {
    args: [join(root, "blobs", `sha256-${pipe}`), join(library, "pipe")],
  }).outputSync();
  assert.equal(made.code, 0);
  put(join(library, "piped/latest"), manifestOf({ mediaType: MODEL, digest: `sha256:${pipe}` }));
  await home.open();
  assert.deepEqual(await home.listed(), ["ollama good:latest -> good"]);
  const { places } = await home.imports.list();
  assert.match(places[0]!.error?.message ?? "", /a link to a model leads out of it/);
});

Deno.test("Imports.list() and register() write nothing anywhere, with 300 hostile names in all places", async () => {
  await using home = new ImportHome();
  const [ollama, hub] = [home.place("ollama"), home.place("huggingface")];
  const [studio, cache] = [home.place("lm_studio"), home.place("llama_cpp")];
  const blob = putOllama(ollama, "registry.ollama.ai/library/good/latest");
  putHub(hub, "org/good", "good-Q8.gguf");
  const manifest = Deno.readTextFileSync(
    join(ollama, "manifests/registry.ollama.ai/library/good/latest"),
  );
  let made = 0;
  for (const name of fc.sample(hostileName(), 300)) {
    // What the system takes as one name; all others cannot lie there.
    if (/[/\0]/.test(name) || ["", ".", ".."].includes(name) || !name.isWellFormed()) continue;
    try {
      put(join(ollama, "manifests/hf.co/org", `m${made}`, name), manifest);
      put(join(hub, `models--org--m${made}`, "snapshots", name, `${name}.gguf`), modelBytes());
      put(join(studio, name, name, `${name}.gguf`), modelBytes());
      put(join(cache, `${name}.gguf`), modelBytes());
      put(
        join(cache, `${name}.gguf.json`),
        JSON.stringify({ url: `https://hf.co/${name}/x/resolve/${name}` }),
      );
      made++;
    } catch (error) {
      if (!/name too long|os error 36/i.test(String(error))) throw error;
    }
  }
  assert.ok(made > 50, `${made} names`);
  await home.open();
  const before = home.models.files();
  const { candidates } = await home.imports.list();
  for (const { id, found } of candidates) {
    assert.ok(isModelId(id), JSON.stringify(id));
    for (const part of found.parts) assert.ok(part.realPath.startsWith(home.models.root));
  }
  const ids = candidates.map(({ id }) => id.toLowerCase());
  assert.equal(new Set(ids).size, ids.length);
  const paths = candidates.map(({ found }) => found.parts[0]!.path);
  assert.ok(paths.includes(blob));
  const some = paths.filter((_, index) => index % 5 === 0);
  await home.imports.register(some);
  assert.equal(home.models.ids().length, some.length);
  for (const id of home.models.ids()) await home.library.deleteModel(id);
  assert.deepEqual(home.models.ids(), []);
  assert.deepEqual(home.models.files(), before);
});

Deno.test("A record of an import that somebody else wrote offers and deletes nothing outside of the places", async () => {
  await using home = new ImportHome();
  home.place("drive");
  const own = home.models.write("home/own.gguf");
  const beside = put(join(home.models.root, "beside.gguf"), modelBytes());
  const inside = put(join(home.models.root, "drive/inside.gguf"), modelBytes());
  Deno.symlinkSync(beside, join(home.models.root, "drive/link.gguf"));
  const { imports } = home.models.registry;
  const paths = [
    ...[beside, "/etc/passwd", "", "relative.gguf", join(home.models.root, "drive/link.gguf")],
    ...[`${home.models.root}/drive/../beside.gguf`, join(home.models.root, "drive")],
    ...[`${home.models.root}/drive/a\0b`, own],
  ];
  paths.forEach((path, index) =>
    imports.put({
      ...{ modelId: `m${index}`, program: "drive", name: "x", parts: [path] },
      ...{ mmprojPath: null, repo: null },
    })
  );
  imports.put({
    ...{ modelId: "projector", program: "drive", name: "x", parts: [inside] },
    ...{ mmprojPath: beside, repo: null },
  });
  await home.open();
  const before = home.models.files();
  for (const model of home.library.list()) {
    if (model.id === "own") continue;
    assert.ok(model.isMissing, model.id);
    await assert.rejects(() => home.library.present(model), { code: "model_missing", status: 409 });
    await home.library.deleteModel(model.id);
  }
  assert.deepEqual(home.models.ids(), ["own"]);
  assert.deepEqual(home.models.files(), before);
  assert.deepEqual(home.models.registry.imports.list(), []);
});

Deno.test("searchPlace() sees 10,000 entries in under two seconds, and stops after 20,000 with a word", async () => {
  await using dir = await tempDir();
  function fill(from: number, to: number) {
    for (let n = from; n < to; n++) {
      const folder = join(dir.path, `f${n}`);
      Deno.mkdirSync(folder);
      for (let m = 0; m < 99; m++) Deno.createSync(join(folder, `${m}.txt`)).close();
      Deno.renameSync(join(folder, "0.txt"), join(folder, `m${n}.gguf`));
    }
  }
  fill(0, 100);
  const root = { program: "drive", path: dir.path };
  const startedMs = performance.now();
  const whole = await searchPlace(root);
  const tookMs = performance.now() - startedMs;
  assert.equal(whole.found.length, 100);
  assert.equal(whole.error, null);
  assert.ok(tookMs < 2_000, `${tookMs} ms`);
  fill(100, 220);
  const part = await searchPlace(root);
  assert.match(
    part.error?.message ?? "",
    /^Cannot look through all of .+ too much in it.+--models-dir$/,
  );
  assert.ok(part.found.length >= 190 && part.found.length < 220, String(part.found.length));
});

Deno.test("searchPlace() ends when its time is over, and says so", async () => {
  await using dir = await tempDir();
  for (let n = 0; n < 2_000; n++) {
    Deno.mkdirSync(join(dir.path, `a${n % 50}/b${n}`), { recursive: true });
  }
  const startedMs = performance.now();
  const { error } = await searchPlace({ program: "drive", path: dir.path }, { timeMs: 20 });
  assert.ok(performance.now() - startedMs < 1_000);
  assert.equal(error?.values["reason"], "too_slow");
});

Deno.test("searchPlace() tells a place that cannot be read from one that is not there", async () => {
  await using dir = await tempDir();
  const loop = join(dir.path, "loop");
  Deno.symlinkSync("loop", loop);
  const swapped = join(dir.path, "swapped");
  Deno.symlinkSync(join(dir.path, "elsewhere"), swapped);
  put(join(dir.path, "elsewhere/x.gguf"), modelBytes());
  const of = (path: string) => searchPlace({ program: "drive", path });
  assert.equal((await of(join(dir.path, "none"))).error, null);
  assert.match((await of(join(loop, "x"))).error?.message ?? "", /^Cannot look into .+sudo chmod/);
  const link = await of(swapped);
  assert.deepEqual([link.found, link.error?.values["reason"]], [[], "link"]);
});

Deno.test("BoundedWalk.text() reads a small regular file and nothing else", async () => {
  await using dir = await tempDir();
  const at = (name: string) => join(dir.path, name);
  put(at("small"), "text");
  put(at("large"), "x".repeat(1024 ** 2 + 1));
  put(at("most"), "x".repeat(1024 ** 2));
  Deno.symlinkSync(at("small"), at("link"));
  const walk = new BoundedWalk({ root: dir.path });
  assert.equal(await walk.text(at("small")), "text");
  assert.equal((await walk.text(at("most")))?.length, 1024 ** 2);
  for (const name of ["large", "link", "none", "."]) assert.equal(await walk.text(at(name)), null);
  assert.equal(walk.error, null);
});
