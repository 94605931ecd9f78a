// Our reader of GGUF headers and the Hub's own agree on what a file says. That one is a package for
// tests alone: it keeps whatever a header claims in memory, and ours may not.

import assert from "node:assert/strict";
import { gguf } from "@huggingface/gguf";
import { createLog } from "../src/log.ts";
import { TENSOR_TYPES, tensorBytes } from "../src/models/gguf_types.ts";
import { buildTestModel } from "../src/models/hello_model.ts";
import { Hub } from "../src/models/hub.ts";
import { groupHubFiles } from "../src/models/hub_files.ts";
import { HubHeaders } from "../src/models/hub_headers.ts";
import { EMBEDDING_MODEL, helloBytes, THINKING_MODEL, TOOL_MODEL } from "./support/gguf_files.ts";
import { TestHub } from "./support/hub.ts";
import { bytesContent, ggufContent, type HubContent } from "./support/hub_content.ts";
import { type FormatName, FORMATS, layOutLlama, LLAMA_TINY } from "./support/remote_models.ts";

function written(): Record<string, HubContent> {
  const files: Record<string, HubContent> = { "hello.gguf": bytesContent(helloBytes()) };
  for (const options of [EMBEDDING_MODEL, THINKING_MODEL, TOOL_MODEL]) {
    files[`${options.name}.gguf`] = bytesContent(buildTestModel(options));
  }
  for (const format of Object.keys(FORMATS) as FormatName[]) {
    files[`tiny-${format}.gguf`] = ggufContent(layOutLlama(LLAMA_TINY, { format })[0]!);
  }
  const [first] = layOutLlama({ ...LLAMA_TINY, vocabulary: 50_000 }, { format: "Q6_K" });
  files["large-header.gguf"] = ggufContent(first!);
  return files;
}

Deno.test("@huggingface/gguf and our own reader say the same of every file that the tests write", async () => {
  await using hub = await TestHub.start();
  const files = written();
  hub.add("org/m", { files });
  using client = new Hub({
    endpoint: hub.endpoint,
    token: null,
    downloadHosts: [hub.downloadHost],
    log: createLog({ part: "hub", level: "error", write() {} }),
  });
  const info = await client.repo("org/m");
  const headers = new HubHeaders(client);
  const models = groupHubFiles(info.files);
  assert.equal(models.length, Object.keys(files).length);
  for (const model of models) {
    const ours = await headers.factsOf(info, model);
    const theirs = await gguf(`${hub.endpoint}/org/m/resolve/main/${model.file}`);
    assert.equal(ours.headerBytes, Number(theirs.tensorDataOffset), model.file);
    assert.equal(ours.tensorCount, theirs.tensorInfos.length, model.file);
    const sizes = theirs.tensorInfos.map(({ name, dtype, shape }) => ({
      name,
      bytes: tensorBytes(TENSOR_TYPES.get(dtype)!, shape.map(Number))!,
    }));
    const sum = (test: RegExp) =>
      sizes.reduce((total, { name, bytes }) => total + (test.test(name) ? bytes : 0), 0);
    assert.equal(ours.weightsBytes, sum(/^/), model.file);
    assert.equal(ours.tokenEmbeddingBytes, sum(/^token_embd\.weight$/), model.file);
    for (const [layer, bytes] of ours.blockBytes.entries()) {
      assert.equal(bytes, sum(new RegExp(`^blk\\.${layer}\\.`)), model.file);
    }
    const said: Record<string, unknown> = { ...theirs.metadata };
    assert.ok(ours.metadata.size > 5, model.file);
    for (const [key, value] of ours.metadata) {
      const other = said[key];
      const plain = typeof other === "bigint" ? Number(other) : other;
      assert.deepEqual(value, plain, `${model.file}: ${key}`);
    }
    const tokens = said["tokenizer.ggml.tokens"];
    assert.equal(ours.vocabSize, Array.isArray(tokens) ? tokens.length : null, model.file);
    assert.equal(ours.contextLength, said[`${ours.architecture}.context_length`], model.file);
    assert.equal(ours.blockCount, said[`${ours.architecture}.block_count`], model.file);
  }
});
