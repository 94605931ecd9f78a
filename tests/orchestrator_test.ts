// The orchestrator's rules by themselves: real instances, a host that starts nothing. With real
// processes: lifecycle_test.ts, make_room_test.ts, keep_alive_test.ts, unload_test.ts.

import { deepEqual, equal, match, notEqual, ok, rejects } from "node:assert/strict";

import type { AppError } from "../src/errors.ts";
import type { Lease } from "../src/orchestrator/entry.ts";
import type { Orchestrator } from "../src/orchestrator/orchestrator.ts";
import { within } from "../src/within.ts";
import { refusalOf, scriptedModel, scriptedOrchestrator } from "./support/scripted_orchestrator.ts";
import { until } from "./support/server_process.ts";

const [A, B, C, D] = [..."abcd"].map(scriptedModel) as [Model, Model, Model, Model];
type Model = ReturnType<typeof scriptedModel>;
/** The model is not ready: the lease is still to come. */
type Waiting = Promise<Lease>;

Deno.test("acquire() starts one process for a hundred requests at once", async () => {
  await using test = scriptedOrchestrator();
  const { orchestrator, host } = test;
  const answers = await Promise.all(Array.from({ length: 100 }, async () => {
    const lease = await orchestrator.acquire(A);
    await Promise.resolve();
    lease.release();
    return lease.port;
  }));
  deepEqual(new Set(answers), new Set([8080]));
  deepEqual(host.events, ["+a"]);
  deepEqual(test.changes, ["a loading", "a ready"]);
});

Deno.test("acquire() answers at once, without a promise, when the model is ready", async () => {
  await using test = scriptedOrchestrator();
  (await test.orchestrator.acquire(A)).release();
  const lease = test.orchestrator.acquire(A);
  ok(!(lease instanceof Promise));
  equal(lease.loadMs, 0);
  lease.release();
});

Deno.test("acquire() cancels a load for which nobody waits any more", async () => {
  await using test = scriptedOrchestrator();
  const { orchestrator, host } = test;
  host.slow.add("a");
  const clients = [new AbortController(), new AbortController()];
  const waiting = clients.map(({ signal }) =>
    refusalOf(orchestrator.acquire(A, { signal }) as Waiting)
  );
  await until(() => host.running.length > 0);
  clients[0]!.abort();
  await new Promise((resolve) => setTimeout(resolve, 5));
  deepEqual(host.events, ["+a"], "one still waits");
  clients[1]!.abort();
  deepEqual((await Promise.all(waiting)).map(({ code }) => code), ["cancelled", "cancelled"]);
  await until(() => orchestrator.stateOf("a") === "stopped");
  deepEqual(host.events, ["+a", "-a"]);
  equal(orchestrator.entry("a")!.error, null, "a client that left is no failure");
});

Deno.test("acquire() loads anew for one who comes while a load is being cancelled", async () => {
  await using test = scriptedOrchestrator();
  const { orchestrator, host } = test;
  host.slow.add("a");
  const client = new AbortController();
  const left = refusalOf(orchestrator.acquire(A, { signal: client.signal }) as Waiting);
  await until(() => host.running.length > 0);
  client.abort();
  host.slow.clear();
  const lease = await orchestrator.acquire(A);
  equal((await left).code, "cancelled");
  deepEqual(host.events, ["+a", "-a", "+a"]);
  equal(lease.instance.state, "ready");
  lease.release();
});

Deno.test("load() goes on when it was asked for by hand, whoever leaves", async () => {
  await using test = scriptedOrchestrator();
  const { orchestrator, host } = test;
  host.slow.add("a");
  const loading = orchestrator.load(A);
  const client = new AbortController();
  const left = refusalOf(orchestrator.acquire(A, { signal: client.signal }) as Waiting);
  await until(() => host.running.length > 0);
  client.abort();
  await left;
  host.makeReady("a");
  await loading;
  deepEqual(host.events, ["+a"]);
});

Deno.test("a load that fails says why to all who wait; the next request tries again", async () => {
  await using test = scriptedOrchestrator();
  const { orchestrator, host } = test;
  host.broken.add("a");
  const refusals = await Promise.all(
    [1, 2, 3].map(() => refusalOf(orchestrator.acquire(A) as Waiting)),
  );
  deepEqual(refusals.map(({ status }) => status), [502, 502, 502]);
  equal(orchestrator.stateOf("a"), "failed");
  equal(orchestrator.entry("a")!.error, refusals[0]);
  equal(orchestrator.entry("a")!.door, null);
  host.broken.clear();
  (await orchestrator.acquire(A)).release();
  deepEqual([orchestrator.stateOf("a"), orchestrator.entry("a")!.error], ["ready", null]);
});

