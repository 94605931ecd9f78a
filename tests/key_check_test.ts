// What a request's headers open, and what guessing costs.

import { deepEqual, equal, match, throws } from "node:assert/strict";
import { AppError, type ErrorCode } from "../src/errors.ts";
import type { Access } from "../src/gateway/access.ts";
import { ApiKeys } from "../src/gateway/api_keys.ts";
import { KeyCheck, presentedSecrets } from "../src/gateway/key_check.ts";
import { KeyFailures } from "../src/gateway/key_failures.ts";
import { logEntries } from "./support/log_entries.ts";

const OWNER = "192.0.2.1";
const GUESSER = "192.0.2.66";

async function checking({ startKey = null }: { startKey?: string | null } = {}) {
  const registry = { list: () => [], add() {}, used() {}, remove() {} };
  const keys = new ApiKeys({ registry, startKey, log: logEntries().log });
  const admin = await keys.make({ name: "owner", scope: "admin" });
  const use = await keys.make({ name: "guest", scope: "use" });
  const clock = { ms: 0 };
  const check = new KeyCheck({ keys, failures: new KeyFailures({ now: () => clock.ms }) });
  async function ask(
    secret: string | null,
    { from = OWNER, access = "use" }: { from?: string; access?: Access } = {},
  ): Promise<ErrorCode | "passed"> {
    const headers = new Headers(secret === null ? {} : { authorization: `Bearer ${secret}` });
    try {
      await check.check(headers, { access, address: from });
      return "passed";
    } catch (error) {
      if (error instanceof AppError) return error.code;
      throw error;
    }
  }
  return { keys, check, clock, ask, admin: admin.key, use: use.key };
}

Deno.test("KeyCheck.check() passes each scope where it belongs", async () => {
  const { ask, admin, use } = await checking({ startKey: "correct-horse-battery" });
  const table: [secret: string | null, access: Access, outcome: ErrorCode | "passed"][] = [
    [null, "public", "passed"],
    ["wrong", "public", "passed"],
    [null, "use", "invalid_api_key"],
    [null, "admin", "invalid_api_key"],
    [use, "use", "passed"],
    [use, "admin", "key_scope_too_small"],
    [admin, "use", "passed"],
    [admin, "admin", "passed"],
    ["correct-horse-battery", "admin", "passed"],
    ["wrong", "use", "invalid_api_key"],
    ["wrong", "admin", "invalid_api_key"],
  ];
  for (const [secret, access, outcome] of table) {
    equal(await ask(secret, { access }), outcome, `${secret} ${access}`);
  }
});

Deno.test("KeyCheck.check() takes the wider of two keys, and passes one beside a wrong one", async () => {
  const { check, admin, use } = await checking();
  const asked = { access: "admin" as const, address: OWNER };
  for (const [bearer, own] of [[use, admin], [admin, use], ["wrong", admin], [admin, "wrong"]]) {
    await check.check(
      new Headers({ authorization: `Bearer ${bearer}`, "x-api-key": own! }),
      asked,
    );
  }
});

Deno.test("presentedSecrets() reads every form in which clients send a key", () => {
  const forms: [headers: Record<string, string>, secrets: string[]][] = [
    [{}, []],
    [{ authorization: "Bearer k1" }, ["k1"]],
    [{ authorization: "bearer   k1 " }, ["k1"]],
    [{ "x-api-key": "k1" }, ["k1"]],
    [{ authorization: "Bearer k1", "x-api-key": "k2" }, ["k1", "k2"]],
    [{ authorization: `Basic ${btoa("user:k1")}` }, ["k1"]],
    [{ authorization: `basic ${btoa(":k1:k2")}` }, ["k1:k2"]],
    [{ authorization: `Basic ${btoa("k1")}` }, []],
    [{ authorization: "Basic !!" }, []],
    [{ authorization: "Digest k1" }, []],
    [{ authorization: "k1" }, []],
    [{ authorization: "Bearer" }, []],
  ];
  for (const [headers, secrets] of forms) {
    deepEqual(presentedSecrets(new Headers(headers)), secrets, JSON.stringify(headers));
  }
});

Deno.test("the sixth wrong key in a minute waits, and so does the right one from there", async () => {
  const { ask, clock, admin } = await checking();
  for (let time = 0; time < 5; time++) {
    equal(await ask(`wrong ${time}`, { from: GUESSER }), "invalid_api_key");
  }
  equal(await ask("wrong", { from: GUESSER }), "too_many_wrong_keys");
  equal(await ask(admin, { from: GUESSER }), "too_many_wrong_keys");
  clock.ms += 1_001;
  equal(await ask("wrong", { from: GUESSER }), "invalid_api_key");
  clock.ms += 1_001;
  equal(await ask(admin, { from: GUESSER }), "too_many_wrong_keys");
  clock.ms += 1_001;
  equal(await ask(admin, { from: GUESSER }), "passed");
});

Deno.test("no failure elsewhere locks a right key out, nor one at an address that it had before", async () => {
  const { ask, admin, use } = await checking();
  for (let time = 0; time < 50; time++) await ask(`wrong ${time}`, { from: GUESSER });
  equal(await ask(admin), "passed");
  // Behind one proxy: whoever was let in stays in, and nobody learns whether a new key is right.
  for (let time = 0; time < 50; time++) await ask(`wrong ${time}`);
  equal(await ask(admin), "passed");
  equal(await ask(use), "too_many_wrong_keys");
  equal(await ask("wrong"), "too_many_wrong_keys");
});

Deno.test("a hundred guesses at once are no more than five, a hundred requests with one key are none", async () => {
  const guesses = await checking();
  const outcomes = await Promise.all(
    Array.from({ length: 100 }, (_, number) => guesses.ask(`wrong ${number}`, { from: GUESSER })),
  );
  equal(outcomes.filter((outcome) => outcome === "invalid_api_key").length, 5);
  const { ask, use } = await checking();
  const answers = await Promise.all(Array.from({ length: 100 }, () => ask(use)));
  deepEqual([...new Set(answers)], ["passed"]);
});

Deno.test("the refusals say what to send and when", async () => {
  const { check } = await checking();
  const asked = { access: "use" as const, address: GUESSER };
  throws(() => check.check(new Headers(), asked), (error) => {
    match((error as AppError).message, /Authorization: Bearer KEY.*x-api-key: KEY/);
    return true;
  });
  const headers = new Headers({ "x-api-key": "wrong" });
  for (let time = 0; time < 5; time++) {
    await Promise.resolve(check.check(headers, asked)).catch(() => {});
  }
  throws(() => check.check(headers, asked), (error) => {
    const { status, retryAfterSeconds, message } = error as AppError;
    deepEqual([status, retryAfterSeconds], [429, 1]);
    match(message, /Try again in 1 s/);
    return true;
  });
});
