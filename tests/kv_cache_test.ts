import assert from "node:assert/strict";
import type { GgufFacts } from "../src/models/gguf.ts";
import { kvCache, type KvShape } from "../src/orchestrator/kv_cache.ts";
import {
  BGE_M3,
  DEEPSEEK_V2_LITE,
  GEMMA_2_9B,
  GEMMA_3_4B,
  GPT_OSS_20B,
  LLAMA_32_3B,
  LLAMA_3_8B,
  modelFacts,
  PHI_3_MINI,
  QWEN_25_7B,
  QWEN_3_30B_A3B,
  QWEN_3_8B,
  QWEN_3_NEXT_80B,
} from "./support/model_facts.ts";

const MIB = 1024 ** 2;
const SHAPE: KvShape = {
  contextTokens: 8192,
  parallel: 1,
  ubatchTokens: 512,
  cacheTypeK: null,
  cacheTypeV: null,
};

function kvMib(facts: GgufFacts, shape: Partial<KvShape> = {}): number {
  return kvCache(facts, { ...SHAPE, ...shape }).bytes / MIB;
}

const LLAMA_2_7B = modelFacts({ architecture: "llama", layers: 32, kvHeads: 32, head: 128 });
const GEMMA_3_12B = modelFacts({
  architecture: "gemma3",
  layers: 48,
  kvHeads: 8,
  head: 256,
  slidingWindow: 1024,
});
const GEMMA_3_27B = modelFacts({
  architecture: "gemma3",
  layers: 62,
  kvHeads: 16,
  head: 128,
  slidingWindow: 1024,
});
const GPT_OSS_120B = modelFacts({
  architecture: "gpt-oss",
  layers: 36,
  kvHeads: 8,
  head: 64,
  slidingWindow: 128,
});

// What llama-server itself printed for GGUF files of these shapes, in MiB with f16, one slot.
const PRINTED: [string, GgufFacts, Record<number, number>][] = [
  ["Llama-3 8B", LLAMA_3_8B, { 4096: 512, 8192: 1024, 32768: 4096, 131072: 16384 }],
  ["Llama-2 7B", LLAMA_2_7B, { 4096: 2048 }],
  ["Llama-3.2 3B", LLAMA_32_3B, { 4096: 448, 8192: 896, 32768: 3584, 131072: 14336 }],
  ["Qwen2.5 7B", QWEN_25_7B, { 4096: 224, 8192: 448, 32768: 1792 }],
  ["Qwen3 8B", QWEN_3_8B, { 4096: 576, 8192: 1152, 32768: 4608 }],
  ["Qwen3-30B-A3B", QWEN_3_30B_A3B, { 4096: 384, 8192: 768, 32768: 3072 }],
  ["Phi-3 mini, window unused", PHI_3_MINI, { 4096: 1536, 8192: 3072, 32768: 12288 }],
  ["Gemma-2 9B", GEMMA_2_9B, { 8192: 1344 + 756, 32768: 5376 + 756 }],
  ["Gemma-3 4B", GEMMA_3_4B, {
    4096: 80 + 174,
    8192: 160 + 174,
    32768: 640 + 174,
    131072: 2560 + 174,
  }],
  ["Gemma-3 12B", GEMMA_3_12B, { 8192: 512 + 480, 32768: 2048 + 480 }],
  ["Gemma-3 27B", GEMMA_3_27B, { 8192: 640 + 624, 32768: 2560 + 624 }],
  ["gpt-oss-20b", GPT_OSS_20B, { 8192: 192 + 18, 32768: 768 + 18, 131072: 3072 + 18 }],
  ["gpt-oss-120b", GPT_OSS_120B, { 8192: 288 + 27, 32768: 1152 + 27 }],
];

for (const [name, facts, byContext] of PRINTED) {
  Deno.test(`kvCache() of ${name} is what llama-server prints`, () => {
    for (const [contextTokens, mib] of Object.entries(byContext)) {
      assert.equal(kvMib(facts, { contextTokens: Number(contextTokens) }), mib);
    }
  });
}

Deno.test("kvCache() counts the bytes of a quantised cache with its scales", () => {
  assert.equal(kvMib(LLAMA_3_8B, { cacheTypeK: "q8_0", cacheTypeV: "q8_0" }), 544);
  assert.equal(kvMib(LLAMA_3_8B, { cacheTypeK: "q4_0", cacheTypeV: "q4_0" }), 288);
  assert.equal(kvMib(LLAMA_3_8B, { cacheTypeK: "q8_0", cacheTypeV: null }), (544 + 1024) / 2);
  assert.equal(kvMib(LLAMA_3_8B, { cacheTypeK: "f32", cacheTypeV: "f32" }), 2048);
});

Deno.test("kvCache() rounds a context up to 256 cells, in each slot", () => {
  assert.equal(kvMib(LLAMA_3_8B, { contextTokens: 100 }), 32);
  // `-c 8000 -np 3` makes 2,816 cells in each of three slots.
  const cache = kvCache(LLAMA_3_8B, { ...SHAPE, contextTokens: Math.ceil(8000 / 3), parallel: 3 });
  assert.equal(cache.cells, 2816);
  assert.equal(cache.bytes / MIB, 1056);
});

