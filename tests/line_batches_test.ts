import assert from "node:assert/strict";
import { LineBatches } from "../src/host/line_batches.ts";

const STATE = 'cmd_child_to_router:state:{"state":"loading"}';

function encoded(...chunks: (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return ReadableStream.from(
    chunks.map((chunk) => typeof chunk === "string" ? encoder.encode(chunk) : chunk),
  );
}

async function linesOf(...chunks: (string | Uint8Array)[]): Promise<string[]> {
  const lines: string[] = [];
  const batches = new LineBatches((batch) => lines.push(...batch));
  await batches.read(encoded(...chunks));
  return lines;
}

Deno.test("LineBatches puts lines together however they were cut", async () => {
  const text = "one\ntwo is longer\r\n\n  three ✓\nচার\nlast";
  const expected = ["one", "two is longer", "  three ✓", "চার", "last"];
  const bytes = new TextEncoder().encode(text);
  for (const size of [1, 2, 3, 7, 1_000]) {
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.slice(at, at + size));
    assert.deepEqual(await linesOf(...chunks), expected, `chunks of ${size}`);
  }
});

Deno.test("LineBatches cuts a long line, in one chunk or in many, and goes on with the next", async () => {
  const long = "x".repeat(10_000);
  const expected = ["x".repeat(4_096), "next"];
  assert.deepEqual(await linesOf(`${long}\nnext\n`), expected);
  assert.deepEqual(await linesOf(...Array(50).fill(long), "\nnext"), expected);
});

Deno.test("LineBatches hands on a state at once, and other lines together", async () => {
  const batches: string[][] = [];
  const { readable, writable } = new TransformStream<string, string>();
  const writer = writable.getWriter();
  const lines = new LineBatches((batch) => batches.push(batch));
  const done = lines.read(readable.pipeThrough(new TextEncoderStream()));
  await writer.write("first\n");
  await writer.write("a\n");
  await writer.write(`b\n${STATE}\nc\n`);
  await writer.write("d\n");
  await writer.close();
  await done;
  assert.deepEqual(batches, [["first"], ["a", "b", STATE, "c"], ["d"]]);
});

Deno.test("LineBatches leaves out the older lines of a flood, but never the last state", async () => {
  const flood = Array.from({ length: 40_000 }, (_, n) => `${n} ${"-".repeat(40)}`);
  const chunk = [STATE.replace("loading", "old"), STATE, ...flood].join("\n") + "\n";
  const lines = await linesOf(chunk, "the end");
  const kept = lines.reduce((sum, line) => sum + line.length, 0);
  assert.ok(kept <= 512 * 1024 + 4_096, `${kept} characters`);
  assert.ok(kept > 100_000, `${kept} characters`);
  assert.deepEqual(lines.filter((line) => line.startsWith("cmd_child")), [STATE]);
  assert.equal(lines.at(-1), "the end");
  assert.equal(lines.at(-2), flood.at(-1));
  assert.equal(lines.filter((line) => line === "(lines left out)").length, 1);
});

Deno.test("LineBatches says nothing after close(), though the stream goes on", async () => {
  const taken: string[] = [];
  let cancelled = false;
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const stream = new ReadableStream<Uint8Array>({
    start: (given) => void (controller = given),
    cancel: () => void (cancelled = true),
  });
  const lines = new LineBatches((batch) => taken.push(...batch));
  const done = lines.read(stream);
  controller!.enqueue(new TextEncoder().encode("before\nhalf"));
  await new Promise((resolve) => setTimeout(resolve, 0));
  lines.close();
  await done;
  assert.deepEqual(taken, ["before"]);
  assert.ok(cancelled);
});

Deno.test("LineBatches takes a stream that breaks for one that ends", async () => {
  const lines: string[] = [];
  const batches = new LineBatches((batch) => lines.push(...batch));
  let pulls = 0;
  await batches.read(
    new ReadableStream({
      pull(controller) {
        if (pulls++ > 0) throw new Error("broken");
        controller.enqueue(new TextEncoder().encode("one\ntwo"));
      },
    }),
  );
  assert.deepEqual(lines, ["one", "two"]);
});
