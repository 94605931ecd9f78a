import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { join } from "node:path";
import { parseGguf, readGgufFacts } from "../src/models/gguf.ts";
import type { GgufTensor } from "../src/models/gguf_writer.ts";
import { fileTree } from "./support/file_tree.ts";
import { ggufFile, ggufRefusal, helloBytes, parseBytes } from "./support/gguf_files.ts";

const HELLO = helloBytes();

Deno.test("parseGguf() reads the smallest file of the format's description", () => {
  const hex = `47475546 03000000 0100000000000000 0200000000000000
    1400000000000000 67656e6572616c2e617263686974656374757265 08000000
    0500000000000000 6c6c616d61
    1100000000000000 67656e6572616c2e616c69676e6d656e74 04000000 20000000
    0100000000000000 74 01000000 0400000000000000 00000000 0000000000000000
    ${"00".repeat(25)} 0000803f 00000040 00004040 00008040`;
  const facts = parseBytes(Uint8Array.fromHex(hex.replaceAll(/\s/g, "")));
  equal(facts.version, 3);
  equal(facts.architecture, "llama");
  equal(facts.tensorCount, 1);
  equal(facts.weightsBytes, 16);
  equal(facts.headerBytes, 160);
  equal(facts.requiredFileBytes, 176);
  equal(facts.quantization, "F32");
});

Deno.test("parseGguf() reads what the test model's writer wrote", () => {
  const facts = parseBytes(HELLO);
  equal(facts.name, "hello");
  equal(facts.kind, "chat");
  deepEqual(facts.capabilities, ["chat", "completion"]);
  equal(facts.contextLength, 8192);
  equal(facts.embeddingLength, 64);
  equal(facts.blockCount, 1);
  deepEqual(facts.headCount, [2]);
  deepEqual(facts.headCountKv, [1]);
  equal(facts.keyLength, 32);
  equal(facts.vocabSize, facts.metadata.get("llama.vocab_size"));
  equal(facts.quantization, "F32");
  equal(facts.tokenEmbeddingBytes, facts.vocabSize! * 64 * 4);
  ok(facts.hasOutputTensor);
  equal(facts.headerBytes + facts.weightsBytes, HELLO.length);
  equal(facts.requiredFileBytes, HELLO.length);
});

Deno.test("parseGguf() fills in what the format leaves out", () => {
  const facts = parseBytes(ggufFile({
    ".block_count": { u32: 3 },
    ".embedding_length": { u32: 512 },
    ".attention.head_count": { u32: 8 },
    ".feed_forward_length": { u32s: [1024, 4096, 2048] },
    "general.file_type": { u32: 15 + 1024 },
    "general.size_label": { string: "8x7B" },
    "tokenizer.ggml.tokens": { strings: ["a", "b", "c"] },
    ".expert_count": { u32: 8 },
    ".expert_used_count": { u64: 2 },
    ".attention.sliding_window": { i32: 4096 },
  }, [
    { name: "token_embd.weight", dimensions: [256, 3], typeId: 12 },
    { name: "blk.0.ffn_up_exps.weight", dimensions: [256, 4, 8], typeId: 14 },
    { name: "blk.2.attn_q.weight", dimensions: [256, 2], typeId: 14 },
  ]));
  deepEqual(facts.headCount, [8, 8, 8]);
  deepEqual(facts.headCountKv, [8, 8, 8]);
  equal(facts.keyLength, 64);
  equal(facts.valueLength, 64);
  equal(facts.feedForwardLength, 4096);
  equal(facts.vocabSize, 3);
  equal(facts.quantization, "Q4_K_M");
  equal(facts.sizeLabel, "8x7B");
  equal(facts.expertCount, 8);
  equal(facts.expertUsedCount, 2);
  equal(facts.slidingWindow, 4096);
  equal(facts.contextLength, null);
  equal(facts.tokenEmbeddingBytes, 3 * 144);
  equal(facts.expertBytes, 32 * 210);
  deepEqual(facts.blockBytes, [32 * 210, 0, 2 * 210]);
  equal(facts.weightsBytes, 3 * 144 + 34 * 210);
  equal(facts.hasOutputTensor, false);
});