Deno.test("kvCache() gives every slot a window of its own", () => {
  assert.equal(kvMib(GEMMA_3_4B, { contextTokens: 8192, parallel: 4 }), 640 + 696);
});

Deno.test("kvCache() of a window is never larger than the context", () => {
  assert.equal(kvCache(GEMMA_2_9B, { ...SHAPE, contextTokens: 512 }).slidingCells, 512);
  assert.equal(kvCache(GEMMA_2_9B, SHAPE).slidingCells, 4608);
});

Deno.test("kvCache() gives a Gemma 3 without the window's key no window", () => {
  const plain = modelFacts({ architecture: "gemma3", layers: 34, kvHeads: 4, head: 256 });
  assert.deepEqual(kvCache(plain, SHAPE).slidingCells, 0);
  assert.equal(kvMib(plain), 34 * 8192 * 4 * 256 * 4 / MIB);
});

Deno.test("kvCache() takes the window's layers from the file's own list", () => {
  const gemma4 = modelFacts({
    architecture: "gemma4",
    layers: 4,
    kvHeads: [8, 8, 2, 2],
    head: 512,
    slidingWindow: 512,
    keys: {
      "attention.sliding_window_pattern": [1, 1, 0, 1],
      "attention.shared_kv_layers": 1,
      "attention.key_length_swa": 256,
      "attention.value_length_swa": 256,
    },
  });
  // Two window layers of 1,024 cells, one full one; the last reuses another's.
  const expected = 2 * 1024 * 8 * (256 + 256) * 2 + 8192 * 2 * (512 + 512) * 2;
  assert.equal(kvCache(gemma4, SHAPE).bytes, expected);
});

Deno.test("kvCache() counts one layer in full where the first of each group is full", () => {
  const facts = modelFacts({
    architecture: "smallthinker",
    layers: 5,
    kvHeads: 1,
    head: 64,
    slidingWindow: 256,
  });
  const perCell = 64 * 2 * 2;
  assert.equal(kvCache(facts, SHAPE).bytes, (2 * 8192 + 3 * 768) * perCell);
});

Deno.test("kvCache() counts the first 20 layers of a Gemma 3n, the others keep nothing", () => {
  const shape = { architecture: "gemma3n", kvHeads: 2, head: 256, slidingWindow: 512 };
  assert.equal(
    kvMib(modelFacts({ ...shape, layers: 35 })),
    kvMib(modelFacts({ ...shape, layers: 20 })),
  );
});

Deno.test("kvCache() of latent attention has no values", () => {
  const perToken = kvCache(DEEPSEEK_V2_LITE, SHAPE).bytes / 8192;
  assert.equal(perToken, 31_104);
  const r1 = modelFacts({
    architecture: "deepseek2",
    layers: 61,
    kvHeads: 1,
    head: 576,
    keys: { "attention.key_length_mla": 192 },
  });
  assert.equal(Math.round(kvMib(r1)), 549);
  // Files from before the newer keys hold all heads.
  const old = modelFacts({
    architecture: "deepseek2",
    layers: 61,
    kvHeads: 128,
    head: 192,
    valueLength: 128,
  });
  assert.equal(kvCache(old, SHAPE).bytes / 8192, 4_997_120);
});

Deno.test("kvCache() adds the states of recurrent layers once for each slot, whatever the context", () => {
  const attention = 24_576 * 8192 / MIB;
  assert.equal((kvMib(QWEN_3_NEXT_80B) - attention).toFixed(1), "75.4");
  const two = kvMib(QWEN_3_NEXT_80B, { parallel: 2 });
  assert.equal(two, 2 * kvMib(QWEN_3_NEXT_80B));
  const state = kvCache(QWEN_3_NEXT_80B, SHAPE).checkpointBytes;
  assert.equal((state / MIB).toFixed(1), "75.4");
});

Deno.test("kvCache() of a recurrent model is its states alone", () => {
  const mamba = modelFacts({
    architecture: "mamba",
    layers: 64,
    kvHeads: 0,
    head: 0,
    embedding: 2560,
    keys: { "ssm.conv_kernel": 4, "ssm.inner_size": 5120, "ssm.state_size": 16 },
  });
  const cache = kvCache(mamba, SHAPE);
  assert.equal(cache.bytes, 64 * 4 * (3 * 5120 + 16 * 5120));
  assert.equal(cache.cells, 0);
  assert.equal(kvCache(mamba, { ...SHAPE, contextTokens: 65_536 }).bytes, cache.bytes);
});

Deno.test("kvCache() of a hybrid counts states only where a layer has no KV heads", () => {
  const lfm2 = modelFacts({
    architecture: "lfm2",
    layers: 4,
    kvHeads: [0, 0, 8, 0],
    head: 64,
    embedding: 1024,
    keys: { "shortconv.l_cache": 3 },
  });
  assert.equal(kvCache(lfm2, SHAPE).bytes, 8192 * 8 * 64 * 2 * 2 + 3 * 4 * 1024 * 2);
});

Deno.test("kvCache() of an encoder is nothing", () => {
  assert.deepEqual(kvCache(BGE_M3, SHAPE), {
    bytes: 0,
    layerBytes: new Array(24).fill(0),
    cells: 0,
    slidingCells: 0,
    checkpointBytes: 0,
  });
});
