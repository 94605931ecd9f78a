import assert from "node:assert/strict";
import type { CatalogueEntry } from "../src/models/catalogue_entry.ts";
import { CATALOGUE_FILE, entriesOf } from "../src/models/catalogue_file.ts";
import { withKnownHeaders, withRepoInfo } from "../src/models/catalogue_repo.ts";
import { factsFromShape } from "../src/models/shape_facts.ts";
import { parseModelShape } from "../src/models/catalogue_shape.ts";
import { storeFacts } from "../src/models/hub_repo_info.ts";
import { JsonField } from "../src/models/json_field.ts";
import { CatalogueHome, LLAMA_SHAPE, repoInfo, userModel } from "./support/catalogue_home.ts";

const SHA = "a".repeat(64);

function entry(files: unknown[]): CatalogueEntry {
  const { entries, problems } = entriesOf({ models: [{ ...userModel(), files }] });
  assert.deepEqual(problems, []);
  return entries[0]!;
}

Deno.test("withRepoInfo() takes sizes, checksums and terms from the Hub", () => {
  const rounded = entry([{
    file: "mine-Q4_K_M.gguf",
    size_bytes: 1000,
    size_exact: false,
    projector: { file: "mmproj-F16.gguf", size_bytes: 10, size_exact: false },
  }]);
  const files = [
    { path: "README.md", sizeBytes: 5, sha256: null },
    { path: "mine-Q4_K_M.gguf", sizeBytes: 1234, sha256: SHA },
    { path: "mmproj-F16.gguf", sizeBytes: 12, sha256: SHA },
  ];
  const known = withRepoInfo(rounded, repoInfo(files, { license: "apache-2.0", gated: "manual" }));
  assert.deepEqual([known.license, known.gated], ["apache-2.0", true]);
  assert.deepEqual(known.files, [{
    file: "mine-Q4_K_M.gguf",
    sizeBytes: 1234,
    sizeExact: true,
    sha256: SHA,
    quantization: "Q4_K_M",
    projector: { file: "mmproj-F16.gguf", sizeBytes: 12, sizeExact: true, sha256: SHA },
    facts: null,
  }]);
});

Deno.test("withRepoInfo() counts all parts of a split model, and sorts by what it found", () => {
  const split = entry([
    { file: "small.gguf", size_bytes: 50 },
    { file: "Q8_0/big-00001-of-00002.gguf", size_bytes: 60 },
  ]);
  const known = withRepoInfo(
    split,
    repoInfo([
      { path: "Q8_0/big-00001-of-00002.gguf", sizeBytes: 30, sha256: SHA },
      { path: "Q8_0/big-00002-of-00002.gguf", sizeBytes: 12, sha256: SHA },
      { path: "small.gguf", sizeBytes: 50, sha256: null },
    ]),
  );
  assert.deepEqual(known.files.map(({ sizeBytes, sha256 }) => [sizeBytes, sha256]), [
    [42, null],
    [50, null],
  ]);
});

Deno.test("withRepoInfo() leaves out what is gone from the repository, but for the last", () => {
  const two = entry([{ file: "a.gguf", size_bytes: 1 }, { file: "b.gguf", size_bytes: 2 }]);
  const one = withRepoInfo(two, repoInfo([{ path: "b.gguf", sizeBytes: 3, sha256: null }]));
  assert.deepEqual(one.files.map(({ file }) => file), ["b.gguf"]);
  assert.deepEqual(withRepoInfo(two, repoInfo([])).files, two.files);
});

Deno.test('withRepoInfo() keeps a license that says more than "other"', () => {
  for (const license of [null, "other"]) {
    assert.equal(
      withRepoInfo(entry([{ file: "a.gguf", size_bytes: 1 }]), repoInfo([], { license })).license,
      "mit",
    );
  }
});

/** As a header that was read from `file`. */
function header(file: string, sha256: string | null, sizeBytes: number) {
  const shape = parseModelShape(new JsonField(LLAMA_SHAPE, ""));
  const options = { name: "m", kind: "chat", contextLength: 777, quantization: "Q4_K_M" } as const;
  return { file, sha256, facts: storeFacts(factsFromShape(shape, { ...options, sizeBytes })) };
}

Deno.test("withRepoInfo() takes the facts of a header for every quantization of the model", () => {
  const files = [
    { path: "mine-Q4_K_M.gguf", sizeBytes: 1_000_000, sha256: SHA },
    { path: "mine-Q8_0.gguf", sizeBytes: 1_900_000, sha256: null },
  ];
  const known = withRepoInfo(
    entry(files.map(({ path, sizeBytes }) => ({ file: path, size_bytes: sizeBytes }))),
    repoInfo(files, { headers: [header("mine-Q4_K_M.gguf", SHA, 1_000_000)] }),
  );
  assert.equal(known.contextLength, 777);
  const [small, large] = known.files.map(({ facts }) => facts!);
  assert.equal(small!.blockCount, 2);
  assert.equal(small!.weightsBytes, 1_000_000 - small!.headerBytes);
  assert.equal(large!.weightsBytes, 1_900_000 - small!.headerBytes);
});

