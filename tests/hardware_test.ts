import assert from "node:assert/strict";
import type { HostReading } from "../src/api_types.ts";
import {
  availableBytes,
  defaultThreads,
  Hardware,
  memoryBudgetBytes,
} from "../src/hardware/hardware.ts";

const GIB = 1024 ** 3;

interface Known {
  totalBytes?: number | null;
  availableBytes?: number | null;
  physical?: number | null;
  logical?: number | null;
  quota?: number | null;
}

function reading(known: Known = {}): HostReading {
  return {
    cpu: {
      model: null,
      physical_cores: known.physical ?? null,
      logical_cores: known.logical ?? null,
      features: [],
      usage: null,
    },
    memory: {
      total_bytes: known.totalBytes ?? null,
      available_bytes: known.availableBytes ?? null,
    },
    gpus: [],
    os: { family: "linux", name: null, arch: "x86_64", kernel: null, container: null },
    cpu_quota_cores: known.quota ?? null,
    disk_free_bytes: null,
  };
}

Deno.test("memoryBudgetBytes() leaves 20 % to the system, and at least 1 GiB", () => {
  const table: [number | null, number | null, number | null][] = [
    // total, configured, budget
    [100 * GIB, null, 80 * GIB],
    [16 * GIB, null, Math.floor(16 * GIB * 0.8)],
    [5 * GIB, null, 4 * GIB],
    [4 * GIB, null, 3 * GIB],
    [2 * GIB, null, GIB],
    [GIB, null, 0],
    [GIB / 2, null, 0],
    [null, null, null],
    [null, 3 * GIB, 3 * GIB],
    [8 * GIB, 100, 100],
    [8 * GIB, 0, 0],
  ];
  for (const [totalBytes, configured, expected] of table) {
    assert.equal(
      memoryBudgetBytes(reading({ totalBytes }), configured),
      expected,
      `${totalBytes} bytes, configured ${configured}`,
    );
  }
  assert.equal(memoryBudgetBytes(null, null), null);
  assert.equal(memoryBudgetBytes(null, 7), 7);
});

Deno.test("memoryBudgetBytes() adds no GPU memory, shared or not", () => {
  const plain = reading({ totalBytes: 16 * GIB });
  const gpus: HostReading["gpus"] = [true, false, null].map((unified) => ({
    name: null,
    vendor: "amd",
    vram_total_bytes: 24 * GIB,
    vram_free_bytes: 24 * GIB,
    unified,
  }));
  assert.equal(memoryBudgetBytes({ ...plain, gpus }, null), memoryBudgetBytes(plain, null));
});

Deno.test("defaultThreads() takes the physical cores, at most the CPU time granted", () => {
  const table: [Known, number | null, number][] = [
    [{ physical: 8, logical: 16 }, null, 8],
    [{ physical: 8, logical: 16, quota: 2 }, null, 2],
    [{ physical: 8, quota: 1.5 }, null, 2],
    [{ physical: 8, quota: 0.25 }, null, 1],
    [{ physical: 2, quota: 64 }, null, 2],
    [{ physical: null, logical: 12 }, null, 6],
    [{ physical: null, logical: 1 }, null, 1],
    [{ physical: null, logical: 12, quota: 4 }, null, 4],
    [{ physical: 8, quota: 2 }, 5, 5],
  ];
  for (const [known, configured, expected] of table) {
    assert.equal(
      defaultThreads(reading(known), configured),
      expected,
      JSON.stringify({ known, configured }),
    );
  }
});

Deno.test("defaultThreads() without a reading takes half of what the runtime counts", () => {
  const expected = Math.max(1, Math.ceil(navigator.hardwareConcurrency / 2));
  assert.equal(defaultThreads(null, null), expected);
  assert.equal(defaultThreads(null, 3), 3);
});

Deno.test("availableBytes() is null where it is unknown", () => {
  assert.equal(availableBytes(null), null);
  assert.equal(availableBytes(reading()), null);
  assert.equal(availableBytes(reading({ availableBytes: 5 })), 5);
});

Deno.test("Hardware.snapshot() knows nothing before the first reading and then the last one", () => {
  const hardware = new Hardware(() => ({ memoryBudgetBytes: null, threads: null }));
  const before = hardware.snapshot();
  assert.equal(before.reading, null);
  assert.equal(before.totalBytes, null);
  assert.equal(before.availableBytes, null);
  assert.equal(before.budgetBytes, null);
  assert.ok(before.threads >= 1);

  hardware.update(reading({ totalBytes: 10 * GIB, availableBytes: GIB, physical: 2 }));
  const last = reading({ totalBytes: 20 * GIB, availableBytes: 3 * GIB, physical: 4 });
  hardware.update(last);
  assert.deepEqual(hardware.snapshot(), {
    reading: last,
    totalBytes: 20 * GIB,
    availableBytes: 3 * GIB,
    budgetBytes: 16 * GIB,
    threads: 4,
  });
});

Deno.test("Hardware.snapshot() lets the configuration win", () => {
  const hardware = new Hardware(() => ({ memoryBudgetBytes: 123, threads: 7 }));
  hardware.update(reading({ totalBytes: 20 * GIB, physical: 4 }));
  assert.equal(hardware.snapshot().budgetBytes, 123);
  assert.equal(hardware.snapshot().threads, 7);
});
