// One thread of a bandwidth measurement: reads its own block of memory again and again. It runs in a
// Worker of its own, without permissions, for less than a second.

/** What it is told: first how much to hold, then each time how long to read. */
export type BandwidthTask = { bufferBytes: number } | { readMs: number };

/** What it answers: that it is ready, or what it reached. */
export type BandwidthResult = { ready: true } | { bytesPerSecond: number; sum: number };

declare const self: DedicatedWorkerGlobalScope;

/** A memory reads whole lines of 64 bytes or more: one number of each brings all of it. */
const NUMBERS_PER_LINE = 8;

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

function hold(bufferBytes: number): void {
  // Pages that were never written are all the same page of zeros: reading them reads the cache.
  numbers = new Float64Array(bufferBytes / Float64Array.BYTES_PER_ELEMENT).fill(1);
  // The first pass is for the compiler.
  sumOfLines(numbers);
}

function read(readMs: number): BandwidthResult {
  const startMs = performance.now();
  let elapsedMs = 0;
  let bytes = 0;
  let sum = 0;
  do {
    // Sent along, or the compiler might see that nobody wants it.
    sum += sumOfLines(numbers);
    bytes += numbers.byteLength;
    elapsedMs = performance.now() - startMs;
  } while (elapsedMs < readMs);
  return { bytesPerSecond: bytes / elapsedMs * 1000, sum };
}

self.onmessage = ({ data }: MessageEvent<BandwidthTask>) => {
  if ("readMs" in data) return self.postMessage(read(data.readMs));
  hold(data.bufferBytes);
  self.postMessage({ ready: true } satisfies BandwidthResult);
};
