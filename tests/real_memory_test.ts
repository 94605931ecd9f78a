// What a plan expects of a model against what a real llama-server says that it took.

import assert from "node:assert/strict";
import { join } from "node:path";
import { readGgufFacts } from "../src/models/gguf.ts";
import { DEFAULT_MODEL_SETTINGS } from "../src/models/model_settings.ts";
import { planPlacement } from "../src/orchestrator/placement.ts";
import { LlamaLog } from "../src/runtime/llama_log.ts";
import { startLlamaServer } from "./support/bare_llama_server.ts";
import { type ScaledArchitecture, writeScaledModel } from "./support/scaled_models.ts";
import { TempFolder } from "./support/temp_folder.ts";

const ARCHITECTURES: ScaledArchitecture[] = ["llama", "qwen3moe", "gemma3"];

// Prompts are read in small pieces on a slow machine and in large ones on a fast one.
const ROWS = [
  { context: 2048, parallel: 1, promptTokensPerSecond: 100 },
  { context: 16_384, parallel: 1, promptTokensPerSecond: 4000 },
  { context: 4096, parallel: 3, promptTokensPerSecond: 4000 },
];

for (const architecture of ARCHITECTURES) {
  Deno.test(`planPlacement() of a ${architecture} is within 10 % of what a real llama-server logs`, async () => {
    await using folder = await TempFolder.make();
    const modelPath = join(folder.path, `${architecture}.gguf`);
    await writeScaledModel(modelPath, architecture);
    const facts = await readGgufFacts(modelPath);
    assert.ok(facts.weightsBytes > 100e6 && facts.weightsBytes < 350e6, `${facts.weightsBytes}`);
    for (const { context, parallel, promptTokensPerSecond } of ROWS) {
      const placed = planPlacement({
        facts,
        settings: { ...DEFAULT_MODEL_SETTINGS, context, parallel },
        threads: 1,
        totalRamBytes: null,
        budgetBytes: null,
        gpu: null,
        mmprojBytes: 0,
        measuredPromptTokensPerSecond: promptTokensPerSecond,
      });
      const logged = await loggedOf(modelPath, [
        ...["-lv", "4", "-c", `${context * parallel}`, "-np", `${parallel}`, "--no-warmup"],
        ...["-b", `${placed.batchTokens}`, "-ub", `${placed.ubatchTokens}`],
      ]);
      const { weightsBytes, kvBytes, computeBytes } = placed.memory;
      const title = `${context} tokens x ${parallel}`;
      within(0.1, { planned: weightsBytes + kvBytes + computeBytes, logged: logged.bytes, title });
      // The weights would hide an error in it.
      within(0.01, { planned: kvBytes, logged: logged.kvBytes, title: `${title}, KV cache` });
    }
  });
}

function within(
  share: number,
  { planned, logged, title }: { planned: number; logged: number; title: string },
): void {
  assert.ok(Math.abs(planned - logged) <= share * logged, `${title}: ${planned} of ${logged}`);
}

async function loggedOf(modelPath: string, args: string[]) {
  const log = new LlamaLog();
  let kvMib = 0;
  {
    await using server = await startLlamaServer({ modelPath, args });
    for (const line of server.log().split("\n")) {
      log.take(line);
      kvMib += Number(/ KV buffer size = +([\d.]+) MiB/.exec(line)?.[1] ?? 0);
    }
  }
  assert.ok(log.memoryBytes !== null, "It logged no sizes");
  return { bytes: log.memoryBytes, kvBytes: kvMib * 1024 ** 2 };
}
