// What holds of every fit, whatever the machine and the model.

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Badge } from "../src/api_types.ts";
import type { GgufFacts } from "../src/models/gguf.ts";
import { DEFAULT_MODEL_SETTINGS } from "../src/models/model_settings.ts";
import {
  type FitAnswer,
  type FitMachine,
  type FitOptions,
  planFit,
} from "../src/orchestrator/fit.ts";
import type { GpuRoom } from "../src/orchestrator/gpu_room.ts";
import { planLoad } from "../src/orchestrator/load_plan.ts";
import { planEviction } from "../src/orchestrator/eviction.ts";
import { BGE_M3, QWEN_3_NEXT_80B } from "./support/model_facts.ts";
import { PUBLISHED, publishedFacts } from "./support/published_models.ts";

const GB = 1e9;
const NOTHING = { ramBytes: 0, vramBytes: 0 };

const MODELS: GgufFacts[] = [
  ...Object.values(PUBLISHED).map(([shape]) => publishedFacts(shape)),
  BGE_M3,
  { ...BGE_M3, contextLength: 512, kind: "rerank" },
  QWEN_3_NEXT_80B,
];

const anyModel = fc.constantFrom(...MODELS);
const anyBytes = (most: number) => fc.integer({ min: 0, max: most });

const anyCards: fc.Arbitrary<GpuRoom> = fc.record({
  devices: fc.array(
    fc.record({ totalBytes: anyBytes(48 * GB), free: fc.double({ min: 0, max: 1, noNaN: true }) })
      .map(({ totalBytes, free }) => ({
        name: "card",
        totalBytes: totalBytes + 1,
        freeBytes: Math.floor(totalBytes * free),
      })),
    { minLength: 1, maxLength: 3 },
  ),
  unified: fc.boolean(),
}).map(({ devices, unified }) => ({
  unified,
  mapsFile: unified,
  devices: unified ? devices.slice(0, 1).map((d) => ({ ...d, freeBytes: d.totalBytes })) : devices,
}));

const anyMachine: fc.Arbitrary<FitMachine> = fc.record({
  totalRamBytes: fc.integer({ min: GB, max: 128 * GB }),
  budget: fc.double({ min: 0.3, max: 1, noNaN: true }),
  available: fc.double({ min: 0, max: 1, noNaN: true }),
  gpu: fc.option(anyCards),
  ramBytesPerSecond: fc.option(fc.integer({ min: 5 * GB, max: 100 * GB })),
  gpuBytesPerSecond: fc.option(fc.integer({ min: 100 * GB, max: 2000 * GB })),
  evictable: fc.oneof(
    fc.constant(NOTHING),
    fc.record({ ramBytes: anyBytes(20 * GB), vramBytes: anyBytes(12 * GB) }),
  ),
  pinned: fc.oneof(
    fc.constant(NOTHING),
    fc.record({ ramBytes: anyBytes(8 * GB), vramBytes: anyBytes(4 * GB) }),
  ),
  threads: fc.integer({ min: 1, max: 32 }),
}).map(({ budget, available, ...machine }) => ({
  ...machine,
  budgetBytes: Math.floor(machine.totalRamBytes * budget),
  availableBytes: Math.floor(machine.totalRamBytes * available),
  cpuFeatures: ["avx2"],
  build: null,
}));

const anySettings = fc.record({
  context: fc.option(fc.integer({ min: 1, max: 100_000 }), { freq: 3 }),
  gpu_layers: fc.option(fc.integer({ min: 0, max: 200 }), { freq: 3 }),
  parallel: fc.option(fc.integer({ min: 1, max: 4 }), { freq: 3 }),
}).map((wishes) => ({ ...DEFAULT_MODEL_SETTINGS, ...wishes }));

const anyOptions: fc.Arbitrary<FitOptions> = fc.record({
  facts: anyModel,
  settings: anySettings,
  mmprojBytes: fc.constantFrom(0, 600e6),
  correction: fc.constant(1),
});

const RANK: Record<Badge["level"], number> = { recommended: 2, compatible: 1, not_recommended: 0 };

