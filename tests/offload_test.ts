// Placements on GPUs: how many layers, and what lies where.

import assert from "node:assert/strict";
import type { GgufFacts } from "../src/models/gguf.ts";
import { DEFAULT_MODEL_SETTINGS } from "../src/models/model_settings.ts";
import type { GpuRoom } from "../src/orchestrator/gpu_room.ts";
import {
  GPU_CONTEXT_BYTES,
  memoryNeed,
  type MemoryShape,
  takenBy,
} from "../src/orchestrator/memory_need.ts";
import { fitsGpus, GPU_MARGIN_BYTES, modelUnits } from "../src/orchestrator/offload.ts";
import { type PlacementOptions, planPlacement } from "../src/orchestrator/placement.ts";
import { BGE_M3 } from "./support/model_facts.ts";
import { PUBLISHED, publishedFacts } from "./support/published_models.ts";

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

const LLAMA_3_8B = publishedFacts(PUBLISHED["Llama-3 8B"][0]);
const LLAMA_32_3B = publishedFacts(PUBLISHED["Llama-3.2 3B"][0]);
const QWEN_3_30B = publishedFacts(PUBLISHED["Qwen3-30B-A3B"][0]);
const GEMMA_3_4B = publishedFacts(PUBLISHED["Gemma-3 4B"][0]);

function cards(...freeGib: number[]): GpuRoom {
  const devices = freeGib.map((gib) => ({
    name: "card",
    totalBytes: 1.05 * gib * GIB,
    freeBytes: gib * GIB,
  }));
  return { devices, unified: false, mapsFile: false };
}

function shared(gib: number, mapsFile = false): GpuRoom {
  const bytes = gib * GIB;
  return {
    devices: [{ name: "shared", totalBytes: bytes, freeBytes: bytes }],
    unified: true,
    mapsFile,
  };
}

function place(
  options: Partial<PlacementOptions>,
  wishes: Partial<PlacementOptions["settings"]> = {},
) {
  return planPlacement({
    facts: LLAMA_3_8B,
    settings: { ...DEFAULT_MODEL_SETTINGS, ...wishes },
    threads: 4,
    totalRamBytes: 8e9,
    budgetBytes: 64e9,
    gpu: null,
    mmprojBytes: 0,
    ...options,
  });
}

const SHAPE: MemoryShape = {
  mode: "chat",
  contextTokens: 4096,
  parallel: 1,
  ubatchTokens: 512,
  cacheTypeK: null,
  cacheTypeV: null,
  mmprojBytes: 0,
  extraBytes: 0,
  build: null,
  gpu: { count: 1, unified: false, mapsFile: false },
};

Deno.test("memoryNeed() puts the published 4,403.49 MiB on the GPU and leaves 281.81 in RAM", () => {
  const { gpu, kvBytes, weightsBytes } = memoryNeed(LLAMA_3_8B, { ...SHAPE, gpuLayers: 33 });
  const onGpu = gpu!.layersBytes - kvBytes;
  assert.equal((onGpu / MIB).toFixed(2), "4403.49");
  assert.equal(((weightsBytes - onGpu) / MIB).toFixed(2), "281.81");
});

Deno.test("memoryNeed() moves the output first, then blocks from the last on, each with its KV cache", () => {
  const { blockBytes, weightsBytes, tokenEmbeddingBytes } = LLAMA_3_8B;
  const head = weightsBytes - tokenEmbeddingBytes - blockBytes.reduce((sum, each) => sum + each);
  const layersBytes = (gpuLayers: number) =>
    memoryNeed(LLAMA_3_8B, { ...SHAPE, gpuLayers }).gpu?.layersBytes ?? 0;
  assert.equal(layersBytes(0), 0);
  assert.equal(layersBytes(1), head);
  const kvOfLayer = 4096 * 8 * 128 * 2 * 2;
  assert.equal(layersBytes(2) - layersBytes(1), blockBytes[31]! + kvOfLayer);
  // Blocks differ: this one has fewer bits.
  assert.equal(layersBytes(7) - layersBytes(6), blockBytes[26]! + kvOfLayer);
  assert.notEqual(blockBytes[26], blockBytes[31]);
  assert.equal(layersBytes(33), layersBytes(1000));
});