Deno.test("parseGguf() gives each layer its own number of heads", () => {
  const facts = parseBytes(ggufFile({
    ".block_count": { u32: 4 },
    ".embedding_length": { u32: 256 },
    ".attention.head_count": { u32: 4 },
    ".attention.head_count_kv": { i32s: [0, 2, 0, 2] },
    ".attention.sliding_window_pattern": { bools: [true, false, true, false] },
  }));
  deepEqual(facts.headCountKv, [0, 2, 0, 2]);
  deepEqual(facts.metadata.get("llama.attention.sliding_window_pattern"), [1, 0, 1, 0]);
});

Deno.test("parseGguf() names the most used number format where the file has no label", () => {
  const tensors: GgufTensor[] = [
    { name: "a", dimensions: [256, 8], typeId: 14 },
    { name: "b", dimensions: [256, 64], typeId: 12 },
    { name: "c", dimensions: [64] },
  ];
  equal(parseBytes(ggufFile({}, tensors)).quantization, "Q4_K");
  equal(parseBytes(ggufFile({ "general.file_type": { u32: 999 } }, tensors)).quantization, "Q4_K");
  equal(parseBytes(ggufFile({ "general.file_type": { u32: 7 } }, tensors)).quantization, "Q8_0");
});

Deno.test("parseGguf() keeps a long chat template and passes over what is longer", () => {
  const template = "বাংলা ".repeat(10_000);
  const facts = parseBytes(ggufFile({
    "tokenizer.chat_template": { string: template },
    "general.license": { string: "x".repeat(100_000) },
    "general.url": { string: "after it" },
  }));
  equal(facts.chatTemplate, template);
  ok(!facts.metadata.has("general.license"));
  equal(facts.metadata.get("general.url"), "after it");
  const endless = parseBytes(ggufFile({ "tokenizer.chat_template": { string: "y".repeat(3e6) } }));
  equal(endless.chatTemplate?.length, 256 * 1024);
});

Deno.test("parseGguf() never keeps a tokenizer and never reads more than a mebibyte at once", () => {
  const tokens = Array.from({ length: 150_000 }, (_, index) => `token ${index}`);
  const bytes = ggufFile({
    "tokenizer.ggml.tokens": { strings: tokens },
    "tokenizer.ggml.scores": { f32s: tokens.map(() => 0) },
    "general.name": { string: "big" },
  });
  const reads: number[] = [];
  const facts = parseGguf({
    size: bytes.length,
    read(offset, length) {
      reads.push(length);
      return bytes.slice(offset, offset + length);
    },
  }, { file: "x.gguf" });
  equal(facts.vocabSize, 150_000);
  equal(facts.name, "big");
  deepEqual([...facts.metadata.keys()], ["general.architecture", "general.name"]);
  ok(Math.max(...reads) <= 1024 * 1024);
});

Deno.test("readGgufFacts() reads a file and refuses links, folders and devices", async () => {
  await using folder = await fileTree();
  const path = join(folder.root, "hello.gguf");
  await Deno.writeFile(path, HELLO);
  equal((await readGgufFacts(path)).name, "hello");
  const link = join(folder.root, "link.gguf");
  await Deno.symlink(path, link);
  await rejects(readGgufFacts(link), ggufRefusal("not_a_file", /"link\.gguf"/));
  await rejects(readGgufFacts(folder.root), ggufRefusal("not_a_file"));
  await rejects(readGgufFacts("/dev/zero"), ggufRefusal("not_a_file"));
  await rejects(readGgufFacts(join(folder.root, "none.gguf")), Deno.errors.NotFound);
});