Deno.test("withKnownHeaders() keeps the headers of files that are still the same", () => {
  const files = [
    { path: "same.gguf", sizeBytes: 1, sha256: SHA },
    { path: "other.gguf", sizeBytes: 1, sha256: "b".repeat(64) },
    { path: "unknown.gguf", sizeBytes: 1, sha256: null },
  ];
  const older = repoInfo(files, {
    headers: [
      header("same.gguf", SHA, 10),
      header("other.gguf", SHA, 10),
      header("unknown.gguf", null, 10),
      header("gone.gguf", SHA, 10),
    ],
  });
  const now = withKnownHeaders(repoInfo(files), older);
  assert.deepEqual(now.headers.map(({ file }) => file), ["same.gguf"]);
  assert.equal(withKnownHeaders(now, older), now);
  assert.equal(withKnownHeaders(now, null), now);
});

Deno.test("Catalogue keeps what the Hub said for the next start, with its time", async () => {
  await using home = new CatalogueHome();
  home.write({ models: [userModel()] });
  const before = new Date().toISOString();
  const said = repoInfo([{ path: "mine-Q4_K_M.gguf", sizeBytes: 1_234_567, sha256: SHA }]);
  {
    const catalogue = home.open();
    assert.equal(await catalogue.cachedRepo(said.repo), null);
    await catalogue.rememberRepo(said);
    const [mine] = await catalogue.entries();
    assert.equal(mine!.files[0]!.sizeBytes, 1_234_567);
    assert.equal((await catalogue.entries())[0], mine);
  }
  await home.close();
  const catalogue = home.open();
  const cached = await catalogue.cachedRepo(said.repo);
  assert.deepEqual(cached?.info, said);
  assert.ok(cached!.fetchedAt >= before && cached!.fetchedAt <= new Date().toISOString());
  const mine = (await catalogue.entries()).find(({ id }) => id === "mine");
  assert.equal(mine!.files[0]!.sha256, SHA);
});

Deno.test("Catalogue writes many answers of the Hub at once, and takes in what a user changed meanwhile", async () => {
  await using home = new CatalogueHome();
  const catalogue = home.open();
  await catalogue.entries();
  await catalogue.flush();
  const text = Deno.readTextFileSync(home.file);
  for (let n = 0; n < 50; n++) await catalogue.rememberRepo(repoInfo([], { repo: `me/r${n}` }));
  assert.equal(Deno.readTextFileSync(home.file), text);
  home.write(text.replace('"models": [', `"models": [${JSON.stringify(userModel())},`));
  await home.close();
  const { models, hub } = home.read();
  assert.equal(models[0]!["id"], "mine");
  assert.equal(Object.keys(hub as Record<string, unknown>).length, 50);
});

Deno.test("Catalogue writes by itself a while after an answer of the Hub", async () => {
  await using home = new CatalogueHome();
  const catalogue = home.open({ gatherMs: 20 });
  await catalogue.rememberRepo(repoInfo([]));
  await changed(home, ({ hub }) => Object.hasOwn(hub as object, "me/mine-GGUF"));
});

/** Waits until the file says so. */
async function changed(
  home: CatalogueHome,
  holds: (file: Record<string, unknown>) => boolean,
): Promise<void> {
  using watcher = Deno.watchFs(home.path);
  const isSo = () => home.names().includes(CATALOGUE_FILE) && holds(home.read());
  if (isSo()) return;
  for await (const _ of watcher) if (isSo()) return;
}

Deno.test("Catalogue keeps the Hub's answers within the file's 5 MiB, the latest of them", async () => {
  await using home = new CatalogueHome();
  const catalogue = home.open();
  const filler = Array.from(
    { length: 1000 },
    (_, n) => ({ path: `${"x".repeat(90)}${n}`, sizeBytes: 1, sha256: SHA }),
  );
  for (let n = 0; n < 40; n++) await catalogue.rememberRepo(repoInfo(filler, { repo: `me/r${n}` }));
  await home.close();
  assert.ok(Deno.statSync(home.file).size < 4.5 * 1024 ** 2);
  const kept = Object.keys(home.read()["hub"] as Record<string, unknown>);
  assert.ok(kept.length > 10 && kept.length < 40, String(kept.length));
  assert.ok(kept.includes("me/r39") && !kept.includes("me/r0"));
  assert.notEqual(await home.open().cachedRepo("me/r39"), null);
});
