// The two models that everyone is measured with, written into a folder of the run.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { writeTestModel } from "../src/models/hello_model.ts";

export interface BenchModel {
  /** What a request names: the file's name without `.gguf`. */
  readonly name: string;
  readonly path: string;
  readonly sentence: string;
}

export interface BenchModels {
  readonly folder: string;
  readonly tiny: BenchModel;
  readonly large: BenchModel;
}

const SENTENCE = "Hello from a small model that always says this";
const LARGE_BYTES = 500_000_000;

export async function writeModels(
  folder: string,
  wanted: { large: boolean },
): Promise<BenchModels> {
  await mkdir(folder, { recursive: true });
  const tiny = named("bench-tiny");
  const large = named("bench-large");
  await writeTestModel(tiny.path, { sentence: SENTENCE });
  // Just written, it is in the page cache: what is measured is loading, not this disk.
  if (wanted.large) {
    await writeTestModel(large.path, { sentence: SENTENCE, sizeBytes: LARGE_BYTES, sparse: false });
  }
  return { folder, tiny, large };

  function named(name: string): BenchModel {
    return { name, path: join(folder, `${name}.gguf`), sentence: SENTENCE };
  }
}
