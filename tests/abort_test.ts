import assert from "node:assert/strict";
import { headUntilAborted, untilAborted } from "../src/abort.ts";
import { streamRange } from "../src/models/download_stream.ts";
import { SpeedLimit } from "../src/models/speed_limit.ts";
import { StallWatch } from "../src/models/stall_watch.ts";

/** What a `fetch` is like that has lost its abort. */
function deaf<T>(): Promise<T> {
  return new Promise(() => {});
}

Deno.test("untilAborted() is the promise's value, or the signal's reason at once", async () => {
  const { signal } = new AbortController();
  assert.equal(await untilAborted(Promise.resolve(7), signal), 7);
  await assert.rejects(untilAborted(Promise.reject(new Error("own")), signal), /own/);
  const abort = new AbortController();
  const waiting = untilAborted(deaf(), abort.signal);
  abort.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
  await assert.rejects(untilAborted(deaf(), abort.signal), /enough/);
});

Deno.test("headUntilAborted() lets go of an answer that comes too late", async () => {
  const abort = new AbortController();
  const late = Promise.withResolvers<Response>();
  const waiting = headUntilAborted(late.promise, abort.signal);
  abort.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
  const cancelled = Promise.withResolvers<void>();
  late.resolve(new Response(new ReadableStream({ cancel: () => cancelled.resolve() })));
  await cancelled.promise;
});

Deno.test("StallWatch ends a wait for silence, or for the outer signal's reason", async () => {
  using watch = new StallWatch(20, new AbortController().signal);
  await assert.rejects(watch.during(deaf()), { code: "download_stalled" });
  const outer = new AbortController();
  using patient = new StallWatch(60_000, outer.signal);
  const waiting = patient.during(deaf());
  outer.abort(new Error("paused"));
  await assert.rejects(waiting, /paused/);
  assert.equal(patient.signal.reason, outer.signal.reason);
});

Deno.test("streamRange() ends, and keeps what came, though its connection hears no abort", async () => {
  for (const isPaused of [false, true]) {
    let isCancelled = false;
    const body = new ReadableStream({
      type: "bytes",
      start: (controller) => controller.enqueue(new Uint8Array(1_000)),
      pull: () => deaf<void>(),
      cancel() {
        isCancelled = true;
      },
    });
    const headers = { "content-range": "bytes 0-1999/2000" };
    const abort = new AbortController();
    let written = 0;
    const streaming = streamRange({
      source: { open: () => Promise.resolve(new Response(body, { status: 206, headers })) },
      resolved: { url: "http://127.0.0.1/", sizeBytes: 2_000, sha256: null, commit: "" },
      start: 0,
      end: 2_000,
      takesWhole: false,
      stallMs: isPaused ? 60_000 : 50,
      limit: new SpeedLimit(() => 0),
      signal: abort.signal,
      write(bytes) {
        written += bytes.length;
        return Promise.resolve();
      },
    });
    const timer = setTimeout(() => isPaused && abort.abort(new Error("paused")), 20);
    await assert.rejects(streaming, isPaused ? /paused/ : { code: "download_stalled" });
    clearTimeout(timer);
    assert.equal(written, 1_000);
    assert.ok(isCancelled);
  }
});
