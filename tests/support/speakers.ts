// Model files that each say a sentence of their own, so that an answer shows which model gave it.

import { join } from "node:path";
import { writeTestModel, type WriteTestModelOptions } from "../../src/models/hello_model.ts";

export function sentenceOf(id: string): string {
  return `Here speaks ${id} and nobody else.`;
}

/** Writes `<home>/<id>.gguf` for each name. */
export async function writeSpeakers(
  home: string,
  ids: readonly string[],
  options: Partial<WriteTestModelOptions> = {},
): Promise<void> {
  for (const id of ids) {
    await writeTestModel(join(home, `${id}.gguf`), { sentence: sentenceOf(id), ...options });
  }
}

/** `m01`, `m02` and so on. */
export function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `m${String(index + 1).padStart(2, "0")}`);
}
