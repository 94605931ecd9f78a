import assert from "node:assert/strict";
import { DEFAULT_MODEL_SETTINGS } from "../src/models/model_settings.ts";
import type { GgufFacts } from "../src/models/gguf.ts";
import { type FitMachine, type FitOptions, planFit } from "../src/orchestrator/fit.ts";
import { planLoad } from "../src/orchestrator/load_plan.ts";
import {
  card,
  COMPUTERS,
  describedComputer,
  type Description,
} from "./support/described_computers.ts";
import { BGE_M3 } from "./support/model_facts.ts";
import { PUBLISHED, publishedFacts } from "./support/published_models.ts";

const PHI_3_MINI = publishedFacts(PUBLISHED["Phi-3 mini"][0]);
const LLAMA_3_8B = publishedFacts(PUBLISHED["Llama-3 8B"][0]);
const MIXTRAL = publishedFacts(PUBLISHED["Mixtral 8x7B"][0]);

function fit(machine: FitMachine, facts: GgufFacts, options: Partial<FitOptions> = {}) {
  return planFit(machine, {
    facts,
    settings: DEFAULT_MODEL_SETTINGS,
    mmprojBytes: 0,
    correction: 1,
    ...options,
  });
}

const DDR4: Description = { ramGib: 8, freeGib: 5.5, gbPerSecond: 33 };
const RTX_3060 = {
  name: "NVIDIA GeForce RTX 3060",
  totalMib: 12_288,
  freeMib: 11_600,
  gbPerSecond: 360,
};

function held(ramBytes: number, vramBytes = 0) {
  return { ramBytes, vramBytes };
}

interface ReasonRow {
  name: string;
  machine: FitMachine;
  facts: GgufFacts;
  options?: Partial<FitOptions>;
  code: string;
  reason: RegExp;
}

const REASONS: ReasonRow[] = [
  {
    name: "the numbers and the speed",
    machine: describedComputer(DDR4),
    facts: PHI_3_MINI,
    code: "fits",
    reason: /^Needs 4\.1 GB, you have 5\.9 GB free; about \d+ tokens a second$/,
  },
  {
    name: "no speed where the memory was not measured, and does not call it slow",
    machine: describedComputer({ ...DDR4, gbPerSecond: null }),
    facts: LLAMA_3_8B,
    code: "fits",
    reason: /^Needs 5\.9 GB, you have 5\.9 GB free$/,
  },
  {
    name: "what is missing where only the speed is",
    machine: describedComputer({ ...DDR4, freeGib: 6.5 }),
    facts: LLAMA_3_8B,
    code: "slow",
    reason: /^Needs 6\.\d GB, you have 6\.\d GB free, but writes only about [4-7] tokens a second$/,
  },
  {
    name: "the context where there is room for little of it",
    machine: describedComputer({ ...DDR4, freeGib: 5.1 }),
    facts: LLAMA_3_8B,
    code: "short_context",
    reason:
      /^Needs 5\.\d GB, you have 5\.5 GB free, but with room for only [1-3],\d{3} tokens of context; about/,
  },
  {
    name: "that others must go",
    machine: { ...describedComputer(DDR4), evictable: held(2.5e9) },
    facts: LLAMA_3_8B,
    code: "needs_unload",
    reason: /^Needs 6\.\d GB, you have 4\.3 GB free: fits after other models are unloaded; about/,
  },
  {
    name: "the same of pinned ones, which a user can unpin",
    machine: { ...describedComputer(DDR4), pinned: held(2.5e9) },
    facts: LLAMA_3_8B,
    code: "needs_unload",
    reason: /fits after other models are unloaded/,
  },
  {
    name: "that other programs hold the memory",
    machine: describedComputer({ ...DDR4, freeGib: 2 }),
    facts: PHI_3_MINI,
    code: "memory_in_use",
    reason: /^Needs 4\.2 GB, you have 2\.1 GB free: fits after other programs are closed; about/,
  },
  {
    name: "which smaller model would fit where no quantization does",
    machine: describedComputer(DDR4),
    facts: MIXTRAL,
    code: "too_large",
    reason:
      /^Needs 28\.\d GB, this computer has 6\.8 GB for models\. Choose a smaller model, of at most 6\.\d GB$/,
  },
  {
    name: "that a smaller quantization would fit",
    machine: describedComputer({ ...DDR4, ramGib: 5.5 }),
    facts: LLAMA_3_8B,
    code: "too_large",
    reason:
      /^Needs 5\.\d GB, this computer has 4\.7 GB for models\. Choose a smaller quantization, of at most [34]\.\d GB$/,
  },
  {
    name: "what lies on the GPU and what beside it",
    machine: describedComputer({ ...DDR4, gpus: [card(RTX_3060)] }),
    facts: LLAMA_3_8B,
    code: "fits",
    reason:
      /^Needs 6\.\d GB on the GPU and \d.* of RAM, you have 11\.\d GB and 5\.9 GB free; about \d\d tokens a second$/,
  },
  {
    name: "no speed for a card that is not known",
    machine: describedComputer({ ...DDR4, gpus: [card({ ...RTX_3060, gbPerSecond: null })] }),
    facts: LLAMA_3_8B,
    code: "fits",
    reason: /^Needs .* free$/,
  },
  {
    name: "the RAM that is missing beside a GPU",
    machine: describedComputer({ ...DDR4, gpus: [card(RTX_3060)] }),
    facts: MIXTRAL,
    code: "too_large",
    reason: /^Needs \d\d\.\d GB of RAM beside 1\d\.\d GB on the GPU, this computer has 6\.8 GB for/,
  },
  {
    name: "no speed for a model that does not write",
    machine: describedComputer({ ...DDR4, gbPerSecond: 1 }),
    facts: BGE_M3,
    code: "fits",
    reason: /^Needs 1\.\d GB, you have 5\.9 GB free$/,
  },
  {
    name: "less than one token a second",
    machine: describedComputer({ ...DDR4, gbPerSecond: 1 }),
    facts: PHI_3_MINI,
    code: "slow",
    reason: /, but writes only less than one token a second$/,
  },
  {
    name: "of a projector that it is none to load",
    machine: describedComputer(DDR4),
    facts: { ...PHI_3_MINI, kind: "projector" },
    code: "unusable",
    reason: /^This file is no model that can be loaded by itself$/,
  },
];

