// The parts of Ollama's dialect that only turn words into others: names, contexts, sizes, what a name
// that is not installed means.

import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import fc from "fast-check";
import { contextOf, type Turn, turnsIn } from "../src/gateway/ollama_context.ts";
import { detailsOf, modelfileText, parametersText } from "../src/gateway/ollama_details.ts";
import { idFromName, listedName, listedNames, plainName } from "../src/gateway/ollama_names.ts";
import { readOptions, settingsFrom, withDefaults } from "../src/gateway/ollama_options.ts";
import { findOnHub, findWanted, type PullSources } from "../src/gateway/ollama_wanted.ts";
import { ggufFile, parseBytes } from "./support/gguf_files.ts";

Deno.test("names of Ollama's become names of files, and are shown with a tag", () => {
  const table: [name: string, id: string, listed: string][] = [
    ["hello", "hello", "hello:latest"],
    ["hello:latest", "hello", "hello:latest"],
    ["llama3.2:3b", "llama3.2-3b", "llama3.2:3b"],
    ["jo/mario", "mario--jo", "jo/mario:latest"],
    ["example.com/jo/mario:v1", "mario-v1--jo--example.com", "example.com/jo/mario:v1"],
    ["localhost:5000/mario", "mario--localhost:5000", "localhost:5000/mario:latest"],
  ];
  for (const [name, id, listed] of table) {
    deepEqual([idFromName(name), listedName(name)], [id, listed], name);
  }
  equal(plainName(" hello:LATEST "), "hello");
  deepEqual(listedNames("mario--jo", ["jo/mario", "gpt-4o"]), ["jo/mario:latest", "gpt-4o:latest"]);
  deepEqual(listedNames("mario", ["gpt-4o:x"]), ["mario:latest", "gpt-4o:x"]);
});

Deno.test("turnsIn() reads what contextOf() wrote, in numbers that fit 32 bits", () => {
  const turn = fc.record({
    role: fc.constantFrom<Turn["role"]>("user", "assistant"),
    content: fc.string({ unit: "binary" }),
  });
  fc.assert(fc.property(fc.array(turn), (turns) => {
    const context = contextOf(turns)!;
    deepEqual(turnsIn(context), turns);
    equal(context.every((number) => number >= 0 && number < 2 ** 24), true);
  }));
  deepEqual(turnsIn([]), []);
  equal(contextOf([{ role: "user", content: "x".repeat(300_000) }]), null);
});

Deno.test("turnsIn() refuses what it did not write, whatever that is", () => {
  const [mark] = contextOf([])!;
  fc.assert(fc.property(fc.array(fc.anything(), { minLength: 1 }), (list) => {
    throws(() => turnsIn(list), /another server made it/);
    throws(() => turnsIn([mark, ...list.map(() => 7)]), /another server made it/);
  }));
  for (const json of ["{}", "[7]", '[{"role":"system","content":"x"}]', '[{"role":"user"}]']) {
    const numbers = [...new TextEncoder().encode(json.padEnd(Math.ceil(json.length / 3) * 3))];
    const packed = [mark!];
    for (let at = 0; at < numbers.length; at += 3) {
      packed.push(numbers[at]! | numbers[at + 1]! << 8 | numbers[at + 2]! << 16);
    }
    throws(() => turnsIn(packed), /another server made it/, json);
  }
});

Deno.test("readOptions() tells what is for the request and what for the load", () => {
  deepEqual(readOptions(null), { sampling: {}, load: {} });
  deepEqual(
    readOptions({
      num_ctx: 4096.9,
      num_gpu: -1,
      num_thread: 0,
      num_batch: 64,
      temperature: 0,
      num_predict: -2,
      seed: -1,
      top_k: null,
      main_gpu: 1,
      mirostat: 2,
      __proto__: { top_p: 1 },
    }),
    { sampling: { temperature: 0 }, load: { contextTokens: 4096, batchTokens: 64 } },
  );
  deepEqual(withDefaults({ seed: 1 }, { max_tokens: -1, top_k: 3 }), {
    ...withDefaults({}, {}),
    seed: 1,
    top_k: 3,
  });
  const kept = settingsFrom({ n_predict: 3, n_keep: 4, typical_p: 0.5, stop: ["x"] });
  deepEqual(kept, { max_tokens: 3, typical_p: 0.5, stop: ["x"] });
  const wrong: [name: string, value: unknown, words: string][] = [
    ["num_ctx", "4096", 'option "num_ctx" must be of type integer'],
    ["temperature", true, 'option "temperature" must be of type float32'],
    ["stop", "x", 'option "stop" must be of type array'],
    ["use_mmap", 1, 'option "use_mmap" must be of type boolean'],
    ["num_ctx", 1e300, 'option "num_ctx" must be from 16 to 16777216'],
  ];
  for (const [name, value, message] of wrong) {
    throws(() => readOptions({ [name]: value }), { message });
  }
});

