import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import { join } from "node:path";
import { checkServable, readSplitFacts } from "../src/models/gguf_split.ts";
import { fileTree } from "./support/file_tree.ts";
import { ggufFile, ggufRefusal, helloBytes, indexOf, parseBytes } from "./support/gguf_files.ts";

const HELLO = helloBytes();

Deno.test("readSplitFacts() adds up all parts and names the missing ones", async () => {
  await using folder = await fileTree();
  const paths: string[] = [];
  for (let no = 0; no < 3; no++) {
    const path = join(folder.root, `m-0000${no + 1}-of-00003.gguf`);
    await Deno.writeFile(path, partOfThree(no));
    paths.push(path);
  }
  const facts = await readSplitFacts(paths.toReversed());
  equal(facts.architecture, "llama");
  equal(facts.splitCount, 3);
  equal(facts.tensorCount, 3);
  equal(facts.weightsBytes, 3 * 512);
  deepEqual(facts.blockBytes, [512, 512, 512]);
  checkServable(facts, "m.gguf");
  await rejects(readSplitFacts([paths[0]!]), ggufRefusal("part_missing", /3 parts, and 2, 3 are/));
  await rejects(readSplitFacts([paths[1]!, paths[2]!]), ggufRefusal("part_missing", /and 1 is/));
  await rejects(readSplitFacts([...paths, paths[1]!]), ggufRefusal("corrupt", /belong together/));
  const whole = join(folder.root, "hello.gguf");
  await Deno.writeFile(whole, HELLO);
  equal((await readSplitFacts([whole])).weightsBytes, parseBytes(HELLO).weightsBytes);
});

Deno.test("checkServable() says what else to choose", () => {
  const projector = parseBytes(ggufFile({ "general.architecture": { string: "clip" } }));
  throws(() => checkServable(projector, "mmproj.gguf"), ggufRefusal("projector", /"mmproj\.gguf"/));
  const adapter = parseBytes(ggufFile({ "general.type": { string: "adapter" } }));
  throws(() => checkServable(adapter, "lora.gguf"), ggufRefusal("adapter"));
  throws(
    () => checkServable(parseBytes(partOfThree(1)), "m"),
    ggufRefusal("not_servable", /part 2 of 3/),
  );
  const t5 = parseBytes(ggufFile({ "general.architecture": { string: "t5" } }));
  throws(() => checkServable(t5, "t5.gguf"), ggufRefusal("not_servable"));
  checkServable(parseBytes(HELLO), "hello.gguf");
});

function partOfThree(no: number): Uint8Array<ArrayBuffer> {
  const bytes = ggufFile({
    "split.no": { u32: no },
    "split.count": { u32: 3 },
    "split.tensors.count": { i32: 3 },
  }, [{ name: `blk.${no}.attn_q.weight`, dimensions: [32, 4] }]);
  // Later parts do not repeat what the model is.
  if (no > 0) {
    bytes.set(new TextEncoder().encode("ignored"), indexOf(bytes, "general.architecture"));
  }
  return bytes;
}
