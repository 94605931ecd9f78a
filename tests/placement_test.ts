import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { AppError } from "../src/errors.ts";
import { readGgufFacts } from "../src/models/gguf.ts";
import { writeTestModel } from "../src/models/hello_model.ts";
import { DEFAULT_MODEL_SETTINGS } from "../src/models/model_settings.ts";
import type { GpuRoom } from "../src/orchestrator/gpu_room.ts";
import {
  checkFits,
  type Placement,
  type PlacementOptions,
  planPlacement,
} from "../src/orchestrator/placement.ts";
import { activeBytes } from "../src/orchestrator/bytes_per_token.ts";
import { estimatedTokensPerSecond } from "../src/orchestrator/prompt_batch.ts";
import { LlamaLog } from "../src/runtime/llama_log.ts";
import { startLlamaServer } from "./support/bare_llama_server.ts";
import { failure } from "./support/failure.ts";
import {
  BGE_M3,
  GEMMA_3_4B,
  LLAMA_32_3B,
  LLAMA_3_8B,
  MIXTRAL,
  modelFacts,
  PHI_3_MINI,
  QWEN_3_30B_A3B,
} from "./support/model_facts.ts";
import { TempFolder } from "./support/temp_folder.ts";

const UNKNOWN_GPU: GpuRoom = { devices: [], unified: false, mapsFile: false };

type Wish = Partial<PlacementOptions["settings"]>;

function plan(options: Partial<PlacementOptions>, settings: Wish = {}): Placement {
  return planPlacement({
    facts: LLAMA_3_8B,
    settings: { ...DEFAULT_MODEL_SETTINGS, ...settings },
    threads: 4,
    totalRamBytes: 8e9,
    budgetBytes: null,
    gpu: null,
    mmprojBytes: 0,
    ...options,
  });
}

Deno.test("planPlacement() takes the trained context up to 8192 when nothing is set", () => {
  assert.equal(plan({ facts: LLAMA_32_3B }).contextTokens, 8192);
  assert.equal(plan({ facts: PHI_3_MINI }).contextTokens, 4096);
  assert.equal(plan({ facts: { ...PHI_3_MINI, contextLength: 300 } }).contextTokens, 300);
  assert.equal(plan({ facts: { ...PHI_3_MINI, contextLength: null } }).contextTokens, 8192);
});

Deno.test("planPlacement() takes the largest context that fits the budget", () => {
  const roomy = plan({});
  const tight = plan({ budgetBytes: roomy.memory.totalBytes - 1 });
  assert.ok(tight.contextTokens < 8192 && tight.contextTokens >= 8192 - 256);
  const none = plan({ budgetBytes: 1e9 });
  assert.equal(none.contextTokens, 512);
  assert.ok(none.memory.totalBytes > 1e9);
});

Deno.test("planPlacement() fits the budget whenever a context of 512 does", () => {
  const facts = fc.constantFrom(LLAMA_3_8B, LLAMA_32_3B, PHI_3_MINI, GEMMA_3_4B, BGE_M3, MIXTRAL);
  fc.assert(fc.property(
    fc.record({
      facts,
      budgetBytes: fc.integer({ min: 1e8, max: 4e10 }),
      totalRamBytes: fc.constantFrom(null, 8e9, 32e9),
      parallel: fc.integer({ min: 1, max: 8 }),
    }),
    ({ parallel, ...options }) => {
      const placed = plan(options, { parallel });
      const least = plan({ ...options, totalRamBytes: null }, { parallel, context: 512 });
      const fits = placed.memory.totalBytes <= options.budgetBytes;
      assert.equal(fits, least.memory.totalBytes <= options.budgetBytes);
      if (!fits) assert.equal(placed.contextTokens, 512);
      else if (placed.contextTokens < Math.min(8192, options.facts.contextLength!)) {
        const more = plan({ ...options, totalRamBytes: null }, {
          parallel,
          context: placed.contextTokens + 256,
        });
        assert.ok(more.memory.totalBytes > options.budgetBytes, "a larger context fits too");
      }
    },
  ));
});

Deno.test("planPlacement() keeps the context that the user set, whatever fits", () => {
  assert.equal(plan({ budgetBytes: 1e9 }, { context: 20_000 }).contextTokens, 20_000);
  assert.equal(plan({}, { context: 100 }).contextTokens, 100);
  // An encoder has no more positions than it was trained with.
  assert.equal(plan({ facts: BGE_M3 }, { context: 20_000 }).contextTokens, 8192);
});

Deno.test("planPlacement() counts the KV cache of every slot", () => {
  const one = plan({});
  const four = plan({}, { parallel: 4 });
  assert.equal(one.parallel, 1);
  assert.equal(four.parallel, 4);
  assert.equal(four.contextTokens, one.contextTokens);
  assert.equal(four.memory.kvBytes, 4 * one.memory.kvBytes);
});