Deno.test("memoryNeed() counts a tied embedding twice on a card, and once where the file is mapped", () => {
  const plain = memoryNeed(LLAMA_32_3B, { ...SHAPE, gpu: null });
  assert.equal(plain.weightsBytes, 2_011_539_456);
  const onCard = memoryNeed(LLAMA_32_3B, { ...SHAPE, gpuLayers: 29 });
  assert.equal(onCard.weightsBytes - plain.weightsBytes, LLAMA_32_3B.tokenEmbeddingBytes);
  // The card holds the whole model.
  assert.equal(onCard.gpu!.layersBytes, 2_011_539_456 + onCard.kvBytes);
  const gpu = { count: 1, unified: true, mapsFile: true };
  const mapped = memoryNeed(LLAMA_32_3B, { ...SHAPE, gpuLayers: 29, gpu });
  assert.equal(mapped.weightsBytes, plain.weightsBytes);
  assert.equal(mapped.gpu!.layersBytes, onCard.gpu!.layersBytes);
});

Deno.test("memoryNeed() adds nothing to the RAM for a GPU that shares it but the driver's part", () => {
  const gpu = { count: 1, unified: true, mapsFile: true };
  const plain = memoryNeed(LLAMA_3_8B, { ...SHAPE, gpu: null });
  const onGpu = memoryNeed(LLAMA_3_8B, { ...SHAPE, gpuLayers: 33, gpu });
  assert.equal(onGpu.vramBytes, 0);
  assert.equal(onGpu.ramBytes, onGpu.totalBytes);
  assert.ok(onGpu.totalBytes - plain.totalBytes < 250 * MIB);
});

Deno.test("memoryNeed() counts work space and the driver's part on each card, the projector on one", () => {
  const need = (count: number, mmprojBytes: number) =>
    memoryNeed(LLAMA_3_8B, {
      ...SHAPE,
      mmprojBytes,
      gpuLayers: 33,
      gpu: { count, unified: false, mapsFile: false },
    });
  const one = need(1, 0);
  const two = need(2, 0);
  assert.ok(one.gpu!.eachBytes > GPU_CONTEXT_BYTES + 120 * MIB);
  assert.ok(one.gpu!.eachBytes < GPU_CONTEXT_BYTES + 150 * MIB);
  assert.equal(two.vramBytes - one.vramBytes, one.gpu!.eachBytes);
  assert.equal(two.ramBytes, one.ramBytes);
  const seeing = need(2, 600e6);
  assert.ok(seeing.vramBytes - two.vramBytes >= 600e6);
  assert.equal(seeing.ramBytes, two.ramBytes);
});

Deno.test("memoryNeed() lets the weights in RAM pass through the GPU, one tensor at a time", () => {
  const each = (gpuLayers: number) =>
    memoryNeed(QWEN_3_30B, { ...SHAPE, gpuLayers }).gpu!.eachBytes;
  assert.ok(each(20) - each(49) > 100 * MIB);
});

Deno.test("modelUnits() leaves the tables of each layer in RAM, however large they are", () => {
  const facts: GgufFacts = {
    ...GEMMA_3_4B,
    architecture: "gemma3n",
    weightsBytes: GEMMA_3_4B.weightsBytes + 2e9,
    metadata: new Map([["gemma3n.embedding_length_per_layer_input", 256]]),
  };
  const units = modelUnits(facts);
  assert.ok(units.inputBytes >= 2e9);
  assert.equal(units.headBytes, facts.tokenEmbeddingBytes);
});

