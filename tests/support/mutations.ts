// Damages bytes at random, the same way for the same seed: single bytes, lengths made huge or
// negative, pieces left out, doubled or cut off.

const EXTREMES = [
  0n,
  1n,
  (1n << 63n) - 1n,
  1n << 63n,
  (1n << 64n) - 1n,
  1n << 53n,
  1n << 40n,
  1n << 32n,
  (1n << 31n) - 1n,
  1n << 30n,
  65_536n,
];

/** Numbers from 0 to 1 that depend on the seed alone. */
export function seededRandom(seed: number): () => number {
  let state = (seed * 2_654_435_761 + 1) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

export function mutated(bytes: Uint8Array<ArrayBuffer>, seed: number): Uint8Array<ArrayBuffer> {
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  let copy = bytes.slice();
  for (let left = 1 + below(4); left > 0; left--) {
    // Half of them in the first keys: that is where counts and types lie.
    const at = below(random() < 0.5 ? Math.min(600, copy.length) : copy.length);
    const kind = below(6);
    if (kind === 0) {
      copy[at] = below(256);
    } else if (kind <= 2 && at + 8 <= copy.length) {
      new DataView(copy.buffer).setBigUint64(at, EXTREMES[below(EXTREMES.length)]!, true);
    } else if (kind === 3) {
      copy = joined(copy.subarray(0, at), copy.subarray(Math.min(copy.length, at + below(64))));
    } else if (kind === 4) {
      copy = joined(copy.subarray(0, at), copy.subarray(Math.max(0, at - below(64))));
    } else if (random() < 0.2) {
      copy = copy.slice(0, at);
    }
    if (copy.length === 0) break;
  }
  return copy;
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
