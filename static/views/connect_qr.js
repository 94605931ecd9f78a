// A QR code of a short text: bytes, medium correction, versions 1 to 9. Enough for an address; drawing it
// is for others.

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
/** Centres of the small squares, in both directions. */
const ALIGNMENTS = [[], [6, 18], [6, 22], [6, 26], [6, 30], [6, 34], [6, 22, 38], [6, 24, 42], [
  6,
  26,
  46,
]];

/** @type {((x: number, y: number) => boolean)[]} */
const MASKS = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => (x * y) % 2 + (x * y) % 3 === 0,
  (x, y) => ((x * y) % 2 + (x * y) % 3) % 2 === 0,
  (x, y) => ((x + y) % 2 + (x * y) % 3) % 2 === 0,
];

/**
 * Rows of squares, true = dark; null where the text is too long.
 *
 * @param {string} text
 * @returns {boolean[][] | null}
 */
export function qrCode(text) {
  const bytes = new TextEncoder().encode(text);
  // Four bits say "bytes", eight how many.
  const version = VERSIONS.findIndex(([room = 0]) => bytes.length + 2 <= room) + 1;
  if (version === 0) return null;
  const symbol = new QrSymbol(version);
  symbol.fill(codewords(bytes, version));
  return symbol.masked();
}

/**
 * What is written: the data dealt into blocks, each with what corrects it, taken in turns.
 *
 * @param {Uint8Array} bytes
 * @param {number} version
 */
function codewords(bytes, version) {
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

/**
 * Bits with those that check them behind, as the format and the version are written.
 *
 * @param {number} value
 * @param {{ divisor: number, bits: number }} code
 */
function checked(value, { divisor, bits }) {
  let rest = value;
  for (let step = 0; step < bits; step++) rest = rest << 1 ^ (rest >> bits - 1) * divisor;
  return value << bits | rest;
}

class QrSymbol {
  #version;
  #size;
  /** @type {boolean[][]} */
  #dark;
  /** What is not the text's, and so is never masked. @type {boolean[][]} */
  #fixed;

  /** @param {number} version */
  constructor(version) {
    this.#version = version;
    this.#size = version * 4 + 17;
    this.#dark = squares(this.#size);
    this.#fixed = squares(this.#size);
    this.#drawPatterns();
  }

  /** @param {number[]} words */
  fill(words) {
    let at = 0;
    for (const [x, y] of this.#path()) {
      if (this.#fixed[y]?.[x]) continue;
      // The last few squares of some versions hold nothing.
      const bit = (words[at >> 3] ?? 0) >> 7 - (at & 7) & 1;
      this.#set(x, y, bit === 1, { fixed: false });
      at++;
    }
  }

  /** With the mask that makes it easiest to read. */
  masked() {
    const tries = MASKS.map((mask, number) => {
      this.#drawFormat(number);
      return this.#dark.map((row, y) =>
        row.map((dark, x) => dark !== (!this.#fixed[y]?.[x] && mask(x, y)))
      );
    });
    const costs = tries.map(penalty);
    return tries[costs.indexOf(Math.min(...costs))] ?? null;
  }

  /** Two columns at a time, from the right, up and down. */
  *#path() {
    for (let right = this.#size - 1, up = true; right > 0; right -= 2, up = !up) {
      if (right === 6) right = 5;
      for (let step = 0; step < this.#size; step++) {
        const y = up ? this.#size - 1 - step : step;
        yield /** @type {const} */ ([right, y]);
        yield /** @type {const} */ ([right - 1, y]);
      }
    }
  }

  #drawPatterns() {
    const last = this.#size - 1;
    for (let index = 0; index <= last; index++) {
      this.#set(6, index, index % 2 === 0);
      this.#set(index, 6, index % 2 === 0);
    }
    for (const [x, y] of /** @type {const} */ ([[3, 3], [last - 3, 3], [3, last - 3]])) {
      this.#drawRings(x, y, { radius: 4, light: [2, 4] });
    }
    const centres = ALIGNMENTS[this.#version - 1] ?? [];
    for (const x of centres) {
      for (const y of centres) {
        const isCorner = (x === 6 && y === 6) || (x === 6 && y === centres.at(-1)) ||
          (y === 6 && x === centres.at(-1));
        if (!isCorner) this.#drawRings(x, y, { radius: 2, light: [1] });
      }
    }
    this.#drawFormat(0);
    if (this.#version < 7) return;
    const bits = checked(this.#version, { divisor: 0x1f25, bits: 12 });
    for (let index = 0; index < 18; index++) {
      const [far, near] = [this.#size - 11 + index % 3, Math.floor(index / 3)];
      this.#set(far, near, (bits >> index & 1) === 1);
      this.#set(near, far, (bits >> index & 1) === 1);
    }
  }

  /**
   * @param {number} centreX
   * @param {number} centreY
   * @param {{ radius: number, light: number[] }} rings
   */
  #drawRings(centreX, centreY, { radius, light }) {
    for (let dy = -radius; dy <= radius; dy++) {
      for (let dx = -radius; dx <= radius; dx++) {
        const ring = Math.max(Math.abs(dx), Math.abs(dy));
        this.#set(centreX + dx, centreY + dy, !light.includes(ring));
      }
    }
  }

  /** Twice, so that one may be lost. Medium correction is 0. @param {number} mask */
  #drawFormat(mask) {
    const bits = checked(mask, { divisor: 0x537, bits: 10 }) ^ 0x5412;
    const last = this.#size - 1;
    for (let index = 0; index < 15; index++) {
      const dark = (bits >> index & 1) === 1;
      const near = index < 6 ? index : index < 8 ? index + 1 : 14 - index;
      if (index < 8) this.#set(8, near, dark);
      else this.#set(index === 8 ? 7 : near, 8, dark);
      if (index < 8) this.#set(last - index, 8, dark);
      else this.#set(8, last - 14 + index, dark);
    }
    this.#set(8, last - 7, true);
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {boolean} dark
   */
  #set(x, y, dark, { fixed = true } = {}) {
    const [row, fixedRow] = [this.#dark[y], this.#fixed[y]];
    if (row === undefined || fixedRow === undefined || x < 0 || x >= this.#size) return;
    row[x] = dark;
    fixedRow[x] = fixed;
  }
}

/** @param {number} size */
function squares(size) {
  return Array.from({ length: size }, () => /** @type {boolean[]} */ (Array(size).fill(false)));
}

/** What makes a symbol hard to read, counted as the standard has it. @param {boolean[][]} rows */
function penalty(rows) {
  const size = rows.length;
  const columns = rows.map((_, x) => rows.map((row) => row[x] ?? false));
  let cost = 0;
  let dark = 0;
  for (const line of [...rows, ...columns]) {
    const text = line.map((each) => each ? "1" : "0").join("");
    for (const [run] of text.matchAll(/1{5,}|0{5,}/g)) cost += run.length - 2;
    // A corner's pattern where there is no corner, with light beside it; the border is light.
    cost += [...`0000${text}0000`.matchAll(/(?=10111010000|00001011101)/g)].length * 40;
  }
  rows.forEach((row, y) =>
    row.forEach((each, x) => {
      if (each) dark++;
      const next = rows[y + 1];
      if (
        x + 1 < size && next !== undefined && row[x + 1] === each && next[x] === each &&
        next[x + 1] === each
      ) {
        cost += 3;
      }
    })
  );
  return cost + Math.floor(Math.abs(dark * 20 - size * size * 10) / (size * size)) * 10;
}
