// Which of well-known models suit which computer: the table that a user would expect.

import assert from "node:assert/strict";
import type { GgufFacts } from "../src/models/gguf.ts";
import { DEFAULT_MODEL_SETTINGS } from "../src/models/model_settings.ts";
import { type FitMachine, planFit } from "../src/orchestrator/fit.ts";
import { COMPUTERS, describedComputer, type Description } from "./support/described_computers.ts";
import { BGE_M3 } from "./support/model_facts.ts";
import { PUBLISHED, publishedFacts } from "./support/published_models.ts";

function fit(machine: FitMachine, facts: GgufFacts) {
  const settings = DEFAULT_MODEL_SETTINGS;
  return planFit(machine, { facts, settings, mmprojBytes: 0, correction: 1 });
}

Deno.test("planFit() on 8 GB DDR4 in two channels with 5.5 GB free knows three models' places", () => {
  // What is sold as 8 GB, by either way of counting; 70 to 85 % of 42.7 and of 51.2 GB/s.
  const described: [number, number][] = [[1, 30], [1, 36], [1, 43], [0.9313, 30], [0.9313, 43]];
  const [phi, llama, mixtral] = (["Phi-3 mini", "Llama-3 8B", "Mixtral 8x7B"] as const).map(
    (name) => publishedFacts(PUBLISHED[name][0]),
  );
  for (const [gib, gbPerSecond] of described) {
    const machine = describedComputer({ ramGib: 8 * gib, freeGib: 5.5 * gib, gbPerSecond });
    assert.equal(fit(machine, phi!).badge.level, "recommended");
    assert.equal(fit(machine, llama!).badge.level, "compatible");
    assert.equal(fit(machine, mixtral!).badge.level, "not_recommended");
  }
});

// Level, code, tokens of context, layers on the GPU, tokens a second.
const TABLE = `
4 GB, old laptop
  Llama-3.2 3B   compatible       slow           5632   0  3.5-6
  Phi-3 mini     compatible       short_context   512   0  3-5.5
  Llama-3 8B     not_recommended  too_large       512   0  1.5-3
  Qwen3-30B-A3B  not_recommended  too_large       512   0  2.5-6
  Mixtral 8x7B   not_recommended  too_large       512   0  0.5-1.5
  bge-m3         recommended      fits           8192   0  -
8 GB DDR4, two channels
  Llama-3.2 3B   recommended      fits           8192   0  10-16
  Phi-3 mini     recommended      fits           4096   0  8-13
  Llama-3 8B     compatible       slow           6656   0  4.5-7.5
  Qwen3-30B-A3B  not_recommended  too_large       512   0  7-16
  Mixtral 8x7B   not_recommended  too_large       512   0  1.5-4.2
  bge-m3         recommended      fits           8192   0  -
16 GB, integrated GPU
  Llama-3.2 3B   recommended      fits           8192  29  12-22
  Phi-3 mini     recommended      fits           4096  33  9-17
  Llama-3 8B     compatible       slow           8192  33  5-8
  Qwen3-30B-A3B  not_recommended  too_large       512  21  9-22
  Mixtral 8x7B   not_recommended  too_large       512   9  2-6
  bge-m3         recommended      fits           8192  25  -
16 GB, GTX 1650
  Llama-3.2 3B   recommended      fits           8192  29  32-55
  Phi-3 mini     recommended      fits           4096  25  15-28
  Llama-3 8B     recommended      fits           6144  17  8-13
  Qwen3-30B-A3B  not_recommended  too_large       512   8  8-20
  Mixtral 8x7B   not_recommended  too_large       512   4  2-5
  bge-m3         recommended      fits           8192  25  -
16 GB, Apple M2
  Llama-3.2 3B   recommended      fits           8192  29  25-40
  Phi-3 mini     recommended      fits           4096  33  19-33
  Llama-3 8B     recommended      fits           8192  33  11-18
  Qwen3-30B-A3B  not_recommended  too_large       512  30  15-40
  Mixtral 8x7B   not_recommended  too_large       512  13  3.5-10
  bge-m3         recommended      fits           8192  25  -
32 GB, RTX 3060
  Llama-3.2 3B   recommended      fits           8192  29  80-130
  Phi-3 mini     recommended      fits           4096  33  65-110
  Llama-3 8B     recommended      fits           8192  33  40-60
  Qwen3-30B-A3B  recommended      fits           5376  29  18-40
  Mixtral 8x7B   compatible       slow           8192  12  3-7.9
  bge-m3         recommended      fits           8192  25  -
64 GB, Apple M2 Max
  Llama-3.2 3B   recommended      fits           8192  29  85-145
  Phi-3 mini     recommended      fits           4096  33  65-115
  Llama-3 8B     recommended      fits           8192  33  40-65
  Qwen3-30B-A3B  recommended      fits           8192  49  55-110
  Mixtral 8x7B   recommended      fits           8192  33  17-32
  bge-m3         recommended      fits           8192  25  -
64 GB, RTX 4090
  Llama-3.2 3B   recommended      fits           8192  29  180-330
  Phi-3 mini     recommended      fits           4096  33  140-260
  Llama-3 8B     recommended      fits           8192  33  95-155
  Qwen3-30B-A3B  recommended      fits           8192  49  110-240
  Mixtral 8x7B   recommended      fits           8192  26  11-24
  bge-m3         recommended      fits           8192  25  -
`.trim().split("\n");

Deno.test("planFit() places six models on eight described computers as the table says", () => {
  const models: Record<string, GgufFacts> = { "bge-m3": BGE_M3 };
  for (const [name, [shape]] of Object.entries(PUBLISHED)) models[name] = publishedFacts(shape);
  const computers: Record<string, Description> = COMPUTERS;
  let machine: FitMachine | null = null;
  const seen = TABLE.map((line) => {
    if (!line.startsWith(" ")) {
      machine = describedComputer(computers[line]!);
      return line;
    }
    const [, indented, name, range] = /^(\s+(\S+(?: \S+)*)\s+).*\s(\S+)$/.exec(line)!;
    const { fit: planned, badge } = fit(machine!, models[name!]!);
    const level = badge.level.padEnd(17);
    const code = badge.code.padEnd(13);
    const context = String(planned.context).padStart(6);
    const layers = String(planned.gpu_layers).padStart(4);
    return `${indented}${level}${code}${context}${layers}  ${
      inRange(planned.tokens_per_second, range!)
    }`;
  });
  assert.equal(seen.join("\n"), TABLE.join("\n"));
  assert.equal(TABLE.length, 8 * 7);
});

/** The range itself where the value lies in it, else the value. */
function inRange(value: number | null, range: string): string {
  if (value === null) return "-";
  const [least, most] = range.split("-").map(Number);
  return value >= least! && value <= most! ? range : String(value);
}
