// What is written in a QR code: a text's bytes with medium correction, in versions 1 to 9. Enough for an
// address.

/** By version: data codewords, codewords that correct in each block, blocks. */
const VERSIONS = [
  [16, 10, 1],
  [28, 16, 1],
  [44, 26, 1],
  [64, 18, 2],
  [86, 24, 2],
  [108, 16, 4],
  [124, 18, 4],
  [154, 22, 4],
  [182, 22, 5],
];
/**
 * The smallest that holds so many bytes; null where none does.
 *
 * @param {number} length
 * @returns {number | null}
 */
export function versionFor(length) {
  // Four bits say "bytes", eight how many.
  const index = VERSIONS.findIndex(([room = 0]) => length + 2 <= room);
  return index < 0 ? null : index + 1;
}

/**
 * What is written: the data dealt into blocks, each with what corrects it, taken in turns.
 *
 * @param {Uint8Array} bytes
 * @param {number} version
 */
export function codewords(bytes, version) {
  const [room = 0, correcting = 0, count = 1] = VERSIONS[version - 1] ?? [];
  const data = padded(bytes, room);
  const shortLength = Math.floor(room / count);
  const longCount = room % count;
  /** @type {Uint8Array[]} */
  const blocks = [];
  for (let index = 0, start = 0; index < count; index++) {
    const length = shortLength + (index >= count - longCount ? 1 : 0);
    blocks.push(data.subarray(start, start += length));
  }
  const corrections = blocks.map((block) => remainder(block, generator(correcting)));
  return [...inTurns(blocks), ...inTurns(corrections)];
}

/**
 * @param {Uint8Array} bytes
 * @param {number} room
 */
function padded(bytes, room) {
  const data = new Uint8Array(room);
  data[0] = 0x40 | bytes.length >> 4;
  bytes.forEach((byte, index) => {
    data[index + 1] = (index === 0 ? bytes.length : bytes[index - 1] ?? 0) << 4 & 0xf0 | byte >> 4;
  });
  data[bytes.length + 1] = (bytes.at(-1) ?? bytes.length) << 4 & 0xf0;
  for (let index = bytes.length + 2, odd = false; index < room; index++, odd = !odd) {
    data[index] = odd ? 0x11 : 0xec;
  }
  return data;
}

/** @param {Uint8Array[]} blocks */
function inTurns(blocks) {
  const longest = Math.max(...blocks.map(({ length }) => length));
  return Array.from({ length: longest }).flatMap((_, index) =>
    blocks.flatMap((block) => index < block.length ? [block[index] ?? 0] : [])
  );
}

/**
 * In the field of 256 elements that the standard chose.
 *
 * @param {number} a
 * @param {number} b
 */
function product(a, b) {
  let result = 0;
  for (let bit = 7; bit >= 0; bit--) {
    result = result << 1 ^ (result >> 7) * 0x11d;
    if (b >> bit & 1) result ^= a;
  }
  return result;
}

/**
 * Coefficients of (x - 1)(x - 2)(x - 4)..., the highest power first and left out: it is 1.
 *
 * @param {number} degree
 */
function generator(degree) {
  const result = new Uint8Array(degree);
  result[degree - 1] = 1;
  let root = 1;
  for (let step = 0; step < degree; step++) {
    for (let index = 0; index < degree; index++) {
      result[index] = product(result[index] ?? 0, root) ^ (result[index + 1] ?? 0);
    }
    root = product(root, 2);
  }
  return result;
}

/**
 * @param {Uint8Array} data
 * @param {Uint8Array} divisor
 */
function remainder(data, divisor) {
  const result = new Uint8Array(divisor.length);
  for (const byte of data) {
    const factor = byte ^ (result[0] ?? 0);
    result.copyWithin(0, 1);
    result[result.length - 1] = 0;
    divisor.forEach((each, index) => {
      result[index] = (result[index] ?? 0) ^ product(each, factor);
    });
  }
  return result;
}
