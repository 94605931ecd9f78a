import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { entriesOf, parseCatalogue } from "../src/models/catalogue_file.ts";
import defaults from "../src/models/default_catalogue.json" with { type: "json" };
import schema from "../src/models/models_registry.schema.json" with { type: "json" };
import { userModel } from "./support/catalogue_home.ts";
import { HOSTILE_NAMES } from "./support/hostile_names.ts";

const validate = new Ajv2020({ strictTypes: false }).compile(schema);

/** What is wrong with a file of this one model; null = nothing. */
function problemOf(model: unknown): string | null {
  const [problem] = entriesOf({ models: [model] }).problems;
  return problem === undefined ? null : `${problem.path}: ${problem.reason}`;
}

const FILE = { file: "a-Q4_K_M.gguf", size_bytes: 1 };
const SHAPE = defaults.models.find(({ id }) => id === "llama-3-8b")!.shape;

const GOOD: Readonly<Record<string, unknown>> = {
  "only what must be there": userModel(),
  "fields that nobody knows": { ...userModel(), rating: 5, files: [{ ...FILE, note: "x" }] },
  "every field": {
    ...userModel(),
    name: "আমার মডেল",
    roles: ["chat", "vision"],
    active_parameters: 5,
    context_length: 4096,
    languages: ["bn", "zh-Hant", "pt-BR"],
    gated: true,
    files: [{
      file: "Q4_K_M/a-Q4_K_M-00001-of-00003.gguf",
      size_bytes: 1,
      size_exact: false,
      sha256: "0".repeat(64),
      quantization: "Q4_K_M",
      projector: { file: "mmproj-F16.gguf", size_bytes: 1 },
    }],
    shape: { ...SHAPE, head_count_kv: [0, 8], ssm: null },
  },
  "null for what is not known": {
    ...userModel(),
    active_parameters: null,
    context_length: null,
    languages: null,
    shape: null,
    files: [{ ...FILE, sha256: null, quantization: null, projector: null }],
  },
};

for (const [name, model] of Object.entries(GOOD)) {
  Deno.test(`entriesOf() and the schema take a model with ${name}`, () => {
    assert.equal(problemOf(model), null);
    assert.ok(validate({ models: [model] }), JSON.stringify(validate.errors));
  });
}

const BAD: readonly (readonly [where: string, model: unknown])[] = [
  ["models[0]", null],
  ["models[0]", "phi"],
  ["models[0]", []],
  ["models[0].id", { ...userModel(), id: undefined }],
  ["models[0].id", userModel("Big Model")],
  ["models[0].id", userModel("../up")],
  ["models[0].id", userModel("x".repeat(101))],
  ["models[0].name", { ...userModel(), name: "" }],
  ["models[0].name", { ...userModel(), name: 7 }],
  ["models[0].builtin", { ...userModel(), builtin: "yes" }],
  ["models[0].roles", { ...userModel(), roles: [] }],
  ["models[0].roles[0]", { ...userModel(), roles: ["talk"] }],
  ["models[0].parameters", { ...userModel(), parameters: "7B" }],
  ["models[0].parameters", { ...userModel(), parameters: 0.5 }],
  ["models[0].parameters", { ...userModel(), parameters: 1e300 }],
  ["models[0].context_length", { ...userModel(), context_length: -1 }],
  ["models[0].languages[1]", { ...userModel(), languages: ["bn", "Bengali!"] }],
  ["models[0].license", { ...userModel(), license: undefined }],
  ["models[0].repo", { ...userModel(), repo: "mine" }],
  ["models[0].repo", { ...userModel(), repo: "https://huggingface.co/me/mine" }],
  ["models[0].repo", { ...userModel(), repo: "me/../mine" }],
  ["models[0].files", { ...userModel(), files: [] }],
  ["models[0].files", { ...userModel(), files: {} }],
  ["models[0].files", { ...userModel(), files: new Array(51).fill(FILE) }],
  ["models[0].files[0].file", { ...userModel(), files: [{ ...FILE, file: "a.bin" }] }],
  ["models[0].files[0].file", { ...userModel(), files: [{ ...FILE, file: "/etc/a.gguf" }] }],
  ["models[0].files[0].file", { ...userModel(), files: [{ ...FILE, file: "..\\a.gguf" }] }],
  ["models[0].files[0].size_bytes", { ...userModel(), files: [{ ...FILE, size_bytes: null }] }],
  ["models[0].files[0].sha256", { ...userModel(), files: [{ ...FILE, sha256: "abc" }] }],
  ["models[0].files[0].projector.file", {
    ...userModel(),
    files: [{ ...FILE, projector: { size_bytes: 1 } }],
  }],
  ["models[0].shape.block_count", { ...userModel(), shape: { ...SHAPE, block_count: 1e9 } }],
  ["models[0].shape.head_count_kv", { ...userModel(), shape: { ...SHAPE, head_count_kv: [] } }],
  ["models[0].shape.output", { ...userModel(), shape: { ...SHAPE, output: undefined } }],
  ["models[0].shape.ssm.inner_size", {
    ...userModel(),
    shape: { ...SHAPE, ssm: { conv_kernel: 4, state_size: 1, group_count: 1 } },
  }],
];

