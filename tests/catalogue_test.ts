import assert from "node:assert/strict";
import { join } from "node:path";
import { CATALOGUE_FILE, MOST_FILE_BYTES, SCHEMA_FILE } from "../src/models/catalogue_file.ts";
import defaults from "../src/models/default_catalogue.json" with { type: "json" };
import { CatalogueHome, userModel } from "./support/catalogue_home.ts";
import { soakCount } from "./support/soak.ts";

const COUNT = defaults.models.length;
const DEFAULT_IDS = defaults.models.map(({ id }) => id).sort();

async function ids(home: CatalogueHome): Promise<string[]> {
  return (await home.open().entries()).map(({ id }) => id).sort();
}

Deno.test("Catalogue writes the models of the program at its first use, with their schema", async () => {
  await using home = new CatalogueHome();
  const catalogue = home.open();
  assert.deepEqual(home.names(), []);
  const entries = await catalogue.entries();
  assert.deepEqual(entries.map(({ id }) => id).sort(), DEFAULT_IDS);
  await home.close();
  assert.deepEqual(home.names(), [CATALOGUE_FILE, SCHEMA_FILE]);
  const { $schema, version, catalogue_version, models, hub } = home.read();
  assert.equal($schema, `./${SCHEMA_FILE}`);
  assert.deepEqual([version, catalogue_version, hub], [1, defaults.catalogue_version, {}]);
  assert.deepEqual(models, defaults.models);
  assert.deepEqual(await ids(home), DEFAULT_IDS);
  assert.deepEqual(home.logged.entries, []);
});

Deno.test("Catalogue leaves a file alone that it has nothing to add to", async () => {
  await using home = new CatalogueHome();
  await ids(home);
  await home.close();
  const text = Deno.readTextFileSync(home.file).replace('"version": 1,', '"version":   1,');
  home.write(text);
  await ids(home);
  await home.close();
  assert.equal(Deno.readTextFileSync(home.file), text);
});

Deno.test("Catalogue takes a user's model, also in place of one with the same id", async () => {
  await using home = new CatalogueHome();
  await ids(home);
  await home.close();
  const file = home.read();
  home.write({ ...file, models: [...file.models, userModel(), userModel("qwen3-8b")] });
  const entries = await home.open().entries();
  assert.equal(entries.length, COUNT + 1);
  const mine = entries.filter(({ builtin }) => !builtin);
  assert.deepEqual(mine.map(({ id }) => id).sort(), ["mine", "qwen3-8b"]);
  assert.deepEqual(mine[0]!.files[0]!, {
    file: "mine-Q4_K_M.gguf",
    sizeBytes: 1_000_000,
    sizeExact: true,
    sha256: null,
    quantization: null,
    projector: null,
    facts: null,
  });
});

Deno.test("Catalogue sees at once what a user changes while it runs", async () => {
  await using home = new CatalogueHome();
  const catalogue = home.open();
  await catalogue.entries();
  await catalogue.flush();
  const file = home.read();
  home.write({ ...file, models: [...file.models, userModel()] });
  assert.equal((await catalogue.entries()).length, COUNT + 1);
  home.write({ ...file, models: [] });
  assert.equal((await catalogue.entries()).length, 0);
  Deno.removeSync(home.file);
  assert.equal((await catalogue.entries()).length, COUNT);
});

Deno.test("Catalogue brings a newer list, and keeps a user's models and every other field", async () => {
  await using home = new CatalogueHome();
  const bad = { ...userModel("bad"), parameters: -1, note: "keep me" };
  const gone = { ...userModel("gone"), builtin: true };
  const mine = { ...userModel(), __proto__: null, note: { of: "mine" } };
  home.write({ catalogue_version: 0, models: [mine, bad, gone, 7], theirs: [1, { a: 2 }] });
  const catalogue = home.open();
  assert.equal((await catalogue.entries()).length, COUNT + 1);
  assert.deepEqual(
    (await catalogue.userProblems()).map(({ path }) => path),
    ["models[1].parameters", "models[2]"],
  );
  await home.close();
  const file = home.read();
  assert.deepEqual(file["theirs"], [1, { a: 2 }]);
  assert.equal(file["catalogue_version"], defaults.catalogue_version);
  assert.deepEqual(file.models, [
    { ...userModel(), note: { of: "mine" } },
    bad,
    7,
    ...defaults.models,
  ]);
});

Deno.test("Catalogue keeps the good models beside a bad one, says where it is wrong, and leaves the text", async () => {
  await using home = new CatalogueHome();
  await ids(home);
  await home.close();
  const file = home.read();
  const bad = { ...userModel("bad"), files: [{ file: "../x.gguf", size_bytes: 1 }] };
  home.write({ ...file, models: [...file.models, bad, userModel()] });
  const text = Deno.readTextFileSync(home.file);
  const catalogue = home.open();
  assert.equal((await catalogue.entries()).length, COUNT + 1);
  const path = `models[${COUNT}].files[0].file`;
  assert.deepEqual(await catalogue.userProblems(), [
    { path, reason: "must be the path of a GGUF file in the repository" },
  ]);
  const warnings = home.logged.entries.filter(({ level }) => level === "warn");
  assert.deepEqual(warnings.map(({ fields }) => fields["path"]), [path]);
  await home.close();
  assert.equal(Deno.readTextFileSync(home.file), text);
});

