import assert from "node:assert/strict";
import { join } from "node:path";

import fc from "fast-check";

import { AppError } from "../src/errors.ts";
import { parseGguf } from "../src/models/gguf.ts";
import { DEFAULT_MODEL_SETTINGS } from "../src/models/model_settings.ts";
import { ggufFile, memorySource } from "./support/gguf_files.ts";
import { HOSTILE_NAMES, hostileName } from "./support/hostile_names.ts";
import type { ScopeAnswer } from "./support/library_worker.ts";
import { modelBytes, ModelHome, partBytes } from "./support/model_home.ts";

const NOT_GGUF = new TextEncoder().encode("<html>Not found</html>");

Deno.test("Library.open() finds files, split models and models with a projector", async () => {
  await using home = new ModelHome();
  home.write("home/Phi-3.gguf");
  home.write("home/UPPER.GGUF");
  home.write("home/big/big-00002-of-00002.gguf", partBytes(1, 2));
  home.write("home/big/big-00001-of-00002.gguf", partBytes(0, 2));
  home.write("home/eye/eye-Q4.gguf");
  const projector = ggufFile({ "general.architecture": { string: "clip" } });
  home.write("home/eye/mmproj-model-f16.gguf", projector);
  home.write("extra/org/repo/far.gguf");
  home.write("home/notes.txt");
  home.write("home/a/b/too_deep.gguf");
  const library = await home.openWhole();
  assert.deepEqual(home.ids(), ["Phi-3", "UPPER", "big", "eye-Q4", "far"]);
  const phi = library.get("Phi-3")!;
  assert.equal(phi.path, join(home.home, "Phi-3.gguf"));
  assert.deepEqual(phi.parts, [phi.path]);
  assert.equal(phi.facts?.architecture, "llama");
  assert.deepEqual([phi.source, phi.builtin, phi.error, phi.repo], ["home", false, null, null]);
  assert.equal(phi.sizeBytes, modelBytes().length);
  const big = library.get("big")!;
  assert.equal(big.path, join(home.home, "big", "big-00001-of-00002.gguf"));
  assert.equal(big.parts.length, 2);
  assert.equal(big.sizeBytes, partBytes(0, 2).length * 2);
  const eye = library.get("eye-Q4")!;
  assert.equal(eye.mmprojPath, join(home.home, "eye", "mmproj-model-f16.gguf"));
  assert.equal(eye.mmprojBytes, projector.length);
  assert.ok(eye.facts?.capabilities.includes("vision"));
  assert.equal(library.get("far")?.source, "folder");
});

Deno.test("Library gives a projector to the model that it names, and one without a name to nobody else's", async () => {
  await using home = new ModelHome();
  const projector = ggufFile({ "general.architecture": { string: "clip" } });
  home.write("home/gemma-3-4b-it-Q4_K_M.gguf");
  home.write("home/phi.gguf");
  home.write("home/mmproj-gemma-3-4b-it-bf16.gguf", projector);
  home.write("home/mmproj-gemma-3-4b-it-f16.gguf", projector);
  home.write("home/mmproj-f16.gguf", projector);
  // Another program's folder for one repo: all quantizations share the projector.
  home.write("extra/org/llava/llava-Q4.gguf");
  home.write("extra/org/llava/llava-Q8.gguf");
  home.write("extra/org/llava/mmproj-model-f16.gguf", projector);
  const library = await home.openWhole();
  assert.deepEqual(home.ids(), ["gemma-3-4b-it-Q4_K_M", "llava-Q4", "llava-Q8", "phi"]);
  const own = join(home.home, "mmproj-gemma-3-4b-it-f16.gguf");
  assert.equal(library.get("gemma-3-4b-it-Q4_K_M")?.mmprojPath, own);
  assert.equal(library.get("phi")?.mmprojPath, null);
  assert.ok(library.get("llava-Q4")?.mmprojPath);
  assert.equal(library.get("llava-Q4")?.mmprojPath, library.get("llava-Q8")?.mmprojPath);
});

Deno.test("Library offers no adapter and no projector, whatever its name", async () => {
  await using home = new ModelHome();
  home.write("home/adapter.gguf", ggufFile({ "general.type": { string: "adapter" } }));
  home.write("home/vision.gguf", ggufFile({ "general.architecture": { string: "clip" } }));
  await home.openWhole();
  assert.deepEqual(home.ids(), []);
});

