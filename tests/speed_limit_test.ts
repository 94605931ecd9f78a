import assert from "node:assert/strict";
import { SpeedLimit } from "../src/models/speed_limit.ts";
import { TransferRate } from "../src/models/transfer_rate.ts";

const NEVER = new AbortController().signal;

Deno.test("SpeedLimit.take() holds two users together to the limit", async () => {
  const limit = new SpeedLimit(() => 1_000_000);
  const startedMs = performance.now();
  await Promise.all([0, 1].map(async () => {
    for (let n = 0; n < 25; n++) await limit.take(10_000, NEVER);
  }));
  const tookMs = performance.now() - startedMs;
  // Half a second's worth; a quarter of a second may have been saved up before.
  assert.ok(tookMs > 400 && tookMs < 15_000, `${tookMs} ms`);
});

Deno.test("SpeedLimit.take() obeys a change while it waits", async () => {
  let bytesPerSecond = 1;
  const limit = new SpeedLimit(() => bytesPerSecond);
  const startedMs = performance.now();
  const taken = limit.take(1_000_000, NEVER);
  bytesPerSecond = 0;
  await taken;
  assert.ok(performance.now() - startedMs < 15_000);
});

Deno.test("SpeedLimit.take() ends with its signal", async () => {
  const limit = new SpeedLimit(() => 1);
  const controller = new AbortController();
  const taken = limit.take(1_000_000, controller.signal);
  controller.abort();
  await taken;
});

Deno.test("SpeedLimit.portion() is small where the limit is, and whole without one", () => {
  const table: [number, number][] = [[0, 256_000], [100_000_000, 256_000], [100_000, 10_000], [
    1,
    4_096,
  ]];
  for (const [limit, portion] of table) {
    assert.equal(new SpeedLimit(() => limit).portion(256_000), portion);
  }
});

Deno.test("TransferRate is that of the last five seconds", () => {
  let nowMs = 0;
  const rate = new TransferRate(() => nowMs);
  rate.restart();
  assert.equal(rate.bytesPerSecond, 0);
  for (; nowMs < 10_000; nowMs += 100) rate.add(nowMs < 5_000 ? 100 : 1_000);
  assert.ok(Math.abs(rate.bytesPerSecond - 10_000) < 500, `${rate.bytesPerSecond}`);
  nowMs += 20_000;
  assert.ok(rate.bytesPerSecond < 100);
  rate.restart();
  assert.equal(rate.bytesPerSecond, 0);
});
