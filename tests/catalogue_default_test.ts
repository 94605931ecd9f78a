// The catalogue that comes with the program: its figures agree with each other and with its schema.

import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import { type CatalogueEntry, ROLES } from "../src/models/catalogue_entry.ts";
import { entriesOf } from "../src/models/catalogue_file.ts";
import document from "../src/models/default_catalogue.json" with { type: "json" };
import schema from "../src/models/models_registry.schema.json" with { type: "json" };
import { parametersOf } from "../src/models/model_shape.ts";
import { factsFromShape } from "../src/models/shape_facts.ts";
import { kvCache } from "../src/orchestrator/kv_cache.ts";

const { entries, problems } = entriesOf(document);

/** Bits of a stored number, over a whole file: least and most of each format. */
const BITS: readonly (readonly [label: RegExp, least: number, most: number])[] = [
  [/^(UD-)?Q4_K_M$/, 4.7, 5.75],
  [/^Q8_0$/, 8.45, 9.05],
  [/^F16$/, 15.9, 16.2],
  [/^MXFP4$/, 4.2, 4.8],
  // Those trained for it keep their embedding in eight bits: in small models it is most of them.
  [/^Q4_0$/, 4.5, 7.3],
];

function entry(id: string): CatalogueEntry {
  const found = entries.find((each) => each.id === id);
  assert.ok(found, id);
  return found;
}

function facts({ name, shape, contextLength, files }: CatalogueEntry) {
  const [{ sizeBytes, quantization }] = files as [CatalogueEntry["files"][0]];
  assert.ok(shape, name);
  return factsFromShape(shape, { name, kind: "chat", contextLength, sizeBytes, quantization });
}

Deno.test("the default catalogue is sound, and is what its schema says", () => {
  assert.deepEqual(problems, []);
  const validate = new Ajv2020({ allErrors: true, strictTypes: false }).compile(schema);
  assert.ok(validate(document), JSON.stringify(validate.errors));
});

Deno.test("the default catalogue holds models of every role from 0.3B to 70B", () => {
  assert.ok(entries.length >= 25, String(entries.length));
  for (const role of ROLES) {
    assert.ok(entries.filter(({ roles }) => roles.includes(role)).length >= 2, role);
  }
  const sizes = entries.map(({ parameters }) => parameters).sort((a, b) => a - b);
  assert.ok(sizes[0]! <= 0.3e9 && sizes.at(-1)! >= 70e9);
  for (const id of ["phi-3-mini", "llama-3-8b", "mixtral-8x7b"]) entry(id);
  assert.equal(new Set(entries.map(({ id }) => id)).size, entries.length);
  assert.ok(entries.every(({ builtin, shape }) => builtin && shape !== null));
});

Deno.test("the default catalogue marks models that know Bengali, in every role but code", () => {
  for (const role of ["chat", "vision", "embedding", "rerank"] as const) {
    const found = entries.filter(({ roles, languages }) =>
      roles.includes(role) && languages.includes("bn")
    );
    assert.ok(found.length > 0, role);
  }
});

for (const { id, parameters, activeParameters, shape, files } of entries) {
  Deno.test(`parametersOf() of ${id} is its published count, and its files hold as much`, () => {
    assert.ok(shape);
    const counts = parametersOf(shape);
    assert.ok(Math.abs(counts.published / parameters - 1) < 0.06, String(counts.published));
    if (shape.expert_count) {
      const used = shape.expert_used_count! / shape.expert_count;
      const active = counts.total - counts.experts * (1 - used);
      assert.ok(Math.abs(active / activeParameters! - 1) < 0.3, String(active));
    }
    for (const { quantization, sizeBytes } of files) {
      const bits = sizeBytes * 8 / counts.total;
      const range = BITS.find(([label]) => label.test(quantization ?? ""));
      assert.ok(range, quantization ?? "no label");
      assert.ok(bits >= range[1] && bits <= range[2], `${quantization}: ${bits} bits`);
    }
  });
}

// Published figures of the real files.
const FILES = [
  { id: "llama-3-8b", weightsBytes: 4_912_898_048, tokenEmbeddingBytes: 295_501_824 },
  { id: "qwen3-8b", weightsBytes: 5_021_827_072 },
  { id: "qwen3-30b-a3b-2507", weightsBytes: 18_550_716_416 },
  { id: "phi-3-mini", weightsBytes: 2_392_493_568 },
  { id: "gpt-oss-20b", weightsBytes: 12_096_558_336 },
];

for (const { id, weightsBytes, tokenEmbeddingBytes } of FILES) {
  Deno.test(`factsFromShape() of ${id} has the weights of the real file`, () => {
    const found = facts(entry(id));
    assert.ok(Math.abs(found.weightsBytes / weightsBytes - 1) < 0.005, `${found.weightsBytes}`);
    if (tokenEmbeddingBytes !== undefined) {
      assert.equal(found.tokenEmbeddingBytes, tokenEmbeddingBytes);
    }
  });
}

// MiB of 16-bit cache at 8,192 tokens, one slot.
const CACHES = [
  { id: "llama-3-8b", mib: 1024 },
  { id: "mixtral-8x7b", mib: 1024 },
  { id: "llama-3.2-3b", mib: 896 },
  { id: "qwen2.5-coder-7b", mib: 448 },
  { id: "qwen3-8b", mib: 1152 },
  { id: "qwen3-4b-2507", mib: 1152 },
  { id: "qwen3-30b-a3b-2507", mib: 768 },
  { id: "phi-3-mini", mib: 3072 },
  { id: "gemma-3-4b", mib: 160 + 174 },
  { id: "gemma-3-12b", mib: 512 + 480 },
  { id: "gemma-3-27b", mib: 640 + 624 },
  { id: "gpt-oss-20b", mib: 192 + 18 },
  { id: "bge-m3", mib: 0 },
];

for (const { id, mib } of CACHES) {
  Deno.test(`factsFromShape() of ${id} has the cache of the real model`, () => {
    const { bytes } = kvCache(facts(entry(id)), {
      contextTokens: 8192,
      parallel: 1,
      ubatchTokens: 512,
      cacheTypeK: null,
      cacheTypeV: null,
    });
    assert.ok(Math.abs(bytes / 2 ** 20 - mib) <= mib * 0.01, `${bytes / 2 ** 20} MiB`);
  });
}

Deno.test("factsFromShape() shares the bytes out without losing any", () => {
  for (const each of entries) {
    const found = facts(each);
    const counts = parametersOf(each.shape!);
    const blocks = found.blockBytes.reduce((sum, bytes) => sum + bytes, 0);
    const known = blocks + found.tokenEmbeddingBytes;
    assert.ok(known <= found.weightsBytes, each.id);
    // What is neither: an output of its own, and tables.
    if (counts.output === 0 && counts.tables === 0) {
      assert.ok(known > found.weightsBytes * 0.999, each.id);
    }
    assert.ok(found.expertBytes <= blocks, each.id);
    assert.equal(found.blockBytes.length, found.blockCount);
  }
});
