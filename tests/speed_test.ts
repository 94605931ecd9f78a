import assert from "node:assert/strict";
import fc from "fast-check";
import type { GgufFacts } from "../src/models/gguf.ts";
import { answerBytes, bytesPerToken, liveTokens } from "../src/orchestrator/bytes_per_token.ts";
import { kvCache } from "../src/orchestrator/kv_cache.ts";
import { expectedTokensPerSecond, type SpeedInputs } from "../src/orchestrator/speed.ts";
import {
  BGE_M3,
  GEMMA_2_9B,
  GEMMA_3_4B,
  GPT_OSS_20B,
  LLAMA_32_3B,
  LLAMA_3_8B,
  MIXTRAL,
  modelFacts,
  PHI_3_MINI,
  QWEN_25_7B,
  QWEN_3_30B_A3B,
  QWEN_3_8B,
} from "./support/model_facts.ts";

const MIB = 1024 ** 2;

/** Bytes of so many numbers. */
const q4k = (numbers: number) => numbers * 144 / 256;
const q6k = (numbers: number) => numbers * 210 / 256;
const q8 = (numbers: number) => numbers * 34 / 32;
const mxfp4 = (numbers: number) => numbers * 17 / 32;

/** Q4_K_M: of the three matrices of an expert one is Q6_K in every other layer. */
function expertsQ4KM(layers: number, numbers: number): number {
  return layers * (2.5 * q4k(numbers) + 0.5 * q6k(numbers));
}

const LLAMA_2_7B = modelFacts({
  architecture: "llama",
  layers: 32,
  kvHeads: 32,
  head: 128,
  weightsBytes: 4_080_263_168,
  tokenEmbeddingBytes: q4k(32_000 * 4096),
});

const MISTRAL_7B = modelFacts({
  architecture: "llama",
  layers: 32,
  kvHeads: 8,
  head: 128,
  weightsBytes: 4_367_704_064,
  tokenEmbeddingBytes: q4k(32_000 * 4096),
});

/** What each model reads for one token, in MiB: published in llama.cpp's own terms, or computed. */
const READ_PER_TOKEN: readonly [name: string, facts: GgufFacts, mebibytes: number][] = [
  ["Llama-3 8B", LLAMA_3_8B, 4403.5],
  ["Mistral 7B", MISTRAL_7B, 4095.1],
  ["Llama-2 7B", LLAMA_2_7B, 3820.9],
  ["Llama-3.2 3B", { ...LLAMA_32_3B, tokenEmbeddingBytes: q6k(128_256 * 3072) }, 1918.4],
  [
    "Mixtral 8x7B",
    {
      ...MIXTRAL,
      tokenEmbeddingBytes: q4k(32_000 * 4096),
      expertBytes: expertsQ4KM(32, 8 * 4096 * 14_336),
    },
    7465.6,
  ],
  ["Qwen2.5 7B", { ...QWEN_25_7B, tokenEmbeddingBytes: q4k(152_064 * 3584) }, 4168.1],
  ["Qwen3 8B", { ...QWEN_3_8B, tokenEmbeddingBytes: q4k(151_936 * 4096) }, 4455.3],
  [
    "Qwen3-30B-A3B",
    {
      ...QWEN_3_30B_A3B,
      tokenEmbeddingBytes: q4k(151_936 * 2048),
      expertBytes: expertsQ4KM(48, 128 * 2048 * 768),
    },
    1830.7,
  ],
  [
    "Gemma-2 9B",
    { ...GEMMA_2_9B, hasOutputTensor: false, tokenEmbeddingBytes: q6k(256_000 * 3584) },
    5488.4,
  ],
  [
    "Gemma-3 4B",
    { ...GEMMA_3_4B, hasOutputTensor: false, tokenEmbeddingBytes: q6k(262_144 * 2560) },
    2368.3,
  ],
  ["Phi-3 mini", { ...PHI_3_MINI, tokenEmbeddingBytes: q4k(32_064 * 3072) }, 2228.8],
  [
    "gpt-oss-20b",
    {
      ...GPT_OSS_20B,
      tokenEmbeddingBytes: q8(201_088 * 2880),
      expertBytes: 24 * 3 * mxfp4(32 * 2880 * 2880),
    },
    2455.4,
  ],
];

Deno.test("answerBytes() is within 5 % of every published figure", () => {
  for (const [name, facts, mebibytes] of READ_PER_TOKEN) {
    const ratio = answerBytes(facts) / MIB / mebibytes;
    assert.ok(Math.abs(ratio - 1) < 0.05, `${name}: ${ratio}`);
  }
});

Deno.test("answerBytes() leaves out tables of which one row is read, in each layer too", () => {
  const facts = modelFacts({
    architecture: "gemma3n",
    layers: 2,
    kvHeads: 2,
    head: 256,
    keys: { embedding_length_per_layer_input: 256 },
    hasOutputTensor: false,
    tokenEmbeddingBytes: 400e6,
    blockBytes: [1e9, 1e9],
    weightsBytes: 400e6 + 2e9 + 1.6e9,
  });
  assert.equal(answerBytes(facts), 2.4e9);
  assert.equal(answerBytes({ ...facts, metadata: new Map() }), 4e9);
});

