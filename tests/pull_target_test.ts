import assert from "node:assert/strict";
import type { Badge, CatalogueRow, HubModel } from "../src/api_types.ts";
import { catalogueTarget, choiceOf } from "../src/cli/pull_target.ts";
import { failure } from "./support/failure.ts";

function model(quantization: string, level: Badge["level"] | null, sizeGb: number): HubModel {
  return {
    file: `m-${quantization}.gguf`,
    id: `m-${quantization}`,
    quantization,
    size_bytes: sizeGb * 1e9,
    parts: 1,
    projector: null,
    installed: false,
    fit: null,
    badge: level === null ? null : { level, code: "fits", values: {}, reason: "" },
  };
}

Deno.test("choiceOf() takes the largest of the best badge, and without badges the usual one", () => {
  const table: [models: HubModel[], quantization: string | undefined][] = [
    [[
      model("Q2_K", "recommended", 1),
      model("Q4_K_M", "recommended", 2),
      model("Q8_0", "compatible", 4),
    ], "Q4_K_M"],
    [[model("Q8_0", "compatible", 4), model("Q2_K", "compatible", 1)], "Q8_0"],
    [[model("Q2_K", null, 1), model("Q4_K_M", null, 2), model("Q8_0", null, 4)], "Q4_K_M"],
    [[model("Q2_K", null, 1), model("Q8_0", null, 4)], "Q8_0"],
    [[model("F16", null, 8), model("Q3_K_S", null, 1)], "Q3_K_S"],
    [[model("Q4_K_M", "not_recommended", 9), model("Q2_K", "not_recommended", 5)], "Q2_K"],
    [[], undefined],
  ];
  for (const [models, quantization] of table) {
    assert.equal(choiceOf(models)?.quantization, quantization);
  }
});

const ROWS = [
  {
    id: "qwen3-4b",
    name: "Qwen3 4B",
    repo: "Qwen/Qwen3-4B-GGUF",
    files: [model("Q4_K_M", "recommended", 2), model("Q8_0", "recommended", 4)],
    choice: 1,
  },
  {
    id: "huge",
    name: "Huge",
    repo: "o/huge",
    files: [model("Q2_K", "not_recommended", 90)],
    choice: null,
  },
] as unknown as CatalogueRow[];

Deno.test("catalogueTarget() finds by ID, name, quantization and file, and names near ones", () => {
  const table: [name: string, file: string][] = [
    ["qwen3-4b", "m-Q8_0.gguf"],
    ["QWEN3-4B:latest", "m-Q8_0.gguf"],
    ["Qwen3 4B", "m-Q8_0.gguf"],
    ["qwen3-4b:q4_k_m", "m-Q4_K_M.gguf"],
    ["m-q4_k_m", "m-Q4_K_M.gguf"],
    ["m-Q4_K_M.gguf", "m-Q4_K_M.gguf"],
    ["huge", "m-Q2_K.gguf"],
  ];
  for (const [name, file] of table) {
    assert.equal(catalogueTarget(ROWS, name).model.file, file, name);
  }
  for (
    const [name, message] of [
      ["qwen3-4c", /Did you mean "qwen3-4b"\?$/],
      ["qwen3-4b:q9", /Cannot find "qwen3-4b:q9" in the catalogue/],
      ["nothing", /Take any other model as hf\.co\/ORG\/REPO/],
    ] as const
  ) {
    const error = failure(() => catalogueTarget(ROWS, name));
    assert.equal(error.code, "model_not_found");
    assert.match(error.message, message);
  }
});
