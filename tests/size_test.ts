import assert from "node:assert/strict";
import fc from "fast-check";
import { formatSize, parseSize } from "../src/size.ts";

const READ: ReadonlyArray<[raw: string | number, bytes: number | null]> = [
  ["0", 0],
  [0, 0],
  [-0, 0],
  ["1", 1],
  ["512", 512],
  [4096, 4096],
  ["512B", 512],
  ["1K", 1_024],
  ["1KB", 1_000],
  ["1KiB", 1_024],
  ["1k", 1_024],
  ["512M", 536_870_912],
  ["512MB", 512_000_000],
  ["512mib", 536_870_912],
  ["4G", 4_294_967_296],
  ["4GB", 4_000_000_000],
  ["4GiB", 4_294_967_296],
  ["4gb", 4_000_000_000],
  ["2TB", 2_000_000_000_000],
  ["2TiB", 2_199_023_255_552],
  ["1.5GB", 1_500_000_000],
  [".5K", 512],
  ["0.1 GB", 100_000_000],
  [" 4 GB ", 4_000_000_000],
  ["+4GB", 4_000_000_000],
  ["", null],
  ["GB", null],
  [".", null],
  ["-1", null],
  ["-4GB", null],
  [-1, null],
  ["1.5", null],
  [1.5, null],
  [NaN, null],
  [Infinity, null],
  ["4PB", null],
  ["4GBit", null],
  ["4G B", null],
  ["4GB 1MB", null],
  ["4,5GB", null],
  ["0x10", null],
  ["1e9", null],
  ["9007199254740993", null],
  ["99999999TB", null],
  ["four", null],
];

Deno.test("parseSize() reads GNU's units in any letter case and refuses the rest", () => {
  for (const [raw, bytes] of READ) {
    const got = parseSize(raw);
    assert.ok(Object.is(got, bytes), `${typeof raw} ${raw}: ${got} instead of ${bytes}`);
  }
});

Deno.test("formatSize() writes the largest unit that divides the size", () => {
  const table: [number, string][] = [
    [0, "0"],
    [1, "1"],
    [999, "999"],
    [1_000, "1KB"],
    [1_024, "1KiB"],
    [67_108_864, "64MiB"],
    [4_294_967_296, "4GiB"],
    [4_000_000_000, "4GB"],
    [1_500_000_000, "1500MB"],
    [1_000_001, "1000001"],
  ];
  for (const [bytes, text] of table) assert.equal(formatSize(bytes), text);
});

Deno.test("parseSize() reads back whatever formatSize() writes", () => {
  const unit = fc.constantFrom(1, 1e3, 1e6, 1e9, 1e12, 2 ** 10, 2 ** 20, 2 ** 30, 2 ** 40);
  fc.assert(fc.property(fc.integer({ min: 0, max: 8_000 }), unit, (count, bytes) => {
    assert.equal(parseSize(formatSize(count * bytes)), count * bytes);
  }));
  fc.assert(
    fc.property(fc.maxSafeNat(), (bytes) => {
      assert.equal(parseSize(formatSize(bytes)), bytes);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("parseSize() never answers anything but null or whole bytes", () => {
  const any = fc.oneof(
    fc.string(),
    fc.double(),
    fc.stringMatching(/^[-+0-9.kmgtibKMGTIB ]{1,12}$/),
  );
  fc.assert(
    fc.property(any, (raw) => {
      const bytes = parseSize(raw);
      assert.ok(bytes === null || (Number.isSafeInteger(bytes) && bytes >= 0));
    }),
    { numRuns: 5_000 },
  );
});
