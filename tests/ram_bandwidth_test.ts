import assert from "node:assert/strict";
import type { HostReading } from "../src/api_types.ts";
import { Hardware } from "../src/hardware/hardware.ts";
import { RamBandwidth } from "../src/hardware/ram_bandwidth.ts";

const READING: HostReading = {
  cpu: { model: "Some CPU", physical_cores: 4, logical_cores: 8, features: [], usage: null },
  memory: { total_bytes: 8e9, available_bytes: 5.5e9 },
  gpus: [],
  os: { family: "linux", name: null, arch: "x86_64", kernel: null, container: null },
  cpu_quota_cores: null,
  disk_free_bytes: null,
};

type Answer = { bytesPerSecond: number | null; busy: boolean };

/** A computer whose measurements a test answers. */
class Computer {
  readonly stored = new Map<string, unknown>();
  readonly failures: string[] = [];
  readonly asked: number[] = [];
  nowMs = 0;
  threads: number | null = null;
  answering = false;
  full = false;
  answers: (Answer | Error)[] = [];
  readonly #hardware = new Hardware(() => ({ memoryBudgetBytes: null, threads: this.threads }));

  constructor(reading: HostReading | null = READING) {
    if (reading !== null) this.read(reading);
  }

  read(reading: HostReading): void {
    this.#hardware.update(reading);
  }

  /** Each is a new start of the program. */
  start(): RamBandwidth {
    return new RamBandwidth({
      store: {
        get: (name) => this.stored.get(name) ?? null,
        set: (name, value) => {
          if (this.full) throw new Error("The disk is full");
          this.stored.set(name, JSON.parse(JSON.stringify(value)));
        },
      },
      snapshot: () => this.#hardware.snapshot(),
      measure: (threads) => {
        this.asked.push(threads);
        const answer = this.answers.shift()!;
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
      },
      isAnswering: () => this.answering,
      onFailure: (message) => this.failures.push(message),
      now: () => this.nowMs,
    });
  }
}

/** Lets what was begun in the background end: it waits for nothing but promises. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

const QUIET = { bytesPerSecond: 40e9, busy: false };

Deno.test("RamBandwidth.wanted() measures once, in the background, when somebody asks", async () => {
  const computer = new Computer();
  computer.answers = [QUIET];
  const bandwidth = computer.start();
  assert.equal(bandwidth.known(), null);
  assert.deepEqual(computer.asked, []);
  assert.equal(bandwidth.wanted(), null);
  assert.equal(bandwidth.wanted(), null);
  await settled();
  assert.equal(bandwidth.wanted(), 40e9);
  assert.equal(bandwidth.known(), 40e9);
  assert.deepEqual(computer.asked, [4]);
});

Deno.test("RamBandwidth.wanted() measures nothing before the machine was read", async () => {
  const computer = new Computer(null);
  const bandwidth = computer.start();
  assert.equal(bandwidth.wanted(), null);
  computer.answers = [QUIET];
  computer.read(READING);
  bandwidth.wanted();
  await settled();
  assert.equal(bandwidth.known(), 40e9);
});

Deno.test("RamBandwidth keeps its figure across a restart, until CPU or threads are others", async () => {
  const computer = new Computer();
  computer.answers = [QUIET];
  computer.start().wanted();
  await settled();
  const again = computer.start();
  assert.equal(again.wanted(), 40e9);
  // Its name may come later than the first reading.
  computer.read({ ...READING, cpu: { ...READING.cpu, model: null } });
  assert.equal(again.wanted(), 40e9);
  assert.deepEqual(computer.asked, [4]);
  computer.answers = [{ bytesPerSecond: 60e9, busy: false }, { bytesPerSecond: 20e9, busy: false }];
  computer.read({ ...READING, cpu: { ...READING.cpu, model: "Another CPU" } });
  assert.equal(again.wanted(), null);
  await settled();
  assert.equal(again.known(), 60e9);
  computer.threads = 2;
  computer.nowMs += 60_000;
  assert.equal(again.wanted(), null);
  await settled();
  assert.equal(again.known(), 20e9);
  assert.deepEqual(computer.asked, [4, 4, 2]);
});

Deno.test("RamBandwidth.wanted() does not measure while a model answers", async () => {
  const computer = new Computer();
  computer.answers = [QUIET];
  computer.answering = true;
  const bandwidth = computer.start();
  bandwidth.wanted();
  assert.deepEqual(computer.asked, []);
  computer.answering = false;
  bandwidth.wanted();
  await settled();
  assert.equal(bandwidth.known(), 40e9);
});

Deno.test("RamBandwidth measures a busy computer again later, and keeps the best", async () => {
  const computer = new Computer();
  const bandwidth = computer.start();
  const busy = (bytesPerSecond: number) => ({ bytesPerSecond, busy: true });
  computer.answers = [busy(20e9), busy(30e9), busy(10e9)];
  const figures: (number | null)[] = [];
  for (let minute = 0; minute < 3; minute++) {
    bandwidth.wanted();
    await settled();
    figures.push(bandwidth.wanted());
    computer.nowMs += 60_000;
  }
  assert.deepEqual(figures, [20e9, 30e9, 30e9]);
  // A quiet one is right even where it is lower.
  computer.answers = [{ bytesPerSecond: 28e9, busy: false }];
  bandwidth.wanted();
  await settled();
  computer.nowMs += 600_000;
  assert.equal(bandwidth.wanted(), 28e9);
  assert.equal(computer.asked.length, 4);
});

Deno.test("RamBandwidth counts an answer that began meanwhile as busy", async () => {
  const computer = new Computer();
  computer.answers = [QUIET, { bytesPerSecond: 50e9, busy: false }];
  const bandwidth = computer.start();
  bandwidth.wanted();
  computer.answering = true;
  await settled();
  assert.equal(bandwidth.known(), 40e9);
  computer.answering = false;
  computer.nowMs += 60_000;
  bandwidth.wanted();
  await settled();
  assert.equal(bandwidth.known(), 50e9);
});

Deno.test("RamBandwidth is content after five tries on a computer that never rests", async () => {
  const computer = new Computer();
  computer.answers = new Array(9).fill({ bytesPerSecond: 20e9, busy: true });
  for (let minute = 0; minute < 9; minute++) {
    computer.start().wanted();
    await settled();
  }
  assert.equal(computer.asked.length, 5);
});

Deno.test("RamBandwidth tries again a minute after a failure, and bears a full disk", async () => {
  const computer = new Computer();
  computer.answers = [{ bytesPerSecond: null, busy: true }, new Error("gone"), QUIET];
  computer.full = true;
  const bandwidth = computer.start();
  for (let minute = 0; minute < 3; minute++) {
    assert.equal(bandwidth.wanted(), null);
    await settled();
    bandwidth.wanted();
    computer.nowMs += 60_000;
  }
  assert.equal(computer.asked.length, 3);
  assert.equal(bandwidth.wanted(), 40e9);
  assert.equal(computer.failures.length, 2);
});

Deno.test("RamBandwidth takes nothing from a row that it did not write", async () => {
  const rows = [7, "x", [], {}, { bytesPerSecond: "40", threads: 4 }, {
    bytesPerSecond: -1,
    threads: 4,
  }, { bytesPerSecond: 40e9, threads: null }];
  for (const row of rows) {
    const computer = new Computer();
    computer.answers = [QUIET];
    computer.stored.set("ram_bandwidth", row);
    const bandwidth = computer.start();
    assert.equal(bandwidth.wanted(), null, JSON.stringify(row));
    await settled();
    assert.equal(bandwidth.known(), 40e9);
  }
});
