import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type EvictionOptions,
  type Impossible,
  type LoadedInstance,
  planEviction,
} from "../src/orchestrator/eviction.ts";

const GB = 1e9;

function instance(id: string, facts: Partial<LoadedInstance> = {}): LoadedInstance {
  return {
    id,
    ramBytes: 2 * GB,
    vramBytes: 0,
    busy: false,
    pinned: false,
    lastUsedMs: 0,
    leaving: false,
    ...facts,
  };
}

interface PlanOptions extends Partial<Omit<EvictionOptions, "need">> {
  /** RAM. */
  need?: number;
  needVram?: number;
}

function plan(instances: LoadedInstance[], options: PlanOptions = {}) {
  const { need = 2 * GB, needVram = 0, ...rest } = options;
  return planEviction({
    need: { ramBytes: need, vramBytes: needVram },
    budgetBytes: 6 * GB,
    availableBytes: null,
    vramFreeBytes: null,
    instances,
    ...rest,
  });
}

function impossible(instances: LoadedInstance[], options: PlanOptions): Impossible {
  const planned = plan(instances, options);
  assert.ok("impossible" in planned, "There was a plan");
  return planned.impossible;
}

interface Row {
  name: string;
  instances: LoadedInstance[];
  options?: PlanOptions;
  victims?: string[];
  drain?: string[];
}

const ROWS: Row[] = [
  { name: "takes nobody when there is room", instances: [instance("a"), instance("b")] },
  {
    name: "takes the least recently used first",
    instances: [
      instance("new", { lastUsedMs: 30 }),
      instance("old", { lastUsedMs: 10 }),
      instance("mid", { lastUsedMs: 20 }),
    ],
    victims: ["old"],
  },
  {
    name: "takes as many as are needed",
    instances: [
      instance("new", { lastUsedMs: 30 }),
      instance("old", { lastUsedMs: 10 }),
      instance("mid", { lastUsedMs: 20 }),
    ],
    options: { need: 4 * GB },
    victims: ["old", "mid"],
  },
  {
    name: "never takes a pinned one while another will do",
    instances: [
      instance("pinned", { lastUsedMs: 1, pinned: true }),
      instance("a", { lastUsedMs: 2 }),
      instance("b", { lastUsedMs: 3 }),
    ],
    victims: ["a"],
  },
  {
    name: "never takes one that is answering while an idle one will do",
    instances: [
      instance("busy", { lastUsedMs: 1, busy: true }),
      instance("a", { lastUsedMs: 2 }),
      instance("b", { lastUsedMs: 3 }),
    ],
    victims: ["a"],
  },
  {
    name: "lets the least recently used busy one end where idle ones do not suffice",
    instances: [
      instance("busy new", { lastUsedMs: 9, busy: true }),
      instance("busy old", { lastUsedMs: 1, busy: true }),
      instance("idle", { lastUsedMs: 5 }),
    ],
    options: { need: 4 * GB },
    victims: ["idle"],
    drain: ["busy old"],
  },
  {
    name: "puts a small one back when a later one makes it needless",
    instances: [
      instance("small", { lastUsedMs: 1, ramBytes: GB }),
      instance("large", { lastUsedMs: 2, ramBytes: 5 * GB }),
    ],
    options: { need: 5 * GB },
    victims: ["large"],
  },
  {
    name: "puts an idle one back when a busy one alone must go anyway and suffices",
    instances: [
      instance("idle", { lastUsedMs: 1, ramBytes: GB }),
      instance("busy", { lastUsedMs: 2, ramBytes: 5 * GB, busy: true }),
    ],
    options: { need: 5 * GB },
    drain: ["busy"],
  },
  {
    name: "takes one that is leaving anyway before any other, be it pinned",
    instances: [
      instance("old", { lastUsedMs: 1 }),
      instance("mid", { lastUsedMs: 2 }),
      instance("leaving", { lastUsedMs: 9, leaving: true, pinned: true }),
    ],
    victims: ["leaving"],
  },
  {
    name: "counts the memory of one that is leaving until it is gone",
    instances: [
      instance("leaving", { ramBytes: 6 * GB, leaving: true, busy: true }),
    ],
    drain: ["leaving"],
  },
  {
    name: "makes room in what the system has left, too",
    instances: [instance("a", { lastUsedMs: 1 }), instance("b", { lastUsedMs: 2 })],
    options: { budgetBytes: 100 * GB, availableBytes: GB },
    victims: ["a"],
  },
  {
    name: "has no limit where budget and free memory are unknown",
    instances: [instance("a"), instance("b")],
    options: { need: 500 * GB, budgetBytes: null },
  },
  {
    name: "fills the budget to the last byte",
    instances: [instance("a", { lastUsedMs: 1 }), instance("b", { lastUsedMs: 2 })],
    options: { need: 4 * GB, budgetBytes: 6 * GB },
    victims: ["a"],
  },
];