Deno.test("a request at the door during an unload is answered: the door does not wait for it", async () => {
  const door = Promise.withResolvers<void>();
  await using test = scriptedOrchestrator({ doorCloses: door.promise });
  const { orchestrator, host } = test;
  (await orchestrator.acquire(A)).release();
  const unloading = orchestrator.unload("a");
  // Came in through the door that closes: it closes when this request has its answer.
  const lease = await orchestrator.acquire(A);
  await unloading;
  lease.release();
  door.resolve();
  deepEqual(host.events, ["+a", "-a", "+a"]);
});

Deno.test("unload() lets answers end first, and holds up no other model meanwhile", async () => {
  await using test = scriptedOrchestrator();
  const { orchestrator, host } = test;
  await use(orchestrator, A);
  const lease = await orchestrator.acquire(A);
  let unloaded = false;
  const unloading = orchestrator.unload("a").then(() => unloaded = true);
  const again = orchestrator.acquire(A) as Waiting;
  // B is loaded though A's answer goes on, and though someone waits for A.
  (await orchestrator.acquire(B)).release();
  deepEqual([host.events, unloaded, lease.signal.aborted], [["+a", "+b"], false, false]);
  lease.release();
  await unloading;
  (await again).release();
  deepEqual(host.events, ["+a", "+b", "-a", "+a"]);
});

Deno.test("unload() with force ends the answers", async () => {
  await using test = scriptedOrchestrator();
  const { orchestrator, host } = test;
  const lease = await orchestrator.acquire(A);
  lease.signal.addEventListener("abort", () => lease.release());
  await orchestrator.unload("a", { force: true });
  equal((lease.signal.reason as AppError).code, "cancelled");
  deepEqual(host.events, ["+a", "-a"]);
  const next = await orchestrator.acquire(A);
  equal(next.signal.aborted, false);
  next.release();
});

Deno.test("unload() asked twice unloads once, and not what was loaded anew in between", async () => {
  await using test = scriptedOrchestrator();
  const { orchestrator, host } = test;
  await use(orchestrator, A);
  const lease = await orchestrator.acquire(A);
  lease.signal.addEventListener("abort", () => lease.release());
  const patient = orchestrator.unload("a");
  const again = orchestrator.acquire(A) as Waiting;
  await Promise.all([patient, orchestrator.unload("a", { force: true })]);
  (await again).release();
  deepEqual(host.events, ["+a", "-a", "+a"]);
  equal(orchestrator.stateOf("a"), "ready");
});

Deno.test("unload() of a model that loads cancels the load", async () => {
  await using test = scriptedOrchestrator();
  const { orchestrator, host } = test;
  host.slow.add("a");
  const waiting = refusalOf(orchestrator.acquire(A) as Waiting);
  await until(() => host.running.length > 0);
  await orchestrator.unload("a");
  match((await waiting).message, /"a" was stopped on request/);
  deepEqual([host.events, orchestrator.stateOf("a")], [["+a", "-a"], "stopped"]);
});

Deno.test("unload() in the moment in which a load becomes ready leaves nothing loaded", async () => {
  await using test = scriptedOrchestrator();
  const { orchestrator, host } = test;
  host.slow.add("a");
  const waiting = refusalOf(orchestrator.acquire(A) as Waiting);
  await until(() => host.running.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 5));
  host.makeReady("a");
  await orchestrator.unload("a");
  await waiting;
  deepEqual([host.running, orchestrator.stateOf("a")], [[], "stopped"]);
});

Deno.test("makeRoom() takes the least recently used, never a pinned or an answering one", async () => {
  await using test = scriptedOrchestrator({ budgetBytes: 300 });
  const { orchestrator, host } = test;
  for (const model of [A, B, C, A]) await use(orchestrator, model);
  await use(orchestrator, D);
  deepEqual(host.events.slice(3), ["-b", "+d"]);
  // A is used least recently by now, but pinned; C answers: it is D's turn.
  await use(orchestrator, C);
  orchestrator.pin(A, true);
  const answering = await orchestrator.acquire(C);
  await use(orchestrator, D);
  await use(orchestrator, B);
  deepEqual(host.events.slice(5), ["-d", "+b"]);
  answering.release();
});

