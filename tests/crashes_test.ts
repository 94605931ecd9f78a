import { deepEqual, equal } from "node:assert/strict";

import { crashDelayMs, crashedTooOften, noteCrash } from "../src/orchestrator/crashes.ts";

Deno.test("noteCrash() forgets what is a minute old, and changes no list", () => {
  const before = Object.freeze([0, 30_000]);
  deepEqual(noteCrash(before, 59_999), [0, 30_000, 59_999]);
  deepEqual(noteCrash(before, 60_000), [30_000, 60_000]);
  deepEqual(noteCrash([], 5), [5]);
});

Deno.test("crashedTooOften() is true from the fifth crash within a minute on", () => {
  equal(crashedTooOften([]), false);
  equal(crashedTooOften(crashesAt(0, 1, 2, 3)), false);
  equal(crashedTooOften(crashesAt(0, 1, 2, 3, 59_999)), true);
  equal(crashedTooOften(crashesAt(0, 1, 2, 3, 60_000)), false, "the first one is too old");
});

Deno.test("crashedTooOften() stays true however long nothing happens", () => {
  const monotonicNow = performance.now();
  const longAgo = crashesAt(...[5, 4, 3, 2, 1].map((n) => monotonicNow - 3_600_000 - n));
  equal(crashedTooOften(longAgo), true);
});

Deno.test("crashDelayMs() doubles from half a second, and counts from the last crash", () => {
  equal(crashDelayMs([], 0), 0);
  equal(crashDelayMs([1_000], 1_000), 0, "the first is started again at once");
  equal(crashDelayMs([900, 1_000], 1_000), 500);
  equal(crashDelayMs([900, 1_000], 1_400), 100, "some of it has passed");
  equal(crashDelayMs([900, 1_000], 5_000), 0, "all of it has passed");
  equal(crashDelayMs([800, 900, 1_000], 1_000), 1_000);
  equal(crashDelayMs([700, 800, 900, 1_000], 1_000), 2_000);
  equal(crashDelayMs([0, 70_000], 70_000), 0, "a minute apart");
});

/** A list as the orchestrator keeps it. */
function crashesAt(...times: number[]): number[] {
  return times.reduce<number[]>((crashes, atMs) => noteCrash(crashes, atMs), []);
}
