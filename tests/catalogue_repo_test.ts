import assert from "node:assert/strict";
import type { CatalogueEntry } from "../src/models/catalogue_entry.ts";
import { CATALOGUE_FILE, entriesOf } from "../src/models/catalogue_file.ts";
import { type HubRepoInfo, parseHubRepoInfo, withRepoInfo } from "../src/models/catalogue_repo.ts";
import { CatalogueHome, userModel } from "./support/catalogue_home.ts";

const SHA = "a".repeat(64);

function entry(files: unknown[]): CatalogueEntry {
  const { entries, problems } = entriesOf({ models: [{ ...userModel(), files }] });
  assert.deepEqual(problems, []);
  return entries[0]!;
}

function info(files: HubRepoInfo["files"], more: Partial<HubRepoInfo> = {}): HubRepoInfo {
  return { repo: "me/mine-GGUF", license: null, gated: false, files, ...more };
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
  const known = withRepoInfo(rounded, info(files, { license: "apache-2.0", gated: "manual" }));
  assert.deepEqual([known.license, known.gated], ["apache-2.0", true]);
  assert.deepEqual(known.files, [{
    file: "mine-Q4_K_M.gguf",
    sizeBytes: 1234,
    sizeExact: true,
    sha256: SHA,
    quantization: null,
    projector: { file: "mmproj-F16.gguf", sizeBytes: 12, sizeExact: true, sha256: SHA },
  }]);
});

Deno.test("withRepoInfo() counts all parts of a split model, and sorts by what it found", () => {
  const split = entry([
    { file: "small.gguf", size_bytes: 50 },
    { file: "Q8_0/big-00001-of-00002.gguf", size_bytes: 60 },
  ]);
  const known = withRepoInfo(
    split,
    info([
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
  const one = withRepoInfo(two, info([{ path: "b.gguf", sizeBytes: 3, sha256: null }]));
  assert.deepEqual(one.files.map(({ file }) => file), ["b.gguf"]);
  assert.deepEqual(withRepoInfo(two, info([])).files, two.files);
});

Deno.test('withRepoInfo() keeps a license that says more than "other"', () => {
  for (const license of [null, "other", "x".repeat(101)]) {
    assert.equal(
      withRepoInfo(entry([{ file: "a.gguf", size_bytes: 1 }]), info([], { license })).license,
      "mit",
    );
  }
});

Deno.test("parseHubRepoInfo() believes nothing of the wrong kind", () => {
  const good = info([{ path: "a.gguf", sizeBytes: 1, sha256: null }]);
  assert.deepEqual(parseHubRepoInfo(JSON.parse(JSON.stringify(good))), good);
  const wrong: unknown[] = [
    ...[null, 7, "x", [], {}],
    ...[{ ...good, repo: 1 }, { ...good, license: 1 }, { ...good, gated: true }],
    ...[{ ...good, files: {} }, { ...good, files: [null] }],
    { ...good, files: [{ path: 1, sizeBytes: 1, sha256: null }] },
    { ...good, files: [{ path: "a", sizeBytes: "1", sha256: null }] },
    { ...good, files: [{ path: "a", sizeBytes: -1, sha256: null }] },
    { ...good, files: [{ path: "a", sizeBytes: 1, sha256: 1 }] },
  ];
  for (const value of wrong) assert.equal(parseHubRepoInfo(value), null, JSON.stringify(value));
});

Deno.test("Catalogue keeps what the Hub said for the next start, with its time", async () => {
  await using home = new CatalogueHome();
  home.write({ models: [userModel()] });
  const before = new Date().toISOString();
  const said = info([{ path: "mine-Q4_K_M.gguf", sizeBytes: 1_234_567, sha256: SHA }]);
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
  for (let n = 0; n < 50; n++) await catalogue.rememberRepo(info([], { repo: `me/r${n}` }));
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
  await catalogue.rememberRepo(info([]));
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
  for (let n = 0; n < 40; n++) await catalogue.rememberRepo(info(filler, { repo: `me/r${n}` }));
  await home.close();
  assert.ok(Deno.statSync(home.file).size < 4.5 * 1024 ** 2);
  const kept = Object.keys(home.read()["hub"] as Record<string, unknown>);
  assert.ok(kept.length > 10 && kept.length < 40, String(kept.length));
  assert.ok(kept.includes("me/r39") && !kept.includes("me/r0"));
  assert.notEqual(await home.open().cachedRepo("me/r39"), null);
});
