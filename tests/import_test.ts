import assert from "node:assert/strict";
import { join } from "node:path";

import { AppError } from "../src/errors.ts";
import { ggufFile } from "./support/gguf_files.ts";
import { ImportHome } from "./support/import_home.ts";
import { modelBytes, partBytes } from "./support/model_home.ts";
import { digestOf, put, putHub, putOllama } from "./support/other_programs.ts";

const PROJECTOR = ggufFile({ "general.architecture": { string: "clip" } });

Deno.test("Imports.list() finds what Ollama keeps, with names as people type them", async () => {
  await using home = new ImportHome();
  const root = home.place("ollama");
  putOllama(root, "registry.ollama.ai/library/llama3.2/3b");
  putOllama(root, "registry.ollama.ai/library/qwen3/latest");
  putOllama(root, "registry.ollama.ai/someone/tiny/latest", { sign: ":" });
  putOllama(root, "hf.co/bartowski/Phi-4-GGUF/Q4_K_M", { others: ["template", "params"] });
  putOllama(root, "registry.ollama.ai/library/llava/7b", { projector: PROJECTOR });
  await home.open();
  assert.deepEqual((await home.listed()).sort(), [
    "ollama hf.co/bartowski/Phi-4-GGUF:Q4_K_M -> Phi-4-Q4_K_M",
    "ollama llama3.2:3b -> llama3.2-3b",
    "ollama llava:7b -> llava-7b",
    "ollama qwen3:latest -> qwen3",
    "ollama someone/tiny:latest -> tiny",
  ]);
  const { candidates, places } = await home.imports.list();
  const llava = candidates.find(({ id }) => id === "llava-7b")!;
  assert.ok(llava.found.projector?.path.startsWith(join(root, "blobs", "sha256-")));
  assert.ok(llava.facts?.capabilities.includes("vision"));
  assert.equal(
    candidates.find(({ id }) => id.startsWith("Phi"))?.found.repo,
    "bartowski/Phi-4-GGUF",
  );
  assert.deepEqual(places.map(({ root, found, error }) => [root.program, found.length, error]), [
    ["ollama", 5, null],
  ]);
});

Deno.test("Imports.list() finds files of LM Studio, Jan, GPT4All, llama.cpp and a drive by their places", async () => {
  await using home = new ImportHome();
  const studio = home.place("lm_studio");
  put(join(studio, "unsloth/gemma-GGUF/gemma-Q4.gguf"), modelBytes());
  put(join(studio, "unsloth/gemma-GGUF/mmproj-F16.gguf"), PROJECTOR);
  put(join(studio, "imported-models/uncategorized/own.gguf"), modelBytes());
  const jan = home.place("jan");
  put(join(jan, "Menlo/Jan-nano/model.gguf"), modelBytes());
  put(join(jan, "Menlo/Jan-nano/model.yml"), "name: Jan nano");
  put(join(home.place("gpt4all"), "Nous-Hermes.gguf"), modelBytes());
  const cache = home.place("llama_cpp");
  put(join(cache, "ggml-org_tiny_x_tiny-Q8_0.gguf"), modelBytes());
  put(
    join(cache, "ggml-org_tiny_x_tiny-Q8_0.gguf.json"),
    JSON.stringify({ url: "https://huggingface.co/ggml-org/tiny_x/resolve/main/tiny-Q8_0.gguf" }),
  );
  put(join(cache, "bartowski_Phi-4-GGUF_Phi-4-Q4_K_M.gguf"), modelBytes());
  put(join(cache, "bartowski_Phi-4-GGUF_Phi-4-Q5_K_M.gguf.downloadInProgress"), modelBytes());
  const drive = home.place("drive");
  put(join(drive, "STICK/models/big-00001-of-00002.gguf"), partBytes(0, 2));
  put(join(drive, "STICK/models/big-00002-of-00002.gguf"), partBytes(1, 2));
  put(join(drive, "STICK/models/._big-00001-of-00002.gguf"), "Mac");
  put(join(drive, "STICK/imatrix.gguf"), modelBytes());
  put(join(drive, "STICK/.Trash/old.gguf"), modelBytes());
  await home.open();
  assert.deepEqual(await home.listed(), [
    "lm_studio imported-models/uncategorized/own.gguf -> own",
    "lm_studio unsloth/gemma-GGUF/gemma-Q4.gguf -> gemma-Q4",
    "jan Menlo/Jan-nano -> Jan-nano",
    "gpt4all Nous-Hermes.gguf -> Nous-Hermes",
    "llama_cpp bartowski/Phi-4-GGUF/Phi-4-Q4_K_M -> Phi-4-Q4_K_M",
    "llama_cpp ggml-org/tiny_x/tiny-Q8_0.gguf -> tiny-Q8_0",
    "drive STICK/models/big-00001-of-00002.gguf -> big",
  ]);
  const { candidates } = await home.imports.list();
  const by = (id: string) => candidates.find((each) => each.id === id)!;
  assert.equal(by("gemma-Q4").found.repo, "unsloth/gemma-GGUF");
  assert.ok(by("gemma-Q4").found.projector !== null);
  assert.equal(by("own").found.repo, null);
  assert.equal(by("tiny-Q8_0").found.repo, "ggml-org/tiny_x");
  assert.equal(by("big").found.parts.length, 2);
});