Deno.test("Library shows a file that cannot be used with its reason", async () => {
  await using home = new ModelHome();
  home.writeOld("home/page.gguf", NOT_GGUF);
  home.writeOld("home/cut.gguf", modelBytes().slice(0, -40));
  home.writeOld("home/empty.gguf", new Uint8Array(0));
  home.writeOld("home/half-00001-of-00002.gguf", partBytes(0, 2));
  home.writeOld("home/diffuse.gguf", modelBytes("llada"));
  const library = await home.openWhole();
  const reasons = library.list().map(({ id, facts, error }) => [
    id,
    facts,
    error?.code,
    error?.values["reason"],
  ]);
  assert.deepEqual(reasons, [
    ["cut", null, "model_file_invalid", "cut_off"],
    ["diffuse", null, "model_file_invalid", "not_servable"],
    ["empty", null, "model_file_invalid", "cut_off"],
    ["half", null, "model_file_invalid", "part_missing"],
    ["page", null, "model_file_invalid", "not_gguf"],
  ]);
  assert.match(library.get("half")?.error?.message ?? "", /"half-00002-of-00002\.gguf" is missing/);
});

Deno.test("Library sees a file appear, change, move and go", async () => {
  await using home = new ModelHome();
  const library = await home.openWhole();
  const path = home.write("home/a.gguf");
  await home.until(() => home.ids().includes("a"));
  home.write("home/a.gguf", modelBytes("qwen3"));
  await home.until(() => library.get("a")?.facts?.architecture === "qwen3");
  await Deno.rename(path, join(home.home, "b.gguf"));
  await home.until(() => home.ids().join() === "b");
  home.write("extra/new/folder/c.gguf");
  await home.until(() => home.ids().join() === "b,c");
  await Deno.remove(join(home.folder, "new"), { recursive: true });
  await Deno.remove(join(home.home, "b.gguf"));
  await home.until(() => home.ids().length === 0);
  const told = home.changes.map((change) =>
    change.added ? `+${change.added.id}` : change.updated ? `~${change.updated.id}` : "-"
  );
  assert.deepEqual(told.slice(0, 2), ["+a", "~a"]);
  assert.deepEqual(home.registry.models(), []);
});

Deno.test("Library does not offer a file while it is being written", async () => {
  await using home = new ModelHome();
  const library = await home.openWhole({ settleMs: 6_000 });
  const bytes = modelBytes();
  const path = join(home.home, "slow.gguf");
  using file = await Deno.open(path, { write: true, create: true });
  for (let at = 0; at < bytes.length; at += 16) {
    await file.write(bytes.subarray(at, at + 16));
    if (at % 64 === 0) await library.rescan();
    if (at + 16 < bytes.length) assert.deepEqual(home.ids(), []);
  }
  await home.until(() => home.ids().includes("slow"));
  assert.equal(library.get("slow")?.error, null);
  assert.deepEqual(home.changes.map((change) => Object.keys(change)[0]), ["added"]);
});

Deno.test("Library offers a cut-off file as failed once it lies still, and as sound once it is whole", async () => {
  await using home = new ModelHome();
  const library = await home.openWhole({ settleMs: 1_000 });
  const bytes = modelBytes();
  const startedMs = performance.now();
  // Its own time is old, as a copying program may set it: what counts is when it came.
  home.writeOld("home/cut.gguf", bytes.slice(0, -40));
  await library.rescan();
  await home.until(() => home.ids().includes("cut"));
  assert.ok(performance.now() - startedMs >= 990, "too early");
  assert.equal(library.get("cut")?.error?.values["reason"], "cut_off");
  await Deno.writeFile(join(home.home, "cut.gguf"), bytes.slice(-40), { append: true });
  await home.until(() => library.get("cut")?.error === null);
});

Deno.test("Library.open() goes by a file's own time for what was there before it", async () => {
  await using home = new ModelHome();
  const writtenMs = Date.now();
  home.write("home/fresh.gguf", NOT_GGUF);
  home.writeOld("home/old.gguf", NOT_GGUF);
  await home.openWhole({ settleMs: 1_000 });
  assert.ok(home.ids().includes("old"));
  await home.until(() => home.ids().includes("fresh"));
  assert.ok(Date.now() - writtenMs >= 980, "too early");
});

