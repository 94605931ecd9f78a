import assert from "node:assert/strict";
import type { CatalogueRow } from "../src/api_types.ts";
import { type CatalogueRowOptions, catalogueRows } from "../src/gateway/catalogue_rows.ts";
import { CatalogueFacts } from "../src/models/catalogue_facts.ts";
import { entriesOf } from "../src/models/catalogue_file.ts";
import defaults from "../src/models/default_catalogue.json" with { type: "json" };
import { type FitMachine, planFit } from "../src/orchestrator/fit.ts";

const { entries } = entriesOf(defaults);
const facts = new CatalogueFacts();
const factsOf: CatalogueRowOptions["factsOf"] = (entry, file) => facts.of(entry, file);
const SETTINGS = {
  threads: null,
  context: null,
  gpu_layers: null,
  parallel: null,
  cache_type_k: null,
  cache_type_v: null,
};
const NOTHING = { ramBytes: 0, vramBytes: 0 };

interface Computer {
  ramBytes: number;
  freeBytes: number;
  ramBytesPerSecond: number | null;
  gpu?: FitMachine["gpu"];
  gpuBytesPerSecond?: number;
}

function machine(computer: Computer): FitMachine {
  const { ramBytes, freeBytes, ramBytesPerSecond, gpu = null } = computer;
  return {
    totalRamBytes: ramBytes,
    budgetBytes: ramBytes - Math.max(2 ** 30, ramBytes / 5),
    availableBytes: freeBytes,
    gpu,
    threads: 4,
    cpuFeatures: ["avx2"],
    build: 11669,
    evictable: NOTHING,
    pinned: NOTHING,
    ramBytesPerSecond,
    gpuBytesPerSecond: computer.gpuBytesPerSecond ?? null,
  };
}

function rowsOn(computer: Computer): CatalogueRow[] {
  const described = machine(computer);
  return catalogueRows(entries, {
    factsOf,
    fitOf: (facts, { mmprojBytes }) =>
      planFit(described, { facts, settings: SETTINGS, mmprojBytes, correction: 1 }),
    isInstalled: () => false,
  });
}

function ids(rows: readonly CatalogueRow[]): string[] {
  return rows.map(({ id }) => id);
}

const GIB = 2 ** 30;
const CARD = { name: "CUDA0", totalBytes: 12 * GIB, freeBytes: 11.5 * GIB };
const SMALL = { ramBytes: 4 * GIB, freeBytes: 2.6e9, ramBytesPerSecond: 15e9 };
const COMPUTERS: Readonly<Record<string, Computer>> = {
  "4 GB, one channel": SMALL,
  "8 GB, two channels": { ramBytes: 8 * GIB, freeBytes: 5.5e9, ramBytesPerSecond: 34e9 },
  "16 GB, nothing measured": { ramBytes: 16 * GIB, freeBytes: 12e9, ramBytesPerSecond: null },
  "64 GB with a card": {
    ramBytes: 64 * GIB,
    freeBytes: 55e9,
    ramBytesPerSecond: 70e9,
    gpu: { unified: false, mapsFile: false, devices: [CARD] },
    gpuBytesPerSecond: 360e9,
  },
};

for (const [name, computer] of Object.entries(COMPUTERS)) {
  Deno.test(`catalogueRows() gives every model of the catalogue a badge on ${name}`, () => {
    const rows = rowsOn(computer);
    assert.deepEqual(ids(rows).sort(), entries.map(({ id }) => id).sort());
    for (const row of rows) {
      assert.ok(row.badge !== null && row.fit !== null, row.id);
      assert.ok(row.files.every(({ badge, fit }) => badge !== null && fit !== null), row.id);
      assert.equal(row.choice === null, row.badge.level === "not_recommended", row.id);
      if (row.choice === null) continue;
      assert.deepEqual(row.badge, row.files[row.choice]!.badge);
      const better = row.files.slice(row.choice + 1).filter(({ badge }) =>
        badge!.level === row.badge!.level
      );
      assert.deepEqual(better, [], row.id);
    }
    const levels = rows.filter(({ best }) => !best).map(({ badge }) => badge!.level);
    const order = ["recommended", "compatible", "not_recommended"];
    assert.deepEqual(levels, levels.toSorted((a, b) => order.indexOf(a) - order.indexOf(b)));
  });
}

Deno.test("catalogueRows() recommends several models on 4 GB, one that knows Bengali among them", () => {
  const recommended = rowsOn(SMALL).filter(({ badge }) => badge!.level === "recommended");
  const chat = recommended.filter(({ roles }) => roles.includes("chat"));
  assert.ok(chat.length >= 3, ids(chat).join(" "));
  assert.ok(chat.some(({ languages }) => languages.includes("bn")), ids(chat).join(" "));
});

Deno.test("catalogueRows() puts the best of each role first, the best for chat before all", () => {
  const rows = rowsOn(COMPUTERS["8 GB, two channels"]!);
  const best = rows.filter((row) => row.best);
  assert.deepEqual(rows.slice(0, best.length), best);
  assert.ok(best[0]!.roles.includes("chat"));
  for (const role of ["chat", "code", "vision", "embedding", "rerank"] as const) {
    const fits = rows.filter((row) =>
      row.roles.includes(role) && row.badge!.level === "recommended"
    );
    const largest = Math.max(...fits.map((row) => row.files[row.choice!]!.size_bytes));
    const marked = fits.filter((row) => row.best).map((row) => row.files[row.choice!]!.size_bytes);
    assert.ok(marked.includes(largest), role);
  }
});

Deno.test("catalogueRows() takes the largest quantization that fits well", () => {
  const chosen = (computer: Computer) => {
    const row = rowsOn(computer).find(({ id }) => id === "qwen3-4b-2507")!;
    return row.choice === null ? null : row.files[row.choice]!.quantization;
  };
  assert.equal(chosen({ ramBytes: 3 * GIB, freeBytes: 1e9, ramBytesPerSecond: 34e9 }), null);
  assert.equal(chosen({ ramBytes: 8 * GIB, freeBytes: 5e9, ramBytesPerSecond: 34e9 }), "Q4_K_M");
  assert.equal(chosen({ ramBytes: 32 * GIB, freeBytes: 20e9, ramBytesPerSecond: 90e9 }), "Q8_0");
});

Deno.test("catalogueRows() counts a projector, and says what is installed", () => {
  const asked: number[] = [];
  const [entry] = entries.filter(({ id }) => id === "qwen3-vl-4b");
  const [row] = catalogueRows([entry!], {
    factsOf,
    fitOf: (_, { mmprojBytes }) => (asked.push(mmprojBytes), null),
    isInstalled: (model) => {
      assert.deepEqual(model, {
        repo: "Qwen/Qwen3-VL-4B-Instruct-GGUF",
        file: "Qwen3VL-4B-Instruct-Q4_K_M.gguf",
        id: "Qwen3VL-4B-Instruct-Q4_K_M",
      });
      return true;
    },
  });
  assert.deepEqual(asked, [836_180_256]);
  assert.equal(row!.files[0]!.size_bytes, 2_497_281_664 + 836_180_256);
  assert.deepEqual([row!.installed, row!.choice, row!.fit, row!.badge], [true, null, null, null]);
});

Deno.test("catalogueRows() shows a model of which only the size is known", () => {
  const [row] = catalogueRows(entries.slice(0, 1), {
    factsOf: () => null,
    fitOf: () => assert.fail("there is nothing to plan with"),
    isInstalled: () => false,
  });
  assert.deepEqual([row!.id, row!.fit, row!.badge, row!.choice], [
    entries[0]!.id,
    null,
    null,
    null,
  ]);
});