const BROKEN: Readonly<Record<string, string | Uint8Array>> = {
  "no JSON": '{"models": [',
  "nothing": "",
  "a list": "[]",
  "no list of models": '{"models": {}}',
  "a version that is a text": '{"version": "1", "models": []}',
  "a version of 0": '{"version": 0, "models": []}',
  "over 5 MiB": `{"models": [], "x": "${"x".repeat(MOST_FILE_BYTES)}"}`,
  "nested a hundred deep": `{"models": [], "x": ${"[".repeat(100)}${"]".repeat(100)}}`,
  "nested a million deep": `{"models": [], "x": ${"[".repeat(1e6)}${"]".repeat(1e6)}}`,
};

for (const [name, content] of Object.entries(BROKEN)) {
  Deno.test(`Catalogue sets a broken file aside, whole: ${name}`, async () => {
    await using home = new CatalogueHome();
    home.write(content);
    assert.deepEqual(await ids(home), DEFAULT_IDS);
    await home.close();
    const aside = home.names().find((each) =>
      /^models_registry\.json\.broken-\d{8}T\d+Z$/.test(each)
    );
    assert.ok(aside, home.names().join(" "));
    assert.equal(Deno.readTextFileSync(join(home.path, aside)), content);
    assert.deepEqual(home.read().models, defaults.models);
    const [warning] = home.logged.messages("warn");
    assert.equal(warning, "The catalogue file is broken and was set aside");
  });
}

Deno.test("Catalogue only reads a file of a newer release", async () => {
  await using home = new CatalogueHome();
  const model = { ...userModel(), future: true };
  home.write({ version: 2, catalogue_version: 0, models: [model, { of: "the future" }], hub: 7 });
  const text = Deno.readTextFileSync(home.file);
  assert.deepEqual(await ids(home), ["mine"]);
  await home.close();
  assert.equal(Deno.readTextFileSync(home.file), text);
  assert.deepEqual(home.names(), [CATALOGUE_FILE]);
});

Deno.test("Catalogue never writes a number again that it could not keep", async () => {
  await using home = new CatalogueHome();
  const text = JSON.stringify({ models: [userModel()] }).replace("1000000,", "1e999,");
  home.write(text);
  assert.equal((await ids(home)).length, COUNT);
  await home.close();
  assert.equal(Deno.readTextFileSync(home.file), text);
});

Deno.test("Catalogue follows no link, and writes over none", async () => {
  await using home = new CatalogueHome();
  const target = join(home.path, "target.json");
  Deno.writeTextFileSync(target, JSON.stringify({ models: [userModel()] }));
  Deno.symlinkSync(target, home.file);
  assert.deepEqual(await ids(home), DEFAULT_IDS);
  await home.close();
  assert.ok(Deno.lstatSync(home.file).isSymlink);
  assert.deepEqual(home.logged.messages("warn"), ["Cannot use the catalogue file"]);
});

Deno.test("Catalogue works in a folder that cannot be written, and says so", async () => {
  await using home = new CatalogueHome();
  // Not by its mode: root may write anywhere.
  const gone = home.path;
  const catalogue = home.open();
  await catalogue.entries();
  Deno.removeSync(gone, { recursive: true });
  await catalogue.flush();
  assert.deepEqual(home.logged.messages("warn"), ["Cannot write the catalogue file"]);
  assert.equal((await catalogue.entries()).length, COUNT);
  Deno.mkdirSync(gone);
  await home.close();
  assert.deepEqual(home.read().models, defaults.models);
});

Deno.test("Catalogue removes what a write left behind that was cut off", async () => {
  await using home = new CatalogueHome();
  const old = join(home.path, "models_registry.json.0123456789ab.tmp");
  const others = join(home.path, "models_registry.json.mine.tmp");
  for (const path of [old, others]) {
    Deno.writeTextFileSync(path, "{");
    Deno.utimeSync(path, 1, 1);
  }
  await ids(home);
  await home.close();
  assert.deepEqual(home.names(), [CATALOGUE_FILE, "models_registry.json.mine.tmp", SCHEMA_FILE]);
});

Deno.test("Catalogue's file is whole whenever its writer dies, and what was added to it stays", async () => {
  const writer = join(import.meta.dirname!, "support/catalogue_writer.ts");
  await using home = new CatalogueHome();
  home.write({ models: [userModel()] });
  for (let round = 0; round < soakCount(30); round++) {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--no-check", writer, home.path],
      stdout: "piped",
    }).spawn();
    const lines = child.stdout.getReader();
    for (let writes = 0; writes < 1 + round % 7; writes++) await lines.read();
    child.kill("SIGKILL");
    await child.status;
    await lines.cancel();
    const { models, hub } = home.read();
    assert.deepEqual([models[0]!["id"], models.length], ["mine", COUNT + 1]);
    assert.ok(Object.keys(hub as Record<string, unknown>).length > 0);
  }
  assert.equal(home.names().filter((name) => name.includes("broken")).length, 0);
});