Deno.test("Library waits for a download program's file beside to go", async () => {
  await using home = new ModelHome();
  home.writeOld("home/aria.gguf");
  home.writeOld("home/aria.gguf.aria2", NOT_GGUF);
  home.writeOld("home/browser.gguf", new Uint8Array(0));
  home.writeOld("home/browser.gguf.part", NOT_GGUF);
  // Our own update of a file that is whole: it stays in use until it is replaced.
  home.writeOld("home/whole.gguf");
  home.writeOld("home/whole.gguf.part", NOT_GGUF);
  home.writeOld("home/big-00001-of-00002.gguf", partBytes(0, 2));
  home.writeOld("home/big-00002-of-00002.gguf.crdownload", partBytes(1, 2));
  const library = await home.openWhole();
  assert.deepEqual(home.ids(), ["whole"]);
  await Deno.remove(join(home.home, "aria.gguf.aria2"));
  await home.until(() => home.ids().includes("aria"));
  await Deno.rename(
    join(home.home, "big-00002-of-00002.gguf.crdownload"),
    join(home.home, "big-00002-of-00002.gguf"),
  );
  await home.until(() => home.ids().includes("big"));
  assert.equal(library.get("big")?.error, null);
  await Deno.remove(join(home.home, "browser.gguf.part"));
  await home.until(() => home.ids().includes("browser"));
});

Deno.test("Library refuses links that lead out of its folders, and follows those within", async () => {
  await using home = new ModelHome();
  const secret = home.write("outside/secret.gguf");
  home.write("outside/deep/other.gguf");
  await Deno.symlink(secret, join(home.home, "stolen.gguf"));
  await Deno.symlink(join(home.root, "outside"), join(home.home, "folder"));
  await Deno.symlink(join(home.root, "nowhere"), join(home.home, "dangling.gguf"));
  await Deno.symlink(join(home.home, "loop.gguf"), join(home.home, "loop.gguf"));
  // As the Hub's cache keeps its files.
  home.write("extra/models--org--tiny/blobs/0123abcd");
  Deno.mkdirSync(join(home.folder, "models--org--tiny/snapshots/rev"), { recursive: true });
  const link = join(home.folder, "models--org--tiny/snapshots/rev/tiny.gguf");
  await Deno.symlink("../../blobs/0123abcd", link);
  await Deno.symlink(link, join(home.home, "tiny.gguf"));
  const library = await home.openWhole();
  assert.deepEqual(home.ids(), ["tiny"]);
  assert.equal(library.get("tiny")?.error, null);
  assert.equal(library.get("tiny")?.source, "home");
  assert.deepEqual(home.logged.messages("warn").filter((text) => /link that leads/.test(text)), [
    "A link that leads out of the models folders is passed over",
  ]);
  await library.deleteModel("tiny");
  assert.deepEqual(home.ids(), ["tiny"]);
  assert.equal(library.get("tiny")?.source, "folder");
  assert.ok(home.files().includes("extra/models--org--tiny/blobs/0123abcd"));
});

Deno.test("Library gives the second file of one name another one, home first", async () => {
  await using home = new ModelHome();
  home.write("extra/unsloth/phi.gguf");
  home.write("extra/bartowski/phi.gguf");
  home.write("home/phi.gguf");
  home.write("home/big--org/big-00001-of-00001.gguf", partBytes(0, 1));
  home.write("home/big/big-00001-of-00001.gguf", partBytes(0, 1));
  const library = await home.openWhole();
  assert.deepEqual(home.ids(), ["big", "big--org", "phi", "phi--bartowski", "phi--unsloth"]);
  assert.equal(library.get("phi")?.source, "home");
  const renamed = home.logged.entries.filter((entry) => /have one name/.test(entry.message));
  assert.deepEqual(renamed.map((entry) => entry.fields["offered"]), [
    "phi--bartowski",
    "phi--unsloth",
  ]);
  await library.rescan();
  assert.equal(home.changes.filter((change) => change.updated || change.removed).length, 0);
});

Deno.test("Library lists hello last, hides it behind a user's own, and never deletes it", async () => {
  await using home = new ModelHome();
  const path = home.write("home/builtin/hello.gguf");
  home.write("home/zebra.gguf");
  const library = await home.openWhole({ builtin: { path } });
  assert.deepEqual(home.ids(), ["zebra", "hello"]);
  assert.equal(library.get("hello")?.builtin, true);
  assert.equal(library.get("hello")?.source, "builtin");
  assert.equal(library.resolve(undefined).id, "zebra");
  await assert.rejects(
    () => library.deleteModel("hello"),
    { code: "invalid_request", message: /it is built in/ },
  );
  const own = home.write("home/Hello.gguf");
  await home.until(() => home.ids().join() === "Hello,zebra");
  assert.equal(library.resolve("hello").builtin, false);
  await Deno.remove(own);
  await home.until(() => home.ids().join() === "zebra,hello");
  await Deno.remove(join(home.home, "zebra.gguf"));
  await home.until(() => home.ids().join() === "hello");
  assert.throws(() => library.resolve(undefined), { code: "model_required" });
});

