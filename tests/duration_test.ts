import assert from "node:assert/strict";
import fc from "fast-check";
import { formatDuration, MAX_DURATION_MS, parseDuration } from "../src/duration.ts";

const READ: ReadonlyArray<[raw: string | number, ms: number | null]> = [
  ["0", 0],
  ["0s", 0],
  ["-0", 0],
  ["-0s", 0],
  [0, 0],
  [-0, 0],
  ["10m", 600_000],
  ["1h30m", 5_400_000],
  ["1h30m5s250ms", 5_405_250],
  ["300ms", 300],
  ["1.5h", 5_400_000],
  [".5s", 500],
  ["1.s", 1_000],
  ["+2m", 120_000],
  ["  90s ", 90_000],
  ["2m2m", 240_000],
  ["1500us", 2],
  ["1500\u00b5s", 2],
  ["1500\u03bcs", 2],
  ["1ns", 1],
  [0.0001, 1],
  ["300", 300_000],
  ["1.1", 1_100],
  [300, 300_000],
  [0.25, 250],
  ["-1", -1],
  ["-1m", -1],
  ["-1ns", -1],
  [-1, -1],
  [-0.001, -1],
  [-Infinity, -1],
  ["2562047h", 9_223_369_200_000],
  ["2562048h", null],
  [Infinity, null],
  [NaN, null],
  ["9".repeat(400), null],
  ["", null],
  [" ", null],
  ["-", null],
  ["m", null],
  [".", null],
  [".s", null],
  ["10 m", null],
  ["10M", null],
  ["1d", null],
  ["ten", null],
  ["1h-30m", null],
  ["0x10", null],
  ["1e3", null],
  ["10m;", null],
  ["10m\n5", null],
  ["١m", null],
];

Deno.test("parseDuration() reads Go's strings and numbers of seconds and refuses the rest", () => {
  for (const [raw, ms] of READ) {
    const got = parseDuration(raw);
    assert.ok(Object.is(got, ms), `${typeof raw} ${raw}: ${got} instead of ${ms}`);
  }
});

Deno.test("formatDuration() writes the shortest form", () => {
  const table: [number, string][] = [
    [0, "0s"],
    [-1, "-1"],
    [1, "1ms"],
    [300, "300ms"],
    [1_000, "1s"],
    [600_000, "10m"],
    [5_400_000, "1h30m"],
    [3_600_001, "1h1ms"],
    [90_061_001, "25h1m1s1ms"],
  ];
  for (const [ms, text] of table) assert.equal(formatDuration(ms), text);
});

Deno.test("parseDuration() reads back whatever formatDuration() writes", () => {
  fc.assert(
    fc.property(fc.integer({ min: -1, max: MAX_DURATION_MS }), (ms) => {
      assert.equal(parseDuration(formatDuration(ms)), ms);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("parseDuration() adds up hours, minutes, seconds and milliseconds in any order", () => {
  const size = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;
  const part = fc.tuple(
    fc.integer({ min: 0, max: 99_999 }),
    fc.constantFrom("h", "m", "s", "ms"),
  );
  fc.assert(fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), (parts) => {
    const text = parts.map(([count, unit]) => `${count}${unit}`).join("");
    const expected = parts.reduce((sum, [count, unit]) => sum + count * size[unit], 0);
    assert.equal(parseDuration(text), expected);
    assert.equal(parseDuration(`-${text}`), expected === 0 ? 0 : -1);
  }));
});

Deno.test("parseDuration() never answers anything but null, -1 or whole milliseconds", () => {
  const any = fc.oneof(fc.string(), fc.double(), fc.stringMatching(/^[-+0-9.hmsnuµ]{1,12}$/));
  fc.assert(
    fc.property(any, (raw) => {
      const ms = parseDuration(raw);
      assert.ok(ms === null || (Number.isSafeInteger(ms) && ms >= -1 && ms <= MAX_DURATION_MS));
    }),
    { numRuns: 5_000 },
  );
});

Deno.test("parseDuration() answers for a long hostile string at once", () => {
  const started = performance.now();
  assert.equal(parseDuration(`${"1".repeat(50_000)}${"1h".repeat(50_000)}x`), null);
  assert.ok(performance.now() - started < 1_000);
});
