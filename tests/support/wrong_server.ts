// Stands in the server's place, in its scope: sends the host what no server of ours sends, by thousands,
// and tells through the log what it was answered.

/// <reference lib="deno.worker" />

import fc from "fast-check";
import type { ToHost, ToServer } from "../../src/host/messages.ts";
import { damaged, forbidden, SAMPLES } from "./wrong_messages.ts";

/** Given as the version, the one field of `init` that a test may choose freely. */
export interface WrongServerTask {
  /** Of random messages. */
  count: number;
  seed: number;
  foreignPid: number;
}

export interface WrongServerReport {
  sent: number;
  /** Calls that must be refused by their form, and those that were. */
  refusable: number;
  refused: number;
  /** Numbers of calls that were answered with a result. */
  results: number[];
}

const LAST_CALL = 9_000_000;

const anything = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withTypedArray: true,
  withNullPrototype: true,
  withSparseArray: true,
  withObjectString: true,
  maxDepth: 4,
});
const type = fc.oneof(
  fc.constantFrom("call", "watch", "listening", "log", "fatal", "x", "__proto__", "constructor"),
  anything,
);
const name = fc.oneof(
  fc.constantFrom("start", "stop", "command", "reap", "departed", "toString", "__proto__"),
  anything,
);
const record = fc.dictionary(fc.string(), anything, { maxKeys: 4 });
/** Of no form by a name that nothing has; `drained` and `heartbeat` would be of one. */
const RANDOM = fc.oneof(
  anything,
  fc.tuple(record, type).map(([fields, given]) => ({ ...fields, odd: 1, type: given })),
  fc.tuple(fc.nat(), name, anything).map(([call, given, params]) => ({
    type: "call",
    call: 2_000_000 + call % 1_000_000,
    name: given,
    params,
    odd: 1,
  })),
);

const report: WrongServerReport = { sent: 0, refusable: 0, refused: 0, results: [] };

function send(message: unknown): void {
  try {
    self.postMessage(message);
    report.sent++;
  } catch (error) {
    // Some values cannot cross at all.
    if (!(error instanceof DOMException)) throw error;
  }
}

function flood({ count, seed, foreignPid }: WrongServerTask, home: string): void {
  let call = 10_000;
  for (const sample of SAMPLES) {
    for (const message of damaged(sample)) {
      const { type, call: given } = (message ?? {}) as { type?: unknown; call?: unknown };
      // Its own number, where it keeps one on its way, so that its answer is known.
      const isNumbered = !(message instanceof Map) && type === "call" &&
        typeof given === "number" &&
        Number.isSafeInteger(given);
      if (isNumbered) report.refusable++;
      send(isNumbered ? withCall(message as object, call++) : message);
    }
  }
  for (const message of fc.sample(RANDOM, { numRuns: count, seed })) send(message);
  const last: ToHost = { type: "call", call: LAST_CALL, name: "processes", params: {} };
  for (const message of [...forbidden(foreignPid, home), last]) {
    if (message.type === "call") waiting.add(message.call);
    send(message);
  }
}

// A copy by `{ ...message }` would lose its class, or its `__proto__`.
function withCall(message: object, call: number): object {
  return Object.assign(message, { call });
}

/** Calls that are of their form: each is answered, if it takes a moment. */
const waiting = new Set<number>();

function tellWhenAnswered(): void {
  if (waiting.size > 0) return;
  send({
    type: "log",
    entry: { time: 1, level: "info", part: "wrong", message: "report", fields: { report } },
  });
}

self.addEventListener("message", ({ data }: MessageEvent<ToServer>) => {
  switch (data.type) {
    case "init":
      return flood(JSON.parse(data.version), data.config.home);
    case "error":
      if (data.call < 1_000_000 && /^The host refuses "/.test(data.error.message)) report.refused++;
      if (waiting.delete(data.call)) tellWhenAnswered();
      return;
    case "result":
      report.results.push(data.call);
      if (waiting.delete(data.call)) tellWhenAnswered();
      return;
    case "drain":
      send({ type: "drained" });
  }
});