Deno.test("Library.resolve() follows aliases and repos as they change", async () => {
  await using home = new ModelHome();
  home.write("home/phi.gguf");
  home.write("home/qwen.gguf");
  const library = await home.openWhole();
  assert.equal(library.resolve("PHI:latest").id, "phi");
  assert.throws(() => library.resolve("gpt"), { code: "model_not_found", status: 404 });
  home.registry.setSettings("phi", { ...DEFAULT_MODEL_SETTINGS, aliases: ["gpt"] });
  assert.equal(library.resolve("gpt").id, "phi");
  home.registry.setSettings("phi", DEFAULT_MODEL_SETTINGS);
  home.registry.setSettings("qwen", { ...DEFAULT_MODEL_SETTINGS, aliases: ["gpt"] });
  assert.equal(library.resolve("gpt").id, "qwen");
  assert.throws(() => library.resolve("hf.co/org/phi"), { code: "model_not_found" });
  library.recordRepo("phi", "org/phi");
  assert.equal(library.resolve("hf.co/org/phi").id, "phi");
  await home.openWhole();
  assert.equal(home.library.resolve("hf.co/org/phi").id, "phi");
  home.write("home/phi.gguf", modelBytes("qwen3"));
  await home.until(() => home.library.get("phi")?.facts?.architecture === "qwen3");
  assert.throws(() => home.library.resolve("hf.co/org/phi"), { code: "model_not_found" });
});

Deno.test("Library keeps a model's repo where the folder that it lies in gets another name", async () => {
  await using home = new ModelHome();
  const file = home.writeOld("extra/far.gguf");
  const link = join(home.root, "link");
  Deno.symlinkSync(home.folder, link);
  (await home.openWhole({ folders: [link] })).recordRepo("far", "org/far");
  const library = await home.openWhole();
  assert.equal(library.resolve("hf.co/org/far").path, file);
  // Another file of that name is not it.
  await home.close();
  Deno.removeSync(link);
  await Deno.rename(home.folder, join(home.root, "away"));
  home.writeOld("extra/far.gguf", modelBytes("qwen3"));
  const other = await home.openWhole();
  assert.equal(other.get("far")?.facts?.architecture, "qwen3");
  assert.throws(() => other.resolve("hf.co/org/far"), { code: "model_not_found" });
});

Deno.test("Library.deleteModel() removes the model's files and nothing else", async () => {
  await using home = new ModelHome();
  const projector = ggufFile({ "general.architecture": { string: "clip" } });
  home.write("home/one.gguf");
  home.write("home/one.gguf.notes");
  home.write("home/one-more.gguf");
  home.write("home/big/big-00001-of-00002.gguf", partBytes(0, 2));
  home.write("home/big/big-00002-of-00002.gguf", partBytes(1, 2));
  home.write("home/big/mmproj-f16.gguf", projector);
  home.write("home/two/a.gguf");
  home.write("home/two/b.gguf");
  home.write("home/two/mmproj-f16.gguf", projector);
  home.write("extra/far.gguf");
  const library = await home.openWhole();
  const before = home.files();
  await library.deleteModel("one");
  await library.deleteModel("big");
  await library.deleteModel("a");
  const gone = before.filter((path) => !home.files().includes(path));
  assert.deepEqual(gone, [
    "home/big/big-00001-of-00002.gguf",
    "home/big/big-00002-of-00002.gguf",
    "home/big/mmproj-f16.gguf",
    "home/one.gguf",
    "home/two/a.gguf",
  ]);
  assert.equal([...Deno.readDirSync(home.home)].some(({ name }) => name === "big"), false);
  assert.deepEqual(home.ids(), ["b", "far", "one-more"]);
  await assert.rejects(
    () => library.deleteModel("far"),
    {
      code: "invalid_request",
      message: /^Cannot delete "far": it lies in ".+", which is only read/,
    },
  );
});

Deno.test("Library.deleteModel() takes an ID, never a path: no hostile name removes a file", async () => {
  await using home = new ModelHome();
  home.write("home/phi.gguf");
  home.write("home/sub/x.gguf");
  home.write("victim.gguf");
  const library = await home.openWhole();
  const before = home.files();
  const names = [
    ...HOSTILE_NAMES,
    "../victim",
    "sub/x",
    "phi.gguf",
    "PHI",
    "phi:latest",
    join(home.home, "phi.gguf"),
    ...fc.sample(hostileName(), 300),
  ];
  for (const name of names) {
    await assert.rejects(
      () => library.deleteModel(name),
      (error) => error instanceof AppError && error.code === "model_not_found",
      JSON.stringify(name),
    );
  }
  assert.deepEqual(home.files(), before);
});

