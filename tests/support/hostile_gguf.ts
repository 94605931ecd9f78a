// Headers that were made to do harm: counts, lengths and offsets that lie, each in an otherwise sound
// file of the size that it claims.

export interface HostileHeader {
  bytes(): Uint8Array<ArrayBuffer>;
  /** Of the file; what is not in `bytes` is zero. */
  sizeBytes: number;
}

const MAX = (1n << 64n) - 1n;
const NEGATIVE = 1n << 63n;
const GIANT = 1n << 30n;
const TB = 1e12;

/** Text of the format: its length, then its bytes. */
type Piece = { u32: number } | { u64: bigint } | { text: string } | { zeros: number };

function header(tensors: bigint, keys: bigint, pieces: readonly Piece[]) {
  return () => {
    const bytes = pieces.flatMap((piece) => [...encoded(piece)]);
    const start = [{ u32: 0x46554747 }, { u32: 3 }, { u64: tensors }, { u64: keys }];
    return new Uint8Array([...start.flatMap((piece) => [...encoded(piece)]), ...bytes]);
  };
}

function encoded(piece: Piece): Uint8Array {
  if ("zeros" in piece) return new Uint8Array(piece.zeros);
  if ("text" in piece) {
    const text = new TextEncoder().encode(piece.text);
    const bytes = new Uint8Array(8 + text.length);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
    bytes.set(text, 8);
    return bytes;
  }
  const bytes = new Uint8Array("u32" in piece ? 4 : 8);
  const view = new DataView(bytes.buffer);
  if ("u32" in piece) view.setUint32(0, piece.u32, true);
  else view.setBigUint64(0, piece.u64, true);
  return bytes;
}

const ARCHITECTURE = [{ text: "general.architecture" }, { u32: 8 }, { text: "llama" }];

/** A key with a list: its element type and its claimed length. */
function list(type: number, length: bigint): Piece[] {
  return [{ text: "tokenizer.ggml.tokens" }, { u32: 9 }, { u32: type }, { u64: length }];
}

function tensor(dimensions: bigint[], { type = 0, offset = 0n, name = "t" } = {}): Piece[] {
  const lengths = dimensions.map((length) => ({ u64: length }));
  return [
    { text: name },
    { u32: dimensions.length },
    ...lengths,
    { u32: type },
    { u64: offset },
  ];
}

export const HOSTILE_HEADERS: Readonly<Record<string, HostileHeader>> = {
  "huge counts": { bytes: header(MAX, MAX, []), sizeBytes: TB },
  "negative counts": { bytes: header(NEGATIVE, NEGATIVE, []), sizeBytes: TB },
  "as many tensors as allowed, none there": { bytes: header(65_536n, 0n, []), sizeBytes: TB },
  "as many keys as allowed, none there": { bytes: header(0n, 16_384n, []), sizeBytes: TB },
  "a key of endless length": { bytes: header(0n, 1n, [{ u64: MAX }]), sizeBytes: TB },
  "a text of a gigabyte": {
    bytes: header(0n, 2n, [...ARCHITECTURE, { text: "a" }, { u32: 8 }, { u64: GIANT }]),
    sizeBytes: TB,
  },
  "a template of a gigabyte": {
    bytes: header(0n, 2n, [
      ...ARCHITECTURE,
      { text: "tokenizer.chat_template" },
      ...[{ u32: 8 }, { u64: GIANT }],
    ]),
    sizeBytes: TB,
  },
  "a text longer than the file": {
    bytes: header(0n, 2n, [...ARCHITECTURE, { text: "a" }, { u32: 8 }, { u64: 1n << 29n }]),
    sizeBytes: 100_000,
  },
  "a billion empty texts": {
    bytes: header(0n, 2n, [...ARCHITECTURE, ...list(8, GIANT)]),
    sizeBytes: TB,
  },
  "a billion texts in a small file": {
    bytes: header(0n, 2n, [...ARCHITECTURE, ...list(8, GIANT)]),
    sizeBytes: 100_000,
  },
  "a billion bytes in a list": {
    bytes: header(0n, 2n, [...ARCHITECTURE, ...list(0, GIANT)]),
    sizeBytes: TB,
  },
  "a list of endless length": {
    bytes: header(0n, 2n, [...ARCHITECTURE, ...list(12, MAX)]),
    sizeBytes: TB,
  },
  "a list of lists": {
    bytes: header(0n, 2n, [...ARCHITECTURE, ...list(9, GIANT)]),
    sizeBytes: TB,
  },
  "a value of a type that is none": {
    bytes: header(0n, 2n, [...ARCHITECTURE, { text: "a" }, { u32: 4_000_000_000 }]),
    sizeBytes: TB,
  },
  "a tensor of endless dimensions": {
    bytes: header(1n, 1n, [...ARCHITECTURE, ...tensor([MAX, MAX, MAX, MAX])]),
    sizeBytes: TB,
  },
  "a tensor whose size wraps around": {
    bytes: header(1n, 1n, [...ARCHITECTURE, ...tensor([1n << 32n, 1n << 32n, 1n << 32n])]),
    sizeBytes: TB,
  },
  "a tensor of a billion dimensions": {
    bytes: header(1n, 1n, [...ARCHITECTURE, { text: "t" }, { u32: 0xffff_ffff }]),
    sizeBytes: TB,
  },
  "a tensor at a negative offset": {
    bytes: header(1n, 1n, [...ARCHITECTURE, ...tensor([32n], { offset: NEGATIVE })]),
    sizeBytes: TB,
  },
  "a tensor before the data": {
    bytes: header(2n, 1n, [
      ...ARCHITECTURE,
      ...tensor([32n]),
      ...tensor([32n], { name: "u", offset: MAX - 31n }),
    ]),
    sizeBytes: TB,
  },
  "a tensor beyond the file": {
    bytes: header(1n, 1n, [...ARCHITECTURE, ...tensor([1n << 40n])]),
    sizeBytes: 100_000,
  },
  "a tensor of no known format": {
    bytes: header(1n, 1n, [...ARCHITECTURE, ...tensor([32n], { type: 142 })]),
    sizeBytes: TB,
  },
  "an alignment of nothing": {
    bytes: header(0n, 2n, [
      ...ARCHITECTURE,
      ...[{ text: "general.alignment" }, { u32: 4 }, { u32: 0 }],
    ]),
    sizeBytes: TB,
  },
  "four billion layers": {
    bytes: header(0n, 2n, [
      ...ARCHITECTURE,
      ...[{ text: "llama.block_count" }, { u32: 4 }, { u32: 0xffff_ffff }],
    ]),
    sizeBytes: TB,
  },
  "a split of 65,535 parts": {
    bytes: header(0n, 3n, [
      ...ARCHITECTURE,
      ...[{ text: "split.count" }, { u32: 4 }, { u32: 0xffff_ffff }],
      ...[{ text: "split.no" }, { u32: 4 }, { u32: 0 }],
    ]),
    sizeBytes: TB,
  },
};
