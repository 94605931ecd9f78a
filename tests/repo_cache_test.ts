import assert from "node:assert/strict";
import { RepoCache } from "../src/models/repo_cache.ts";

interface Info {
  n: number;
  text?: string;
}

function cache(limits: { mostRepos?: number; mostBytes?: number } = {}): RepoCache<Info> {
  return new RepoCache({
    parse: (value) => {
      const { n } = value as Info;
      return typeof n === "number" ? value as Info : null;
    },
    ...limits,
  });
}

function at(minute: number): string {
  return new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();
}

function hubOf(kept: RepoCache<Info>, mostBytes = Infinity): Record<string, unknown> {
  return JSON.parse(`{${kept.lines(mostBytes).join(",\n    ")}}`);
}

Deno.test("RepoCache gives back what a file of it holds", () => {
  const first = cache();
  first.put("a/one", { info: { n: 1 }, fetchedAt: at(1) });
  first.put("a/two", { info: { n: 2 }, fetchedAt: at(2) });
  const second = cache();
  second.merge(hubOf(first));
  assert.deepEqual(second.get("a/one")?.info, { n: 1 });
  assert.equal(second.get("a/two")?.fetchedAt, at(2));
  assert.equal(second.get("a/three"), null);
});

Deno.test("RepoCache drops the oldest beyond its number and its bytes", () => {
  const few = cache({ mostRepos: 2 });
  for (const n of [3, 1, 2]) few.put(`a/${n}`, { info: { n }, fetchedAt: at(n) });
  assert.deepEqual(Object.keys(hubOf(few)), ["a/3", "a/2"]);
  const small = cache({ mostBytes: 1_000 });
  for (const n of [1, 2, 3, 4, 5, 6]) {
    small.put(`a/${n}`, { info: { n, text: "x".repeat(150) }, fetchedAt: at(n) });
  }
  assert.deepEqual(Object.keys(hubOf(small)), ["a/6", "a/5", "a/4", "a/3"]);
});

Deno.test("RepoCache keeps no single answer that would push out many", () => {
  const kept = cache({ mostBytes: 1_000 });
  kept.put("a/small", { info: { n: 1 }, fetchedAt: at(1) });
  assert.equal(
    kept.put("a/huge", { info: { n: 2, text: "x".repeat(400) }, fetchedAt: at(2) }),
    false,
  );
  assert.deepEqual(Object.keys(hubOf(kept)), ["a/small"]);
});

Deno.test("RepoCache writes the latest where the file has room for some", () => {
  const kept = cache();
  for (const n of [1, 2, 3]) kept.put(`a/${n}`, { info: { n }, fetchedAt: at(n) });
  const each = new TextEncoder().encode(kept.lines(Infinity)[0]).length + 6;
  assert.deepEqual(Object.keys(hubOf(kept, each * 2)), ["a/3", "a/2"]);
  assert.deepEqual(kept.lines(each - 1), []);
});

Deno.test("RepoCache does not believe what a file says beside the point", () => {
  const kept = cache();
  kept.put("a/new", { info: { n: 5 }, fetchedAt: at(5) });
  const entry = { fetched_at: at(1), info: { n: 1 } };
  kept.merge({
    "a/new": entry,
    "a/future": { ...entry, fetched_at: "9999-01-01T00:00:00.000Z" },
    "a/when": { ...entry, fetched_at: "yesterday" },
    "a/number": { ...entry, fetched_at: 7 },
    "a/other": { fetched_at: at(1), info: { n: "1" } },
    "a/none": null,
    "no name": entry,
    "../../etc": entry,
    __proto__: entry,
    "a/good": entry,
  });
  for (const nothing of [null, 7, "x", [entry]]) kept.merge(nothing);
  assert.deepEqual(Object.keys(hubOf(kept)), ["a/new", "a/good"]);
  assert.deepEqual(kept.get("a/new")?.info, { n: 5 });
});

Deno.test("RepoCache puts a fresh answer in place of any other", () => {
  const kept = cache();
  kept.put("a/one", { info: { n: 1 }, fetchedAt: at(9) });
  kept.put("a/one", { info: { n: 2 }, fetchedAt: at(1) });
  assert.deepEqual(kept.get("a/one")?.info, { n: 2 });
});
