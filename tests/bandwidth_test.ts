import assert from "node:assert/strict";
import {
  BandwidthProbe,
  bufferBytesOf,
  measureBandwidth,
  summarised,
} from "../src/host/probes/bandwidth.ts";
import { HostProbe } from "../src/host/probes/host_probe.ts";
import { until } from "./support/server_process.ts";

const MIB = 1024 ** 2;

/** How it is where it gets the cores it runs on: beside busy programs it may have to wait for them. */
async function undisturbed<T>(attempt: () => Promise<T | null>): Promise<T> {
  return await until(attempt, 180_000);
}

Deno.test("measureBandwidth() gives a figure that a memory can have, in under a second", async () => {
  const bytesPerSecond = await undisturbed(async () => {
    const startMs = performance.now();
    const measured = await measureBandwidth({ threads: 2, availableBytes: null });
    return performance.now() - startMs < 1_000 ? measured.bytesPerSecond : null;
  });
  assert.ok(bytesPerSecond > 1e9 && bytesPerSecond < 2e12, `${bytesPerSecond} bytes a second`);
});

Deno.test("measureBandwidth() gives its memory back", async () => {
  const residentBytes = () => Deno.memoryUsage().rss;
  // What any first Worker brings with it stays: code of the runtime.
  await measureBandwidth({ threads: 1, availableBytes: null });
  const beforeBytes = residentBytes();
  for (let round = 0; round < 3; round++) {
    await measureBandwidth({ threads: 2, availableBytes: null });
  }
  await until(() => residentBytes() < beforeBytes + 32 * MIB, 60_000);
});

Deno.test("measureBandwidth() lets others go on meanwhile", async () => {
  await undisturbed(async () => {
    let longestMs = 0;
    let lastMs = performance.now();
    const timer = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - lastMs);
      lastMs = performance.now();
    }, 1);
    await measureBandwidth({ threads: 2, availableBytes: null });
    clearInterval(timer);
    // Starting one Worker takes some tens of milliseconds; reading itself takes several hundred.
    return longestMs < 150 ? longestMs : null;
  });
});

Deno.test("measureBandwidth() does not measure where memory is short", async () => {
  const short = await measureBandwidth({ threads: 2, availableBytes: 200 * MIB });
  assert.deepEqual(short, { bytesPerSecond: null, busy: false });
});

Deno.test("measureBandwidth() tells when others were at work before it began", async () => {
  const cores = navigator.hardwareConcurrency;
  for (const [busyCores, busy] of [[cores, true], [0, false]] as const) {
    const times = [{ busy: 0, total: 0 }, { busy: busyCores, total: cores }];
    const measured = await measureBandwidth({
      threads: 1,
      availableBytes: null,
      cpuTimes: () => times.shift() ?? null,
    });
    if (busy) assert.equal(measured.busy, true);
    assert.equal(times.length, 0);
  }
});

Deno.test("bufferBytesOf() takes 128 MiB together, and a tenth of what is free at most", () => {
  const table: [threads: number, availableMib: number | null, eachMib: number | null][] = [
    [1, null, 96],
    [2, null, 64],
    [8, null, 16],
    [8, 64_000, 16],
    [2, 1000, 42],
    [4, 640, 8],
    [2, 470, null],
    [1, 0, null],
  ];
  for (const [threads, availableMib, eachMib] of table) {
    const bytes = bufferBytesOf(threads, availableMib === null ? null : availableMib * MIB);
    assert.equal(bytes, eachMib === null ? null : eachMib * MIB, `${threads}, ${availableMib}`);
  }
});

Deno.test("summarised() takes the best round, and tells of disturbed ones", () => {
  assert.deepEqual(summarised([40, 39, 41, 40]), { bytesPerSecond: 41, busy: false });
  assert.deepEqual(summarised([40, 20, 25, 41]), { bytesPerSecond: 41, busy: false });
  assert.deepEqual(summarised([20, 20, 25, 41]), { bytesPerSecond: 41, busy: true });
  assert.deepEqual(summarised([40]), { bytesPerSecond: 40, busy: true });
  assert.deepEqual(summarised([]), { bytesPerSecond: null, busy: true });
});

Deno.test("BandwidthProbe.read() measures once for all who ask at the same time", async () => {
  await using probe = new HostProbe();
  const bandwidth = new BandwidthProbe(probe);
  const [first, second] = await Promise.all([bandwidth.read(1), bandwidth.read(1)]);
  assert.equal(first, second);
  // What the server sends is not believed.
  for (const threads of [NaN, -1, 1e9]) {
    const { bytesPerSecond } = await bandwidth.read(threads);
    assert.ok(bytesPerSecond === null || bytesPerSecond > 1e9);
  }
});
