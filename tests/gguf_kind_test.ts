import { deepEqual, equal, ok } from "node:assert/strict";
import type { GgufKind } from "../src/models/gguf_kind.ts";
import type { GgufTensor, GgufValue } from "../src/models/gguf_writer.ts";
import { buildTestModel } from "../src/models/hello_model.ts";
import {
  EMBEDDING_MODEL,
  ggufFile,
  parseBytes,
  THINKING_MODEL,
  TOOL_MODEL,
} from "./support/gguf_files.ts";

const TEMPLATE: Record<string, GgufValue> = { "tokenizer.chat_template": { string: "{{ x }}" } };
const KINDS: [GgufKind, Record<string, GgufValue>, GgufTensor[]?][] = [
  ["chat", TEMPLATE],
  ["completion", {}],
  ["embedding", { "general.architecture": { string: "nomic-bert" } }],
  ["embedding", {
    ...TEMPLATE,
    "general.architecture": { string: "qwen3" },
    ".pooling_type": { u32: 3 },
  }],
  ["embedding", { ...TEMPLATE, ".attention.causal": { bool: false } }],
  ["chat", { ...TEMPLATE, ".pooling_type": { u32: 0 } }],
  ["rerank", { "general.architecture": { string: "bert" }, ".pooling_type": { u32: 4 } }],
  ["rerank", { ".classifier.output_labels": { u32: 1 } }],
  ["rerank", { "general.architecture": { string: "jina-bert-v2" } }, [{
    name: "cls.weight",
    dimensions: [4],
  }]],
  ["projector", { "general.architecture": { string: "clip" } }],
  ["projector", { ...TEMPLATE, "general.type": { string: "mmproj" } }],
  ["adapter", { "general.type": { string: "adapter" } }],
  ["other", { "general.type": { string: "imatrix" } }],
  ["other", {
    ...TEMPLATE,
    "general.architecture": { string: "llada" },
    ".attention.causal": { bool: false },
  }],
  ["other", { "general.architecture": { string: "t5" } }],
  ["other", TEMPLATE, []],
];

Deno.test("parseGguf() tells what a file is for", () => {
  for (const [kind, metadata, tensors] of KINDS) {
    equal(parseBytes(ggufFile(metadata, tensors)).kind, kind, JSON.stringify(metadata));
  }
});

Deno.test("parseGguf() tells tools and thinking from the chat template", () => {
  deepEqual(parseBytes(buildTestModel(TOOL_MODEL)).capabilities, ["chat", "completion", "tools"]);
  deepEqual(parseBytes(buildTestModel(THINKING_MODEL)).capabilities, [
    "chat",
    "completion",
    "thinking",
  ]);
  deepEqual(parseBytes(buildTestModel(EMBEDDING_MODEL)).capabilities, ["embedding"]);
  const sees = ggufFile({ "general.architecture": { string: "clip" } });
  deepEqual(parseBytes(sees).capabilities, ["vision"]);
  const hears = ggufFile({
    "general.architecture": { string: "clip" },
    "clip.has_audio_encoder": { bool: true },
  });
  deepEqual(parseBytes(hears).capabilities, ["audio"]);
});

Deno.test("parseGguf() is not slowed down by a hostile chat template", () => {
  const startedAt = performance.now();
  parseBytes(ggufFile({ "tokenizer.chat_template": { string: "{%".repeat(128 * 1024) } }));
  ok(performance.now() - startedAt < 1000);
});
