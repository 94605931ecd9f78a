// One thread of a bandwidth measurement: reads its own block of memory again and again. It runs in a
// Worker of its own, without permissions, for less than a second.

/** What it is told: first how much to hold, as far as it gets in time, then how long to read. */
export type BandwidthTask = { bufferBytes: number; fillMs: number } | { readMs: number };

export interface BandwidthResult {
  heldBytes: number;
  /** 0 before the first reading. */
  bytesPerSecond: number;
  /** Of what was read: the compiler must not see that nobody wants it. */
  sum: number;
}

declare const self: DedicatedWorkerGlobalScope;

/** A memory reads whole lines of 64 bytes or more: one number of each brings all of it. */
const NUMBERS_PER_LINE = 8;
/** 2 MiB: between two looks at the clock. */
const FILL_NUMBERS = 2 * 1024 ** 2 / Float64Array.BYTES_PER_ELEMENT;

// Four sums at a time, so that no addition waits for the one before. Checked against C with 512-bit
// loads on the same machine: the same figure within the noise, with any number of threads.
function sumOfLines(numbers: Float64Array): number {
  let first = 0, second = 0, third = 0, fourth = 0;
  for (let at = 0; at < numbers.length; at += 4 * NUMBERS_PER_LINE) {
    first += numbers[at]!;
    second += numbers[at + NUMBERS_PER_LINE]!;
    third += numbers[at + 2 * NUMBERS_PER_LINE]!;
    fourth += numbers[at + 3 * NUMBERS_PER_LINE]!;
  }
  return first + second + third + fourth;
}

let numbers = new Float64Array();

function hold(bufferBytes: number, fillMs: number): BandwidthResult {
  const startMs = performance.now();
  const buffer = new Float64Array(bufferBytes / Float64Array.BYTES_PER_ELEMENT);
  let filled = 0;
  // Pages that were never written are all the same page of zeros: reading them reads the cache. Where
  // memory comes from a virtual machine's host, it comes slowly.
  while (filled < buffer.length && (filled === 0 || performance.now() - startMs < fillMs)) {
    buffer.fill(1, filled, filled + FILL_NUMBERS);
    filled = Math.min(buffer.length, filled + FILL_NUMBERS);
  }
  numbers = buffer.subarray(0, filled);
  // The first pass is for the compiler.
  return { heldBytes: numbers.byteLength, bytesPerSecond: 0, sum: sumOfLines(numbers) };
}

function read(readMs: number): BandwidthResult {
  const startMs = performance.now();
  let elapsedMs = 0;
  let bytes = 0;
  let sum = 0;
  do {
    sum += sumOfLines(numbers);
    bytes += numbers.byteLength;
    elapsedMs = performance.now() - startMs;
  } while (elapsedMs < readMs);
  return { heldBytes: numbers.byteLength, bytesPerSecond: bytes / elapsedMs * 1000, sum };
}

self.onmessage = ({ data }: MessageEvent<BandwidthTask>) => {
  self.postMessage("readMs" in data ? read(data.readMs) : hold(data.bufferBytes, data.fillMs));
};