for (const { name, machine, facts, options, code, reason } of REASONS) {
  Deno.test(`planFit() says ${name}`, () => {
    const { badge } = fit(machine, facts, options);
    assert.equal(badge.code, code, badge.reason);
    assert.match(badge.reason, reason);
  });
}

Deno.test("planFit() gives with each code all numbers of its sentence", () => {
  const machine = describedComputer({ ...DDR4, gpus: [card(RTX_3060)] });
  const { fit: planned, badge } = fit(machine, LLAMA_3_8B);
  assert.deepEqual(badge.values, {
    need_bytes: planned.ram_bytes,
    free_bytes: 5.5 * 1024 ** 3,
    budget_bytes: machine.budgetBytes,
    need_vram_bytes: planned.vram_bytes,
    free_vram_bytes: (11_600 - 256) * 1024 ** 2,
    context: 8192,
    gpu_layers: 33,
    tokens_per_second: planned.tokens_per_second,
  });
  const { values } = fit(describedComputer(DDR4), MIXTRAL).badge;
  assert.equal(values.choose, "smaller_model");
  assert.ok(Number(values.largest_weights_bytes) > 5e9);
});

Deno.test("planFit() adds up: weights, KV cache, work space and the process, in RAM and on the GPU", () => {
  for (const description of Object.values(COMPUTERS)) {
    for (const facts of [PHI_3_MINI, LLAMA_3_8B, MIXTRAL, BGE_M3]) {
      const { fit: planned } = fit(describedComputer(description), facts, { mmprojBytes: 6e8 });
      const parts = planned.weights_bytes + planned.kv_bytes + planned.compute_bytes;
      assert.ok(planned.total_bytes >= parts + 100e6);
      assert.equal(planned.total_bytes, planned.ram_bytes + planned.vram_bytes);
    }
  }
});

Deno.test("planFit() wants no more context than a model was trained for", () => {
  const facts: GgufFacts = { ...BGE_M3, contextLength: 512 };
  const { fit: planned, badge } = fit(describedComputer(DDR4), facts);
  assert.equal(planned.context, 512);
  assert.equal(badge.level, "recommended");
});

Deno.test("planFit() takes a user's own context and layers as they are", () => {
  const machine = describedComputer({ ...DDR4, gpus: [card(RTX_3060)] });
  const settings = { ...DEFAULT_MODEL_SETTINGS, context: 1024, gpu_layers: 5 };
  const { fit: planned, badge } = fit(machine, PHI_3_MINI, { settings });
  assert.equal(planned.context, 1024);
  assert.equal(planned.gpu_layers, 5);
  assert.equal(badge.code, "fits");
});

Deno.test("planFit() of a model that is loaded says how it is loaded", () => {
  const machine = describedComputer({ ...DDR4, freeGib: 1 });
  const options = { facts: PHI_3_MINI, settings: DEFAULT_MODEL_SETTINGS, mmprojBytes: 0 };
  assert.equal(fit(machine, PHI_3_MINI).badge.level, "compatible");
  const { placement } = planLoad(describedComputer(DDR4), options);
  const { fit: planned, badge } = fit(machine, PHI_3_MINI, { running: placement });
  assert.equal(badge.level, "recommended");
  assert.equal(planned.context, placement.contextTokens);
});

Deno.test("planFit() recommends what would do beside others, though a load asks for their place", () => {
  const machine = describedComputer({
    ramGib: 32,
    freeGib: 20,
    gbPerSecond: 45,
    gpus: [card({ ...RTX_3060, freeMib: 4000 })],
  });
  const { fit: planned, badge } = fit(
    { ...machine, evictable: held(1e9, 7.8e9) },
    LLAMA_3_8B,
  );
  assert.equal(planned.gpu_layers, 33);
  assert.equal(badge.code, "fits");
  const slow = fit({ ...machine, ramBytesPerSecond: 2e9, evictable: held(1e9, 7.8e9) }, LLAMA_3_8B);
  assert.equal(slow.badge.code, "needs_unload");
});

Deno.test("the largest weights of planFit() would fit, with a useful context", () => {
  for (const [name, description] of Object.entries(COMPUTERS)) {
    const machine = describedComputer({ ...description, gbPerSecond: null });
    const huge = { ...LLAMA_3_8B, weightsBytes: 1e12, blockBytes: [] };
    const { largest_weights_bytes: weightsBytes } = fit(machine, huge).badge.values;
    const { fit: planned, badge } = fit(
      { ...machine, availableBytes: null },
      { ...huge, weightsBytes: Number(weightsBytes) },
    );
    assert.notEqual(badge.level, "not_recommended", `${name}: ${badge.reason}`);
    assert.ok(planned.context >= 4096, `${name}: ${planned.context}`);
  }
});