Deno.test("modelUnits() is all of the weights, with and without the header's own sums", () => {
  for (const facts of [LLAMA_3_8B, LLAMA_32_3B, QWEN_3_30B, BGE_M3]) {
    for (const blockBytes of [facts.blockBytes, []]) {
      const units = modelUnits({ ...facts, blockBytes });
      const blocks = units.blocks.reduce((sum, each) => sum + each, 0);
      const sum = units.inputBytes + blocks + units.headBytes - units.tiedBytes;
      assert.ok(Math.abs(sum - facts.weightsBytes) < 1, `${sum} of ${facts.weightsBytes}`);
      assert.equal(units.blocks.length, facts.blockCount);
    }
  }
});

Deno.test("planPlacement() puts all layers on a card that has room for them", () => {
  const placed = place({ gpu: cards(8) });
  assert.equal(placed.gpuLayers, 33);
  assert.equal(placed.layersOnGpu, 33);
  assert.equal(placed.contextTokens, 8192);
  assert.ok(placed.memory.ramBytes < 1e9);
  assert.ok(placed.memory.vramBytes <= 8 * GIB - GPU_MARGIN_BYTES);
});

Deno.test("planPlacement() gives up context down to 4,096 before the last layer", () => {
  const placed = place({ gpu: cards(6) });
  assert.equal(placed.gpuLayers, 33);
  assert.ok(placed.contextTokens >= 4096 && placed.contextTokens < 8192);
  const split = place({ gpu: cards(4) });
  assert.ok(split.contextTokens >= 4096);
  assert.ok(split.layersOnGpu! > 15 && split.layersOnGpu! < 30, `${split.layersOnGpu}`);
});

Deno.test("planPlacement() takes the most layers that fit, and not one more", () => {
  for (const gib of [1.5, 2, 3, 4, 5]) {
    const gpu = cards(gib);
    const { layersOnGpu, memory, contextTokens } = place({ gpu });
    assert.ok(fitsGpus(memory.gpu!, gpu.devices));
    const more = place({ gpu }, { gpu_layers: layersOnGpu! + 1, context: contextTokens });
    assert.ok(!fitsGpus(more.memory.gpu!, gpu.devices), `${gib} GiB: ${layersOnGpu} layers`);
  }
});

Deno.test("planPlacement() leaves a card alone that has no room for the driver and one layer", () => {
  const placed = place({ gpu: cards(0.8) });
  assert.equal(placed.gpuLayers, 0);
  assert.equal(placed.memory.vramBytes, 0);
  // It reads prompts as a CPU does.
  assert.deepEqual(placed, place({}));
});

Deno.test("planPlacement() splits a model that neither RAM nor GPU could hold alone", () => {
  const options = { facts: QWEN_3_30B, gpu: cards(12), budgetBytes: 13e9 };
  const placed = place(options);
  assert.ok(placed.memory.ramBytes <= 13e9);
  assert.ok(placed.layersOnGpu! > 20 && placed.layersOnGpu! < 40);
  assert.ok(placed.contextTokens >= 4096);
  assert.ok(place({ ...options, gpu: null }).memory.ramBytes > 18e9);
});

Deno.test("planPlacement() makes the context smaller where the RAM beside a card is short", () => {
  const roomy = place({ facts: QWEN_3_30B, gpu: cards(12) });
  const least = place({ facts: QWEN_3_30B, gpu: cards(12) }, { context: 4096 });
  assert.equal(least.layersOnGpu, roomy.layersOnGpu);
  const budgetBytes = least.memory.ramBytes - 20e6;
  const placed = place({ facts: QWEN_3_30B, gpu: cards(12), budgetBytes });
  assert.ok(placed.contextTokens < 4096 && placed.contextTokens >= 512);
  assert.ok(placed.memory.ramBytes <= budgetBytes);
  assert.ok(placed.layersOnGpu! >= least.layersOnGpu!);
});

Deno.test("planPlacement() follows a user's number of layers, be it too large", () => {
  assert.equal(place({ gpu: cards(8) }, { gpu_layers: 10 }).layersOnGpu, 10);
  assert.equal(place({ gpu: cards(8) }, { gpu_layers: 0 }).memory.vramBytes, 0);
  const all = place({ gpu: cards(2) }, { gpu_layers: 99 });
  assert.equal(all.gpuLayers, 99);
  assert.equal(all.layersOnGpu, 33);
  // With less context it would fit.
  const tight = place({ gpu: cards(6) }, { gpu_layers: 99 });
  assert.ok(fitsGpus(tight.memory.gpu!, cards(6).devices));
});

