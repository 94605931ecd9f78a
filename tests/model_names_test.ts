import assert from "node:assert/strict";

import fc from "fast-check";

import { AppError } from "../src/errors.ts";
import {
  isModelId,
  modelIdOf,
  type NamedModel,
  resolveModelName,
  sortedForListing,
  splitNameOf,
} from "../src/models/model_names.ts";
import { hostileName } from "./support/hostile_names.ts";

function named(id: string, change: Partial<NamedModel> = {}): NamedModel {
  return { id, aliases: [], builtin: false, repo: null, quantization: null, ...change };
}

const HELLO = named("hello", { builtin: true });

function idOf(requested: string | null | undefined, candidates: NamedModel[]): string {
  return resolveModelName(requested, candidates).id;
}

function missing(requested: string, candidates: NamedModel[]): AppError {
  try {
    resolveModelName(requested, candidates);
  } catch (error) {
    assert.ok(error instanceof AppError);
    assert.equal(error.code, "model_not_found");
    return error;
  }
  throw new Error(`"${requested}" was resolved`);
}

Deno.test("modelIdOf() is the file's name without extension and split number", () => {
  const names: [string, string | null][] = [
    ["Phi-3-mini-4k-instruct-q4.gguf", "Phi-3-mini-4k-instruct-q4"],
    ["Upper.GGUF", "Upper"],
    ["big-00001-of-00003.gguf", "big"],
    ["big-00003-of-00003.gguf", "big"],
    ["big-00004-of-00003.gguf", "big-00004-of-00003"],
    ["v1.5.Q4_K_M.gguf", "v1.5.Q4_K_M"],
    ["বাংলা.gguf", "বাংলা"],
    ["e\u0301.gguf", "\u00E9"],
    ["notes.txt", null],
    ["model.gguf.part", null],
    [".gguf", null],
    ["._model.gguf", null],
    ["-option.gguf", null],
    ["line\nbreak.gguf", null],
    ["\u202Efugg.gguf", null],
    ["a\\b.gguf", null],
    [" .gguf", null],
  ];
  for (const [file, id] of names) assert.equal(modelIdOf(file), id, JSON.stringify(file));
});

Deno.test("splitNameOf() reads part and total", () => {
  const name = splitNameOf("big-00002-of-00003.gguf");
  assert.deepEqual(name, { base: "big", part: 2, total: 3 });
  assert.equal(splitNameOf("big.gguf"), null);
  assert.equal(splitNameOf("big-00000-of-00003.gguf"), null);
});

Deno.test("resolveModelName() finds a model by each name that it answers to", () => {
  const candidates = [
    named("Phi-3", { aliases: ["gpt-4o-mini", "Mein Modell"] }),
    named("qwen:7b"),
    named("Qwen3-4B-Q4_K_M", { repo: "Qwen/Qwen3-4B-GGUF", quantization: "Q4_K_M" }),
    named("Qwen3-4B-Q8_0", { repo: "Qwen/Qwen3-4B-GGUF", quantization: "Q8_0" }),
    named("tiny", { repo: "org/tiny", quantization: "F16" }),
    named("\u00E9te\u0301".normalize("NFC")),
    named("বাংলা"),
    HELLO,
  ];
  const names: [string, string][] = [
    ["Phi-3", "Phi-3"],
    ["Phi-3:latest", "Phi-3"],
    ["phi-3", "Phi-3"],
    ["PHI-3:LATEST", "Phi-3"],
    ["gpt-4o-mini", "Phi-3"],
    ["gpt-4o-mini:latest", "Phi-3"],
    ["GPT-4O-mini", "Phi-3"],
    ["mein modell", "Phi-3"],
    ["qwen:7b", "qwen:7b"],
    ["hf.co/Qwen/Qwen3-4B-GGUF:Q8_0", "Qwen3-4B-Q8_0"],
    ["hf.co/qwen/qwen3-4b-gguf:q4_k_m", "Qwen3-4B-Q4_K_M"],
    ["huggingface.co/Qwen/Qwen3-4B-GGUF:Qwen3-4B-Q8_0.gguf", "Qwen3-4B-Q8_0"],
    ["hf.co/org/tiny", "tiny"],
    ["hf.co/org/tiny:latest", "tiny"],
    ["e\u0301te\u0301", "\u00E9t\u00E9"],
    ["বাংলা", "বাংলা"],
    ["hello", "hello"],
    ["Hello:latest", "hello"],
  ];
  for (const [requested, id] of names) assert.equal(idOf(requested, candidates), id, requested);
});

Deno.test("resolveModelName() never answers with another model than the one asked for", () => {
  const candidates = [
    named("Foo", { aliases: ["both", "mine"] }),
    named("foo", { aliases: ["BOTH"] }),
    named("bar", { aliases: ["both", "Foo"] }),
    named("a-Q4_K_M", { repo: "org/a", quantization: "Q4_K_M" }),
    named("a-Q8_0", { repo: "org/a", quantization: "Q8_0" }),
    HELLO,
  ];
  assert.equal(idOf("Foo", candidates), "Foo");
  assert.equal(idOf("foo", candidates), "foo");
  const unknown = [
    "FOO",
    "both",
    "fo",
    "foo2",
    "foo:7b",
    "Foo.gguf",
    "mine2",
    "hf.co/org/a",
    "hf.co/org/a:Q5_K_M",
    "hf.co/org/b:Q4_K_M",
    "hf.co/org/a:",
    "hf.co/org/a/b:Q4_K_M",
    "org/a:Q4_K_M",
    "a",
    " foo",
    ":latest",
    "./foo",
    "/foo",
  ];
  for (const requested of unknown) missing(requested, candidates);
});

Deno.test("resolveModelName() names what exists for an unknown model, at most twenty", () => {
  const few = missing("nope", [HELLO, named("b"), named("a")]);
  assert.equal(few.status, 404);
  assert.equal(few.message, 'Cannot find the model "nope". Ask for one of "a", "b", "hello"');
  assert.deepEqual(few.values, { model: "nope" });
  const many = missing("nope", Array.from({ length: 33 }, (_, n) => named(`m${n}`)));
  assert.equal(many.message.match(/"m\d+"/g)?.length, 20);
  assert.match(many.message, / and 13 more$/);
  const none = missing("nope\n", []).message;
  assert.match(none, /^Cannot find the model "nope\\n"\. Ask for a model after copying its GGUF/);
  assert.ok(missing("x".repeat(1_000_000), []).message.length < 300);
});

Deno.test("resolveModelName() takes the only installed model where none is named, never hello", () => {
  for (const requested of [undefined, null, ""]) {
    assert.equal(idOf(requested, [HELLO, named("only")]), "only");
    for (const candidates of [[], [HELLO], [named("a"), named("b")]]) {
      assert.throws(
        () => resolveModelName(requested, candidates),
        (error) =>
          error instanceof AppError && error.code === "model_required" && error.status === 400,
      );
    }
  }
});

Deno.test("resolveModelName() matches no hostile name, and an ID is never a path", () => {
  const candidates = [named("phi", { aliases: ["gpt"], repo: "org/phi" }), HELLO];
  fc.assert(
    fc.property(hostileName(), (name) => {
      if (name === "") return;
      missing(name, candidates);
      const id = modelIdOf(`${name}.gguf`);
      if (id === null) return;
      assert.ok(isModelId(id));
      assert.doesNotMatch(id, /[/\\\p{Cc}]|^\.|^-/u);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("sortedForListing() puts the built-in model last", () => {
  const ids = sortedForListing([HELLO, named("z"), named("a")]).map((model) => model.id);
  assert.deepEqual(ids, ["a", "z", "hello"]);
});
