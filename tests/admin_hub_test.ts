import assert from "node:assert/strict";
import { Hono } from "@hono/hono";
import type { HubRepo, HubRepoRow } from "../src/api_types.ts";
import { AppError } from "../src/errors.ts";
import { type HubParts, hubRoutes } from "../src/gateway/admin_hub.ts";
import type { FitOfOptions } from "../src/gateway/fits.ts";
import { createLog, type LogEntry } from "../src/log.ts";
import type { GgufFacts } from "../src/models/gguf.ts";
import { Hub, type HubRepoInfo } from "../src/models/hub.ts";
import { HubRepos, type HubReposOptions } from "../src/models/hub_repos.ts";
import { type FitMachine, planFit } from "../src/orchestrator/fit.ts";
import { TestHub } from "./support/hub.ts";
import { ggufContent, type HubContent, textContent } from "./support/hub_content.ts";
import { type FormatName, FORMATS, layOutLlama, LLAMA_TINY } from "./support/remote_models.ts";
import { until } from "./support/server_process.ts";

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

const LLAMA_8B = {
  layers: 32,
  embedding: 4096,
  feedForward: 14_336,
  heads: 32,
  kvHeads: 8,
  vocabulary: 32_000,
};

/** The routes over a real client and the stand-in, on a described computer. */
class Route implements AsyncDisposable {
  readonly hub: TestHub;
  readonly entries: LogEntry[] = [];
  readonly cached = new Map<string, { info: HubRepoInfo; fetchedAt: string }>();
  installed: ReturnType<HubParts["library"]["list"]> = [];
  readonly #client: Hub;
  readonly #repos: HubRepos;
  readonly #app: Hono;

  constructor(hub: TestHub, options: Partial<HubReposOptions> = {}) {
    this.hub = hub;
    const write = (entry: LogEntry) => this.entries.push(entry);
    const log = createLog({ part: "hub", level: "debug", write });
    this.#client = new Hub({
      endpoint: hub.endpoint,
      token: null,
      downloadHosts: [hub.downloadHost],
      log,
    });
    this.#repos = new HubRepos({
      hub: this.#client,
      cache: {
        cachedRepo: (name) => Promise.resolve(this.cached.get(name) ?? null),
        rememberRepo: (info) => {
          const kept = JSON.parse(JSON.stringify(info));
          this.cached.set(info.repo, { info: kept, fetchedAt: "2026-11-20T00:00:00.000Z" });
          return Promise.resolve();
        },
      },
      log,
      ...options,
    });
    const routes = hubRoutes({
      library: { list: () => this.installed },
      fits: {
        of: (facts: GgufFacts, { mmprojBytes = 0 }: FitOfOptions = {}) =>
          planFit(MACHINE, { facts, settings: SETTINGS, mmprojBytes, correction: 1 }),
      },
      hub: this.#client,
      hubRepos: this.#repos,
      hardware: { update: () => {} },
      host: { call: () => Promise.resolve({}) },
    } as unknown as HubParts);
    this.#app = new Hono().onError((error) => {
      if (!(error instanceof AppError)) throw error;
      return Response.json({ code: error.code }, { status: error.status });
    }).route("/", routes);
  }

  async get<T>(path: string): Promise<T> {
    const response = await this.#app.request(path);
    return { status: response.status, ...await response.json() };
  }

  async repo(name: string, query = ""): Promise<HubRepo & { status: number; code?: string }> {
    return await this.get(`/admin/hub/repos/${name}${query}`);
  }

  /** As after a start: nothing but the cache is known. */
  again(): Route {
    const route = new Route(this.hub);
    for (const [name, kept] of this.cached) route.cached.set(name, kept);
    return route;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#repos[Symbol.asyncDispose]();
    this.#client[Symbol.dispose]();
  }
}

