// The real orchestrator with real instances over a scripted host: loads take no time, memory is
// what a test says, nothing is started.

import { AppError } from "../../src/errors.ts";
import type { GgufFacts } from "../../src/models/gguf.ts";
import type { Model } from "../../src/models/library.ts";
import type { Door, Entry } from "../../src/orchestrator/entry.ts";
import { launchPlan } from "../../src/orchestrator/launch_plan.ts";
import type { OrchestratorObserver } from "../../src/orchestrator/observer.ts";
import { Orchestrator } from "../../src/orchestrator/orchestrator.ts";
import type { Placement } from "../../src/orchestrator/placement.ts";
import { DEFAULT_MODEL_SETTINGS } from "../../src/models/model_settings.ts";
import { Instance } from "../../src/runtime/instance.ts";
import { Places } from "../../src/runtime/places.ts";
import { logEntries } from "./log_entries.ts";
import { ScriptedHost } from "./scripted_host.ts";

export interface ScriptedOptions {
  queueLimit?: number;
  /** -1 = for ever, and the default. */
  keepAliveMs?: number;
  budgetBytes?: number;
  /** Bytes by model; 100 where it is not named. */
  bytes?: Record<string, number>;
  /** Does not end before it is resolved: an answer that goes on at a door. */
  doorCloses?: Promise<void>;
  observer?: OrchestratorObserver;
}

export interface ScriptedOrchestrator extends AsyncDisposable {
  orchestrator: Orchestrator;
  host: ScriptedHost;
  /** State and error of models after each reported change, such as `a loading`. */
  changes: string[];
  /** Seconds by model that its own settings say. */
  keepAliveMs: Map<string, number>;
}

export function scriptedOrchestrator(options: ScriptedOptions = {}): ScriptedOrchestrator {
  const host = new ScriptedHost();
  const places = new Places(
    Array.from({ length: 64 }, (_, n) => ({ socketPath: `/nonexistent/${n}.sock` })),
  );
  const changes: string[] = [];
  const keepAliveMs = new Map<string, number>();
  const { log } = logEntries();
  const orchestrator: Orchestrator = new Orchestrator({
    log,
    queueLimit: () => options.queueLimit ?? 512,
    makeInstance: (modelId, callbacks) =>
      new Instance({
        modelId,
        host: host.port,
        places,
        log,
        loadStallMs: 60_000,
        ...callbacks,
      }),
    plan: (model) => {
      const placement = placementOf(options.bytes?.[model.id] ?? 100);
      return Promise.resolve({
        placement,
        need: placement.memory,
        budgetBytes: options.budgetBytes ?? null,
        availableBytes: null,
        vramFreeBytes: null,
      });
    },
    launch: (model, placement) =>
      launchPlan(model, {
        placement,
        settings: DEFAULT_MODEL_SETTINGS,
        config: { home: "/nonexistent" },
      }),
    openDoor: (): Promise<Door> =>
      Promise.resolve({ port: 8080, close: () => options.doorCloses ?? Promise.resolve() }),
    defaults: (model) => ({
      keepAliveMs: keepAliveMs.get(model.id) ?? options.keepAliveMs ?? -1,
      pinned: false,
    }),
    runningProcesses: () => host.port.call("processes", {}),
    async stopProcess(id) {
      await host.port.call("stop", { id, graceMs: 0 });
    },
    ...(options.observer !== undefined && { observer: options.observer }),
    onChange: (entry: Entry) => {
      const change = `${entry.model.id} ${orchestrator.stateOf(entry.model.id)}`;
      if (changes.at(-1) !== change) changes.push(change);
    },
  });
  return {
    orchestrator,
    host,
    changes,
    keepAliveMs,
    [Symbol.asyncDispose]: () => orchestrator[Symbol.asyncDispose](),
  };
}

/** A model that no file stands behind. */
export function scriptedModel(id: string): Model {
  const facts = {} as GgufFacts;
  return {
    id,
    path: `/nonexistent/${id}.gguf`,
    parts: [],
    mmprojPath: null,
    mmprojBytes: 0,
    sizeBytes: 1,
    mtimeMs: 0,
    source: "home",
    isMissing: false,
    builtin: false,
    repo: null,
    facts,
    error: null,
  };
}

/** What a promise rejects with; fails where it does not, or not with an error for people. */
export async function refusalOf(promise: Promise<unknown>): Promise<AppError> {
  const error = await promise.then(() => null, (reason) => reason);
  if (error instanceof AppError) return error;
  throw new Error(`Not refused: ${error}`);
}

function placementOf(totalBytes: number): Placement {
  return {
    mode: "chat",
    contextTokens: 512,
    parallel: 1,
    threads: 1,
    gpuLayers: 0,
    batchTokens: 32,
    ubatchTokens: 32,
    cacheTypeK: null,
    cacheTypeV: null,
    cacheRamMiB: 0,
    layersOnGpu: 0,
    memory: {
      weightsBytes: 0,
      kvBytes: 0,
      computeBytes: 0,
      overheadBytes: totalBytes,
      totalBytes,
      ramBytes: totalBytes,
      vramBytes: 0,
      vramOverheadBytes: 0,
      gpu: null,
    },
  };
}