Deno.test("planPlacement() lets an input of an embedding or rerank model fit one micro-batch", () => {
  for (const kind of ["embedding", "rerank"] as const) {
    const placed = plan({ facts: { ...BGE_M3, kind } });
    assert.equal(placed.mode, kind);
    assert.equal(placed.ubatchTokens, placed.contextTokens);
    assert.equal(placed.batchTokens, placed.contextTokens);
    assert.equal(placed.cacheRamMiB, 0);
  }
  const long = { ...BGE_M3, contextLength: 131_072 };
  assert.equal(plan({ facts: long }, { context: 131_072 }).ubatchTokens, 32_768);
  assert.equal(plan({}).mode, "chat");
});

Deno.test("planPlacement() makes the context of an embedding model smaller where its work space is too large", () => {
  const facts = { ...BGE_M3, weightsBytes: 100e6 };
  const placed = plan({ facts, budgetBytes: 400e6 });
  assert.ok(placed.contextTokens < 8192 && placed.contextTokens > 512, `${placed.contextTokens}`);
  assert.ok(placed.memory.totalBytes <= 400e6);
});

Deno.test("planPlacement() gives memory for kept prompts only from 16 GB of RAM on", () => {
  assert.equal(plan({ totalRamBytes: null }).cacheRamMiB, 0);
  assert.equal(plan({ totalRamBytes: 15.9e9 }).cacheRamMiB, 0);
  const placed = plan({ totalRamBytes: 16e9 });
  assert.equal(placed.cacheRamMiB, 512);
  assert.equal(placed.memory.overheadBytes, 100_000_000 + 512 * 1024 ** 2);
  const small = plan({ totalRamBytes: 16e9 }, { context: 512 });
  assert.equal(small.cacheRamMiB, 64);
});

Deno.test("planPlacement() gives up the kept prompts before any context", () => {
  const withCache = plan({ totalRamBytes: 32e9 });
  const placed = plan({ totalRamBytes: 32e9, budgetBytes: withCache.memory.totalBytes - 1 });
  assert.equal(placed.contextTokens, 8192);
  assert.equal(placed.cacheRamMiB, 0);
});

Deno.test("planPlacement() leaves the offload to llama.cpp where a GPU's memory is not known", () => {
  assert.equal(plan({}).gpuLayers, 0);
  assert.equal(plan({}, { gpu_layers: 20 }).gpuLayers, 0);
  assert.equal(plan({ gpu: UNKNOWN_GPU }).gpuLayers, "auto");
  assert.equal(plan({ gpu: UNKNOWN_GPU }).layersOnGpu, null);
  assert.equal(plan({ gpu: UNKNOWN_GPU }, { gpu_layers: 20 }).gpuLayers, 20);
  assert.equal(plan({ gpu: UNKNOWN_GPU }, { gpu_layers: 99 }).gpuLayers, 99);
  assert.equal(plan({ gpu: UNKNOWN_GPU }, { gpu_layers: 99 }).layersOnGpu, 33);
  assert.equal(plan({ gpu: UNKNOWN_GPU }, { gpu_layers: 0 }).gpuLayers, 0);
});

Deno.test("planPlacement() takes nothing off the RAM for layers on a GPU of unknown memory", () => {
  const cpu = plan({}, { context: 4096 });
  const gpu = plan({ gpu: UNKNOWN_GPU }, { context: 4096 });
  assert.ok(gpu.memory.ramBytes >= cpu.memory.ramBytes);
});

Deno.test("planPlacement() uses the model's threads before the machine's", () => {
  assert.equal(plan({ threads: 6 }).threads, 6);
  assert.equal(plan({ threads: 6 }, { threads: 2 }).threads, 2);
});

Deno.test("planPlacement() passes cache types on and refuses those that do not exist", () => {
  const placed = plan({}, { cache_type_k: "q8_0", cache_type_v: "q4_0" });
  assert.equal(placed.cacheTypeK, "q8_0");
  assert.equal(placed.cacheTypeV, "q4_0");
  assert.ok(placed.memory.kvBytes < plan({}).memory.kvBytes / 2);
  const error = failure(() => plan({}, { cache_type_k: "q3_0; rm" }));
  assert.equal(error.code, "invalid_request");
  assert.equal(error.param, "cache_type_k");
});

Deno.test("planPlacement() chooses a batch that this machine reads in under a second", () => {
  const tiny = modelFacts({
    architecture: "llama",
    layers: 1,
    kvHeads: 1,
    head: 32,
    embedding: 64,
    headCount: [2],
    weightsBytes: 250_000,
    quantization: "F32",
  });
  const small = modelFacts({
    architecture: "llama",
    layers: 16,
    kvHeads: 8,
    head: 64,
    headCount: new Array(16).fill(16),
    weightsBytes: 400e6,
  });
  const table: [PlacementOptions["facts"], number, number][] = [
    [tiny, 1, 2048],
    [small, 2, 32],
    [small, 8, 64],
    [small, 16, 128],
    [LLAMA_32_3B, 16, 32],
    [LLAMA_32_3B, 64, 128],
    [LLAMA_3_8B, 2, 32],
  ];
  for (const [facts, threads, tokens] of table) {
    const placed = plan({ facts, threads });
    assert.equal(placed.batchTokens, tokens, `${facts.architecture} with ${threads}`);
    assert.equal(placed.ubatchTokens, Math.min(512, tokens));
  }
});

