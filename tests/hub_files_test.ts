import assert from "node:assert/strict";
import fc from "fast-check";
import { AppError } from "../src/errors.ts";
import { familyOf, groupHubFiles, type HubFile } from "../src/models/hub_files.ts";
import { checkHubPath, isHubPath, isRepoName, searchTextOf } from "../src/models/hub_names.ts";
import { quantizationLabelOf } from "../src/models/hub_quantization.ts";
import { HOSTILE_NAMES, hostileName } from "./support/hostile_names.ts";

function files(...paths: string[]): HubFile[] {
  return paths.map((path, index) => ({ path, sizeBytes: 1000 + index, sha256: null }));
}

function groups(...paths: string[]) {
  return groupHubFiles(files(...paths)).map(({ file, id, quantization, parts, projector }) => [
    file,
    id,
    quantization,
    parts.length,
    projector?.path ?? null,
  ]);
}

Deno.test("quantizationLabelOf() takes the last label of a name, in any writing", () => {
  const labels: Record<string, string | null> = {
    "Qwen3-4B-Instruct-2507-Q4_K_M.gguf": "Q4_K_M",
    "gemma-3-4b-it-qat-q4_0-Q4_K_M.gguf": "Q4_K_M",
    "gemma-3-4b-it-qat-q4_0.gguf": "Q4_0",
    "Qwen3-30B-A3B-UD-Q4_K_XL.gguf": "UD-Q4_K_XL",
    "model-UD-IQ2_XXS.gguf": "UD-IQ2_XXS",
    "DeepSeek-UD-TQ1_0.gguf": "UD-TQ1_0",
    "gpt-oss-20b-mxfp4.gguf": "MXFP4",
    "gpt-oss-20b-MXFP4_MOE.gguf": "MXFP4_MOE",
    "x.IQ4_NL_XL.gguf": "IQ4_NL_XL",
    "x-Q4_K_L.gguf": "Q4_K_L",
    "x-Q8_K_XL.gguf": "Q8_K_XL",
    "x-Q6_K_L.gguf": "Q6_K_L",
    "x-Q2_K.gguf": "Q2_K",
    "x-Q3_K_S.gguf": "Q3_K_S",
    "x-IQ3_M.gguf": "IQ3_M",
    "x_q5_1.gguf": "Q5_1",
    "x-nvfp4.gguf": "NVFP4",
    "x-Q4_0_4_8.gguf": "Q4_0_4_8",
    "nomic-embed-text-v1.5.f16.gguf": "F16",
    "Phi-3-mini-4k-instruct-fp16.gguf": "F16",
    "Phi-3-mini-4k-instruct-q4.gguf": "Q4",
    "Q4_K_M/model-00001-of-00003.gguf": "Q4_K_M",
    "x-BF16-00001-of-00002.gguf": "BF16",
    "qwen2.5-coder-7b-instruct-q4_k_m.gguf": "Q4_K_M",
    "SmolVLM-500M-Instruct-Q8_0.gguf": "Q8_0",
    "llama-7b.gguf": null,
    "Q4model.gguf": null,
    "xQ4_K_M.gguf": null,
  };
  for (const [name, label] of Object.entries(labels)) {
    assert.equal(quantizationLabelOf(name), label, name);
  }
});

Deno.test("groupHubFiles() puts the parts of a split model together, by folder", () => {
  assert.deepEqual(
    groups(
      "Q8_0/big-Q8_0-00002-of-00002.gguf",
      "Q8_0/big-Q8_0-00001-of-00002.gguf",
      "Q4_K_M/big-Q4_K_M-00001-of-00002.gguf",
      "Q4_K_M/big-Q4_K_M-00002-of-00002.gguf",
      "big-IQ1_S.gguf",
      "README.md",
      ".gitattributes",
    ),
    [
      ["big-IQ1_S.gguf", "big-IQ1_S", "IQ1_S", 1, null],
      ["Q8_0/big-Q8_0-00001-of-00002.gguf", "big-Q8_0", "Q8_0", 2, null],
      ["Q4_K_M/big-Q4_K_M-00001-of-00002.gguf", "big-Q4_K_M", "Q4_K_M", 2, null],
    ],
  );
});

Deno.test("groupHubFiles() leaves out what cannot be loaded as it lies there", () => {
  assert.deepEqual(
    groups(
      // A part is missing, or there twice.
      "a-00001-of-00003.gguf",
      "a-00003-of-00003.gguf",
      "b-00001-of-00002.gguf",
      "b-00001-of-99999.gguf",
      // Raw pieces that have to be put together first.
      "c.gguf-split-a",
      "c.gguf-split-b",
      "d.gguf.part1of2",
      // Never a main model.
      "imatrix.gguf",
      "Model-imatrix.gguf",
      "model.imatrix.gguf_file",
      "imatrix_unsloth.dat",
      "mtp-model-Q8_0.gguf",
      "eagle3-model.gguf",
      "dflash-model.gguf",
      "dspark-model.gguf",
      "model-f16-LoRA.gguf",
      "model-vocab.gguf",
      "mmproj-F16.gguf",
      "model.safetensors",
    ),
    [],
  );
});