function notWorse(before: FitAnswer, after: FitAnswer): void {
  assert.ok(
    RANK[after.badge.level] >= RANK[before.badge.level],
    `${before.badge.level} (${before.badge.reason}) became ${after.badge.level} (${after.badge.reason})`,
  );
}

Deno.test("planFit() is never made worse by more RAM, free or in all", () => {
  fc.assert(
    fc.property(anyMachine, anyOptions, anyBytes(40 * GB), (machine, options, more) => {
      const before = planFit(machine, options);
      const totalRamBytes = machine.totalRamBytes! + more;
      const budgetBytes = machine.budgetBytes! + more;
      const availableBytes = machine.availableBytes! + more;
      notWorse(before, planFit({ ...machine, availableBytes }, options));
      notWorse(before, planFit({ ...machine, budgetBytes }, options));
      notWorse(
        before,
        planFit({ ...machine, totalRamBytes, budgetBytes, availableBytes }, options),
      );
    }),
    { numRuns: 500 },
  );
});

Deno.test("planFit() is never made worse by more memory on a GPU, or by models that go", () => {
  fc.assert(
    fc.property(anyMachine, anyOptions, anyBytes(40 * GB), (machine, options, more) => {
      const before = planFit(machine, options);
      notWorse(before, planFit({ ...machine, gpu: enlarged(machine.gpu, more) }, options));
      const { evictable, availableBytes } = machine;
      const free = availableBytes! + evictable.ramBytes;
      notWorse(before, planFit({ ...machine, evictable: NOTHING, availableBytes: free }, options));
    }),
    { numRuns: 500 },
  );
});

function enlarged(gpu: GpuRoom | null, more: number): GpuRoom | null {
  return gpu && {
    ...gpu,
    devices: gpu.devices.map((device) => ({
      ...device,
      totalBytes: device.totalBytes + more,
      freeBytes: device.freeBytes + more,
    })),
  };
}

Deno.test("planFit() puts no fewer layers on a GPU that has more memory", () => {
  fc.assert(
    fc.property(anyMachine, anyModel, anyBytes(20 * GB), (machine, facts, more) => {
      const options = { facts, settings: DEFAULT_MODEL_SETTINGS, mmprojBytes: 0, correction: 1 };
      const roomy = { ...machine, budgetBytes: null, availableBytes: null };
      const { fit } = planFit(roomy, options);
      const larger = planFit({ ...roomy, gpu: enlarged(roomy.gpu, more) }, options);
      assert.ok(larger.fit.gpu_layers >= fit.gpu_layers);
      assert.ok(fit.gpu_layers <= facts.blockCount! + 1);
    }),
    { numRuns: 500 },
  );
});

Deno.test("planFit() adds up, and keeps to the room that it names", () => {
  fc.assert(
    fc.property(anyMachine, anyOptions, (machine, options) => {
      const { fit, badge } = planFit(machine, options);
      assert.equal(fit.total_bytes, fit.ram_bytes + fit.vram_bytes);
      assert.ok(fit.total_bytes >= fit.weights_bytes + fit.kv_bytes + fit.compute_bytes);
      for (const [name, value] of Object.entries(fit)) {
        assert.ok(value === null || (Number.isFinite(value) && value >= 0), `${name} is ${value}`);
      }
      if (machine.gpu === null || machine.gpu.unified) assert.equal(fit.vram_bytes, 0);
      if (badge.level !== "not_recommended") assert.ok(fit.ram_bytes <= machine.budgetBytes!);
      if (badge.code === "slow" || badge.code === "short_context") {
        assert.ok(fit.ram_bytes <= Number(badge.values.free_bytes));
      }
      assert.match(badge.reason, /^[A-Z].*[^.]$/);
    }),
    { numRuns: 500 },
  );
});

