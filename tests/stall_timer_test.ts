import { equal } from "node:assert/strict";
import { StallTimer } from "../src/stall_timer.ts";
import { until } from "./support/server_process.ts";

function stallTimer(stallMs: number) {
  let calls = 0;
  const timer = new StallTimer(stallMs, () => calls++);
  return {
    timer,
    calls: () => calls,
    [Symbol.dispose]: () => timer[Symbol.dispose](),
  };
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

Deno.test("StallTimer tells once of a wait that lasts too long, and of none that began anew", async () => {
  using test = stallTimer(1_000);
  test.timer.begin();
  for (let step = 0; step < 6; step++) {
    await delay(250);
    equal(test.calls(), 0);
    test.timer.begin();
  }
  await until(() => test.calls() > 0);
  test.timer.begin();
  await delay(1_300);
  equal(test.calls(), 1);
});

Deno.test("StallTimer counts no time without a wait, nor time in which nothing ran here", async () => {
  using test = stallTimer(300);
  await delay(600);
  test.timer.begin();
  test.timer.pause();
  await delay(600);
  test.timer.begin();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 900);
  // What was late is called before this.
  await delay(0);
  equal(test.calls(), 0);
  await until(() => test.calls() > 0);
});