for (const [where, model] of BAD) {
  const shown = JSON.stringify(model)?.slice(0, 40);
  Deno.test(`entriesOf() and the schema refuse ${where} of ${shown}...`, () => {
    const problem = problemOf(model);
    assert.equal(problem?.split(": ")[0], where, String(problem));
    // As it lies in a file: without what is undefined.
    assert.ok(!validate(JSON.parse(JSON.stringify({ models: [model] }))));
  });
}

Deno.test("entriesOf() takes no model that the schema refuses, whatever stands in it", () => {
  const values: unknown[] = [
    ...[null, true, 0, -1, 1, 0.5, 1e300, "", "a", "chat", "me/mine", "a.gguf", [], {}, [1], [{}]],
    { file: "b.gguf", size_bytes: 2 },
    "0".repeat(64),
  ];
  const paths = [
    ...["id", "name", "builtin", "roles", "parameters", "active_parameters", "context_length"],
    ...["languages", "license", "gated", "repo", "files", "shape", "unknown", "files.0"],
    ...["files.0.file", "files.0.size_bytes", "files.0.size_exact", "files.0.sha256"],
    ...["files.0.quantization", "files.0.projector", "files.0.projector.file", "roles.0"],
    ...Object.keys(SHAPE).map((key) => `shape.${key}`),
    ...["shape.expert_count", "shape.ssm", "shape.shortconv", "shape.sliding_window"],
  ];
  const change = fc.tuple(fc.constantFrom(...paths), fc.constantFrom(...values));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
      const model = structuredClone(GOOD["every field"]) as Record<string, unknown>;
      for (const [path, value] of changes) set(model, path.split("."), value);
      const problem = problemOf(model);
      // Beyond the schema goes what a path may be; everything else is the same.
      if (problem === null || !/\.file: /.test(problem)) {
        assert.equal(problem === null, validate({ models: [model] }), String(problem));
      }
    }),
    { numRuns: 3000 },
  );
});

function set(target: unknown, [name, ...rest]: string[], value: unknown): void {
  if (typeof target !== "object" || target === null) return;
  const record = target as Record<string, unknown>;
  if (rest.length === 0) record[name!] = value;
  else set(record[name!], rest, value);
}

Deno.test("entriesOf() takes no hostile name as a file's or a repository's", () => {
  for (const name of HOSTILE_NAMES) {
    for (const file of [name, `${name}.gguf`, `a/${name}/b.gguf`]) {
      const model = { ...userModel(), files: [{ ...FILE, file }] };
      const [entry] = entriesOf({ models: [model] }).entries;
      if (entry === undefined) continue;
      assert.match(entry.files[0]!.file, /^[^/\\]+(\/[^/\\]+){0,3}\.gguf$/i);
      assert.ok(entry.files[0]!.file.split("/").every((part) => !/^\.|\.\./.test(part)));
    }
    const { entries } = entriesOf({ models: [{ ...userModel(), repo: `me/${name}` }] });
    if (entries.length > 0) assert.match(entries[0]!.repo, /^me\/[A-Za-z0-9][\w.-]*$/);
  }
});

Deno.test("entriesOf() uses the first 2,000 models, and one of two with the same id", () => {
  const many = Array.from({ length: 2_500 }, (_, index) => userModel(`m${index}`));
  const { entries, problems } = entriesOf({ models: many });
  assert.equal(entries.length, 2000);
  assert.deepEqual(problems.map(({ path }) => path), ["models"]);
  const twice = entriesOf({ models: [userModel(), { ...userModel(), name: "Other" }] });
  assert.deepEqual(twice.entries.map(({ name }) => name), ["Mine"]);
  assert.deepEqual(twice.problems.map(({ path }) => path), ["models[1].id"]);
});

Deno.test("parseCatalogue() is not changed by names of prototypes", () => {
  const own = JSON.stringify(userModel()).slice(1);
  const text = `{"__proto__": {"version": 9}, "constructor": 1, "hub": {"__proto__": {}}, ` +
    `"models": [{"__proto__": {"builtin": true, "gated": true}, ${own}, {"__proto__": ${
      JSON.stringify(userModel("by-prototype"))
    }}]}`;
  const found = parseCatalogue(text, { sizeBytes: 1, mtimeMs: 1 });
  assert.ok(found.kind === "document");
  const { entries, problems } = entriesOf(found.document);
  assert.deepEqual(entries.map(({ id, builtin, gated }) => [id, builtin, gated]), [
    ["mine", false, false],
  ]);
  assert.deepEqual(problems.map(({ path }) => path), ["models[1].id"]);
  assert.equal(({} as Record<string, unknown>)["gated"], undefined);
});
