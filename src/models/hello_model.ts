// Writes the built-in test model: a small GGUF of real weights and a real tokenizer that answers any
// prompt with one sentence, word for word. Where it is kept and offered is the registry's.

import { dirname, join } from "node:path";
import { layOutSentenceModel, type SentenceModelOptions } from "./gguf_sentence_model.ts";
import { ggufBytes, type GgufLayout } from "./gguf_writer.ts";

/** What `hello` answers. */
export const HELLO_SENTENCE =
  "Hello from ZombieCoder! Everything works: this tiny test model answers on your own computer, " +
  "so choose a real one and ask it anything you like.";

export type TestModelOptions = SentenceModelOptions;

export interface WriteTestModelOptions extends TestModelOptions {
  /** False = zeros are written and take room on the disk, as a real model's weights do. */
  sparse?: boolean;
}

/** The file's bytes in memory: for small models. The same options give the same bytes. */
export function buildTestModel(options: TestModelOptions): Uint8Array<ArrayBuffer> {
  return ggufBytes(layOutSentenceModel(options));
}

/**
 * Writes the model file to `path`, beside it first and then renamed into place: whatever happens
 * meanwhile, `path` never holds a part of a model.
 */
export async function writeTestModel(path: string, options: WriteTestModelOptions): Promise<void> {
  await writeAside(path, layOutSentenceModel(options), options.sparse ?? true);
}

/**
 * Sees to it that `hello.gguf` in this folder is the built-in test model and returns its path. A
 * file of that name with other content is replaced: give it a folder that no user keeps models in.
 */
export async function writeHelloModel(dir: string): Promise<string> {
  const path = join(dir, "hello.gguf");
  const layout = layOutSentenceModel({ sentence: HELLO_SENTENCE, name: "hello" });
  if (!await holds(path, ggufBytes(layout))) await writeAside(path, layout, false);
  return path;
}

async function holds(path: string, bytes: Uint8Array): Promise<boolean> {
  try {
    const { isFile, size } = await Deno.lstat(path);
    if (!isFile || size !== bytes.length) return false;
    const found = await Deno.readFile(path);
    return found.length === bytes.length && found.every((byte, index) => byte === bytes[index]);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

// The name does not end in `.gguf`, so that no one offers it as a model, and is always the same, so
// that what a power failure leaves is cleared by the next try. A link in its place is not followed.
async function writeAside(path: string, layout: GgufLayout, sparse: boolean): Promise<void> {
  const aside = `${path}.part`;
  await Deno.mkdir(dirname(path), { recursive: true });
  await removeIfThere(aside);
  try {
    await writeNew(aside, layout, sparse);
    await Deno.rename(aside, path);
  } catch (error) {
    await removeIfThere(aside);
    throw error;
  }
}

async function writeNew(path: string, layout: GgufLayout, sparse: boolean): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true });
  await writeLayout(file, layout, sparse);
  // The rename that follows must not reach the disk before the bytes do.
  await file.sync();
}

async function writeLayout(file: Deno.FsFile, layout: GgufLayout, sparse: boolean): Promise<void> {
  const zeros = new Uint8Array(sparse ? 0 : 1024 * 1024);
  let end = 0;
  for (const { offset, data } of [{ offset: 0, data: layout.header }, ...layout.parts]) {
    while (!sparse && end < offset) {
      end += await writeAll(file, zeros.subarray(0, offset - end));
    }
    await file.seek(offset, Deno.SeekMode.Start);
    end = offset + await writeAll(file, data);
  }
  while (!sparse && end < layout.sizeBytes) {
    end += await writeAll(file, zeros.subarray(0, layout.sizeBytes - end));
  }
  await file.truncate(layout.sizeBytes);
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<number> {
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
  return bytes.length;
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
