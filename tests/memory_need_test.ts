import assert from "node:assert/strict";
import type { GgufFacts } from "../src/models/gguf.ts";
import type { KvShape } from "../src/orchestrator/kv_cache.ts";
import {
  formatNeed,
  formatRoom,
  graphBytes,
  memoryNeed,
  type MemoryShape,
} from "../src/orchestrator/memory_need.ts";
import {
  BGE_M3,
  GEMMA_2_9B,
  GEMMA_3_4B,
  GPT_OSS_20B,
  LLAMA_32_3B,
  LLAMA_3_8B,
  MIXTRAL,
  PHI_3_MINI,
  QWEN_25_7B,
  QWEN_3_30B_A3B,
  QWEN_3_8B,
} from "./support/model_facts.ts";

const MIB = 1024 ** 2;
const SHAPE: MemoryShape = {
  mode: "chat",
  contextTokens: 8192,
  parallel: 1,
  ubatchTokens: 512,
  cacheTypeK: null,
  cacheTypeV: null,
  mmprojBytes: 0,
  extraBytes: 0,
  build: null,
};

// What llama-server printed on a CPU with flash attention, in MiB.
const PRINTED: { name: string; facts: GgufFacts; shape: Partial<KvShape>; mib: number }[] = [
  { name: "Llama-3 8B", facts: LLAMA_3_8B, shape: { contextTokens: 4096 }, mib: 120.0 },
  { name: "Llama-3 8B", facts: LLAMA_3_8B, shape: { contextTokens: 8192 }, mib: 124.0 },
  { name: "Llama-3 8B", facts: LLAMA_3_8B, shape: { contextTokens: 32768 }, mib: 148.0 },
  { name: "Llama-3 8B, wide", facts: LLAMA_3_8B, shape: { ubatchTokens: 2048 }, mib: 496.1 },
  { name: "Qwen2.5 7B", facts: QWEN_25_7B, shape: { contextTokens: 4096 }, mib: 143.0 },
  { name: "Qwen2.5 7B", facts: QWEN_25_7B, shape: { contextTokens: 32768 }, mib: 171.0 },
  { name: "Qwen3 8B", facts: QWEN_3_8B, shape: { contextTokens: 4096 }, mib: 108.0 },
  { name: "Qwen3 8B", facts: QWEN_3_8B, shape: { contextTokens: 32768 }, mib: 136.0 },
  { name: "Llama-3.2 3B", facts: LLAMA_32_3B, shape: { contextTokens: 4096 }, mib: 76.0 },
  { name: "Llama-3.2 3B", facts: LLAMA_32_3B, shape: { contextTokens: 32768 }, mib: 104.0 },
  { name: "Gemma-2 9B", facts: GEMMA_2_9B, shape: { contextTokens: 4096 }, mib: 121.0 },
  { name: "Gemma-2 9B", facts: GEMMA_2_9B, shape: { contextTokens: 32768 }, mib: 149.5 },
  { name: "Phi-3 mini", facts: PHI_3_MINI, shape: { contextTokens: 4096 }, mib: 70.0 },
  { name: "Phi-3 mini", facts: PHI_3_MINI, shape: { contextTokens: 32768 }, mib: 98.0 },
  { name: "Mixtral", facts: MIXTRAL, shape: { contextTokens: 4096 }, mib: 204.0 },
  { name: "Qwen3-30B-A3B", facts: QWEN_3_30B_A3B, shape: { contextTokens: 32768 }, mib: 120.0 },
  { name: "gpt-oss-20b", facts: GPT_OSS_20B, shape: { contextTokens: 131072 }, mib: 221.1 },
];

for (const { name, facts, shape, mib } of PRINTED) {
  const title = `graphBytes() of ${name} ${
    JSON.stringify(shape)
  } is within 3 MiB of what was printed`;
  Deno.test(title, () => {
    const counted = graphBytes(facts, { ...SHAPE, ...shape }) / MIB;
    // Phi-3 has fused tensors, which need less.
    assert.ok(Math.abs(counted - mib) <= 3, `${counted} MiB`);
    const planned = memoryNeed(facts, { ...SHAPE, ...shape }).computeBytes / MIB;
    assert.ok(planned >= mib && planned <= 1.2 * mib, `${planned} MiB planned`);
  });
}

Deno.test("memoryNeed() counts the logits of a whole batch for builds that keep them", () => {
  // Printed by such builds, in MiB.
  const printed = [[LLAMA_3_8B, 266.5], [QWEN_25_7B, 311.0], [QWEN_3_8B, 312.8], [
    GEMMA_3_4B,
    522.1,
  ]] as const;
  for (const [facts, mib] of printed) {
    const old = memoryNeed(facts, { ...SHAPE, contextTokens: 4096, build: 10361 });
    assert.ok(old.computeBytes / MIB >= mib, `${old.computeBytes / MIB} MiB`);
    assert.ok(old.computeBytes / MIB <= 1.15 * mib, `${old.computeBytes / MIB} MiB`);
    const unknown = memoryNeed(facts, { ...SHAPE, contextTokens: 4096, build: 10362 });
    assert.ok(unknown.computeBytes < old.computeBytes);
  }
});

Deno.test("memoryNeed() adds up weights, KV cache, work space and 100 MB for the process", () => {
  const need = memoryNeed(LLAMA_3_8B, SHAPE);
  assert.equal(need.weightsBytes, 4_912_898_048);
  assert.equal(need.kvBytes, 1024 * MIB);
  assert.equal(need.overheadBytes, 100_000_000);
  assert.equal(
    need.totalBytes,
    need.weightsBytes + need.kvBytes + need.computeBytes + need.overheadBytes,
  );
});

Deno.test("memoryNeed() counts the files that are loaded with a model", () => {
  const plain = memoryNeed(LLAMA_3_8B, SHAPE);
  const seeing = memoryNeed(LLAMA_3_8B, { ...SHAPE, mmprojBytes: 600e6, extraBytes: 50e6 });
  assert.equal(seeing.weightsBytes - plain.weightsBytes, 650e6);
  assert.ok(seeing.computeBytes > plain.computeBytes);
});

Deno.test("memoryNeed() leaves room for checkpoints of windows and states only", () => {
  assert.equal(memoryNeed(QWEN_3_8B, SHAPE).overheadBytes, 100_000_000);
  assert.equal(memoryNeed(GEMMA_3_4B, SHAPE).overheadBytes, 100_000_000 + 2 * 174 * MIB);
});

Deno.test("memoryNeed() of an encoder has no KV cache and a work space that grows with the input", () => {
  const small = memoryNeed(BGE_M3, { ...SHAPE, mode: "embedding", ubatchTokens: 512 });
  const large = memoryNeed(BGE_M3, { ...SHAPE, mode: "embedding", ubatchTokens: 8192 });
  assert.equal(small.kvBytes, 0);
  assert.ok(large.computeBytes > 15 * small.computeBytes);
});

Deno.test("formatNeed() rounds up and formatRoom() down, so that they never look equal", () => {
  assert.equal(formatNeed(4_210_000_000), "4.3 GB");
  assert.equal(formatRoom(4_290_000_000), "4.2 GB");
  assert.equal(formatNeed(5_100_000_000), "5.1 GB");
  assert.equal(formatNeed(999_999_999), "1.0 GB");
  assert.equal(formatRoom(999_999_999), "999 MB");
  assert.equal(formatNeed(101_000_001), "102 MB");
  assert.equal(formatRoom(0), "0 MB");
});
