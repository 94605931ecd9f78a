// The program's icon for Windows, drawn here as static/icon.svg has it: a Z on a rounded square.

import { crc32, deflateSync } from "node:zlib";

const SIZES = [16, 24, 32, 48, 64, 256];
/** Of static/icon.svg, whose picture is 32 wide. */
const WIDTH = 32;
const CORNER = 8;
const GREEN = [0x1c, 0x6b, 0x45];
const STROKE = 3.4;
const LINES: readonly [x: number, y: number][] = [[9, 9.5], [23, 9.5], [13.4, 22.5], [23, 22.5]];
/** So many looks at each pixel, in both directions. */
const LOOKS = 4;

/** An `.ico` with a PNG of each size. */
export function icon(): Uint8Array<ArrayBuffer> {
  const pictures = SIZES.map((size) => png(size, drawn(size)));
  const directory = new DataView(new ArrayBuffer(6 + 16 * SIZES.length));
  directory.setUint16(2, 1, true);
  directory.setUint16(4, SIZES.length, true);
  let offset = directory.byteLength;
  for (const [index, picture] of pictures.entries()) {
    const at = 6 + 16 * index;
    // 0 stands for 256.
    directory.setUint8(at, SIZES[index]! % 256);
    directory.setUint8(at + 1, SIZES[index]! % 256);
    directory.setUint16(at + 4, 1, true);
    directory.setUint16(at + 6, 32, true);
    directory.setUint32(at + 8, picture.length, true);
    directory.setUint32(at + 12, offset, true);
    offset += picture.length;
  }
  return joined([new Uint8Array(directory.buffer), ...pictures]);
}

/** Rows of red, green, blue and opacity. */
function drawn(size: number): Uint8Array {
  const pixels = new Uint8Array(4 * size * size);
  for (let pixel = 0; pixel < size * size; pixel++) {
    let inside = 0;
    let white = 0;
    for (let look = 0; look < LOOKS * LOOKS; look++) {
      const x = (pixel % size + (look % LOOKS + 0.5) / LOOKS) * WIDTH / size;
      const y = (Math.floor(pixel / size) + (Math.floor(look / LOOKS) + 0.5) / LOOKS) * WIDTH /
        size;
      if (!isInside(x, y)) continue;
      inside++;
      if (isOnLine(x, y)) white++;
    }
    for (let color = 0; color < 3; color++) {
      const share = inside === 0 ? 0 : white / inside;
      pixels[4 * pixel + color] = Math.round(GREEN[color]! * (1 - share) + 255 * share);
    }
    pixels[4 * pixel + 3] = Math.round(255 * inside / LOOKS ** 2);
  }
  return pixels;
}

function isInside(x: number, y: number): boolean {
  const beyond = (at: number) => Math.max(CORNER - at, at - (WIDTH - CORNER), 0);
  return Math.hypot(beyond(x), beyond(y)) <= CORNER;
}

function isOnLine(x: number, y: number): boolean {
  return LINES.slice(1).some(([toX, toY], index) => {
    const [fromX, fromY] = LINES[index]!;
    const [wide, high] = [toX - fromX, toY - fromY];
    const along = ((x - fromX) * wide + (y - fromY) * high) / (wide ** 2 + high ** 2);
    const at = Math.min(1, Math.max(0, along));
    return Math.hypot(x - fromX - at * wide, y - fromY - at * high) <= STROKE / 2;
  });
}

function png(size: number, pixels: Uint8Array): Uint8Array {
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, size);
  header.setUint32(4, size);
  header.setUint8(8, 8);
  header.setUint8(9, 6);
  const row = 4 * size;
  // Each row begins with how it is filtered: not at all.
  const rows = new Uint8Array(size * (row + 1));
  for (let y = 0; y < size; y++) {
    rows.set(pixels.subarray(y * row, (y + 1) * row), y * (row + 1) + 1);
  }
  return joined([
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", new Uint8Array(header.buffer)),
    chunk("IDAT", deflateSync(rows, { level: 9 })),
    chunk("IEND", new Uint8Array()),
  ]);
}

function chunk(type: string, content: Uint8Array): Uint8Array {
  const named = joined([new TextEncoder().encode(type), content]);
  return joined([number(content.length), named, number(crc32(named))]);
}

function number(value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, value);
  return new Uint8Array(view.buffer);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}