Deno.test("makeRoom() waits for an answer to end where nothing else can go", async () => {
  await using test = scriptedOrchestrator({ budgetBytes: 100 });
  const { orchestrator, host } = test;
  const answering = await orchestrator.acquire(A);
  const waiting = orchestrator.acquire(B) as Waiting;
  await until(() => orchestrator.entry("a")!.leaving);
  await new Promise((resolve) => setTimeout(resolve, 5));
  deepEqual([host.events, answering.signal.aborted], [["+a"], false]);
  answering.release();
  (await waiting).release();
  deepEqual(host.events, ["+a", "-a", "+b"]);
});

Deno.test("makeRoom() lets the answering one stay when who waited for its place has left", async () => {
  await using test = scriptedOrchestrator({ budgetBytes: 200, bytes: { b: 200 } });
  const { orchestrator, host } = test;
  const answering = await orchestrator.acquire(A);
  const client = new AbortController();
  const left = refusalOf(orchestrator.acquire(B, { signal: client.signal }) as Waiting);
  await until(() => orchestrator.entry("a")!.leaving);
  const second = orchestrator.acquire(A) as Waiting;
  const behind = orchestrator.acquire(C) as Waiting;
  client.abort();
  equal((await left).code, "cancelled");
  // A answers on and takes new requests; C, which fits beside it, is loaded.
  (await second).release();
  (await behind).release();
  deepEqual(host.events, ["+a", "+c"]);
  answering.release();
});

Deno.test("makeRoom() refuses with numbers, before a process starts or one has to go", async () => {
  await using test = scriptedOrchestrator({ budgetBytes: 3e8, bytes: { a: 1e8, b: 4e8, c: 25e7 } });
  const { orchestrator, host } = test;
  await use(orchestrator, A);
  const tooLarge = await refusalOf(orchestrator.acquire(B) as Waiting);
  deepEqual([tooLarge.code, tooLarge.status], ["out_of_memory", 507]);
  match(tooLarge.message, /"b": it needs 400 MB and the memory budget is 300 MB/);
  equal(tooLarge.values["need_bytes"], 4e8);
  orchestrator.pin(A, true);
  const blocked = await refusalOf(orchestrator.acquire(C) as Waiting);
  equal(blocked.status, 507);
  match(blocked.message, /pinned models hold 100 MB: "a"\. Unpin one/);
  deepEqual(host.events, ["+a"]);
  orchestrator.pin(A, false);
  await use(orchestrator, C);
  deepEqual(host.events, ["+a", "-a", "+c"]);
});

Deno.test("a process that dies is started again by the next request, and by those who wait", async () => {
  await using test = scriptedOrchestrator();
  const { orchestrator, host } = test;
  await use(orchestrator, A);
  host.kill("a");
  equal(orchestrator.stateOf("a"), "failed");
  notEqual(orchestrator.entry("a")!.error, null);
  const held = await Promise.all([1, 2, 3].map(() => orchestrator.acquire(A)));
  const waiting = orchestrator.acquire(A) as Waiting;
  // The second crash in a row would wait half a second: the first is forgotten here.
  orchestrator.entry("a")!.crashes = [];
  host.kill("a");
  // Their answers broke off.
  for (const lease of held) lease.release();
  (await waiting).release();
  deepEqual(host.events, ["+a", "+a", "+a"]);
  deepEqual([orchestrator.stateOf("a"), orchestrator.entry("a")!.leases], ["ready", 0]);
});

Deno.test("a process that dies five times stays down until someone loads it by hand", async () => {
  await using test = scriptedOrchestrator();
  const { orchestrator, host } = test;
  const held = await Promise.all([1, 2, 3].map(() => orchestrator.acquire(A)));
  const waiting = refusalOf(orchestrator.acquire(A) as Waiting);
  const nowMs = performance.now();
  orchestrator.entry("a")!.crashes = [4, 3, 2, 1].map((n) => nowMs - n);
  host.kill("a");
  for (const lease of held) lease.release();
  const refusal = await waiting;
  equal(await refusalOf((async () => await orchestrator.acquire(A))()), refusal);
  equal(orchestrator.stateOf("a"), "failed");
  deepEqual(host.events, ["+a"]);
  await orchestrator.load(A);
  await use(orchestrator, A);
  deepEqual(host.events, ["+a", "+a"]);
});

Deno.test("a load after two crashes waits, and no longer when its client leaves", async () => {
  await using test = scriptedOrchestrator();
  const { orchestrator, host } = test;
  await use(orchestrator, A);
  host.kill("a");
  // The wait is counted from the last crash: this one comes after the test.
  const nowMs = performance.now();
  orchestrator.entry("a")!.crashes = [nowMs, nowMs + 30_000];
  const client = new AbortController();
  const left = refusalOf(orchestrator.acquire(A, { signal: client.signal }) as Waiting);
  await new Promise((resolve) => setTimeout(resolve, 5));
  client.abort();
  await left;
  // The queue is free again at once.
  notEqual(await within(use(orchestrator, B).then(() => true), 15_000), null);
  deepEqual(host.events, ["+a", "+b"]);
});

