// What the orchestrator tells whoever counts: each load with its end, evictions, crashes.

import { deepEqual, ok } from "node:assert/strict";
import type { OrchestratorObserver } from "../src/orchestrator/observer.ts";
import { refusalOf, scriptedModel, scriptedOrchestrator } from "./support/scripted_orchestrator.ts";
import { until } from "./support/server_process.ts";

const [A, B] = [scriptedModel("a"), scriptedModel("b")];

function noting(): { observer: OrchestratorObserver; noted: string[]; loadedMs: number[] } {
  const noted: string[] = [];
  const loadedMs: number[] = [];
  return {
    noted,
    loadedMs,
    observer: {
      loadEnded(model, { result, ms }) {
        noted.push(`${model} ${result}`);
        if (result === "loaded") loadedMs.push(ms);
      },
      evicted: (model) => noted.push(`${model} evicted`),
      crashed: (model) => noted.push(`${model} crashed`),
    },
  };
}

Deno.test("the observer is told of each load once, with its end", async () => {
  const { observer, noted, loadedMs } = noting();
  await using test = scriptedOrchestrator({ observer });
  const { orchestrator, host } = test;
  for (let time = 0; time < 3; time++) (await orchestrator.acquire(A)).release();
  host.broken.add("b");
  await refusalOf(Promise.resolve(orchestrator.acquire(B)));
  host.broken.clear();
  host.slow.add("b");
  const client = new AbortController();
  const left = refusalOf(
    Promise.resolve(orchestrator.acquire(B, { signal: client.signal })),
  );
  await until(() => host.running.length > 1);
  client.abort();
  await left;
  await until(() => noted.length === 3);
  deepEqual(noted, ["a loaded", "b failed", "b cancelled"]);
  ok(loadedMs.every((ms) => ms >= 0 && ms < 10_000));
});

Deno.test("the observer is told of evictions and crashes, not of unloads by hand", async () => {
  const { observer, noted } = noting();
  await using test = scriptedOrchestrator({ observer, budgetBytes: 100 });
  const { orchestrator, host } = test;
  (await orchestrator.acquire(A)).release();
  (await orchestrator.acquire(B)).release();
  host.kill("b");
  (await orchestrator.acquire(B)).release();
  await orchestrator.unload("b");
  deepEqual(noted, ["a loaded", "a evicted", "b loaded", "b crashed", "b loaded"]);
});
