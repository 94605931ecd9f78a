import { deepEqual, equal, ok } from "node:assert/strict";
import { callerOf, KeyFailures } from "../src/gateway/key_failures.ts";

const HOME = "192.0.2.1";

function failuresAt(): { failures: KeyFailures; clock: { ms: number } } {
  const clock = { ms: 1_000 };
  return { failures: new KeyFailures({ now: () => clock.ms }), clock };
}

function fail(failures: KeyFailures, address: string, times: number): void {
  for (let time = 0; time < times; time++) failures.failed(address);
}

Deno.test("KeyFailures lets an address guess five times, then makes it wait, longer each time", () => {
  const { failures, clock } = failuresAt();
  fail(failures, HOME, 4);
  equal(failures.waitMs(HOME), 0);
  const waits: number[] = [];
  for (let time = 0; time < 9; time++) {
    failures.failed(HOME);
    waits.push(failures.waitMs(HOME));
    clock.ms += failures.waitMs(HOME);
    equal(failures.waitMs(HOME), 0);
  }
  deepEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1_000));
});

Deno.test("KeyFailures keeps one address's failures from all others", () => {
  const { failures } = failuresAt();
  fail(failures, HOME, 50);
  ok(failures.waitMs(HOME) > 0);
  equal(failures.waitMs("192.0.2.2"), 0);
  equal(failures.waitMs("127.0.0.1"), 0);
});

Deno.test("KeyFailures forgets a few mistakes after a minute, and a guesser after ten", () => {
  const { failures, clock } = failuresAt();
  fail(failures, HOME, 4);
  clock.ms += 60_001;
  fail(failures, HOME, 4);
  equal(failures.waitMs(HOME), 0);
  fail(failures, HOME, 3);
  equal(failures.waitMs(HOME), 4_000);
  clock.ms += 60_001;
  failures.failed(HOME);
  equal(failures.waitMs(HOME), 8_000);
  clock.ms += 600_001;
  fail(failures, HOME, 4);
  equal(failures.waitMs(HOME), 0);
});

Deno.test("KeyFailures.failed() can be undone, and then nobody waits for it", () => {
  const { failures } = failuresAt();
  fail(failures, HOME, 4);
  const takeBack = failures.failed(HOME);
  ok(failures.waitMs(HOME) > 0);
  takeBack();
  equal(failures.waitMs(HOME), 0);
  failures.failed(HOME);
  equal(failures.waitMs(HOME), 1_000);
});

Deno.test("KeyFailures remembers a bounded number of addresses, those that wait before others", () => {
  const { failures } = failuresAt();
  fail(failures, HOME, 5);
  for (let number = 0; number < 5_000; number++) {
    failures.failed(`198.51.${number >> 8}.${number % 256}`);
  }
  equal(failures.waitMs(HOME), 1_000);
  for (let number = 0; number < 5_000; number++) {
    fail(failures, `203.0.${number >> 8}.${number % 256}`, 5);
  }
  // All of them wait: the oldest is forgotten.
  equal(failures.waitMs(HOME), 0);
  equal(failures.waitMs("203.0.19.135"), 1_000);
});

Deno.test("callerOf() takes a network of IPv6 for one caller", () => {
  const same: [a: string, b: string][] = [
    ["2001:db8:1:2::1", "2001:0DB8:1:2:ffff:ffff:ffff:ffff"],
    ["2001:db8::1", "2001:db8:0:0:1::"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["fe80::1%eth0", "fe80::2"],
    ["::1", "0:0:0:0:0:0:0:1"],
  ];
  for (const [a, b] of same) equal(callerOf(a), callerOf(b), `${a} ${b}`);
  const different: [a: string, b: string][] = [
    ["2001:db8:1:2::1", "2001:db8:1:3::1"],
    ["::1", "::2"],
    ["192.0.2.1", "192.0.2.2"],
  ];
  for (const [a, b] of different) ok(callerOf(a) !== callerOf(b), `${a} ${b}`);
});