Deno.test("planPlacement() chooses a power of two from 32 to 2048 for every machine and model", () => {
  fc.assert(fc.property(
    fc.record({
      weightsBytes: fc.integer({ min: 0, max: 5e11 }),
      threads: fc.integer({ min: 1, max: 256 }),
      measured: fc.option(fc.float({ min: 0, max: 1e6, noNaN: true })),
      quantization: fc.constantFrom(null, "F32", "BF16", "Q8_0", "IQ2_XXS", "MXFP4", "odd"),
      gpu: fc.constantFrom(null, UNKNOWN_GPU),
    }),
    ({ weightsBytes, threads, measured, quantization, gpu }) => {
      const { batchTokens } = plan({
        facts: { ...LLAMA_3_8B, weightsBytes, quantization },
        threads,
        gpu,
        measuredPromptTokensPerSecond: measured,
      });
      assert.ok(
        batchTokens >= 32 && batchTokens <= 2048 && Number.isInteger(Math.log2(batchTokens)),
      );
    },
  ));
});

Deno.test("planPlacement() prefers the measured speed of reading prompts", () => {
  assert.equal(plan({ measuredPromptTokensPerSecond: 400 }).batchTokens, 256);
  assert.equal(plan({ measuredPromptTokensPerSecond: 400, gpu: UNKNOWN_GPU }).batchTokens, 256);
  assert.equal(plan({ measuredPromptTokensPerSecond: 0 }).batchTokens, 32);
});

Deno.test("estimatedTokensPerSecond() is slower on a CPU without wide integer vectors", () => {
  const speed = (cpuFeatures: string[]) =>
    estimatedTokensPerSecond(LLAMA_3_8B, { threads: 4, contextTokens: 4096, cpuFeatures });
  assert.equal(speed(["sse4_2", "avx"]), speed(["avx2"]) / 4);
  assert.equal(speed([]), speed(["avx2"]));
  assert.equal(speed(["ASIMD"]), speed(["avx2"]));
  assert.ok(speed(["avx2", "avx512_vnni"]) > speed(["avx2"]));
});

Deno.test("activeBytes() leaves out the embedding table and the experts that are not chosen", () => {
  assert.equal(activeBytes(LLAMA_3_8B), 4_912_898_048 - 295_501_824);
  assert.equal(activeBytes(QWEN_3_30B_A3B), 18_550_716_416 - 17e9 * 120 / 128);
});

Deno.test("checkFits() refuses with both numbers in plain words", () => {
  const memory = {
    weightsBytes: 4e9,
    kvBytes: 9e8,
    computeBytes: 1e8,
    overheadBytes: 1e8,
    totalBytes: 5_100_000_000,
    ramBytes: 5_100_000_000,
    vramBytes: 0,
    vramOverheadBytes: 0,
    gpu: null,
  };
  const error = failure(() => checkFits({ memory }, { budgetBytes: 4_200_000_000, name: "phi-3" }));
  assert.ok(error instanceof AppError);
  assert.equal(error.code, "out_of_memory");
  assert.equal(
    error.message,
    'Cannot load "phi-3": it needs 5.1 GB and the memory budget is 4.2 GB. ' +
      "Choose a smaller quantization or a smaller context",
  );
  assert.deepEqual(error.values, {
    model: "phi-3",
    need_bytes: 5_100_000_000,
    budget_bytes: 4_200_000_000,
  });
  checkFits({ memory }, { budgetBytes: 5_100_000_000, name: "phi-3" });
  checkFits({ memory }, { budgetBytes: null, name: "phi-3" });
});

Deno.test("planPlacement() is never below what a real llama-server takes for its buffers, and near it", async () => {
  await using folder = await TempFolder.make();
  const modelPath = join(folder.path, "padded.gguf");
  await writeTestModel(modelPath, {
    sentence: "One two three",
    name: "padded",
    embeddingLength: 512,
    layers: 8,
    sizeBytes: 20_000_000,
  });
  const facts = await readGgufFacts(modelPath);
  const placed = plan({ facts, threads: 1 }, { context: 2048, parallel: 2 });
  const log = new LlamaLog();
  const { batchTokens, ubatchTokens } = placed;
  const args = ["-lv", "4", "-c", "4096", "-np", "2", "--no-warmup"];
  {
    await using server = await startLlamaServer({
      modelPath,
      args: [...args, "-b", `${batchTokens}`, "-ub", `${ubatchTokens}`],
    });
    for (const line of server.log().split("\n")) log.take(line);
  }
  const { weightsBytes, kvBytes, computeBytes } = placed.memory;
  const planned = weightsBytes + kvBytes + computeBytes;
  // The log gives sizes to 0.01 MiB, line by line.
  assert.ok(log.memoryBytes !== null && log.memoryBytes <= planned + 100_000, `${log.memoryBytes}`);
  assert.ok(log.memoryBytes >= 0.85 * planned, `${log.memoryBytes} of ${planned}`);
});
