import assert from "node:assert/strict";
import type { ServerEvent } from "../src/api_types.ts";
import { type EventParts, Events, type EventsOptions } from "../src/gateway/events.ts";
import { Hardware } from "../src/hardware/hardware.ts";
import type { ToHost } from "../src/host/messages.ts";
import { eventReader } from "./support/event_reader.ts";

interface TestEvents extends Disposable {
  events: Events;
  posted: ToHost[];
}

function testEvents(options: EventsOptions = {}): TestEvents {
  const posted: ToHost[] = [];
  const parts: EventParts = {
    cage: () => ({ mode: "auto", active: null, reason: null }),
    version: "0.0.0",
    hardware: new Hardware(() => ({ memoryBudgetBytes: null, threads: null })),
    orchestrator: { modelsBytes: () => 5 },
    runtime: () => ({
      phase: "ready",
      build: 1,
      version: null,
      source: "path",
      devices: [],
      activity: null,
      progress: null,
      error: null,
    }),
    host: { post: (message) => void posted.push(message) },
  };
  const events = new Events(() => parts, { gatherMs: 1, ...options });
  return { events, posted, [Symbol.dispose]: () => events.close() };
}

function logEvent(message: string): ServerEvent {
  return { type: "log", data: { time: 0, level: "info", part: "test", message } };
}

function snapshot(): ServerEvent[] {
  return [logEvent("snapshot")];
}

Deno.test("stream() begins with a snapshot and goes on with what happens", async () => {
  using test = testEvents();
  await using reader = eventReader(test.events.stream(null, snapshot));
  const first = await reader.next();
  assert.equal(first?.event, "log");
  assert.equal(first?.data.message, "snapshot");
  test.events.emit(logEvent("one"));
  test.events.emit(logEvent("two"));
  const one = await reader.next();
  const two = await reader.next();
  assert.deepEqual([one?.data.message, two?.data.message], ["one", "two"]);
  const [a, b] = [one, two].map((each) => Number(each?.id?.split("-")[1]));
  assert.equal(b! - a!, 1);
});

Deno.test("stream() is a stream of events that nothing on the way may keep", () => {
  using test = testEvents();
  const { headers, status } = test.events.stream(null, snapshot);
  assert.equal(status, 200);
  assert.match(headers.get("content-type") ?? "", /^text\/event-stream/);
  assert.equal(headers.get("cache-control"), "no-store");
});

Deno.test("stream() gives a known Last-Event-ID only what it missed", async () => {
  using test = testEvents();
  const first = eventReader(test.events.stream(null, snapshot));
  await first.next();
  test.events.emit(logEvent("seen"));
  const seen = await first.next();
  await first.leave();
  test.events.emit(logEvent("missed 1"));
  test.events.emit(logEvent("missed 2"));

  await using again = eventReader(test.events.stream(seen!.id, snapshot));
  assert.equal((await again.next())?.data.message, "missed 1");
  assert.equal((await again.next())?.data.message, "missed 2");
  test.events.emit(logEvent("next"));
  assert.equal((await again.next())?.data.message, "next");
});

Deno.test("stream() takes the snapshot's own ID for one to go on from", async () => {
  using test = testEvents();
  const first = eventReader(test.events.stream(null, snapshot));
  const { id } = (await first.next())!;
  await first.leave();
  test.events.emit(logEvent("missed"));
  await using again = eventReader(test.events.stream(id, snapshot));
  assert.equal((await again.next())?.data.message, "missed");
});

Deno.test("stream() gives a snapshot for an ID that is foreign, garbled or too old", async () => {
  using test = testEvents();
  await using watcher = eventReader(test.events.stream(null, snapshot));
  const { id } = (await watcher.next())!;
  const [prefix, number] = id!.split("-");
  for (let count = 0; count < 2_500; count++) test.events.emit(logEvent(`${count}`));
  const ids = [
    id,
    `${prefix}-${Number(number) + 2_501}`,
    `other-${Number(number) + 2_490}`,
    `${prefix}--5`,
    `${prefix}-1e3`,
    prefix!,
    "",
  ];
  for (const each of ids) {
    await using reader = eventReader(test.events.stream(each, snapshot));
    assert.equal((await reader.next())?.data.message, "snapshot", `${each}`);
  }
  // 1,000 back is still known.
  await using reader = eventReader(
    test.events.stream(`${prefix}-${Number(number) + 1_500}`, snapshot),
  );
  assert.equal((await reader.next())?.data.message, "1500");
});

