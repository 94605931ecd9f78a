// Writes files as a gzipped tar: the same files give the same bytes, whoever made them and when.

import { writeAll } from "../src/durable_write.ts";
import { BuildFailure } from "./step.ts";

export interface PackedFile {
  name: string;
  path: string;
  /** Where a symbolic link leads; null for a file. */
  target: string | null;
}

const BLOCK = 512;
const NAME_BYTES = 100;

export async function packTarGz(files: readonly PackedFile[], path: string): Promise<void> {
  using out = await Deno.open(path, { write: true, create: true, truncate: true });
  for await (
    const bytes of ReadableStream.from(tar(files)).pipeThrough(new CompressionStream("gzip"))
  ) {
    await writeAll(out, bytes);
  }
}

async function* tar(files: readonly PackedFile[]): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (const { name, path, target } of files) {
    if (target !== null) {
      yield header({ name, target, sizeBytes: 0, mode: 0o777 });
      continue;
    }
    const { size, mode } = await Deno.stat(path);
    const executable = (mode ?? 0o755) & 0o111;
    yield header({ name, target, sizeBytes: size, mode: executable === 0 ? 0o644 : 0o755 });
    using file = await Deno.open(path, { read: true });
    yield* file.readable;
    yield new Uint8Array((BLOCK - size % BLOCK) % BLOCK);
  }
  yield new Uint8Array(2 * BLOCK);
}

function header(
  { name, target, sizeBytes, mode }: {
    name: string;
    target: string | null;
    sizeBytes: number;
    mode: number;
  },
): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(BLOCK);
  const put = (offset: number, text: string) => {
    block.set(new TextEncoder().encode(text), offset);
  };
  put(0, plain(name));
  put(100, octal(mode, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, octal(sizeBytes, 11));
  put(136, octal(0, 11));
  put(148, " ".repeat(8));
  put(156, target === null ? "0" : "2");
  if (target !== null) put(157, plain(target));
  put(257, "ustar\x0000");
  put(148, `${octal(block.reduce((sum, byte) => sum + byte, 0), 6)}\0 `);
  return block;
}

function plain(name: string): string {
  if (name.length < NAME_BYTES && /^[\x21-\x7e]+$/.test(name)) return name;
  throw new BuildFailure(`Cannot pack ${JSON.stringify(name)}: not a name for an archive`);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}
