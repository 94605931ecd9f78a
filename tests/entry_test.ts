import { deepEqual, equal, notEqual, ok, rejects, throws } from "node:assert/strict";

import type { ModelState } from "../src/api_types.ts";
import { AppError } from "../src/errors.ts";
import { Entry, type Lease } from "../src/orchestrator/entry.ts";
import type { Instance } from "../src/runtime/instance.ts";
import { scriptedModel } from "./support/scripted_orchestrator.ts";
import { until } from "./support/server_process.ts";

interface TestEntry extends Disposable {
  entry: Entry;
  events: string[];
  setState(state: ModelState): void;
}

/** An entry whose process is what the test says. */
function testEntry(
  options: { keepAliveMs?: number; queueLimit?: number; state?: ModelState } = {},
): TestEntry {
  const instance = { state: options.state ?? "ready" };
  const events: string[] = [];
  const entry = new Entry({
    beside: null,
    model: scriptedModel("a"),
    // An entry reads its state and hands it on.
    instance: instance as unknown as Instance,
    queueLimit: options.queueLimit ?? 512,
    keepAliveMs: options.keepAliveMs ?? -1,
    onExpired: () => events.push("expired"),
    onUnsuited: () => {},
    onAbandoned: () => events.push("abandoned"),
    onChange: () => {},
  });
  if (instance.state === "ready") entry.open(1);
  return {
    entry,
    events,
    setState: (state) => instance.state = state,
    [Symbol.dispose]: () => entry.dispose(),
  };
}

Deno.test("tryLease() gives two leases more than there are slots, then none until one is back", () => {
  using test = testEntry();
  const { entry } = test;
  const leases = [entry.tryLease(), entry.tryLease(), entry.tryLease()];
  ok(leases.every((lease) => lease !== null));
  equal(entry.tryLease(), null);
  leases[1]!.release();
  leases[1]!.release();
  notEqual(entry.tryLease(), null);
  equal(entry.tryLease(), null, "a second release() of the same lease counted");
  entry.open(4);
  deepEqual([1, 2, 3].map(() => entry.tryLease() !== null), [true, true, true]);
  equal(entry.tryLease(), null);
});

Deno.test("tryLease() gives none while the model loads, leaves, or others wait", () => {
  using test = testEntry({ state: "loading" });
  const { entry } = test;
  equal(entry.tryLease(), null);
  test.setState("ready");
  entry.open(1);
  entry.leaving = true;
  equal(entry.tryLease(), null);
  void entry.wait().catch(() => {});
  entry.leaving = false;
  equal(entry.tryLease(), null, "it went past one who waits");
  entry.failWaiters(new Error("end"));
  notEqual(entry.tryLease(), null);
});

Deno.test("wait() gives leases in the order in which requests came", async () => {
  using test = testEntry({ state: "loading" });
  const { entry } = test;
  const order: number[] = [];
  const waiting = Array.from({ length: 7 }, (_, n) =>
    entry.wait().then((lease) => {
      order.push(n);
      lease.release();
    }));
  equal(entry.queued, 7);
  test.setState("ready");
  entry.open(1);
  await Promise.all(waiting);
  deepEqual(order, [0, 1, 2, 3, 4, 5, 6]);
  deepEqual([entry.leases, entry.queued, entry.idle], [0, 0, true]);
});

Deno.test("wait() says for how long a request waited for the load", async () => {
  using test = testEntry({ state: "loading" });
  const startedMs = performance.now();
  const waiting = test.entry.wait();
  await new Promise((resolve) => setTimeout(resolve, 20));
  test.setState("ready");
  test.entry.open(1);
  const elapsedMs = performance.now() - startedMs;
  const { loadMs } = await waiting;
  ok(loadMs > 15 && loadMs <= elapsedMs, `${loadMs} of ${elapsedMs}`);
  equal(test.entry.tryLease()!.loadMs, 0);
});

Deno.test("wait() refuses when the queue is full, and says when to come again", () => {
  using test = testEntry({ state: "loading", queueLimit: 2 });
  const { entry } = test;
  const waiting = [entry.wait(), entry.wait()];
  throws(() => entry.wait(), (error) => {
    ok(error instanceof AppError);
    deepEqual([error.code, error.status], ["overloaded", 503]);
    ok(error.retryAfterSeconds! > 0);
    deepEqual(error.values, { model: "a", queued: 2 });
    return true;
  });
  for (const each of waiting) each.catch(() => {});
  entry.failWaiters(new Error("end"));
});

Deno.test("wait() lets a client leave, and the last one's leaving is told", async () => {
  using test = testEntry({ state: "loading" });
  const { entry, events } = test;
  const [first, second] = [new AbortController(), new AbortController()];
  const waiting = [entry.wait({ signal: first.signal }), entry.wait({ signal: second.signal })];
  first.abort();
  await rejects(waiting[0]!, (error) => error instanceof AppError && error.code === "cancelled");
  deepEqual([entry.queued, events], [1, []]);
  second.abort();
  await rejects(waiting[1]!);
  deepEqual([entry.queued, events], [0, ["abandoned"]]);
});

Deno.test("wait() refuses a client that has left already", async () => {
  using test = testEntry({ state: "loading" });
  await rejects(test.entry.wait({ signal: AbortSignal.abort() }));
  equal(test.entry.queued, 0);
});

