import assert from "node:assert/strict";
import { CatalogueRefresh } from "../src/models/catalogue_refresh.ts";
import { buildTestModel } from "../src/models/hello_model.ts";
import { Hub } from "../src/models/hub.ts";
import { CatalogueHome, LLAMA_SHAPE, userModel } from "./support/catalogue_home.ts";
import { TestHub } from "./support/hub.ts";
import { bytesContent } from "./support/hub_content.ts";
import type { HubRequest } from "./support/hub_exchange.ts";

const MINUTE_MS = 60_000;
const FILE = "mine-Q4_K_M.gguf";
const BYTES = buildTestModel({ name: "mine", sentence: "Mine." });

/** A catalogue of three models, two of them with a shape; the Hub's stand-in; a clock that stands still. */
class Scene implements AsyncDisposable {
  readonly home = new CatalogueHome();
  readonly catalogue = this.home.open();
  readonly hub: TestHub;
  readonly client: Hub;
  readonly refresh: CatalogueRefresh;
  nowMs = Date.now();

  private constructor(hub: TestHub) {
    this.hub = hub;
    const { log } = this.home.logged;
    const { endpoint, downloadHost } = hub;
    this.client = new Hub({ endpoint, token: null, downloadHosts: [downloadHost], log });
    const { catalogue, client } = this;
    this.refresh = new CatalogueRefresh({ catalogue, hub: client, log, now: () => this.nowMs });
    const model = (name: string, more = {}) => ({
      ...userModel(name),
      repo: `me/${name}`,
      ...more,
    });
    this.home.write({
      catalogue_version: 99,
      models: [model("a", { shape: LLAMA_SHAPE }), model("b", { shape: LLAMA_SHAPE }), model("c")],
    });
    for (const name of ["a", "b", "c"]) {
      hub.add(`me/${name}`, { files: { [FILE]: bytesContent(BYTES) }, license: "apache-2.0" });
    }
  }

  static async open(): Promise<Scene> {
    return new Scene(await TestHub.start());
  }

  /** Repositories that were asked for. */
  async round(): Promise<string[]> {
    this.hub.requests.length = 0;
    this.refresh.soon();
    await this.refresh.settled();
    return this.hub.requests.flatMap((request) => repoOf(request) ?? []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.refresh[Symbol.asyncDispose]();
    this.client[Symbol.dispose]();
    await this.hub[Symbol.asyncDispose]();
    await this.home[Symbol.asyncDispose]();
  }
}

function repoOf({ path }: HubRequest): string | null {
  return /^\/api\/models\/(me\/\w)\/revision\/main$/.exec(path)?.[1] ?? null;
}

Deno.test("CatalogueRefresh asks for each repository once a day", async () => {
  await using scene = await Scene.open();
  assert.deepEqual(await scene.round(), ["me/a", "me/b", "me/c"]);
  const entries = await scene.catalogue.entries();
  assert.deepEqual(entries.map(({ license, files: [file] }) => [license, file!.sizeBytes]), [
    ["apache-2.0", BYTES.length],
    ["apache-2.0", BYTES.length],
    ["apache-2.0", BYTES.length],
  ]);
  assert.deepEqual(await scene.round(), []);
  scene.nowMs += 23 * 60 * MINUTE_MS;
  assert.deepEqual(await scene.round(), []);
  scene.nowMs += 61 * MINUTE_MS;
  assert.deepEqual(await scene.round(), ["me/a", "me/b", "me/c"]);
});

Deno.test("CatalogueRefresh reads the header of a model without a shape, and only of that", async () => {
  await using scene = await Scene.open();
  await scene.round();
  assert.deepEqual(new Set(scene.hub.cdnRequests.map(({ repo }) => repo)), new Set(["me/c"]));
  const facts = (await scene.catalogue.entries()).map(({ files }) => files[0]!.facts);
  assert.deepEqual(facts.map((each) => each?.architecture ?? null), [null, null, "llama"]);
  assert.equal(facts[2]!.weightsBytes, BYTES.length - facts[2]!.headerBytes);

  // At the next start, and after the next day, it is known without another look.
  await scene.home.close();
  const again = scene.home.open();
  assert.equal((await again.entries())[2]!.files[0]!.facts?.architecture, "llama");
  await again.rememberRepo(await scene.client.repo("me/c"));
  assert.equal((await again.entries())[2]!.files[0]!.facts?.architecture, "llama");
});

Deno.test("CatalogueRefresh goes on after a repository that is gone, and asks for it later", async () => {
  await using scene = await Scene.open();
  scene.hub.fault = (request) => repoOf(request) === "me/a" ? { status: 404 } : null;
  assert.deepEqual(await scene.round(), ["me/a", "me/b", "me/c"]);
  assert.deepEqual(await scene.round(), []);
  scene.nowMs += 11 * MINUTE_MS;
  assert.deepEqual(await scene.round(), ["me/a"]);
});

Deno.test("CatalogueRefresh stops where the Hub cannot be reached or has had enough, and waits", async () => {
  await using scene = await Scene.open();
  scene.hub.fault = () => ({ refuse: true });
  assert.deepEqual(new Set(await scene.round()), new Set(["me/a"]));
  scene.nowMs += 11 * MINUTE_MS;
  scene.hub.fault = () => ({ status: 429, retryAfter: 1800 });
  assert.deepEqual(await scene.round(), ["me/a"]);
  scene.hub.fault = () => null;
  scene.nowMs += 11 * MINUTE_MS;
  const early = await scene.round();
  scene.nowMs += 30 * MINUTE_MS;
  const late = await scene.round();
  assert.deepEqual([early, late], [[], ["me/a", "me/b", "me/c"]]);
  assert.deepEqual(scene.home.logged.messages("warn"), []);
});

Deno.test("CatalogueRefresh does one round at a time, and none after its end", async () => {
  await using scene = await Scene.open();
  scene.refresh.soon();
  assert.deepEqual(await scene.round(), ["me/a", "me/b", "me/c"]);
  await scene.refresh[Symbol.asyncDispose]();
  scene.nowMs += 48 * 60 * MINUTE_MS;
  assert.deepEqual(await scene.round(), []);
});

Deno.test("CatalogueRefresh ends at once, in the middle of an answer that does not come", async () => {
  await using scene = await Scene.open();
  const asked = Promise.withResolvers<void>();
  scene.hub.fault = () => {
    asked.resolve();
    return { delayMs: 3_600_000 };
  };
  scene.refresh.soon();
  await asked.promise;
  const startMs = performance.now();
  await scene.refresh[Symbol.asyncDispose]();
  assert.ok(performance.now() - startMs < 1_000);
  assert.equal(scene.hub.requests.length, 1);
  assert.deepEqual(scene.home.logged.entries, []);
});

Deno.test("CatalogueRefresh reports what is a bug, and lives on", async () => {
  await using home = new CatalogueHome();
  await using refresh = new CatalogueRefresh({
    catalogue: home.open(),
    hub: {
      repo: () => Promise.reject(new TypeError("oops")),
      withHeaders: () => assert.fail("there is nothing to read"),
    },
    log: home.logged.log,
  });
  refresh.soon();
  await refresh.settled();
  assert.deepEqual(home.logged.messages("error"), ["The catalogue's refresh failed"]);
});
