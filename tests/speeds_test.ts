import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { HostReading } from "../src/api_types.ts";
import { Speeds } from "../src/gateway/speeds.ts";
import type { TokenCounts } from "../src/gateway/token_counts.ts";
import { Hardware } from "../src/hardware/hardware.ts";
import { Registry } from "../src/models/registry.ts";
import { expectedTokensPerSecond } from "../src/orchestrator/speed.ts";
import { chat, rowOf } from "./support/chat.ts";
import { logEntries } from "./support/log_entries.ts";
import { LLAMA_32_3B } from "./support/model_facts.ts";
import { scriptedModel, scriptedOrchestrator } from "./support/scripted_orchestrator.ts";
import { startServer, until } from "./support/server_process.ts";
import { writeSpeakers } from "./support/speakers.ts";
import { tempDir } from "./support/temp_dir.ts";

const READING: HostReading = {
  cpu: { model: "Some CPU", physical_cores: 1, logical_cores: 2, features: ["avx2"], usage: null },
  memory: { total_bytes: 8e9, available_bytes: 5.5e9 },
  gpus: [],
  os: { family: "linux", name: null, arch: "x86_64", kernel: null, container: null },
  cpu_quota_cores: null,
  disk_free_bytes: null,
};

const BYTES_PER_SECOND = 20e9;

/** What a loaded model of the scripted orchestrator is expected to reach: see its placement. */
const EXPECTED = expectedTokensPerSecond({
  facts: LLAMA_32_3B,
  contextTokens: 512,
  liveTokens: 100 + 32,
  cacheTypeK: null,
  cacheTypeV: null,
  gpu: null,
  ramBytesPerSecond: BYTES_PER_SECOND,
  correction: 1,
  cpu: { threads: 1, features: ["avx2"] },
})!;

function answer(tokensPerSecond: number | null): TokenCounts {
  return { promptTokens: 100, completionTokens: 64, tokensPerSecond };
}

function model(id: string) {
  return { ...scriptedModel(id), facts: LLAMA_32_3B };
}

async function startSpeeds(options: { saveAfterMs?: number } = {}) {
  const dir = await tempDir();
  const { log } = logEntries();
  const hardware = new Hardware(() => ({ memoryBudgetBytes: null, threads: null }));
  hardware.update(READING);
  const scripted = scriptedOrchestrator();
  let registry = Registry.open(join(dir.path, "registry.db"), { log });
  const start = () =>
    new Speeds({
      host: {
        call: () => Promise.resolve({ bytesPerSecond: BYTES_PER_SECOND, busy: false }) as never,
      },
      hardware,
      registry,
      orchestrator: scripted.orchestrator,
      runtime: () => ({ devices: [] }),
      log,
      ...options,
    });
  const test = {
    orchestrator: scripted.orchestrator,
    speeds: start(),
    /** As a new start of the program finds it. */
    restart() {
      test.speeds[Symbol.dispose]();
      registry[Symbol.dispose]();
      registry = Registry.open(join(dir.path, "registry.db"), { log });
      test.speeds = start();
    },
    stored: () => registry.measurements.get("speed_corrections"),
    async [Symbol.asyncDispose]() {
      await scripted[Symbol.asyncDispose]();
      test.speeds[Symbol.dispose]();
      registry[Symbol.dispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
  await until(() => test.speeds.ramBytesPerSecond());
  return test;
}

function factor(speeds: Speeds, id: string | null): number {
  return Math.round(speeds.correctionFor({ id }) * 100) / 100;
}

Deno.test("Speeds.answered() learns how far a model is from what was expected, for good", async () => {
  await using test = await startSpeeds();
  const slow = model("slow");
  (await test.orchestrator.acquire(slow)).release();
  assert.equal(factor(test.speeds, "slow"), 1);
  for (const share of [0.5, 0.62, 0.6, 0.58]) {
    test.speeds.answered(slow, answer(EXPECTED * share));
  }
  const learnt = factor(test.speeds, "slow");
  assert.ok(learnt > 0.54 && learnt < 0.62, `${learnt}`);
  assert.equal(factor(test.speeds, null), learnt);
  test.restart();
  assert.equal(factor(test.speeds, "slow"), learnt);
  assert.equal(test.speeds.ramBytesPerSecond(), BYTES_PER_SECOND);
});

Deno.test("Speeds.answered() learns nothing of answers that were not alone, or tell nothing", async () => {
  await using test = await startSpeeds();
  const one = model("one");
  test.speeds.answered(one, answer(EXPECTED / 2));
  const lease = await test.orchestrator.acquire(one);
  test.speeds.answered(one, answer(EXPECTED / 2));
  lease.release();
  test.speeds.answered(one, answer(null));
  const other = await test.orchestrator.acquire(model("other"));
  test.speeds.answered(one, answer(EXPECTED / 2));
  other.release();
  assert.equal(factor(test.speeds, "one"), 1);
  assert.equal(factor(test.speeds, null), 1);
  test.speeds.answered(one, answer(EXPECTED / 2));
  assert.equal(factor(test.speeds, "one"), 0.5);
});

Deno.test("Speeds.answered() writes seldom: not with the answer, but some time after it", async () => {
  await using test = await startSpeeds({ saveAfterMs: 30 });
  const one = model("one");
  (await test.orchestrator.acquire(one)).release();
  test.speeds.answered(one, answer(EXPECTED / 2));
  assert.equal(test.stored(), null);
  await until(() => test.stored() !== null);
});

Deno.test("the program measures its memory when somebody first asks, and learns from answers", async () => {
  await using dir = await tempDir();
  const measured = () => {
    using database = new DatabaseSync(join(dir.path, "registry.db"), { readOnly: true });
    const rows = database.prepare("SELECT name, value FROM measurements").all();
    return new Map(rows.map(({ name, value }) => [String(name), JSON.parse(String(value))]));
  };
  async function expectedNow(server: { url: string }): Promise<number | null> {
    return (await rowOf(server, "talker")).fit?.tokens_per_second ?? null;
  }
  {
    await using server = await startServer({
      home: dir.path,
      prepare: (home) =>
        writeSpeakers(home, ["talker"], { endless: true, sizeBytes: 60e6, contextLength: 512 }),
    });
    await chat(server, "talker", { max_tokens: 8 });
    assert.equal(measured().has("ram_bandwidth"), false);
    await until(() => expectedNow(server), 200_000);
    const { bytesPerSecond } = measured().get("ram_bandwidth");
    assert.ok(bytesPerSecond > 1e9 && bytesPerSecond < 2e12, `${bytesPerSecond}`);
    await chat(server, "talker", { max_tokens: 64 });
  }
  const { models } = measured().get("speed_corrections");
  assert.ok(models.talker.factor >= 0.2 && models.talker.factor <= 3, JSON.stringify(models));
  await using again = await startServer({ home: dir.path });
  assert.ok(await expectedNow(again) !== null);
});
