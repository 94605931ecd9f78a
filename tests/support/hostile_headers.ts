// A program: reads headers that somebody damaged or made to do harm, as a file and over ranges, and
// prints how long the slowest took and how much memory any of them needed. Wants `--expose-gc`.

import { AppError } from "../../src/errors.ts";
import { readGgufFacts } from "../../src/models/gguf.ts";
import { readRemoteFacts } from "../../src/models/remote_gguf.ts";
import { HOSTILE_HEADERS } from "./hostile_gguf.ts";
import { mutated } from "./mutations.ts";
import { layOutLlama, LLAMA_MINUTE } from "./remote_models.ts";

export interface HostileReport {
  read: number;
  refused: number;
  /** What was neither facts nor a `model_file_invalid`. */
  failures: string[];
  slowestMs: number;
  slowest: string;
  /** Beyond what the process had just before. */
  peakBytes: number;
}

function statusBytes(name: "VmRSS" | "VmHWM"): number {
  const status = Deno.readTextFileSync("/proc/self/status");
  return Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)![1]) * 1024;
}

/** Mutations between two looks at the memory. */
const AT_ONCE = 100;
/** What took longer is measured again. */
const SLOW_MS = 500;

class Reader {
  readonly report: HostileReport = {
    read: 0,
    refused: 0,
    failures: [],
    slowestMs: 0,
    slowest: "",
    peakBytes: 0,
  };

  /** The bytes, and behind them zeros up to the size. */
  async both(name: string, bytes: Uint8Array<ArrayBuffer>, sizeBytes: number): Promise<void> {
    const path = Deno.args[0]!;
    {
      using file = Deno.openSync(path, { write: true, create: true, truncate: true });
      file.writeSync(bytes);
      file.truncateSync(sizeBytes);
    }
    await this.#measure(`${name}, file`, () => readGgufFacts(path));
    const read = (start: number, end: number) => {
      const piece = new Uint8Array(Math.max(0, Math.min(end, sizeBytes) - start));
      piece.set(bytes.subarray(start, start + piece.length));
      return Promise.resolve(piece);
    };
    await this.#measure(`${name}, remote`, () => readRemoteFacts([{ name: "x", sizeBytes, read }]));
  }

  /** What one task needs is to be seen, not what waits to be collected after hundreds of them. */
  async needed(task: () => Promise<void>): Promise<void> {
    (globalThis as { gc?: () => void }).gc!();
    const before = statusBytes("VmRSS");
    // From here on the system counts the most that was needed anew.
    Deno.writeTextFileSync("/proc/self/clear_refs", "5");
    await task();
    const peakBytes = statusBytes("VmHWM") - before;
    this.report.peakBytes = Math.max(this.report.peakBytes, peakBytes);
  }

  async #measure(name: string, attempt: () => Promise<unknown>): Promise<void> {
    const { report } = this;
    const startMs = performance.now();
    try {
      await attempt();
      report.read++;
    } catch (error) {
      if (error instanceof AppError && error.code === "model_file_invalid") report.refused++;
      else report.failures.push(`${name}: ${error}`);
    }
    let tookMs = performance.now() - startMs;
    // A header that takes long does so each time; a busy computer does not.
    for (let again = 0; again < 2 && tookMs > SLOW_MS; again++) {
      (globalThis as { gc?: () => void }).gc!();
      const againMs = performance.now();
      await attempt().catch(() => {});
      tookMs = Math.min(tookMs, performance.now() - againMs);
    }
    if (tookMs <= report.slowestMs) return;
    report.slowestMs = tookMs;
    report.slowest = name;
  }
}

if (import.meta.main) {
  const [, count] = Deno.args as [string, string];
  const [layout] = layOutLlama(LLAMA_MINUTE, { format: "Q4_K_M" });
  const header = new Uint8Array(layout!.header);
  const reader = new Reader();
  // Code is compiled and caches are filled before anything counts.
  await reader.both("sound", header, layout!.sizeBytes);
  reader.report.slowestMs = 0;
  for (let seed = 1; seed <= Number(count); seed += AT_ONCE) {
    await reader.needed(async () => {
      for (let each = seed; each < seed + AT_ONCE; each++) {
        await reader.both(`mutation ${each}`, mutated(header, each), layout!.sizeBytes);
      }
    });
  }
  for (const [name, { bytes, sizeBytes }] of Object.entries(HOSTILE_HEADERS)) {
    await reader.needed(() => reader.both(name, bytes(), sizeBytes));
  }
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(reader.report)));
}