Deno.test("stream() gives a snapshot after a time in which nobody was told anything", async () => {
  using test = testEvents({ lingerMs: 1 });
  const first = eventReader(test.events.stream(null, snapshot));
  const { id } = (await first.next())!;
  await first.leave();
  while (test.events.hasListeners) await new Promise((resolve) => setTimeout(resolve, 1));
  test.events.emit(logEvent("nobody hears this"));
  await using other = eventReader(test.events.stream(null, snapshot));
  await other.next();
  await using again = eventReader(test.events.stream(id, snapshot));
  assert.equal((await again.next())?.data.message, "snapshot");
});

Deno.test("the host reads the hardware exactly while someone watches", async () => {
  using test = testEvents();
  const watches = () => test.posted.map((message) => message.type === "watch" && message.on);
  const one = eventReader(test.events.stream(null, snapshot));
  const two = eventReader(test.events.stream(null, snapshot));
  assert.deepEqual(watches(), [true]);
  await one.leave();
  assert.deepEqual(watches(), [true]);
  assert.equal(test.events.listenerCount, 1);
  await two.leave();
  assert.deepEqual(watches(), [true, false]);
  assert.equal(test.events.listenerCount, 0);
});

Deno.test("emitSystem() tells watchers of the machine, and asks nothing where there are none", async () => {
  using test = testEvents();
  test.events.emitSystem();
  await using reader = eventReader(test.events.stream(null, () => []));
  test.events.emitSystem();
  const event = await reader.next();
  assert.equal(event?.event, "system");
  assert.equal(event?.data.version, "0.0.0");
  assert.deepEqual(event?.data.disk, { free_bytes: null });
});

Deno.test("emit() tells of many changes of one model in a moment only the last", async () => {
  using test = testEvents({ gatherMs: 20 });
  await using reader = eventReader(test.events.stream(null, () => []));
  for (let leases = 1; leases <= 100; leases++) {
    for (const id of ["a", "b"]) {
      test.events.emit({ type: "model", data: { id, leases } as never });
    }
  }
  test.events.emit(logEvent("at once"));
  assert.equal((await reader.next())?.data.message, "at once");
  assert.deepEqual((await reader.next())?.data, { id: "a", leases: 100 });
  assert.deepEqual((await reader.next())?.data, { id: "b", leases: 100 });
});

Deno.test("a quiet stream carries comments", async () => {
  using test = testEvents({ pingMs: 5 });
  const response = test.events.stream(null, () => []);
  await using reader = eventReader(response);
  const waiting = reader.next();
  while (reader.comments < 3) await new Promise((resolve) => setTimeout(resolve, 1));
  test.events.emit(logEvent("end"));
  assert.equal((await waiting)?.data.message, "end");
});

Deno.test("a reader that does not read is cut off, the others go on", async () => {
  using test = testEvents({ mostUnreadBytes: 10_000 });
  const stuck = test.events.stream(null, snapshot);
  await using reader = eventReader(test.events.stream(null, snapshot));
  await reader.next();
  for (let count = 0; count < 200; count++) {
    test.events.emit(logEvent(`${count} ${"x".repeat(100)}`));
    assert.match(String((await reader.next())?.data.message), new RegExp(`^${count} `));
  }
  assert.equal(test.events.listenerCount, 1);
  await assert.rejects(stuck.text(), /fell behind/);
});

Deno.test("a client that leaves over the network is forgotten", async () => {
  using test = testEvents();
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => test.events.stream(null, snapshot),
  );
  const abort = new AbortController();
  const response = await fetch(`http://127.0.0.1:${server.addr.port}/`, { signal: abort.signal });
  const reader = eventReader(response);
  await reader.next();
  assert.equal(test.events.listenerCount, 1);
  abort.abort();
  await reader.leave();
  while (test.events.listenerCount > 0) await new Promise((resolve) => setTimeout(resolve, 1));
});

Deno.test("close() ends every stream and takes no new ones", async () => {
  using test = testEvents();
  const reader = eventReader(test.events.stream(null, snapshot));
  await reader.next();
  test.events.close();
  assert.equal(await reader.next(), null);
  const late = eventReader(test.events.stream(null, () => []));
  assert.equal(await late.next(), null);
  assert.equal(test.events.hasListeners, false);
});
