import { deepEqual, equal, match, ok } from "node:assert/strict";
import { Ajv } from "ajv";
import fc from "fast-check";
import { AppError } from "../src/errors.ts";
import { checkBody, isOfSchema, type Schema } from "../src/schema.ts";

const SCHEMA = {
  type: "object",
  properties: {
    name: { type: "string", minLength: 1, maxLength: 10 },
    scope: { enum: ["use", "admin", null] },
    count: { type: ["integer", "null"], minimum: 1, maximum: 64 },
    share: { type: "number" },
    on: { type: "boolean" },
    stop: { type: ["string", "array", "null"] },
    list: { type: "array", items: { type: "object", properties: { id: { type: "string" } } } },
    few: { type: "array", items: { type: "string" }, minItems: 1, maxItems: 2 },
    inner: { type: "object", properties: { deep: { type: "null" } }, additionalProperties: false },
  },
  required: ["name"],
} as const satisfies Schema;

function refusalOf(body: Record<string, unknown>, schema: Schema = SCHEMA): AppError | null {
  try {
    checkBody(schema, body);
    return null;
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
}

Deno.test("checkBody() names the field that is wrong and what it must be", () => {
  const table: [body: Record<string, unknown>, param: string, words: RegExp][] = [
    [{}, "name", /Cannot do without "name": it must be a string from 1 to 10 characters/],
    [{ name: 7 }, "name", /it must be a string/],
    [{ name: "" }, "name", /it must be/],
    [{ name: "a", scope: "root" }, "scope", /it must be "use" or "admin"$/],
    [{ name: "a", count: 0 }, "count", /it must be a whole number from 1 to 64$/],
    [{ name: "a", count: 1.5 }, "count", /whole number/],
    [{ name: "a", on: "true" }, "on", /true or false/],
    [{ name: "a", stop: 7 }, "stop", /a string, or a list/],
    [{ name: "a", list: [{}, 7] }, "list[1]", /an object/],
    [{ name: "a", list: [{ id: 7 }] }, "list[0].id", /a string/],
    [{ name: "a", few: [] }, "few", /a list from 1 to 2 items/],
    [{ name: "a", inner: { other: 1 } }, "inner.other", /Cannot use .* here: there is "deep"/],
    [{ name: "a", share: null }, "share", /a number/],
  ];
  for (const [body, param, words] of table) {
    const refusal = refusalOf(body);
    deepEqual([refusal?.code, refusal?.param], ["invalid_request", param], JSON.stringify(body));
    match(refusal!.message, words);
  }
  equal(refusalOf({ name: "a", more: 1, count: null, scope: null, stop: ["x"] }), null);
});

Deno.test("checkBody() passes what Object.prototype has over", () => {
  const body = JSON.parse('{"name": "a", "__proto__": 7, "constructor": 7}');
  equal(refusalOf(body), null);
  equal(refusalOf(body, { ...SCHEMA, additionalProperties: false })?.code, "invalid_request");
});

Deno.test("isOfSchema() is of one mind with a validator of JSON Schema", () => {
  const validate = new Ajv({ strict: false }).compile(SCHEMA);
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom("a", "use", null, 1, 64, 65, [], ["a"], [{ id: "a" }], { deep: null }),
  );
  const body = fc.dictionary(fc.constantFrom(...Object.keys(SCHEMA.properties), "more"), value);
  let valid = 0;
  fc.assert(
    fc.property(fc.tuple(body, fc.boolean()), ([fields, named]) => {
      const all = named ? { name: "a", ...fields } : fields;
      if (isOfSchema(SCHEMA, all)) valid++;
      equal(isOfSchema(SCHEMA, all), validate(all), JSON.stringify(all));
    }),
    { numRuns: 2_000 },
  );
  ok(valid > 100, String(valid));
});