Deno.test("planLoad() loads what planFit() shows, wherever it shows that it can be loaded now", () => {
  fc.assert(
    fc.property(anyMachine, anyOptions, (machine, options) => {
      const { fit, badge } = planFit(machine, options);
      const plan = planLoad(machine, options);
      const others = [
        { id: "evictable", ...machine.evictable, pinned: false },
        { id: "pinned", ...machine.pinned, pinned: true },
      ].map((each) => ({ ...each, busy: false, lastUsedMs: 0, leaving: false }));
      const eviction = planEviction({ ...plan, instances: others });
      if (["fits", "slow", "short_context"].includes(badge.code)) {
        assert.ok(!("impossible" in eviction));
        assert.equal(plan.placement.contextTokens, fit.context);
        assert.equal(plan.placement.layersOnGpu, fit.gpu_layers);
        // Where it fits beside the others it sends them away for more layers on the GPU alone.
        const { need, vramFreeBytes } = plan;
        const isShort = need.vramBytes > (vramFreeBytes ?? Infinity);
        if (!isShort && badge.code !== "fits") assert.deepEqual(eviction.victims, []);
      } else if (badge.code === "needs_unload" && isNothing(machine.pinned)) {
        assert.ok(!("impossible" in eviction));
        assert.deepEqual(eviction.victims, ["evictable"]);
      } else if (options.settings.gpu_layers === null && badge.level !== "compatible") {
        assert.ok("impossible" in eviction, badge.reason);
      } else if (options.settings.gpu_layers === null && badge.code === "memory_in_use") {
        assert.ok("impossible" in eviction, badge.reason);
      }
    }),
    { numRuns: 1000 },
  );
});

function isNothing({ ramBytes, vramBytes }: FitMachine["pinned"]): boolean {
  return ramBytes === 0 && vramBytes === 0;
}

const oddNumber = fc.constantFrom(null, 0, 1, 3, 255, 4096, 2 ** 31, 2 ** 53 - 1);
const oddBytes = fc.constantFrom(0, 1, 4096, 5e9, 2 ** 53 - 1);

Deno.test("planFit() never throws for odd headers", () => {
  const oddFacts = fc.record({
    architecture: fc.constantFrom(null, "llama", "gemma3n", "mamba", "qwen3next", "__proto__", "?"),
    kind: fc.constantFrom("chat", "completion", "embedding", "rerank", "projector", "other"),
    quantization: fc.constantFrom(null, "", "Q4_K_M", "F16", "odd"),
    contextLength: oddNumber,
    embeddingLength: oddNumber,
    blockCount: fc.constantFrom(null, 0, 1, 2, 1024),
    headCount: fc.constantFrom<number[]>([], [0], [8, 8], [2 ** 31]),
    headCountKv: fc.constantFrom<number[]>([], [0, 4], [2 ** 31]),
    keyLength: oddNumber,
    valueLength: oddNumber,
    feedForwardLength: oddNumber,
    vocabSize: oddNumber,
    expertCount: oddNumber,
    expertUsedCount: oddNumber,
    expertFeedForwardLength: oddNumber,
    slidingWindow: oddNumber,
    weightsBytes: oddBytes,
    tokenEmbeddingBytes: oddBytes,
    expertBytes: oddBytes,
    blockBytes: fc.constantFrom<number[]>([], [0], [1, 2, 3], [2 ** 50]),
    hasOutputTensor: fc.boolean(),
    metadata: fc.constantFrom(
      new Map(),
      new Map<string, number | number[]>([
        ["gemma3n.attention.shared_kv_layers", 2 ** 50],
        ["gemma3n.embedding_length_per_layer_input", 256],
        ["qwen3next.full_attention_interval", 0],
        ["qwen3next.ssm.inner_size", 2 ** 40],
        ["llama.attention.recurrent_layers", [1]],
        ["llama.attention.key_length_mla", 0],
      ]),
    ),
  });
  fc.assert(
    fc.property(anyMachine, oddFacts, anySettings, (machine, odd, settings) => {
      const facts: GgufFacts = { ...MODELS[0]!, ...odd };
      const { fit, badge } = planFit(machine, { facts, settings, mmprojBytes: 0, correction: 1 });
      assert.ok(!Object.values(fit).some(Number.isNaN), JSON.stringify(fit));
      assert.ok(!badge.reason.includes("NaN"), badge.reason);
    }),
    { numRuns: 1000 },
  );
});
