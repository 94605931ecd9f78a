import assert from "node:assert/strict";
import { DEFAULT_MODEL_SETTINGS } from "../src/models/model_settings.ts";
import { chooseRoom, planLoad } from "../src/orchestrator/load_plan.ts";
import type { Machine } from "../src/orchestrator/machine.ts";
import { BGE_M3 } from "./support/model_facts.ts";
import { PUBLISHED, publishedFacts } from "./support/published_models.ts";

const MIB = 1024 ** 2;
const NOTHING = { ramBytes: 0, vramBytes: 0 };

const LLAMA_3_8B = publishedFacts(PUBLISHED["Llama-3 8B"][0]);

function machine(facts: Partial<Machine> = {}): Machine {
  return {
    totalRamBytes: 12e9,
    budgetBytes: 10e9,
    availableBytes: 10e9,
    gpu: null,
    evictable: NOTHING,
    pinned: NOTHING,
    threads: 4,
    cpuFeatures: ["avx2"],
    build: null,
    ...facts,
  };
}

function card(freeMib: number, totalMib = 8192): Machine["gpu"] {
  const device = { name: "card", totalBytes: totalMib * MIB, freeBytes: freeMib * MIB };
  return { devices: [device], unified: false, mapsFile: false };
}

function options(wishes: Partial<typeof DEFAULT_MODEL_SETTINGS> = {}, facts = LLAMA_3_8B) {
  return { facts, settings: { ...DEFAULT_MODEL_SETTINGS, ...wishes }, mmprojBytes: 0 };
}

function chosen(given: Machine, load = options()) {
  const { room, placement } = chooseRoom(given, load);
  return { room, context: placement.contextTokens, layers: placement.layersOnGpu };
}

Deno.test("chooseRoom() goes beside the others where there is room", () => {
  const evictable = { ramBytes: 2e9, vramBytes: 0 };
  assert.deepEqual(chosen(machine({ evictable })), { room: "beside", context: 8192, layers: 0 });
});

Deno.test("chooseRoom() takes less context, down to 4,096, rather than another's place", () => {
  const evictable = { ramBytes: 4.2e9, vramBytes: 0 };
  const { room, context } = chosen(machine({ evictable }));
  assert.equal(room, "beside");
  assert.ok(context >= 4096 && context < 8192, `${context}`);
});

Deno.test("chooseRoom() takes the others' place where only a short context has room beside them", () => {
  const evictable = { ramBytes: 4.8e9, vramBytes: 0 };
  assert.deepEqual(chosen(machine({ evictable })), { room: "go", context: 8192, layers: 0 });
});

Deno.test("chooseRoom() stays beside them where their place would give no more", () => {
  const evictable = { ramBytes: 1e6, vramBytes: 0 };
  const { room, context } = chosen(
    machine({ availableBytes: 5.2e9, evictable, budgetBytes: 5.3e9 }),
  );
  assert.equal(room, "beside");
  assert.ok(context < 4096);
});

Deno.test("chooseRoom() takes their place for layers that they keep from the GPU", () => {
  const evictable = { ramBytes: 0.5e9, vramBytes: 4e9 };
  const given = machine({ evictable, gpu: card(3000) });
  assert.deepEqual(chosen(given), { room: "go", context: 8192, layers: 33 });
  // A pinned one keeps its place: then some layers stay in RAM.
  const pinned = chosen(machine({ pinned: evictable, gpu: card(3000) }));
  assert.equal(pinned.room, "beside");
  assert.ok(pinned.layers! > 5 && pinned.layers! < 33);
});

Deno.test("chooseRoom() leaves the memory that other programs hold alone", () => {
  const { room, context } = chosen(machine({ availableBytes: 5.8e9 }));
  assert.equal(room, "beside");
  assert.ok(context >= 4096 && context < 8192, `${context}`);
  assert.equal(chosen(machine({ availableBytes: 3e9 })).room, null);
});

Deno.test("chooseRoom() knows no limit where nothing is known", () => {
  const unknown = machine({ totalRamBytes: null, budgetBytes: null, availableBytes: null });
  assert.deepEqual(chosen(unknown), { room: "beside", context: 8192, layers: 0 });
});

Deno.test("chooseRoom() gives a user's own context its room, whatever it is", () => {
  const evictable = { ramBytes: 4.2e9, vramBytes: 0 };
  assert.equal(chosen(machine({ evictable }), options({ context: 1024 })).room, "beside");
  assert.equal(chosen(machine({ evictable }), options({ context: 8192 })).room, "go");
  const short = { ...BGE_M3, contextLength: 512 };
  assert.equal(chosen(machine({ evictable }), options({}, short)).context, 512);
});

Deno.test("planLoad() needs for a user's layers no more of the GPU than can be had", () => {
  const evictable = { ramBytes: 0.5e9, vramBytes: 1e9 };
  const given = machine({ evictable, gpu: card(1000, 2048) });
  const plan = planLoad(given, options({ gpu_layers: 99 }));
  assert.equal(plan.placement.gpuLayers, 99);
  assert.ok(plan.placement.memory.vramBytes > 4e9);
  assert.equal(plan.vramFreeBytes, (1000 - 256) * MIB);
  assert.ok(plan.need.vramBytes > plan.vramFreeBytes!);
  assert.ok(plan.need.vramBytes <= plan.vramFreeBytes! + evictable.vramBytes);
});

Deno.test("planLoad() of what fits nowhere needs the least that it could do with", () => {
  const { placement, need } = planLoad(machine({ budgetBytes: 4e9 }), options());
  assert.equal(placement.contextTokens, 512);
  assert.ok(need.ramBytes > 4e9);
});
