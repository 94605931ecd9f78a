import { deepEqual, equal, rejects } from "node:assert/strict";

import { JobQueue } from "../src/orchestrator/job_queue.ts";

Deno.test("add() runs one job at a time, in the order in which they came", async () => {
  const queue = new JobQueue();
  const events: string[] = [];
  const jobs = ["a", "b", "c"].map((name, index) =>
    queue.add(async () => {
      events.push(`${name} begins`);
      // The first takes longest.
      await new Promise((resolve) => setTimeout(resolve, 6 - 3 * index));
      events.push(`${name} ends`);
      return name;
    })
  );
  deepEqual(await Promise.all(jobs), ["a", "b", "c"]);
  deepEqual(events, ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
});

Deno.test("add() hands a failure to its caller and goes on with the next job", async () => {
  const queue = new JobQueue();
  const failing = queue.add(() => Promise.reject(new Error("broken")));
  const throwing = queue.add(() => {
    throw new Error("thrown");
  });
  const next = queue.add(() => Promise.resolve("fine"));
  await rejects(failing, /broken/);
  await rejects(throwing, /thrown/);
  equal(await next, "fine");
});

Deno.test("add() lets a job that a job adds run after those that wait already", async () => {
  const queue = new JobQueue();
  const events: string[] = [];
  let inner: Promise<unknown> = Promise.resolve();
  const outer = queue.add(() => {
    inner = queue.add(() => Promise.resolve(events.push("inner")));
    return Promise.resolve();
  });
  const waiting = queue.add(() => Promise.resolve(events.push("waiting")));
  await Promise.all([outer, waiting]);
  await inner;
  deepEqual(events, ["waiting", "inner"]);
});

Deno.test("idle() resolves when all jobs so far have ended, failed ones too", async () => {
  const queue = new JobQueue();
  await queue.idle();
  let ended = 0;
  queue.add(() => Promise.reject(new Error("broken"))).catch(() => ended++);
  queue.add(() => Promise.resolve(ended++));
  await queue.idle();
  equal(ended, 2);
});