const GPU_ROWS: Row[] = [
  {
    name: "makes room on the GPU as well",
    instances: [
      instance("old", { lastUsedMs: 1 }),
      instance("on the GPU", { lastUsedMs: 2, vramBytes: 4 * GB }),
    ],
    options: { needVram: 5 * GB, vramFreeBytes: 2 * GB },
    victims: ["on the GPU"],
  },
  {
    name: "lets the fewest go that make room in both",
    instances: [
      instance("in RAM", { lastUsedMs: 1, ramBytes: 4 * GB }),
      instance("on the GPU", { lastUsedMs: 2, ramBytes: 0.5 * GB, vramBytes: 4 * GB }),
      instance("on both", { lastUsedMs: 3, ramBytes: 1.5 * GB, vramBytes: 3 * GB }),
    ],
    options: { need: 4 * GB, needVram: 4 * GB, vramFreeBytes: GB },
    victims: ["in RAM", "on the GPU"],
  },
  {
    name: "takes nobody for a GPU that is not needed, however full",
    instances: [instance("a", { vramBytes: 8 * GB })],
    options: { vramFreeBytes: 0 },
  },
  {
    name: "has no limit on a GPU whose memory is unknown",
    instances: [instance("a", { vramBytes: 8 * GB })],
    options: { needVram: 50 * GB },
  },
];

for (const { name, instances, options, victims = [], drain = [] } of [...ROWS, ...GPU_ROWS]) {
  Deno.test(`planEviction() ${name}`, () => {
    assert.deepEqual(plan(instances, options), { victims, drain });
  });
}

Deno.test("planEviction() says the need and the budget when the model is too large alone", () => {
  const { message, values } = impossible([], { need: 5.1 * GB, budgetBytes: 4.2 * GB });
  assert.equal(
    message("phi-3"),
    'Cannot load "phi-3": it needs 5.1 GB and the memory budget is 4.2 GB. ' +
      "Choose a smaller quantization or a smaller context",
  );
  assert.equal(values.need_bytes, 5.1 * GB);
  assert.equal(values.budget_bytes, 4.2 * GB);
});

Deno.test("planEviction() names the pinned models that are in the way", () => {
  const pinned = [
    instance("qwen3", { pinned: true }),
    instance("hello", { pinned: true, busy: true }),
  ];
  const { message, values } = impossible([...pinned, instance("idle")], { need: 3 * GB });
  assert.equal(
    message("phi-3"),
    'Cannot load "phi-3": it needs 3.0 GB, and of the memory budget of 6.0 GB pinned models hold ' +
      '4.0 GB: "qwen3", "hello". Unpin one, or choose a smaller quantization or a smaller context',
  );
  assert.equal(values.pinned_bytes, 4 * GB);
  assert.equal(values.pinned_models, "qwen3, hello");
});

Deno.test("planEviction() says what would be free when other programs hold the memory", () => {
  const { message, values } = impossible([instance("idle")], { need: 5 * GB, availableBytes: GB });
  assert.equal(
    message("phi-3"),
    'Cannot load "phi-3": it needs 5.0 GB and 3.0 GB would be free with every other model ' +
      "unloaded. Close other programs, or choose a smaller quantization or a smaller context",
  );
  assert.equal(values.available_bytes, GB);
});

Deno.test("planEviction() says what the GPU would have free where that is what is missing", () => {
  const loaded = [
    instance("idle", { vramBytes: GB }),
    instance("qwen3", { vramBytes: 3 * GB, pinned: true }),
  ];
  const { message, values } = impossible(loaded, { needVram: 5 * GB, vramFreeBytes: 2 * GB });
  assert.equal(
    message("phi-3"),
    'Cannot load "phi-3": its layers on the GPU need 5.0 GB and 3.0 GB of GPU memory would be free ' +
      'with all but the pinned models "qwen3" unloaded. Set fewer GPU layers, or close other programs',
  );
  assert.equal(values.need_vram_bytes, 5 * GB);
  assert.equal(values.free_vram_bytes, 2 * GB);
  assert.equal(values.pinned_vram_bytes, 3 * GB);
});

