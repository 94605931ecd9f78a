// A QR code of a short text: where each square goes, and the mask that makes it easiest to read. What is
// written in it is connect_qr_codewords.js's; drawing it is for others.

import { codewords, versionFor } from "./connect_qr_codewords.js";

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
  const version = versionFor(bytes.length);
  if (version === null) return null;
  const symbol = new QrSymbol(version);
  symbol.fill(codewords(bytes, version));
  return symbol.masked();
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