Deno.test("detailsOf() counts parameters where the header does not", () => {
  const size = (metadata: Parameters<typeof ggufFile>[0]) =>
    detailsOf({ facts: parseBytes(ggufFile(metadata)) }).parameter_size;
  const counts: [count: number, size: string][] = [
    [8_030_261_248, "8.0B"],
    [596_049_920, "596.05M"],
    [58_816, "58.82K"],
  ];
  for (const [u32, text] of counts) {
    // More than 32 bits hold.
    const value = u32 < 2 ** 32 ? { u32 } : { u64: u32 };
    equal(size({ "general.parameter_count": value as { u32: number } }), text);
  }
  equal(size({}), "0.13K", "32 x 4 numbers of 4 bytes");
  const { quantization_level, family } = detailsOf({ facts: null });
  deepEqual([quantization_level, family], ["unknown", ""]);
});

Deno.test("a Modelfile's text names what was chosen, in order", () => {
  const parameters = parametersText({ top_k: 3, max_tokens: 5, stop: ["b", "a"] });
  const lines = parameters.split("\n").map((line) => line.replace(/ +/, " "));
  deepEqual(lines, ["num_predict 5", 'stop "b"', 'stop "a"', "top_k 3"]);
  equal(
    modelfileText({ from: "a", template: null, system: "S", parameters }),
    'FROM a\nSYSTEM """S"""\nPARAMETER num_predict 5\nPARAMETER stop "b"\nPARAMETER stop "a"\nPARAMETER top_k 3\n',
  );
});

/** A catalogue and a repository, as far as names go. */
function sources(paths: readonly string[]): PullSources {
  const file = (name: string, quantization: string) => ({ file: name, quantization });
  const entry = (id: string, files: unknown[]) => ({
    id,
    name: id.toUpperCase(),
    repo: "o/r",
    files,
  });
  const entries = [
    entry("qwen3-0.6b", [
      file("Qwen3-0.6B-Q8_0.gguf", "Q8_0"),
      file("Qwen3-0.6B-Q4_K_M.gguf", "Q4_K_M"),
    ]),
    entry("phi-3", [file("sub/Phi-3-mini-q4.gguf", "Q4_0")]),
  ];
  const files = paths.map((path) => ({ path, sizeBytes: 1, sha256: null }));
  return {
    catalogue: { entries: () => Promise.resolve(entries) },
    hub: { repo: () => Promise.resolve({ files }) },
  } as unknown as PullSources;
}

Deno.test("findWanted() finds a name of the catalogue, of one of its files, with a quantization, or of the Hub", async () => {
  const table: [name: string, repo: string, file: string | null, tag: string | null][] = [
    ["qwen3-0.6b", "o/r", "Qwen3-0.6B-Q4_K_M.gguf", null],
    ["QWEN3-0.6B:latest", "o/r", "Qwen3-0.6B-Q4_K_M.gguf", null],
    ["qwen3:0.6b", "o/r", "Qwen3-0.6B-Q4_K_M.gguf", null],
    ["qwen3-0.6b:q8_0", "o/r", "Qwen3-0.6B-Q8_0.gguf", null],
    ["phi-3-mini-q4", "o/r", "sub/Phi-3-mini-q4.gguf", null],
    ["hf.co/org/repo", "org/repo", null, null],
    ["huggingface.co/org/repo:Q4_0", "org/repo", null, "Q4_0"],
    ["hf.co/org/repo:latest", "org/repo", null, null],
  ];
  for (const [name, repo, file, tag] of table) {
    deepEqual(await findWanted(sources([]), name), { repo, revision: "main", file, tag }, name);
  }
  for (const name of ["nobody", "qwen3-0.6b:q2_k", "org/repo", "hf.co/one"]) {
    await rejects(findWanted(sources([]), name), { code: "model_not_found" }, name);
  }
});

Deno.test("findOnHub() takes the usual quantization, or the one that is named", async () => {
  const { signal } = new AbortController();
  const find = (paths: readonly string[], tag: string | null) =>
    findOnHub(sources(paths), {
      wanted: { repo: "o/r", revision: "main", file: null, tag },
      signal,
    });
  const all = ["m-Q2_K.gguf", "m-Q4_K_M.gguf", "m-Q8_0.gguf", "mmproj-f16.gguf"];
  equal(await find(all, null), "m-Q4_K_M.gguf");
  equal(await find(["m-Q2_K.gguf", "m-Q8_0.gguf"], null), "m-Q8_0.gguf");
  equal(await find(["m-Q2_K.gguf"], null), "m-Q2_K.gguf");
  equal(await find(all, "q2_k"), "m-Q2_K.gguf");
  equal(await find(all, "m-Q8_0.gguf"), "m-Q8_0.gguf");
  await rejects(find(all, "Q5_K_M"), { code: "hub_not_found" });
  await rejects(find(["README.md"], null), { code: "hub_not_found" });
});