const F16 = { cacheTypeK: null, cacheTypeV: null } as const;

Deno.test("bytesPerToken() counts the usual conversation, not all that the context could hold", () => {
  assert.equal(liveTokens(1024), 256);
  assert.equal(liveTokens(8192), 2048);
  assert.equal(liveTokens(131_072), 2048);
  const shape = { ...F16, gpuLayers: 0 };
  const read = bytesPerToken(LLAMA_3_8B, { ...shape, contextTokens: 8192 });
  assert.equal(read.ramBytes - answerBytes(LLAMA_3_8B), 2048 * 131_072);
  const asked = bytesPerToken(LLAMA_3_8B, { ...shape, contextTokens: 8192, liveTokens: 8192 });
  assert.equal(asked.ramBytes - answerBytes(LLAMA_3_8B), 8192 * 131_072);
});

Deno.test("bytesPerToken() puts the output and the last layers on the GPU, with their cache", () => {
  const facts = modelFacts({
    architecture: "llama",
    layers: 4,
    kvHeads: 8,
    head: 128,
    weightsBytes: 1000e6,
    tokenEmbeddingBytes: 100e6,
    blockBytes: [100e6, 200e6, 200e6, 300e6],
  });
  const kv = kvCache(facts, { ...F16, contextTokens: 256, parallel: 1, ubatchTokens: 0 }).bytes / 4;
  const shape = { ...F16, contextTokens: 1024 };
  const table: [gpuLayers: number, gpu: number, ram: number][] = [
    [0, 0, 900e6 + 4 * kv],
    [1, 100e6, 800e6 + 4 * kv],
    [2, 400e6 + kv, 500e6 + 3 * kv],
    [4, 800e6 + 3 * kv, 100e6 + kv],
    [5, 900e6 + 4 * kv, 0],
    [99, 900e6 + 4 * kv, 0],
  ];
  for (const [gpuLayers, gpu, ram] of table) {
    const { gpuBytes, ramBytes } = bytesPerToken(facts, { ...shape, gpuLayers });
    assert.deepEqual({ gpuBytes, ramBytes }, { gpuBytes: gpu, ramBytes: ram }, `${gpuLayers}`);
  }
});

Deno.test("bytesPerToken() shares a model evenly whose header has no sums", () => {
  const shape = { ...F16, contextTokens: 1024, gpuLayers: 17 };
  const { gpuBytes, ramBytes, gpuBlocks, ramBlocks } = bytesPerToken(LLAMA_3_8B, shape);
  assert.deepEqual({ gpuBlocks, ramBlocks }, { gpuBlocks: 16, ramBlocks: 16 });
  assert.ok(gpuBytes > ramBytes && gpuBytes < ramBytes * 1.1);
});

const DESKTOP: SpeedInputs = {
  facts: LLAMA_3_8B,
  contextTokens: 4096,
  ...F16,
  gpu: null,
  ramBytesPerSecond: 40e9,
  correction: 1,
  cpu: { threads: 8, features: ["avx2"] },
};

const LLAMA_7B_Q4_0 = modelFacts({
  architecture: "llama",
  layers: 32,
  kvHeads: 32,
  head: 128,
  quantization: "Q4_0",
  weightsBytes: 3.56 * 1024 ** 3 + q4k(32_000 * 4096),
  tokenEmbeddingBytes: q4k(32_000 * 4096),
});

Deno.test("expectedTokensPerSecond() is near what was published for GPUs", () => {
  const all = { layers: 33, ramBytesPerSecond: null };
  const table: [what: string, facts: GgufFacts, bytesPerSecond: number, published: number][] = [
    ["M1 Pro, 7B Q4_0", LLAMA_7B_Q4_0, 200e9, 35.5],
    ["M3 Pro, 7B Q4_0", LLAMA_7B_Q4_0, 150e9, 30.7],
    ["RTX 3070 mobile, 7B Q4_0", LLAMA_7B_Q4_0, 448e9, 64.2],
    ["M1 Pro, 7B Q8_0", { ...LLAMA_7B_Q4_0, weightsBytes: 7.16e9 }, 200e9, 21.95],
    ["M1 Pro, 7B F16", { ...LLAMA_7B_Q4_0, weightsBytes: 13.5e9 }, 200e9, 12.75],
  ];
  for (const [what, facts, bytesPerSecond, published] of table) {
    const expected = expectedTokensPerSecond({
      ...DESKTOP,
      facts,
      // As those were measured: with an empty conversation.
      liveTokens: 0,
      ramBytesPerSecond: all.ramBytesPerSecond,
      gpu: { layers: all.layers, bytesPerSecond },
    })!;
    assert.ok(Math.abs(expected / published - 1) < 0.25, `${what}: ${expected}`);
  }
});