Deno.test("each load begins with the model's own keep-alive, whatever a request asked before", async () => {
  await using test = scriptedOrchestrator({ keepAliveMs: 60_000 });
  const { orchestrator, host } = test;
  (await orchestrator.acquire(A, { keepAliveMs: 0 })).release();
  await until(() => host.events.length === 2);
  await until(() => orchestrator.stateOf("a") === "stopped");
  equal(orchestrator.entry("a")!.keepAliveMs, 60_000);
  await use(orchestrator, A);
  ok(orchestrator.entry("a")!.expiresAt!.getTime() > Date.now() + 50_000);
  await orchestrator.unload("a");
  test.keepAliveMs.set("a", 7_000);
  await use(orchestrator, A);
  equal(orchestrator.entry("a")!.keepAliveMs, 7_000);
  // A ready model takes it over at once.
  (await orchestrator.acquire(A, { keepAliveMs: -1 })).release();
  equal(orchestrator.entry("a")!.expiresAt, null);
});

Deno.test("sweep() stops a process that no model knows, and leaves all others", async () => {
  await using test = scriptedOrchestrator();
  const { orchestrator, host } = test;
  await use(orchestrator, A);
  host.strays.push({ id: 77, pid: 4_242, rssBytes: null });
  // A start whose answer is under way has no number yet: nothing is stopped meanwhile.
  host.slow.add("b");
  const loading = orchestrator.load(B);
  await until(() => host.running.includes("b"));
  await orchestrator.sweep();
  deepEqual(host.events, ["+a", "+b"]);
  host.makeReady("b");
  await loading;
  await orchestrator.sweep();
  deepEqual(host.events, ["+a", "+b", "-stray 4242"]);
});

Deno.test("close() lets answers end, refuses who waits, and stops everything", async () => {
  const test = scriptedOrchestrator();
  const { orchestrator, host } = test;
  const answering = await orchestrator.acquire(A);
  await use(orchestrator, B);
  host.slow.add("c");
  const waiting = refusalOf(orchestrator.acquire(C) as Waiting);
  await until(() => host.running.includes("c"));
  const closing = orchestrator.close(60_000);
  equal((await waiting).code, "shutting_down");
  equal((await refusalOf((async () => await orchestrator.acquire(D))())).code, "shutting_down");
  equal(answering.signal.aborted, false);
  ok(host.running.includes("a"));
  answering.release();
  await closing;
  deepEqual(host.running, []);
});

Deno.test("close() ends the answers when their time is over", async () => {
  const test = scriptedOrchestrator();
  const { orchestrator, host } = test;
  const answering = await orchestrator.acquire(A);
  answering.signal.addEventListener("abort", () => answering.release());
  await orchestrator.close(10);
  equal((answering.signal.reason as AppError).code, "shutting_down");
  deepEqual(host.running, []);
});

Deno.test("forget() stops what runs, and keeps a model that someone waits for", async () => {
  await using test = scriptedOrchestrator();
  const { orchestrator, host } = test;
  await use(orchestrator, A);
  await orchestrator.forget("a");
  deepEqual([host.events, orchestrator.entry("a")], [["+a", "-a"], null]);
  await use(orchestrator, A);
  const forgetting = orchestrator.forget("a");
  const waiting = orchestrator.acquire(A) as Waiting;
  await forgetting;
  (await waiting).release();
  notEqual(orchestrator.entry("a"), null);
});

Deno.test("modelChanged() lets the process go on; the next load takes the new file", async () => {
  await using test = scriptedOrchestrator();
  const { orchestrator, host } = test;
  host.broken.add("a");
  await rejects(orchestrator.acquire(A) as Waiting);
  orchestrator.entry("a")!.crashes = [1, 2, 3, 4, 5];
  host.broken.clear();
  orchestrator.modelChanged({ ...A, path: "/nonexistent/other.gguf" });
  equal(orchestrator.stateOf("a"), "stopped", "what was wrong with the old file is forgotten");
  await use(orchestrator, A);
  equal(orchestrator.entry("a")!.model.path, "/nonexistent/other.gguf");
});

/** One request, and its load behind it. */
async function use(orchestrator: Orchestrator, model: Model): Promise<void> {
  (await orchestrator.acquire(model)).release();
  await until(() => !orchestrator.entry(model.id)!.loadQueued);
}