function quantizations(): Record<string, HubContent> {
  const formats = Object.keys(FORMATS) as FormatName[];
  return Object.fromEntries(formats.map((format) => [
    `Llama-8B-${format}.gguf`,
    ggufContent(layOutLlama(LLAMA_8B, { format })[0]!),
  ]));
}

Deno.test("GET /admin/hub/search lists repositories, page by page", async () => {
  await using hub = await TestHub.start();
  for (let n = 0; n < 40; n++) {
    hub.add(`org/m${n}`, { files: { "a.gguf": textContent("x") }, downloads: n });
  }
  await using route = new Route(hub);
  interface Page {
    repos: HubRepoRow[];
    cursor: string | null;
  }
  const first = await route.get<Page>("/admin/hub/search?q=org");
  assert.equal(first.repos[0]!.repo, "org/m39");
  assert.equal(first.repos.length, 30);
  const cursor = encodeURIComponent(first.cursor!);
  const second = await route.get<Page>(`/admin/hub/search?q=org&cursor=${cursor}`);
  assert.equal(second.repos.length, 10);
  assert.equal(second.cursor, null);
  const long = await route.get<{ code: string }>(`/admin/hub/search?q=${"x".repeat(201)}`);
  assert.equal(long.code, "invalid_request");
});

Deno.test("GET /admin/hub/repos shows each quantization with its own fit, for one header", async () => {
  await using hub = await TestHub.start();
  const files = quantizations();
  const repo = hub.add("org/Llama-8B-GGUF", { files, license: "llama3", gated: false });
  await using route = new Route(hub);
  route.installed = [{
    id: "other-name",
    path: "/home/u/.zombie_model/Llama-8B-Q8_0.gguf",
    repo: "org/Llama-8B-GGUF",
    builtin: false,
    isMissing: false,
  }];
  const answer = await route.repo("org/Llama-8B-GGUF");
  assert.equal(answer.status, 200);
  assert.equal(answer.commit, repo.commit);
  assert.equal(answer.offline, false);
  assert.equal(answer.license, "llama3");
  assert.equal(answer.architecture, "llama");
  assert.equal(answer.context_length, 131_072);
  const rows = answer.models.map(({ quantization, badge, installed }) => [
    quantization,
    badge!.level,
    installed,
  ]);
  assert.deepEqual(rows, [
    ["Q2_K", "recommended", false],
    ["Q4_K_M", "compatible", false],
    ["Q5_K_M", "compatible", false],
    ["Q6_K", "compatible", false],
    ["Q8_0", "not_recommended", true],
    ["F16", "not_recommended", false],
  ]);
  for (const { file, fit, size_bytes } of answer.models) {
    assert.equal(size_bytes, files[file]!.sizeBytes);
    assert.ok(Math.abs(fit!.weights_bytes / size_bytes - 1) < 0.02, file);
  }
  assert.equal(new Set(hub.cdnRequests.map(({ file }) => file)).size, 1);
  // Asked again at once, the Hub is not.
  const before = hub.requests.length;
  await route.repo("org/Llama-8B-GGUF");
  assert.equal(hub.requests.length, before);
});

Deno.test("A projector counts for size and fit, and gives its model sight", async () => {
  await using hub = await TestHub.start();
  const layout = layOutLlama(LLAMA_TINY, { format: "Q8_0" })[0]!;
  hub.add("org/eyes", {
    files: {
      "eyes-Q8_0.gguf": ggufContent(layout),
      "mmproj-F16.gguf": ggufContent(layout, 600_000_000),
    },
    pipelineTag: "image-text-to-text",
  });
  await using route = new Route(hub);
  const { models, capabilities } = await route.repo("org/eyes");
  assert.equal(models.length, 1);
  assert.equal(models[0]!.projector, "mmproj-F16.gguf");
  assert.equal(models[0]!.size_bytes, layout.sizeBytes + 600_000_000);
  assert.ok(models[0]!.fit!.total_bytes > 600_000_000);
  assert.deepEqual(capabilities, ["chat", "completion", "tools", "vision"]);
});