Deno.test("a signal that fires after the lease was given takes nothing back", async () => {
  using test = testEntry({ state: "loading" });
  const { entry, events } = test;
  const client = new AbortController();
  const waiting = entry.wait({ signal: client.signal });
  test.setState("ready");
  entry.open(1);
  const lease = await waiting;
  client.abort();
  deepEqual([entry.leases, events], [1, []]);
  lease.release();
  equal(entry.leases, 0);
});

Deno.test("onExpired comes a keep-alive after the last lease is back, not before", async () => {
  using test = testEntry({ keepAliveMs: 60 });
  const { entry, events } = test;
  const lease = entry.tryLease()!;
  equal(entry.expiresAt, null);
  await new Promise((resolve) => setTimeout(resolve, 90));
  deepEqual([events, entry.expired], [[], false], "it expired while it answered");
  const [releasedMs, releasedAtMs] = [performance.now(), Date.now()];
  lease.release();
  ok(entry.expiresAt!.getTime() >= releasedAtMs + 59);
  await until(() => events.length > 0);
  ok(performance.now() - releasedMs >= 59);
  equal(entry.expired, true);
});

Deno.test("a long answer sets no timer again and again", async () => {
  using test = testEntry({ keepAliveMs: 5 });
  const { entry } = test;
  const lease = entry.tryLease()!;
  const original = globalThis.setTimeout;
  let timers = 0;
  globalThis.setTimeout = ((...args: Parameters<typeof setTimeout>) => {
    timers++;
    return original(...args);
  }) as typeof setTimeout;
  try {
    // Counted: this one itself.
    await new Promise((resolve) => setTimeout(resolve, 60));
  } finally {
    globalThis.setTimeout = original;
  }
  lease.release();
  ok(timers <= 2, `${timers} timers`);
});

Deno.test("a use before the deadline moves it", async () => {
  using test = testEntry({ keepAliveMs: 2_000 });
  const { entry, events } = test;
  const startedMs = performance.now();
  while (performance.now() < startedMs + 2_400) {
    entry.tryLease()!.release();
    await new Promise((resolve) => setTimeout(resolve, 50));
    deepEqual(events, []);
  }
  await until(() => events.length > 0);
  equal(events.length, 1);
});

Deno.test("keep-alive 0 expires after the answer; for ever and pinned never do", async () => {
  using test = testEntry({ keepAliveMs: 0 });
  const { entry, events } = test;
  await until(() => events.length > 0);
  events.length = 0;
  entry.setKeepAlive(-1);
  entry.tryLease()!.release();
  equal(entry.expiresAt, null);
  entry.setKeepAlive(1);
  entry.pinned = true;
  entry.rearm();
  equal(entry.expiresAt, null);
  await new Promise((resolve) => setTimeout(resolve, 20));
  deepEqual(events, []);
  entry.pinned = false;
  entry.rearm();
  await until(() => events.length > 0);
});

Deno.test("setKeepAlive() cuts a longer time that runs already", async () => {
  using test = testEntry({ keepAliveMs: 60_000 });
  const { entry, events } = test;
  ok(entry.expiresAt!.getTime() > Date.now() + 50_000);
  entry.setKeepAlive(1);
  await until(() => events.length > 0, 30_000);
});

Deno.test("a request's keep-alive counts from its lease on; one that left changes nothing", async () => {
  using test = testEntry({ state: "loading", keepAliveMs: 7_000 });
  const { entry } = test;
  const client = new AbortController();
  const left = entry.wait({ keepAliveMs: 0, signal: client.signal });
  const stays = entry.wait({ keepAliveMs: 9_000 });
  client.abort();
  await rejects(left);
  equal(entry.keepAliveMs, 7_000);
  test.setState("ready");
  entry.open(1);
  const lease = await stays;
  equal(entry.keepAliveMs, 9_000);
  lease.release();
  ok(entry.expiresAt!.getTime() > Date.now() + 8_000);
});

Deno.test("drained() waits for every lease, and needs none", async () => {
  using test = testEntry();
  const { entry } = test;
  await entry.drained();
  const leases: Lease[] = [entry.tryLease()!, entry.tryLease()!];
  let drained = false;
  const draining = entry.drained().then(() => drained = true);
  leases[0]!.release();
  await Promise.resolve();
  equal(drained, false);
  leases[1]!.release();
  await draining;
});

Deno.test("a model that leaves gives no lease to those who wait, and gives it when it stays", async () => {
  using test = testEntry();
  const { entry } = test;
  const held = entry.tryLease()!;
  entry.leaving = true;
  const waiting = entry.wait();
  held.release();
  deepEqual([entry.leases, entry.queued], [0, 1]);
  equal(entry.expired, false);
  entry.stay();
  (await waiting).release();
  deepEqual([entry.leases, entry.queued], [0, 0]);
});

Deno.test("abortLeases() reaches those who hold one, not those of the next process", () => {
  using test = testEntry();
  const { entry } = test;
  const lease = entry.tryLease()!;
  const reason = new AppError("cancelled", "Stopped");
  entry.abortLeases(reason);
  equal(lease.signal.reason, reason);
  lease.release();
  entry.open(1);
  equal(entry.tryLease()!.signal.aborted, false);
});
