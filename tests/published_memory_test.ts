// Weights and KV caches against the figures that were published or printed for well-known models.

import assert from "node:assert/strict";
import type { GgufFacts } from "../src/models/gguf.ts";
import { kvCache, type KvShape } from "../src/orchestrator/kv_cache.ts";
import { memoryNeed } from "../src/orchestrator/memory_need.ts";
import { modelFacts } from "./support/model_facts.ts";
import { PUBLISHED, publishedFacts } from "./support/published_models.ts";

const MIB = 1024 ** 2;
const SHAPE: KvShape = {
  contextTokens: 8192,
  parallel: 1,
  ubatchTokens: 512,
  cacheTypeK: null,
  cacheTypeV: null,
};

type Name = keyof typeof PUBLISHED;

function factsOf(name: Name): GgufFacts {
  return publishedFacts(PUBLISHED[name][0]);
}

for (const [name, [shape, bytes]] of Object.entries(PUBLISHED)) {
  Deno.test(`memoryNeed() of ${name} counts the published weights to the byte`, () => {
    const need = memoryNeed(publishedFacts(shape), {
      ...SHAPE,
      mode: "chat",
      mmprojBytes: 0,
      extraBytes: 0,
      build: null,
    });
    assert.equal(need.weightsBytes, bytes);
  });
}

// Real files hold a header and a tokenizer beside these tensors, and some repositories other mixes.
const FILES: [Name, number][] = [
  ["Llama-3 8B", 4_920_733_888],
  ["Qwen3 8B", 5_027_783_488],
  ["Qwen3-30B-A3B", 18_556_686_752],
  ["Phi-3 mini", 2_393_232_096],
  ["gpt-oss-20b", 12_109_566_560],
];

Deno.test("the weights of published models are within 1 % of the real files", () => {
  for (const [name, fileBytes] of FILES) {
    const { weightsBytes } = factsOf(name);
    assert.ok(weightsBytes < fileBytes && weightsBytes > 0.99 * fileBytes, name);
  }
});

// MiB by context, f16, one slot.
const CACHES: Record<Name, Record<number, number>> = {
  "Llama-3 8B": { 4096: 512, 8192: 1024, 32768: 4096, 131072: 16384 },
  "Mistral 7B": { 4096: 512, 8192: 1024, 32768: 4096, 131072: 16384 },
  "Mixtral 8x7B": { 4096: 512, 8192: 1024, 32768: 4096, 131072: 16384 },
  "Llama-2 7B": { 4096: 2048 },
  "Llama-3.2 3B": { 4096: 448, 8192: 896, 32768: 3584, 131072: 14336 },
  "Qwen2.5 7B": { 4096: 224, 8192: 448, 32768: 1792 },
  "Qwen3 8B": { 4096: 576, 8192: 1152, 32768: 4608 },
  "Qwen3-30B-A3B": { 4096: 384, 8192: 768, 32768: 3072 },
  "Phi-3 mini": { 4096: 1536, 8192: 3072, 32768: 12288 },
  "Gemma-2 9B": { 8192: 1344 + 756, 32768: 5376 + 756 },
  "Gemma-3 4B": { 4096: 80 + 174, 8192: 160 + 174, 32768: 640 + 174, 131072: 2560 + 174 },
  "gpt-oss-20b": { 8192: 192 + 18, 32768: 768 + 18, 131072: 3072 + 18 },
};

for (const [name, byContext] of Object.entries(CACHES)) {
  Deno.test(`kvCache() of ${name}, from its header, is what was printed`, () => {
    const facts = factsOf(name as Name);
    for (const [contextTokens, mib] of Object.entries(byContext)) {
      const cache = kvCache(facts, { ...SHAPE, contextTokens: Number(contextTokens) });
      assert.equal(cache.bytes / MIB, mib, `${contextTokens} tokens`);
      assert.equal(cache.layerBytes.reduce((sum, bytes) => sum + bytes, 0), cache.bytes);
    }
  });
}

function gemma3(layers: number, kvHeads: number, head: number, slidingWindow: number): GgufFacts {
  return modelFacts({ architecture: "gemma3", layers, kvHeads, head, slidingWindow });
}

// Bytes that each 1,024 tokens add beyond all windows, as another program's catalogue has them.
const GROWTH: [string, GgufFacts, number][] = [
  ["gpt-oss-20b", factsOf("gpt-oss-20b"), 25_165_824],
  [
    "gpt-oss-120b",
    modelFacts({ architecture: "gpt-oss", layers: 36, kvHeads: 8, head: 64, slidingWindow: 128 }),
    37_748_736,
  ],
  ["Gemma-3 27B", gemma3(62, 16, 128, 1024), 83_886_080],
  ["Gemma-3 12B", gemma3(48, 8, 256, 1024), 67_108_864],
  ["Gemma-3 4B", factsOf("Gemma-3 4B"), 20_971_520],
  ["Gemma-3 1B", gemma3(26, 1, 256, 512), 4_194_304],
  ["Gemma-3 270M", gemma3(18, 1, 256, 512), 3_145_728],
  ["Qwen3-30B-A3B", factsOf("Qwen3-30B-A3B"), 100_663_296],
  [
    "Qwen3-4B",
    modelFacts({ architecture: "qwen3", layers: 36, kvHeads: 8, head: 128 }),
    150_994_944,
  ],
];

for (const [name, facts, bytes] of GROWTH) {
  Deno.test(`kvCache() of ${name} grows by the published bytes for each 1,024 tokens`, () => {
    const at = (contextTokens: number) => kvCache(facts, { ...SHAPE, contextTokens }).bytes;
    assert.equal(at(17_408) - at(16_384), bytes);
  });
}