Deno.test("Imports.list() follows the links of the Hub's cache, names a file once, and by its newest snapshot", async () => {
  await using home = new ImportHome();
  const root = home.place("huggingface");
  const [old, main] = ["a".repeat(40), "b".repeat(40)];
  putHub(root, "unsloth/Qwen3-GGUF", "Qwen3-Q4_K_M.gguf", { commit: old, isMain: false });
  Deno.mkdirSync(join(root, "models--unsloth--Qwen3-GGUF/snapshots", main));
  Deno.symlinkSync(
    `../../blobs/${digestOf(`Qwen3-Q4_K_M.gguf${modelBytes().length}`)}`,
    join(root, "models--unsloth--Qwen3-GGUF/snapshots", main, "Qwen3-Q4_K_M.gguf"),
  );
  put(join(root, "models--unsloth--Qwen3-GGUF/refs/main"), main);
  putHub(root, "org/Large-GGUF", "mmproj-F16.gguf", { bytes: PROJECTOR });
  putHub(root, "org/Large-GGUF", "Q8/Large-Q8-00001-of-00002.gguf", { bytes: partBytes(0, 2) });
  putHub(root, "org/Large-GGUF", "Q8/Large-Q8-00002-of-00002.gguf", { bytes: partBytes(1, 2) });
  putHub(root, "org/safetensors", "model.safetensors");
  put(join(root, "datasets--org--data/snapshots/x/data.gguf"), modelBytes());
  put(join(root, ".locks/models--org--lock/x.gguf"), modelBytes());
  await home.open();
  assert.deepEqual(await home.listed(), [
    "huggingface org/Large-GGUF/Q8/Large-Q8-00001-of-00002.gguf -> Large-Q8",
    "huggingface unsloth/Qwen3-GGUF/Qwen3-Q4_K_M.gguf -> Qwen3-Q4_K_M",
  ]);
  const { candidates } = await home.imports.list();
  const [large, qwen] = candidates;
  assert.ok(large!.found.projector !== null);
  assert.equal(large!.error, null);
  assert.ok(qwen!.found.parts[0]!.path.includes(main));
  await home.imports.register(candidates.map(({ found }) => found.parts[0]!.path));
  assert.deepEqual(home.models.ids(), ["Large-Q8", "Qwen3-Q4_K_M"]);
  assert.equal(home.library.resolve("hf.co/unsloth/Qwen3-GGUF").id, "Qwen3-Q4_K_M");
  // As llama.cpp looks for the second part: beside the first, under its name.
  assert.match(
    home.library.get("Large-Q8")!.path,
    /snapshots\/.+\/Q8\/Large-Q8-00001-of-00002\.gguf$/,
  );
});

Deno.test("Imports.register() offers a model in place, and touches nothing there", async () => {
  await using home = new ImportHome();
  const root = home.place("ollama");
  const blob = putOllama(root, "registry.ollama.ai/library/llama3.2/3b");
  await home.open();
  const before = home.models.files();
  const [row] = await home.imports.register([blob]);
  assert.deepEqual([row!.id, row!.imported], ["llama3.2-3b", true]);
  const model = home.library.get("llama3.2-3b")!;
  assert.deepEqual(
    [model.source, model.path, model.isMissing, model.error],
    ["import", blob, false, null],
  );
  assert.deepEqual(home.models.files(), before);
  assert.deepEqual(await home.listed(), ["ollama llama3.2:3b -> llama3.2-3b *"]);
  // Again is harmless; a new start knows it.
  await home.imports.register([blob, blob]);
  assert.equal(home.models.registry.imports.list().length, 1);
  await home.open();
  assert.deepEqual(home.models.ids(), ["llama3.2-3b"]);
  await home.library.deleteModel("llama3.2-3b");
  assert.deepEqual(home.models.ids(), []);
  assert.deepEqual(home.models.files(), before);
  assert.deepEqual(home.models.registry.models(), []);
  assert.deepEqual(await home.listed(), ["ollama llama3.2:3b -> llama3.2-3b"]);
});

