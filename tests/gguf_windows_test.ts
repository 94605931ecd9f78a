import assert from "node:assert/strict";
import { join } from "node:path";

import fc from "fast-check";

import { AppError } from "../src/errors.ts";
import { type GgufFacts, readGgufFacts } from "../src/models/gguf.ts";
import { readGgufPatiently } from "../src/models/gguf_windows.ts";
import { ggufFile, ggufRefusal, helloBytes } from "./support/gguf_files.ts";
import { put } from "./support/other_programs.ts";
import { tempDir } from "./support/temp_dir.ts";

/** Again where the computer was too busy: both give up after a time. */
async function unhurried<T>(read: () => Promise<T>): Promise<T> {
  for (let tries = 1;; tries++) {
    try {
      return await read();
    } catch (error) {
      const isLate = error instanceof AppError && error.values["reason"] === "too_slow";
      if (!isLate || tries === 3) throw error;
    }
  }
}

Deno.test("readGgufPatiently() reads what readGgufFacts() reads, of headers of any size", async () => {
  await using dir = await tempDir();
  const words = (count: number) =>
    Array.from({ length: count }, (_, n) => `token number ${n}`.padEnd(60));
  const files = {
    small: helloBytes(),
    // Some 14 MB of header, in lists that must be walked through.
    large: ggufFile({
      "tokenizer.ggml.tokens": { strings: words(200_000) },
      ".block_count": { u32: 2 },
    }),
    // And 24 MB that are passed over at once.
    numbers: ggufFile({
      "tokenizer.ggml.scores": { f32s: new Array<number>(6_000_000).fill(1) },
      ".context_length": { u32: 4_096 },
    }),
  };
  for (const [name, bytes] of Object.entries(files)) {
    const path = put(join(dir.path, `${name}.gguf`), bytes);
    assert.deepEqual(
      await unhurried(() => readGgufPatiently(path)),
      await unhurried(() => readGgufFacts(path)),
      name,
    );
  }
});

Deno.test("readGgufPatiently() refuses what readGgufFacts() refuses, with the same words", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "x.gguf");
  const whole = helloBytes();
  async function outcome(read: (path: string) => Promise<GgufFacts>): Promise<unknown> {
    try {
      return await unhurried(() => read(path));
    } catch (error) {
      assert.ok(error instanceof AppError, String(error));
      return error.toData();
    }
  }
  const change = fc.record({
    at: fc.nat(3_000),
    byte: fc.nat(255),
    length: fc.oneof(fc.constant(whole.length), fc.nat(whole.length)),
  });
  await fc.assert(
    fc.asyncProperty(change, async ({ at, byte, length }) => {
      const bytes = whole.slice(0, length);
      if (at < bytes.length) bytes[at] = byte;
      Deno.writeFileSync(path, bytes);
      assert.deepEqual(await outcome(readGgufPatiently), await outcome(readGgufFacts));
    }),
    { numRuns: 300 },
  );
});

Deno.test("readGgufPatiently() opens no pipe, folder or link, and gives up in time", async () => {
  await using dir = await tempDir();
  const pipe = join(dir.path, "pipe.gguf");
  assert.equal(new Deno.Command("mkfifo", { args: [pipe] }).outputSync().code, 0);
  const file = put(join(dir.path, "file.gguf"), helloBytes());
  const link = join(dir.path, "link.gguf");
  Deno.symlinkSync(file, link);
  for (const path of [pipe, dir.path, link]) {
    await assert.rejects(() => readGgufPatiently(path), ggufRefusal("not_a_file"));
  }
  // Its header takes more than one read, so there is a moment at which the time is over.
  const strings = new Array<string>(30_000).fill("x".repeat(100));
  const large = put(
    join(dir.path, "large.gguf"),
    ggufFile({ "tokenizer.ggml.tokens": { strings } }),
  );
  assert.equal((await unhurried(() => readGgufPatiently(large))).vocabSize, 30_000);
  await assert.rejects(() => readGgufPatiently(large, { patienceMs: 0 }), ggufRefusal("too_slow"));
});