Deno.test("planPlacement() counts memory once where the GPU shares it, and all layers go there", () => {
  const onApple = place({ gpu: shared(10.6, true) });
  assert.equal(onApple.gpuLayers, 33);
  assert.equal(onApple.memory.vramBytes, 0);
  // The driver's part, and prompts are read in larger pieces.
  assert.ok(onApple.memory.totalBytes < place({}).memory.totalBytes + 350 * MIB);
  // The part that the system leaves to the GPU is a limit of its own.
  const small = place({ gpu: shared(4, true) });
  assert.ok(small.layersOnGpu! < 33);
});

Deno.test("planPlacement() does without a GPU where that alone makes it fit the RAM", () => {
  const cpu = place({ facts: LLAMA_32_3B }, { context: 4096 });
  const budgetBytes = cpu.memory.ramBytes + 10e6;
  const placed = place({ facts: LLAMA_32_3B, gpu: shared(8), budgetBytes }, { context: 4096 });
  assert.equal(placed.gpuLayers, 0);
  assert.ok(placed.memory.ramBytes <= budgetBytes);
});

Deno.test("planPlacement() deals layers out to two cards by their free memory", () => {
  const one = place({ facts: QWEN_3_30B, gpu: cards(12) });
  const two = place({ facts: QWEN_3_30B, gpu: cards(12, 12) });
  assert.equal(two.gpuLayers, 49);
  assert.ok(one.layersOnGpu! < 49);
  const uneven = place({ facts: QWEN_3_30B, gpu: cards(12, 6) });
  assert.ok(uneven.layersOnGpu! > one.layersOnGpu! && uneven.layersOnGpu! < 49);
});

Deno.test("planPlacement() leaves the dealing to llama.cpp where one card is too small for any part", () => {
  const placed = place({ facts: QWEN_3_30B, gpu: cards(12, 0.7) });
  assert.equal(placed.gpuLayers, "auto");
  assert.equal(placed.layersOnGpu, place({ facts: QWEN_3_30B, gpu: cards(12) }).layersOnGpu);
});

Deno.test("fitsGpus() wants room on every card for its part and what each one holds", () => {
  const share = { layersBytes: 10e9, eachBytes: 1e9, firstBytes: 0, largestLayerBytes: 0.5e9 };
  const device = (freeBytes: number) => ({ name: "card", totalBytes: freeBytes, freeBytes });
  assert.ok(fitsGpus(share, [device(11.3e9)]));
  assert.ok(!fitsGpus(share, [device(11.2e9)]));
  assert.ok(fitsGpus(share, [device(7e9), device(7e9)]));
  assert.ok(!fitsGpus({ ...share, firstBytes: 1e9 }, [device(7e9), device(7e9)]));
  assert.ok(!fitsGpus(share, [device(12e9), device(1.5e9)]));
  assert.ok(!fitsGpus(share, []));
});

Deno.test("takenBy() believes the process's own log, and adds what it never counts", () => {
  const need = memoryNeed(LLAMA_3_8B, { ...SHAPE, gpuLayers: 33 });
  assert.deepEqual(takenBy(need, null), { ramBytes: need.ramBytes, vramBytes: need.vramBytes });
  const logged = { totalBytes: 5e9, gpuBytes: 4.6e9 };
  const taken = takenBy(need, logged);
  assert.equal(taken.vramBytes, 4.6e9 + GPU_CONTEXT_BYTES);
  assert.equal(taken.ramBytes + taken.vramBytes, 5e9 + need.overheadBytes);
  // Of a GPU that shares the RAM, or of which nothing is known, all of it is RAM.
  const plain = memoryNeed(LLAMA_3_8B, { ...SHAPE, gpu: null });
  assert.deepEqual(takenBy(plain, logged), { ramBytes: 5e9 + 100e6, vramBytes: 0 });
});