Deno.test("Imports.list() gives a second model of one name another one, and skips what the library has", async () => {
  await using home = new ImportHome();
  const ollama = home.place("ollama");
  const studio = home.place("lm_studio");
  home.models.write("home/phi.gguf");
  home.models.write("extra/far.gguf");
  putOllama(ollama, "registry.ollama.ai/library/phi/latest");
  putOllama(ollama, "registry.ollama.ai/library/Far/latest");
  put(join(studio, "unsloth/x-GGUF/phi.gguf"), modelBytes("qwen3"));
  put(join(studio, "bartowski/x-GGUF/phi.gguf"), modelBytes("qwen2"));
  Deno.symlinkSync(home.models.folder, join(home.models.root, "link"));
  home.roots.push({ program: "drive", path: home.models.folder });
  await home.open();
  assert.deepEqual(await home.listed(), [
    "ollama Far:latest -> Far--ollama",
    "ollama phi:latest -> phi--ollama",
    "lm_studio bartowski/x-GGUF/phi.gguf -> phi--bartowski",
    "lm_studio unsloth/x-GGUF/phi.gguf -> phi--unsloth",
    "drive far.gguf -> far *",
  ]);
});

Deno.test("Imports.register() keeps a model's name when its program brings a new file", async () => {
  await using home = new ImportHome();
  const root = home.place("ollama");
  const old = putOllama(root, "registry.ollama.ai/library/phi/latest");
  await home.open();
  await home.imports.register([old]);
  Deno.removeSync(old);
  const hex = digestOf("another");
  const path = put(join(root, "blobs", `sha256-${hex}`), modelBytes("qwen3"));
  put(
    join(root, "manifests/registry.ollama.ai/library/phi/latest"),
    JSON.stringify({
      layers: [{ mediaType: "application/vnd.ollama.image.model", digest: `sha256:${hex}` }],
    }),
  );
  await home.library.upToDate();
  assert.equal(home.library.get("phi")?.isMissing, true);
  assert.deepEqual(await home.listed(), ["ollama phi:latest -> phi"]);
  await home.imports.register([path]);
  const model = home.library.get("phi")!;
  assert.deepEqual([model.isMissing, model.facts?.architecture], [false, "qwen3"]);
  assert.deepEqual(home.models.ids(), ["phi"]);
});

Deno.test("Imports.register() takes one name from two places of a program as two models", async () => {
  await using home = new ImportHome();
  const [own, service] = [home.place("ollama", "own"), home.place("ollama", "service")];
  const name = "registry.ollama.ai/library/phi/latest";
  await home.open();
  await home.imports.register([putOllama(own, name)]);
  const second = putOllama(service, name, { model: modelBytes("qwen3") });
  assert.deepEqual(await home.listed(), [
    "ollama phi:latest -> phi *",
    "ollama phi:latest -> phi--ollama",
  ]);
  await home.imports.register([second]);
  assert.deepEqual(home.models.ids(), ["phi", "phi--ollama"]);
});

Deno.test("Imports.list() says why a model cannot be used, and register() refuses it with the same words", async () => {
  await using home = new ImportHome();
  const root = home.place("ollama");
  const seen = ggufFile({
    "general.architecture": { string: "gemma3" },
    "gemma3.vision.block_count": { u32: 27 },
  });
  putOllama(root, "registry.ollama.ai/library/gemma3/4b", { model: seen });
  putOllama(root, "registry.ollama.ai/library/gpt-oss/20b", { model: modelBytes("gptoss") });
  putOllama(root, "registry.ollama.ai/library/cut/1b", { model: modelBytes().slice(0, -40) });
  putOllama(root, "registry.ollama.ai/library/lora/latest", { others: ["adapter"] });
  // From the Hub it is the original file.
  putOllama(root, "hf.co/org/gemma3/latest", { model: seen });
  const half = home.place("lm_studio");
  put(join(half, "o/r/half-00001-of-00002.gguf"), partBytes(0, 2));
  await home.open();
  const { candidates } = await home.imports.list();
  const reasons = candidates.map(({ id, error }) => [id, error?.code, error?.values["reason"]]);
  assert.deepEqual(reasons.sort(), [
    ["cut-1b", "model_file_invalid", "cut_off"],
    ["gemma3", undefined, undefined],
    ["gemma3-4b", "import_refused", "ollama_only"],
    ["gpt-oss-20b", "import_refused", "ollama_only"],
    ["half", "model_file_invalid", "part_missing"],
    ["lora", "import_refused", "adapter"],
  ]);
  for (const { id, found, error } of candidates) {
    const path = found.parts[0]!.path;
    if (error === null) continue;
    await assert.rejects(() => home.imports.register([path]), (thrown) => {
      assert.ok(thrown instanceof AppError, id);
      assert.equal(thrown.code, "import_refused");
      assert.match(thrown.message, /^Cannot import ".+": .+[^.]$/);
      assert.ok(thrown.message.includes(error.message), thrown.message);
      return true;
    });
  }
  assert.deepEqual(home.models.ids(), []);
});