const instances = fc.array(
  fc.record({
    ramBytes: fc.integer({ min: 0, max: 20 }),
    vramBytes: fc.integer({ min: 0, max: 20 }),
    busy: fc.boolean(),
    pinned: fc.boolean(),
    lastUsedMs: fc.integer({ min: 0, max: 10 }),
    leaving: fc.boolean(),
  }),
  { maxLength: 12 },
).map((list) => list.map((facts, index) => ({ ...facts, id: `model-${index}` })));

const anyOptions: fc.Arbitrary<EvictionOptions> = fc.record({
  need: fc.record({
    ramBytes: fc.integer({ min: 0, max: 60 }),
    vramBytes: fc.integer({ min: 0, max: 60 }),
  }),
  budgetBytes: fc.option(fc.integer({ min: 0, max: 120 })),
  availableBytes: fc.option(fc.integer({ min: 0, max: 60 })),
  vramFreeBytes: fc.option(fc.integer({ min: 0, max: 60 })),
  instances,
});

function holds(options: EvictionOptions, gone: readonly string[]): boolean {
  const { need, budgetBytes, availableBytes, vramFreeBytes, instances } = options;
  const sum = (pool: "ramBytes" | "vramBytes", of: readonly LoadedInstance[]) =>
    of.reduce((total, each) => total + each[pool], 0);
  const leave = instances.filter((each) => gone.includes(each.id));
  const stay = instances.filter((each) => !gone.includes(each.id));
  return sum("ramBytes", stay) + need.ramBytes <= (budgetBytes ?? Infinity) &&
    need.ramBytes <= (availableBytes ?? Infinity) + sum("ramBytes", leave) &&
    (need.vramBytes === 0 ||
      need.vramBytes <= (vramFreeBytes ?? Infinity) + sum("vramBytes", leave));
}

const mayGo = (each: LoadedInstance) => each.leaving || !each.pinned;

Deno.test("planEviction() holds the budget, takes no pinned one, and none in vain", () => {
  fc.assert(
    fc.property(anyOptions, (options) => {
      const planned = planEviction(options);
      if ("impossible" in planned) {
        const all = options.instances.filter(mayGo).map((each) => each.id);
        assert.ok(!holds(options, all), "impossible, though all that may go would be enough");
        return;
      }
      const { victims, drain } = planned;
      const gone = [...victims, ...drain];
      assert.equal(new Set(gone).size, gone.length);
      assert.ok(holds(options, gone), "over the budget afterwards");
      for (const id of gone) {
        const taken = options.instances.find((each) => each.id === id)!;
        assert.ok(mayGo(taken), `${id} is pinned`);
        assert.equal(drain.includes(id), taken.busy);
        assert.ok(!holds(options, gone.filter((other) => other !== id)), `${id} goes in vain`);
      }
    }),
    { numRuns: 2000 },
  );
});

Deno.test("planEviction() lets nobody's answer be the last while idle ones would be enough", () => {
  fc.assert(
    fc.property(anyOptions, (options) => {
      const planned = planEviction(options);
      const idle = options.instances.filter((each) => mayGo(each) && !each.busy);
      if ("impossible" in planned || !holds(options, idle.map((each) => each.id))) return;
      assert.deepEqual(planned.drain, []);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("planEviction() takes no more recent one while equally large older ones stay", () => {
  fc.assert(
    fc.property(anyOptions, (options) => {
      const equal = options.instances.map((each, index) => ({
        ...each,
        ramBytes: 5,
        vramBytes: 3,
        busy: false,
        leaving: false,
        lastUsedMs: index * 7 % 13,
      }));
      const planned = planEviction({ ...options, instances: equal });
      if ("impossible" in planned) return;
      const order = equal.filter((each) => !each.pinned).toSorted((a, b) =>
        a.lastUsedMs - b.lastUsedMs
      );
      assert.deepEqual(
        planned.victims,
        order.slice(0, planned.victims.length).map((each) => each.id),
      );
    }),
  );
});