Deno.test("Without the Hub the answer is what it said last, and says so", async () => {
  await using hub = await TestHub.start();
  hub.add("org/m", { files: quantizations() });
  await using route = new Route(hub);
  const online = await route.repo("org/m");
  await using later = route.again();
  for (const fault of [{ refuse: true }, { status: 503 }, { status: 429, retryAfter: 1 }]) {
    hub.fault = () => fault;
    const offline = await later.repo("org/m");
    assert.equal(offline.status, 200);
    assert.equal(offline.offline, true);
    assert.equal(offline.fetched_at, "2026-11-20T00:00:00.000Z");
    assert.deepEqual(offline.models, online.models);
  }
  // What was never asked for, and another revision, cannot be told.
  assert.equal((await later.repo("org/other")).code, "hub_rate_limited");
  assert.equal((await later.repo("org/m", "?revision=v2")).code, "hub_rate_limited");
  // A repository that is gone is not shown as if it were there.
  hub.fault = () => null;
  hub.add("org/m", { files: quantizations(), private: true });
  assert.equal((await later.repo("org/m")).code, "hub_not_found");
});

Deno.test("Headers that were read once are not fetched again after a start", async () => {
  await using hub = await TestHub.start();
  const repo = hub.add("org/m", { files: quantizations() });
  await using route = new Route(hub);
  await route.repo("org/m");
  const before = hub.cdnRequests.length;
  await using later = route.again();
  assert.ok((await later.repo("org/m")).models.every(({ fit }) => fit !== null));
  assert.equal(hub.cdnRequests.length, before);
  // Another file in its place has to be looked at.
  for (const format of Object.keys(FORMATS) as FormatName[]) {
    const layout = layOutLlama({ ...LLAMA_8B, layers: 30 }, { format })[0]!;
    repo.put(`Llama-8B-${format}.gguf`, ggufContent(layout));
  }
  await using latest = route.again();
  const { models } = await latest.repo("org/m");
  assert.ok(models.every(({ fit }) => fit !== null));
  assert.ok(hub.cdnRequests.length > before);
});

Deno.test("Files that may not be read are listed without a fit, those of a slow line for the next time", async () => {
  await using hub = await TestHub.start();
  hub.add("org/gated", { files: quantizations(), gated: "manual" });
  await using route = new Route(hub, { patienceMs: 50 });
  const gated = await route.repo("org/gated");
  assert.equal(gated.gated, "manual");
  assert.equal(gated.models.length, 6);
  assert.ok(gated.models.every(({ fit, badge }) => fit === null && badge === null));
  // The answer may come before the Hub has refused the headers.
  await until(() => route.entries.some(({ fields }) => fields["reason"] === "hub_gated"));

  hub.add("org/slow", { files: quantizations() });
  hub.fault = ({ host }) => host === "cdn" ? { delayMs: 100 } : null;
  const first = await route.repo("org/slow");
  assert.ok(first.models.every(({ fit }) => fit === null));
  const startMs = performance.now();
  while (!route.cached.has("org/slow")) {
    assert.ok(performance.now() - startMs < 20_000);
    await route.hub.settled();
  }
  await using later = route.again();
  assert.ok((await later.repo("org/slow")).models.every(({ fit }) => fit !== null));
});

Deno.test("Hostile names in the address are refused", async () => {
  await using hub = await TestHub.start();
  await using route = new Route(hub);
  for (const name of ["..%2f..%2fetc/passwd", "%2e%2e/x", "a/b%00c", "a/b%20c", "-x/y"]) {
    const answer = await route.get<{ status: number }>(`/admin/hub/repos/${name}`)
      .catch(() => ({ status: 404 }));
    assert.ok(answer.status === 400 || answer.status === 404, `${name}: ${answer.status}`);
  }
  const revision = await route.repo("org/m", "?revision=..%2f..%2fx");
  assert.equal(revision.code, "invalid_request");
  assert.deepEqual(hub.requests, []);
});
