import { equal, ok, throws } from "node:assert/strict";
import fc from "fast-check";
import { AppError } from "../src/errors.ts";
import { parseGguf } from "../src/models/gguf.ts";
import type { GgufTensor } from "../src/models/gguf_writer.ts";
import { ggufFile, ggufRefusal, helloBytes, indexOf, parseBytes } from "./support/gguf_files.ts";

const HELLO = helloBytes();

/** Once of three times: what takes long does so each time, a busy computer does not. */
function isQuick(parse: () => void): void {
  const measured: number[] = [];
  while (measured.length < 3) {
    const startedMs = performance.now();
    parse();
    measured.push(performance.now() - startedMs);
    if (measured.at(-1)! < 2_000) return;
  }
  ok(false, `${measured.join(", ")} ms`);
}

Deno.test("parseGguf() says of a file that is not GGUF what it seems to be", () => {
  const of = (text: string) => new TextEncoder().encode(text);
  throws(() => parseBytes(of("PK\x03\x04 something")), ggufRefusal("not_gguf", /not a GGUF file/));
  throws(() => parseBytes(of("G")), ggufRefusal("cut_off"));
  throws(() => parseBytes(of("GGUF")), ggufRefusal("cut_off"));
  throws(() => parseBytes(of("")), ggufRefusal("cut_off", /is empty/));
  throws(() => parseBytes(of("<!DOCTYPE html><html>")), ggufRefusal("not_gguf", /web page/));
  throws(
    () => parseBytes(of("version https://git-lfs.github.com/spec/v1\noid sha256:00")),
    ggufRefusal("not_gguf", /Git LFS pointer/),
  );
  throws(() => parseBytes(new Uint8Array(4096)), ggufRefusal("not_gguf", /unfinished download/));
});

Deno.test("parseGguf() refuses versions and byte orders that it cannot read", () => {
  function withVersion(version: number, littleEndian: boolean): Uint8Array {
    const bytes = HELLO.slice();
    new DataView(bytes.buffer).setUint32(4, version, littleEndian);
    return bytes;
  }
  throws(() => parseBytes(withVersion(1, true)), ggufRefusal("unsupported_version"));
  throws(() => parseBytes(withVersion(4, true)), ggufRefusal("unsupported_version"));
  throws(() => parseBytes(withVersion(3, false)), ggufRefusal("big_endian"));
  equal(parseBytes(withVersion(2, true)).version, 2);
});

Deno.test("parseGguf() tells a cut-off file by a single missing byte and says how much is missing", () => {
  throws(() => parseBytes(HELLO.subarray(0, -1)), (error) => {
    ggufRefusal("cut_off", /, with 1 B of 2\d\d\.\d kB still missing/)(error);
    equal((error as AppError).values.size_bytes, HELLO.length - 1);
    equal((error as AppError).values.required_bytes, HELLO.length);
    return true;
  });
  const { headerBytes } = parseBytes(HELLO);
  for (let length = 0; length < headerBytes; length += 7) {
    throws(() => parseBytes(HELLO.subarray(0, length)), ggufRefusal("cut_off"));
  }
});

Deno.test("parseGguf() refuses tensors that lie outside the file or on one another", () => {
  const tensors: GgufTensor[] = [
    { name: "first.weight", dimensions: [32, 4] },
    { name: "second.weight", dimensions: [32, 4] },
  ];
  // After the name: dimension count, two dimensions, type, then the offset.
  const offsetAt = "second.weight".length + 4 + 16 + 4;
  const dimensionAt = "second.weight".length + 4;
  for (
    const [at, value] of [[offsetAt, 0n], [offsetAt, 1n << 40n], [offsetAt, 1n << 63n], [
      dimensionAt,
      1n << 52n,
    ]] as const
  ) {
    const bytes = ggufFile({}, tensors);
    const name = indexOf(bytes, "second.weight");
    new DataView(bytes.buffer).setBigUint64(name + at, value, true);
    throws(() => parseBytes(bytes), ggufRefusal("corrupt"));
  }
  const far = ggufFile({}, tensors);
  new DataView(far.buffer).setBigUint64(
    indexOf(far, "second.weight") + dimensionAt,
    1n << 32n,
    true,
  );
  throws(() => parseBytes(far), ggufRefusal("cut_off", /with 68\.7 GB of 68\.7 GB still/));
});