Deno.test("Library passes over a file whose name nobody could ask for", async () => {
  await using home = new ModelHome();
  home.write("home/line\nbreak.gguf");
  home.write("home/._phi.gguf");
  home.write("home/phi.gguf");
  home.write("home/\u202Efugg.gguf");
  await home.openWhole();
  assert.deepEqual(home.ids(), ["phi"]);
  const said = home.logged.messages("warn").filter((text) => /cannot be asked for/.test(text));
  assert.equal(said.length, 2);
});

Deno.test("Library.open() opens no file that it knows: 200 files are there at once", async () => {
  await using home = new ModelHome();
  for (let n = 0; n < 200; n++) home.write(`home/m${n}.gguf`);
  home.writeOld("home/bad.gguf", NOT_GGUF);
  await home.openWhole();
  assert.equal(home.ids().length, 201);
  const facts = home.library.get("m7")?.facts;
  const read: string[] = [];
  const library = await home.open({
    readFacts: (paths) => {
      read.push(...paths);
      return Promise.reject(new Error("must not be read"));
    },
  });
  // Before any header could have been read.
  assert.equal(home.ids().length, 201);
  await library.upToDate();
  assert.deepEqual(read, []);
  assert.deepEqual(library.get("m7")?.facts, facts);
  assert.equal(library.get("bad")?.error?.values["reason"], "not_gguf");
});

Deno.test("Library.open() returns before new headers are read, and upToDate() waits for them", async () => {
  await using home = new ModelHome();
  home.write("home/a.gguf");
  const gate = Promise.withResolvers<void>();
  const facts = parseGguf(memorySource(modelBytes()), { file: "a.gguf" });
  const library = await home.open({ readFacts: () => gate.promise.then(() => facts) });
  assert.deepEqual(home.ids(), []);
  const ready = library.upToDate();
  gate.resolve();
  await ready;
  assert.deepEqual(home.ids(), ["a"]);
});

Deno.test("Library keeps what it knows of a folder that is away, and finds it again", async () => {
  await using home = new ModelHome();
  home.write("extra/far.gguf");
  home.write("home/near.gguf");
  const library = await home.openWhole();
  library.recordRepo("far", "org/far");
  await Deno.rename(home.folder, join(home.root, "away"));
  await library.rescan();
  assert.deepEqual(home.ids(), ["near"]);
  assert.deepEqual(home.registry.models().map((record) => record.id), ["far", "near"]);
  await Deno.rename(join(home.root, "away"), home.folder);
  await library.rescan();
  assert.equal(library.resolve("hf.co/org/far").id, "far");
  await Deno.remove(home.folder, { recursive: true });
  await home.until(() => home.ids().join() === "near");
  home.write("extra/again.gguf");
  await library.rescan();
  home.write("extra/later.gguf");
  await home.until(() => home.ids().join() === "again,later,near");
});

Deno.test("Library tries a file again that only could not be opened", async () => {
  await using home = new ModelHome();
  home.writeOld("home/a.gguf");
  const facts = parseGguf(memorySource(modelBytes()), { file: "a.gguf" });
  let mayRead = false;
  const library = await home.openWhole({
    readFacts: () =>
      mayRead
        ? Promise.resolve(facts)
        : Promise.reject(new Deno.errors.PermissionDenied("Permission denied")),
    settleMs: 0,
  });
  assert.match(
    library.get("a")?.error?.message ?? "",
    /^Cannot read "a\.gguf" \(Permission denied/,
  );
  assert.deepEqual(home.registry.models(), []);
  mayRead = true;
  await library.rescan();
  assert.equal(library.get("a")?.error, null);
});

Deno.test("Library and Registry work with the server's permissions, and do not follow a link out", async () => {
  await using home = new ModelHome();
  home.write("home/own.gguf");
  home.write("extra/extra.gguf");
  const secret = home.write("outside/secret.gguf");
  await Deno.symlink(secret, join(home.home, "stolen.gguf"));
  const worker = new Worker(import.meta.resolve("./support/library_worker.ts"), {
    type: "module",
    deno: {
      permissions: { read: [home.home, home.folder], write: [home.home] },
    },
  });
  const answer = await new Promise<ScopeAnswer>((resolve, reject) => {
    worker.onmessage = (event) => resolve(event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    worker.postMessage({ home: home.home, folder: home.folder });
  });
  worker.terminate();
  assert.deepEqual(answer, {
    recovered: true,
    ids: ["extra", "own"],
    appeared: ["later"],
    refused: [join(home.home, "stolen.gguf")],
    afterDelete: ["extra", "later"],
  });
});