Deno.test("Imports.register() takes all of its paths or none", async () => {
  await using home = new ImportHome();
  const root = home.place("gpt4all");
  const good = put(join(root, "good.gguf"), modelBytes());
  const bad = put(join(root, "bad.gguf"), "<html>");
  await home.open();
  await assert.rejects(() => home.imports.register([good, bad]), { code: "import_refused" });
  assert.deepEqual(home.models.ids(), []);
  assert.deepEqual(home.models.registry.imports.list(), []);
});

Deno.test("Imports.register() takes any GGUF file in a place by its path, and nothing behind a link", async () => {
  await using home = new ImportHome();
  const root = home.place("drive");
  const deep = put(join(root, "a/b/c/d/e/f/g/h/deep.gguf"), modelBytes());
  const second = put(join(root, "a/b/c/d/e/f/g/h/two-00002-of-00002.gguf"), partBytes(1, 2));
  put(join(root, "a/b/c/d/e/f/g/h/two-00001-of-00002.gguf"), partBytes(0, 2));
  const outside = put(join(home.models.root, "outside/secret.gguf"), modelBytes());
  Deno.symlinkSync(outside, join(root, "link.gguf"));
  Deno.symlinkSync(join(home.models.root, "outside"), join(root, "folder"));
  Deno.symlinkSync(join(root, "a"), join(root, "again"));
  put(join(root, "notes.txt"), "no model");
  await home.open();
  assert.deepEqual(await home.listed(), []);
  const rows = await home.imports.register([deep, second]);
  assert.deepEqual(rows.map(({ id, found }) => [id, found.program, found.name]), [
    ["deep", "drive", "a/b/c/d/e/f/g/h/deep.gguf"],
    ["two", "drive", "a/b/c/d/e/f/g/h/two-00002-of-00002.gguf"],
  ]);
  assert.deepEqual(home.models.ids(), ["deep", "two"]);
  for (
    const name of [
      ...[
        "link.gguf",
        "folder/secret.gguf",
        "again/b/c/d/e/f/g/h/deep.gguf",
        "notes.txt",
        "none.gguf",
      ],
      ...["a", ".", "a/b/c/d/e/f/g/h/deep.gguf/x"],
    ]
  ) {
    await assert.rejects(
      () => home.imports.register([`${root}/${name}`]),
      { code: "import_refused" },
      name,
    );
  }
  const { places } = await home.imports.list();
  assert.match(places[0]!.error?.message ?? "", /a link to a model leads out of it.+--models-dir/);
});

Deno.test("Imports.register() names the flag and the command for a path elsewhere, and looks at nothing there", async () => {
  await using home = new ImportHome();
  home.place("drive");
  home.models.write("home/own.gguf");
  const real = put(join(home.models.root, "else where/it's.gguf"), modelBytes());
  await home.open();
  const folder = join(home.models.root, "else where");
  function refusal(path: string): Promise<AppError> {
    return home.imports.register([path]).then(() => assert.fail(), (error) => error);
  }
  const [there, notThere] = [await refusal(real), await refusal(join(folder, "none.gguf"))];
  assert.equal(there.code, "import_refused");
  assert.equal(there.status, 400);
  assert.equal(there.values["command"], `zombiecoder serve --models-dir '${folder}'`);
  assert.equal(there.message.replaceAll("it's", "none"), notThere.message);
  const quoted = await refusal("/x/$(id)'`id`/a.gguf");
  assert.ok(quoted.message.endsWith(`--models-dir '/x/$(id)'\\''\`id\`'`), quoted.message);
  for (const path of ["/etc/passwd", "a.gguf", "../x.gguf", "/", "a\0b", "/x\u202E/a.gguf", "-x"]) {
    assert.equal((await refusal(path)).code, "import_refused");
  }
  const own = await refusal(join(home.models.home, "own.gguf"));
  assert.match(own.message, /it is in the list already. Ask for "own"$/);
});

