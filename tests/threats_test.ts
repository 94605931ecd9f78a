// Every row of the threat model has a file of tests that bears its number and its name.

import { deepEqual, ok } from "node:assert/strict";
import { THREATS } from "./threats/rows.ts";

const FOLDER = new URL("threats/", import.meta.url);

Deno.test("each of the rows 1 to 19 of the threat model is a test with its row's name", () => {
  const rows = Object.keys(THREATS).map(Number);
  deepEqual(rows, Array.from({ length: 19 }, (_, index) => index + 1));
  const files = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) =>
    name.endsWith("_test.ts")
  );
  const named = rows.map((row) => {
    const own = files.filter((name) => Number(/^(\d\d)_/.exec(name)?.[1]) === row);
    const isNamed = own.some((name) => {
      const text = Deno.readTextFileSync(new URL(name, FOLDER));
      const attacker = THREATS[row]!.attacker;
      return new RegExp(`threatName\\(\\s*${row},`).test(text) ||
        text.includes(`Threat ${row}, ${attacker}: `);
    });
    return isNamed ? row : `${row} (${own.join() || "no file"})`;
  });
  deepEqual(named, rows);
  // A file of another number would be of no row.
  ok(files.every((name) => rows.includes(Number(name.slice(0, 2)))), files.join());
});