Deno.test("groupHubFiles() gives a vision model its projector: nearest folder, own name, F16 first", () => {
  assert.deepEqual(
    groups("m-Q4_K_M.gguf", "mmproj-F32.gguf", "mmproj-BF16.gguf", "mmproj-F16.gguf"),
    [["m-Q4_K_M.gguf", "m-Q4_K_M", "Q4_K_M", 1, "mmproj-F16.gguf"]],
  );
  assert.deepEqual(
    groups("m-Q4_K_M.gguf", "mmproj-model-Q8_0.gguf", "mmproj-model-bf16.gguf").at(0)?.at(-1),
    "mmproj-model-bf16.gguf",
  );
  assert.deepEqual(
    groups("Q4_K_M/m-Q4_K_M.gguf", "mmproj-F16.gguf", "Q4_K_M/mmproj-Q8_0.gguf").at(0)?.at(-1),
    "Q4_K_M/mmproj-Q8_0.gguf",
  );
  // Two models in one repository.
  assert.deepEqual(
    groups(
      "vl-2b-Q4_K_M.gguf",
      "vl-7b-Q4_K_M.gguf",
      "mmproj-vl-2b-f16.gguf",
      "mmproj-vl-7b-f16.gguf",
    ).map((row) => [row[1], row[4]]),
    [["vl-2b-Q4_K_M", "mmproj-vl-2b-f16.gguf"], ["vl-7b-Q4_K_M", "mmproj-vl-7b-f16.gguf"]],
  );
  // A projector of another name in a repository of one model can only be this model's.
  assert.deepEqual(
    groups("SmolVLM-Q8_0.gguf", "mmproj-something-else-f16.gguf").at(0)?.at(-1),
    "mmproj-something-else-f16.gguf",
  );
});

Deno.test("familyOf() is the same for all quantizations of a model, and another one for another model", () => {
  const family = (...paths: string[]) =>
    new Set(groupHubFiles(files(...paths)).map((model) => familyOf(model)));
  assert.equal(
    family(
      "Big-Q4_K_M.gguf",
      "Big-UD-Q4_K_XL.gguf",
      "big-f16.gguf",
      "Q8_0/Big-Q8_0-00001-of-00001.gguf",
    ).size,
    1,
  );
  assert.equal(family("coder-1.5b-q4_k_m.gguf", "coder-7b-q4_k_m.gguf").size, 2);
});

Deno.test("groupHubFiles() drops hostile names and says so; checkHubPath() refuses them", () => {
  const refused: string[] = [];
  const hostile = HOSTILE_NAMES.filter((name) => name !== "").flatMap((
    name,
  ) => [`${name}.gguf`, `${name}/model.gguf`]);
  const found = groupHubFiles(files(...hostile, "good.gguf"), {
    onRefused: (path) => refused.push(path),
  });
  for (const { file } of found) assert.ok(isHubPath(file), JSON.stringify(file));
  assert.ok(found.some(({ file }) => file === "good.gguf"));
  assert.ok(refused.length > 80, `${refused.length}`);
  for (const path of ["../x.gguf", "/etc/passwd", "a/../../b.gguf", "CON.gguf", "a\\b.gguf", ""]) {
    assert.throws(() => checkHubPath(path), (error) => {
      assert.ok(error instanceof AppError);
      assert.equal(error.code, "file_name_refused");
      assert.doesNotMatch(error.message, /\.$/);
      return true;
    });
  }
});

Deno.test("groupHubFiles() survives any names, and groups only sound ones", () => {
  fc.assert(
    fc.property(fc.array(hostileName(), { maxLength: 40 }), (names) => {
      const paths = names.flatMap((name) => [name, `${name}.gguf`, `a/${name}-mmproj-F16.gguf`]);
      for (const { file, id, parts } of groupHubFiles(files(...paths))) {
        assert.ok(isHubPath(file) && parts.length > 0);
        assert.doesNotMatch(id, /[/\\]|^\./);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("groupHubFiles() takes a huge listing in a moment", () => {
  const many = Array.from({ length: 20_000 }, (_, n) => [
    `m${n}-Q4_K_M.gguf`,
    `mmproj-m${n}-f16.gguf`,
    `split-${String(n + 1).padStart(5, "0")}-of-20000.gguf`,
  ]).flat();
  const startMs = performance.now();
  const found = groupHubFiles(files(...many));
  assert.ok(found.length > 100);
  assert.ok(performance.now() - startMs < 3000, `${performance.now() - startMs} ms`);
});

Deno.test("isRepoName() takes org/name alone", () => {
  for (const name of ["org/name", "Qwen/Qwen3-0.6B-GGUF", "a/b", "mistralai/Devstral_gguf"]) {
    assert.ok(isRepoName(name), name);
  }
  const long = "a".repeat(97);
  for (
    const name of [
      ...["", "name", "a/b/c", "../b", "a/..", "a/b..c", "a/.b", "-a/b", "a /b", "a/b?x", "a/b#"],
      ...[`${long}/b`, `a/${long}`, "a/b\n", "a%2fb/c", "ক/খ", "a/b/", "/a/b", "a\\b"],
    ]
  ) {
    assert.ok(!isRepoName(name), JSON.stringify(name));
  }
});

Deno.test("searchTextOf() takes a pasted page for its repository", () => {
  assert.equal(searchTextOf(" qwen 4b "), "qwen 4b");
  assert.equal(searchTextOf("https://huggingface.co/org/name/tree/main"), "org/name");
  assert.equal(searchTextOf("hf.co/org/name:Q4_K_M"), "org/name");
  assert.equal(searchTextOf("https://huggingface.co/org/name?x=1"), "org/name");
});