Deno.test("Library lists an imported model whose file is away with what is known of it, and gives it back as it was", async () => {
  await using home = new ImportHome();
  const root = home.place("lm_studio");
  const path = put(join(root, "org/seeing-GGUF/seeing.gguf"), modelBytes());
  const projector = put(join(root, "org/seeing-GGUF/mmproj-F16.gguf"), PROJECTOR);
  await home.open();
  await home.imports.register([path]);
  const known = home.library.get("seeing")!;
  for (const gone of [path, projector, join(root, "org"), root]) {
    const away = join(home.models.root, "away");
    Deno.renameSync(gone, away);
    await home.library.upToDate();
    assert.deepEqual(home.library.get("seeing"), { ...known, isMissing: true }, gone);
    await assert.rejects(() => home.library.present(known), {
      code: "model_missing",
      message: /^Cannot use "seeing": its file is not at ".+seeing\.gguf" any more. Plug in/,
    });
    Deno.renameSync(away, gone);
    assert.deepEqual(await home.library.present(known), known);
  }
  // And over a start.
  Deno.renameSync(root, `${root}-away`);
  await home.open();
  assert.deepEqual(home.library.get("seeing"), { ...known, isMissing: true, mmprojBytes: 0 });
  assert.equal(home.library.resolve("hf.co/org/seeing-GGUF").id, "seeing");
  Deno.renameSync(`${root}-away`, root);
  await home.library.rescan();
  assert.deepEqual(home.library.get("seeing"), known);
  const told = home.models.changes.map((change) => Object.keys(change)[0]);
  assert.ok(!told.includes("removed"), told.join());
});

Deno.test("Library holds an imported model for missing where its place became a link, and offers a changed file anew", async () => {
  await using home = new ImportHome();
  const root = home.place("gpt4all");
  const path = put(join(root, "a.gguf"), modelBytes());
  put(join(home.models.root, "elsewhere/a.gguf"), modelBytes("qwen3"));
  await home.open();
  await home.imports.register([path]);
  Deno.renameSync(root, `${root}-moved`);
  Deno.symlinkSync(join(home.models.root, "elsewhere"), root);
  await home.library.upToDate();
  assert.equal(home.library.get("a")?.isMissing, true);
  assert.equal(home.library.get("a")?.facts?.architecture, "llama");
  const { places } = await home.imports.list();
  assert.equal(places[0]!.error?.values["reason"], "link");
  Deno.removeSync(root);
  Deno.renameSync(`${root}-moved`, root);
  home.models.write("gpt4all/a.gguf", modelBytes("qwen2"));
  await home.library.upToDate();
  assert.equal(home.library.get("a")?.facts?.architecture, "qwen2");
});

Deno.test("Library gives the user's own file the name that an imported model has, there or missing", async () => {
  await using home = new ImportHome();
  const path = putOllama(home.place("ollama"), "registry.ollama.ai/library/phi/latest");
  await home.open();
  await home.imports.register([path]);
  home.models.write("home/phi.gguf");
  await home.library.rescan();
  assert.deepEqual(home.models.ids(), ["phi", "phi--ollama"]);
  assert.equal(home.library.get("phi")?.source, "home");
  assert.deepEqual(await home.listed(), ["ollama phi:latest -> phi--ollama *"]);
  Deno.renameSync(path, `${path}-away`);
  await home.library.upToDate();
  assert.equal(home.library.get("phi--ollama")?.isMissing, true);
  await home.library.deleteModel("phi--ollama");
  assert.deepEqual(home.models.ids(), ["phi"]);
  assert.deepEqual(home.models.registry.imports.list(), []);
});

Deno.test("Imports.list() reads headers for so long only, and goes on with the next list", async () => {
  await using home = new ImportHome();
  const root = home.place("gpt4all");
  for (let n = 0; n < 20; n++) put(join(root, `m${n}.gguf`), modelBytes());
  await home.open({ headersMs: 0 });
  const { candidates } = await home.imports.list();
  assert.deepEqual(
    candidates.map(({ facts, error }) => [facts, error]),
    candidates.map(() => [
      null,
      null,
    ]),
  );
  assert.equal(candidates.length, 20);
  // Who is taken over is read whatever time that takes.
  const [first] = await home.imports.register([candidates[0]!.found.parts[0]!.path]);
  assert.equal(first!.facts?.architecture, "llama");
  const known = (await home.imports.list()).candidates.filter(({ facts }) => facts !== null);
  assert.deepEqual(known.map(({ id }) => id), [first!.id]);
});

Deno.test("Imports.list() looks once for all who ask at the same time", async () => {
  await using home = new ImportHome();
  put(join(home.place("gpt4all"), "m.gguf"), modelBytes());
  await home.open();
  const [one, two] = await Promise.all([home.imports.list(), home.imports.list()]);
  assert.equal(one, two);
  assert.notEqual(await home.imports.list(), one);
});