Deno.test("expectedTokensPerSecond() is what described computers can be expected to reach", () => {
  const qwen30b = READ_PER_TOKEN.find(([name]) => name === "Qwen3-30B-A3B")![1];
  const gpu = { layers: 99, bytesPerSecond: 1008e9 };
  const table: [what: string, inputs: Partial<SpeedInputs>, least: number, most: number][] = [
    [
      "8 GB laptop, DDR4",
      { ramBytesPerSecond: 30e9, cpu: { threads: 4, features: ["avx2"] } },
      4,
      6,
    ],
    ["desktop, DDR5", { ramBytesPerSecond: 70e9 }, 10, 13],
    ["desktop, DDR5, experts", { ramBytesPerSecond: 70e9, facts: qwen30b }, 14, 24],
    ["no AVX2", { ramBytesPerSecond: 20e9, cpu: { threads: 4, features: ["avx"] } }, 2, 3],
    [
      "Raspberry Pi 5, 1.1B",
      {
        facts: { ...LLAMA_32_3B, weightsBytes: 0.64e9 },
        ramBytesPerSecond: 11e9,
        cpu: { threads: 4, features: ["asimd", "asimddp"] },
      },
      8,
      15,
    ],
    ["RTX 4090", { gpu, ramBytesPerSecond: null }, 100, 160],
    ["RTX 4090, experts", { gpu, ramBytesPerSecond: null, facts: qwen30b }, 120, 220],
  ];
  for (const [what, inputs, least, most] of table) {
    const expected = expectedTokensPerSecond({ ...DESKTOP, ...inputs })!;
    assert.ok(expected >= least && expected <= most, `${what}: ${expected}`);
  }
});

Deno.test("expectedTokensPerSecond() adds up the times of both sides", () => {
  const gpu = { layers: 17, bytesPerSecond: 400e9 };
  const split = expectedTokensPerSecond({ ...DESKTOP, gpu })!;
  const cpu = expectedTokensPerSecond(DESKTOP)!;
  const card = expectedTokensPerSecond({ ...DESKTOP, gpu: { ...gpu, layers: 33 } })!;
  assert.ok(split > cpu && split < card);
  const halves = 1 / (0.5 / cpu + 0.5 / card);
  assert.ok(Math.abs(split / halves - 1) < 0.06, `${split}, ${halves}`);
});

Deno.test("expectedTokensPerSecond() gives no figure where one that counts is not known", () => {
  const unknown: Partial<SpeedInputs>[] = [
    { ramBytesPerSecond: null },
    { gpu: { layers: 33, bytesPerSecond: null } },
    { gpu: { layers: 10, bytesPerSecond: 400e9 }, ramBytesPerSecond: null },
    { facts: BGE_M3 },
    { facts: { ...LLAMA_3_8B, weightsBytes: 0, blockCount: 0 } },
  ];
  for (const inputs of unknown) {
    assert.equal(expectedTokensPerSecond({ ...DESKTOP, ...inputs }), null, JSON.stringify(inputs));
  }
  const all = { ramBytesPerSecond: null, gpu: { layers: 33, bytesPerSecond: 400e9 } };
  assert.ok(expectedTokensPerSecond({ ...DESKTOP, ...all })! > 0);
});

Deno.test("expectedTokensPerSecond() bounds tiny models by what each token and layer costs", () => {
  const tiny = { ...LLAMA_3_8B, weightsBytes: 1e6, tokenEmbeddingBytes: 0, blockCount: 1 };
  const expected = expectedTokensPerSecond({ ...DESKTOP, facts: tiny, liveTokens: 0 })!;
  assert.ok(expected > 1_000 && expected < 10_000, `${expected}`);
});

Deno.test("expectedTokensPerSecond() takes longer for formats that are looked up in tables", () => {
  const named = (quantization: string) =>
    expectedTokensPerSecond({ ...DESKTOP, facts: { ...LLAMA_3_8B, quantization } })!;
  assert.ok(named("IQ2_XS") < named("Q2_K"));
  assert.equal(named("IQ4_XS"), named("Q4_K_M"));
});

Deno.test("expectedTokensPerSecond() never falls with more bandwidth, and never breaks", () => {
  const number = fc.integer({ min: 0, max: 1e12 });
  const small = fc.integer({ min: 0, max: 200 });
  fc.assert(fc.property(
    fc.record({
      weightsBytes: number,
      tokenEmbeddingBytes: number,
      expertBytes: number,
      expertCount: fc.option(small),
      expertUsedCount: fc.option(small),
      blockCount: fc.option(small),
      blockBytes: fc.array(number, { maxLength: 8 }),
      hasOutputTensor: fc.boolean(),
      keyLength: fc.option(small),
      headCountKv: fc.array(small, { maxLength: 8 }),
    }),
    fc.record({ layers: small, bytesPerSecond: fc.option(number) }),
    number,
    (facts, gpu, ramBytesPerSecond) => {
      const inputs = { ...DESKTOP, facts: { ...LLAMA_3_8B, ...facts }, gpu, ramBytesPerSecond };
      const speed = expectedTokensPerSecond(inputs);
      if (speed === null) return;
      assert.ok(Number.isFinite(speed) && speed > 0, `${speed}`);
      const faster = expectedTokensPerSecond({
        ...inputs,
        ramBytesPerSecond: ramBytesPerSecond * 2,
      });
      assert.ok(faster! >= speed);
    },
  ));
});
