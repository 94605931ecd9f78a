import assert from "node:assert/strict";
import { Hono } from "@hono/hono";
import type { CatalogueRow } from "../src/api_types.ts";
import { type CatalogueParts, catalogueRoutes } from "../src/gateway/admin_catalogue.ts";
import type { FitOfOptions } from "../src/gateway/fits.ts";
import type { GgufFacts } from "../src/models/gguf.ts";
import { type FitMachine, planFit } from "../src/orchestrator/fit.ts";
import { CatalogueHome, repoInfo, userModel } from "./support/catalogue_home.ts";

const MACHINE: FitMachine = {
  totalRamBytes: 8 * 2 ** 30,
  budgetBytes: 6.4 * 2 ** 30,
  availableBytes: 5.5e9,
  gpu: null,
  threads: 4,
  cpuFeatures: ["avx2"],
  build: 11669,
  evictable: { ramBytes: 0, vramBytes: 0 },
  pinned: { ramBytes: 0, vramBytes: 0 },
  ramBytesPerSecond: 34e9,
  gpuBytesPerSecond: null,
};
const SETTINGS = {
  threads: null,
  context: null,
  gpu_layers: null,
  parallel: null,
  cache_type_k: null,
  cache_type_v: null,
};

type Library = ReturnType<CatalogueParts["library"]["list"]>;

/** The route on a described computer. */
class Route implements AsyncDisposable {
  readonly home = new CatalogueHome();
  readonly catalogue = this.home.open();
  readonly planned: GgufFacts[] = [];
  installed: Library = [];
  refreshes = 0;
  readonly #app = new Hono().route(
    "/",
    catalogueRoutes({
      library: { list: () => this.installed },
      fits: {
        of: (facts: GgufFacts, { mmprojBytes = 0 }: FitOfOptions = {}) => {
          this.planned.push(facts);
          return planFit(MACHINE, { facts, settings: SETTINGS, mmprojBytes, correction: 1 });
        },
      },
      catalogue: this.catalogue,
      catalogueRefresh: { soon: () => this.refreshes++ },
      hardware: { update: () => {} },
      host: { call: () => Promise.resolve({}) },
    } as unknown as CatalogueParts),
  );

  async rows(): Promise<CatalogueRow[]> {
    const response = await this.#app.request("/admin/catalogue");
    assert.equal(response.status, 200);
    return await response.json();
  }

  async row(id: string): Promise<CatalogueRow> {
    const found = (await this.rows()).find((row) => row.id === id);
    assert.ok(found, id);
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.home[Symbol.asyncDispose]();
  }
}

Deno.test("GET /admin/catalogue lists every model with fit and badge, and has the Hub asked again", async () => {
  await using route = new Route();
  const rows = await route.rows();
  assert.ok(rows.length >= 25 && rows.every(({ fit, badge }) => fit !== null && badge !== null));
  assert.equal(rows[0]!.best, true);
  assert.equal(route.refreshes, 1);
  const phi = rows.find(({ id }) => id === "phi-3-mini")!;
  assert.deepEqual([phi.badge!.level, phi.source, phi.installed], [
    "recommended",
    "builtin",
    false,
  ]);
  assert.match(
    phi.badge!.reason,
    /^Needs \d\.\d GB, you have \d\.\d GB free; about \d+ tokens a second$/,
  );
  const levels = new Map(rows.map(({ id, badge }) => [id, badge!.level]));
  assert.equal(levels.get("llama-3-8b"), "compatible");
  assert.equal(levels.get("mixtral-8x7b"), "not_recommended");
});

Deno.test("GET /admin/catalogue asks with the same facts each time, so that fits are remembered", async () => {
  await using route = new Route();
  await route.rows();
  const first = route.planned.splice(0);
  await route.rows();
  assert.ok(first.every((facts, index) => facts === route.planned[index]));
});

Deno.test("GET /admin/catalogue knows what is installed by its name, or by repository and file", async () => {
  await using route = new Route();
  const model = { repo: null, builtin: false, isMissing: false };
  const path = "/home/u/.zombie_model/x/Qwen3-0.6B-Q8_0.gguf";
  const cases: [installed: Library, is: boolean][] = [
    [[{ ...model, id: "Qwen3-0.6B-Q8_0", path }], true],
    [[{ ...model, id: "Qwen3-0.6B-Q8_0--Qwen", path, repo: "Qwen/Qwen3-0.6B-GGUF" }], true],
    [[{ ...model, id: "Qwen3-0.6B-Q8_0--else", path, repo: "else/Qwen3-0.6B-GGUF" }], false],
    [[{ ...model, id: "Qwen3-0.6B-Q8_0", path, isMissing: true }], false],
    [[], false],
  ];
  for (const [installed, is] of cases) {
    route.installed = installed;
    const row = await route.row("qwen3-0.6b");
    assert.deepEqual([row.installed, row.files[0]!.installed], [is, is]);
  }
});

Deno.test("GET /admin/catalogue shows a user's model, with what the Hub said of it", async () => {
  await using route = new Route();
  route.home.write({ models: [userModel()] });
  const before = await route.row("mine");
  assert.deepEqual([before.source, before.badge, before.gated], ["user", null, false]);
  const files = [{ path: "mine-Q4_K_M.gguf", sizeBytes: 7_000_000, sha256: null }];
  await route.catalogue.rememberRepo(repoInfo(files, { license: "gpl-3.0", gated: "auto" }));
  const after = await route.row("mine");
  assert.deepEqual([after.license, after.gated, after.files[0]!.size_bytes], [
    "gpl-3.0",
    true,
    7e6,
  ]);
});
