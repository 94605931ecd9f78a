import assert from "node:assert/strict";
import { AppError, type ErrorCode } from "../src/errors.ts";
import { CatalogueRefresh } from "../src/models/catalogue_refresh.ts";
import type { HubRepoInfo } from "../src/models/catalogue_repo.ts";
import { CatalogueHome, userModel } from "./support/catalogue_home.ts";

const MINUTE_MS = 60_000;

/** A Hub that answers as a test says, and a clock that stands still. */
class Scene implements AsyncDisposable {
  readonly home = new CatalogueHome();
  readonly catalogue = this.home.open();
  readonly asked: string[] = [];
  readonly failures = new Map<string, AppError>();
  nowMs = Date.now();
  answer: (repo: string, signal: AbortSignal) => Promise<HubRepoInfo> = (repo) =>
    Promise.resolve({ repo, license: null, gated: false, files: [] });
  readonly refresh = new CatalogueRefresh({
    catalogue: this.catalogue,
    hub: {
      repo: (name, { signal }) => {
        this.asked.push(name);
        const failure = this.failures.get(name);
        return failure === undefined ? this.answer(name, signal) : Promise.reject(failure);
      },
    },
    log: this.home.logged.log,
    now: () => this.nowMs,
  });

  constructor() {
    const model = (name: string) => ({ ...userModel(name), repo: `me/${name}` });
    this.home.write({ catalogue_version: 99, models: [model("a"), model("b"), model("c")] });
  }

  fail(repo: string, code: ErrorCode, retryAfterSeconds?: number): void {
    const options = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
    this.failures.set(repo, new AppError(code, "Cannot", options));
  }

  async round(): Promise<string[]> {
    this.asked.length = 0;
    this.refresh.soon();
    await this.refresh.settled();
    return [...this.asked];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.refresh[Symbol.asyncDispose]();
    await this.home[Symbol.asyncDispose]();
  }
}

Deno.test("CatalogueRefresh asks for each repository once a day", async () => {
  await using scene = new Scene();
  assert.deepEqual(await scene.round(), ["me/a", "me/b", "me/c"]);
  assert.notEqual(await scene.catalogue.cachedRepo("me/b"), null);
  assert.deepEqual(await scene.round(), []);
  scene.nowMs += 23 * 60 * MINUTE_MS;
  assert.deepEqual(await scene.round(), []);
  scene.nowMs += 61 * MINUTE_MS;
  assert.deepEqual(await scene.round(), ["me/a", "me/b", "me/c"]);
});

Deno.test("CatalogueRefresh goes on after a repository that is gone, and asks for it later", async () => {
  await using scene = new Scene();
  scene.fail("me/a", "hub_not_found");
  assert.deepEqual(await scene.round(), ["me/a", "me/b", "me/c"]);
  assert.deepEqual(await scene.round(), []);
  scene.nowMs += 11 * MINUTE_MS;
  assert.deepEqual(await scene.round(), ["me/a"]);
});

Deno.test("CatalogueRefresh stops where the Hub cannot be reached or has had enough, and waits", async () => {
  await using scene = new Scene();
  scene.fail("me/a", "hub_unreachable");
  assert.deepEqual(await scene.round(), ["me/a"]);
  scene.nowMs += 11 * MINUTE_MS;
  scene.fail("me/a", "hub_rate_limited", 1800);
  assert.deepEqual(await scene.round(), ["me/a"]);
  scene.nowMs += 20 * MINUTE_MS;
  assert.deepEqual(await scene.round(), []);
  scene.nowMs += 11 * MINUTE_MS;
  scene.failures.clear();
  assert.deepEqual(await scene.round(), ["me/a", "me/b", "me/c"]);
  assert.deepEqual(scene.home.logged.messages("warn"), []);
});

Deno.test("CatalogueRefresh does one round at a time, and none after its end", async () => {
  await using scene = new Scene();
  scene.refresh.soon();
  scene.refresh.soon();
  await scene.refresh.settled();
  assert.equal(scene.asked.length, 3);
  await scene.refresh[Symbol.asyncDispose]();
  scene.nowMs += 48 * 60 * MINUTE_MS;
  assert.deepEqual(await scene.round(), []);
});

Deno.test("CatalogueRefresh ends at once, in the middle of an answer that does not come", async () => {
  await using scene = new Scene();
  const asked = Promise.withResolvers<void>();
  scene.answer = (_, signal) => {
    asked.resolve();
    return new Promise((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason), { once: true })
    );
  };
  scene.refresh.soon();
  await asked.promise;
  await scene.refresh[Symbol.asyncDispose]();
  assert.deepEqual(scene.asked, ["me/a"]);
  assert.deepEqual(scene.home.logged.entries, []);
});

Deno.test("CatalogueRefresh reports what is a bug, and lives on", async () => {
  await using scene = new Scene();
  scene.answer = () => Promise.reject(new TypeError("oops"));
  assert.deepEqual(await scene.round(), ["me/a"]);
  assert.deepEqual(scene.home.logged.messages("error"), ["The catalogue's refresh failed"]);
});