Deno.test("parseGguf() never guesses the size of an unknown number format", () => {
  const bytes = ggufFile({}, [{ name: "first.weight", dimensions: [32, 4] }]);
  const typeAt = indexOf(bytes, "first.weight") + "first.weight".length + 4 + 16;
  new DataView(bytes.buffer).setUint32(typeAt, 142, true);
  throws(() => parseBytes(bytes), ggufRefusal("unknown_tensor_type", /142/));
});

Deno.test("parseGguf() refuses a header whose numbers contradict themselves", () => {
  const corrupt = ggufRefusal("corrupt");
  throws(() => parseBytes(ggufFile({ "general.alignment": { u32: 33 } })), corrupt);
  throws(() => parseBytes(ggufFile({ ".block_count": { u32: 4_000_000_000 } })), corrupt);
  const twice: GgufTensor[] = [{ name: "a", dimensions: [8] }, { name: "a", dimensions: [8] }];
  throws(() => parseBytes(ggufFile({}, twice)), corrupt);
  const nameless = ggufFile({ "general.name": { string: "x" } });
  nameless.set(new TextEncoder().encode("Q"), indexOf(nameless, "general.architecture"));
  throws(() => parseBytes(nameless), ggufRefusal("corrupt", /architecture/));
  const count = HELLO.slice();
  new DataView(count.buffer).setBigUint64(8, 1n << 50n, true);
  throws(() => parseBytes(count), corrupt);
});

Deno.test("parseGguf() gives up on a header that goes on for ever", () => {
  const begin = ggufFile({ "tokenizer.ggml.tokens": { strings: [] } }, []);
  const countAt = indexOf(begin, "tokenizer.ggml.tokens") + "tokenizer.ggml.tokens".length + 8;
  new DataView(begin.buffer).setBigUint64(countAt, 1n << 30n, true);
  const source = {
    size: 2 ** 40,
    read(offset: number, length: number): Uint8Array {
      // A quick computer would come to the limit of bytes before.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
      const bytes = new Uint8Array(length);
      bytes.set(begin.subarray(offset, offset + length));
      return bytes;
    },
  };
  isQuick(() =>
    throws(() => parseGguf(source, { file: "x", withinMs: 50 }), ggufRefusal("too_slow"))
  );
});

Deno.test("parseGguf() answers 5,000 damaged files with facts or an AppError", () => {
  const headerBytes = parseBytes(HELLO).headerBytes;
  const edit = fc.record({
    at: fc.nat(headerBytes - 1),
    bytes: fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 8 }),
      fc.constantFrom(
        new Uint8Array(8).fill(255),
        new Uint8Array(8),
        new Uint8Array([0, 0, 0, 0, 0, 0, 0, 128]),
        new Uint8Array([255, 255, 255, 127]),
      ),
    ),
  });
  const damage = fc.record({
    edits: fc.array(edit, { maxLength: 4 }),
    length: fc.option(fc.nat(HELLO.length), { nil: HELLO.length }),
  });
  let refused = 0;
  fc.assert(
    fc.property(damage, ({ edits, length }) => {
      const bytes = HELLO.slice();
      for (const { at, bytes: put } of edits) bytes.set(put, at);
      let isRefused = false;
      isQuick(() => {
        try {
          const facts = parseBytes(bytes.subarray(0, length));
          ok(facts.requiredFileBytes <= length);
        } catch (error) {
          if (!(error instanceof AppError)) throw error;
          equal(error.code, "model_file_invalid");
          isRefused = true;
        }
      });
      if (isRefused) refused++;
    }),
    { numRuns: 5000 },
  );
  ok(refused > 1000);
});
