import assert from "node:assert/strict";
import fc from "fast-check";
import { type Part, PartMap } from "../src/models/part_map.ts";
import type { PartRange } from "../src/models/registry_downloads.ts";

Deno.test("PartMap.take() gives the first bytes that nobody fetches, and none twice", () => {
  const map = new PartMap(100);
  const [a, b] = [map.take(40)!, map.take(40)!];
  assert.deepEqual([a.start, a.end, b.start, b.end], [0, 40, 40, 80]);
  const c = map.take(40)!;
  assert.deepEqual([c.start, c.end], [80, 100]);
  assert.equal(map.take(40), null);
  map.advance(b, 15);
  map.release(b);
  const again = map.take(40)!;
  assert.deepEqual([again.start, again.end, again.done], [55, 80, 0]);
});

Deno.test("PartMap.prefixBytes ends at the first gap", () => {
  const map = new PartMap(100);
  const [a, b] = [map.take(50)!, map.take(50)!];
  map.advance(b, 30);
  assert.equal(map.prefixBytes, 0);
  map.advance(a, 20);
  assert.equal(map.prefixBytes, 20);
  map.advance(a, 30);
  assert.equal(map.prefixBytes, 80);
  map.advance(b, 20);
  assert.equal(map.prefixBytes, 100);
  assert.ok(map.isComplete);
});

Deno.test("PartMap.toRanges() stays short, however many parts there were", () => {
  const map = new PartMap(1_000_000);
  for (let n = 0; n < 500; n++) {
    const part = map.take(1_000)!;
    map.advance(part, 1_000);
    map.release(part);
  }
  assert.deepEqual(map.toRanges(), [[0, 500_000, 500_000], [500_000, 1_000_000, 0]]);
  const taken = map.take(1_000)!;
  map.advance(taken, 10);
  assert.deepEqual(map.toRanges(), [
    [0, 500_000, 500_000],
    [500_000, 501_000, 10],
    [501_000, 1_000_000, 0],
  ]);
});

Deno.test("PartMap takes a map that makes no sense for an empty one", () => {
  const table: PartRange[][] = [
    [[0, 101, 0]],
    [[0, 50, 51]],
    [[50, 100, 1], [0, 50, 1]],
    [[0, 60, 1], [50, 100, 1]],
    [[0, 50, -1]],
    [[60, 50, 0]],
  ];
  for (const ranges of table) assert.equal(new PartMap(100, ranges).doneBytes, 0);
  // One that leaves something out is right as far as it goes.
  assert.equal(new PartMap(100, [[10, 20, 5]]).doneBytes, 5);
  assert.deepEqual(new PartMap(100, [[10, 20, 5]]).toRanges(), [
    [0, 10, 0],
    [10, 15, 5],
    [15, 100, 0],
  ]);
});

Deno.test("PartMap fetches every byte exactly once, whatever is taken, cut and written down", () => {
  const step = fc.record({
    connection: fc.nat(3),
    bytes: fc.nat(40),
    most: fc.integer({ min: 1, max: 60 }),
    ends: fc.boolean(),
    restarts: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 400 }),
      fc.array(step, { maxLength: 80 }),
      (size, steps) => {
        const fetched = new Uint8Array(size);
        let map = new PartMap(size);
        let open = new Map<number, Part>();
        for (const { connection, bytes, most, ends, restarts } of steps) {
          const part = open.get(connection) ?? map.take(most);
          if (part === null) continue;
          open.set(connection, part);
          const count = Math.min(bytes, part.end - part.start - part.done);
          for (let n = 0; n < count; n++) fetched[part.start + part.done + n]!++;
          map.advance(part, count);
          if (ends) {
            map.release(part);
            open.delete(connection);
          }
          if (restarts) {
            map = new PartMap(size, map.toRanges());
            open = new Map();
          }
          assert.equal(map.doneBytes, fetched.reduce((sum, times) => sum + times, 0));
          const gap = fetched.indexOf(0);
          assert.equal(map.prefixBytes, gap < 0 ? size : gap);
        }
        for (const part of open.values()) map.release(part);
        for (let part = map.take(7); part !== null; part = map.take(7)) {
          for (let at = part.start + part.done; at < part.end; at++) fetched[at]!++;
          map.advance(part, part.end - part.start - part.done);
          map.release(part);
        }
        assert.ok(map.isComplete && fetched.every((times) => times === 1));
      },
    ),
  );
});
