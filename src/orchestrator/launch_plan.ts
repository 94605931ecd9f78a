// A placement and a model's settings as the launch that the instance asks the host for (pure).

import { isAbsolute, join } from "node:path";
import type { ModelSettings } from "../api_types.ts";
import type { Config } from "../config_type.ts";
import type { Model } from "../models/library.ts";
import type { LaunchPlan } from "../runtime/instance.ts";
import type { Placement } from "./placement.ts";
import { ownMode } from "./sizing.ts";

export interface LaunchPlanOptions {
  placement: Placement;
  settings: ModelSettings;
  config: Pick<Config, "home">;
}

/** Connections to the process beyond its slots and the gateway's own: health, metadata, a retry. */
const SPARE_HTTP_THREADS = 6;

/**
 * From here on the process logs what its buffers really take. Of a smaller model the estimate is as
 * good, and its answers are so short that the lines for each request would cost a fifth of the speed.
 */
const LOGGED_WEIGHTS_BYTES = 256 * 1024 ** 2;

export function launchPlan(model: Model, options: LaunchPlanOptions): LaunchPlan {
  const { placement, settings } = options;
  // Beside its main instance a model only reads texts: nobody shows it images or waits for its words.
  const isMain = model.facts === null || placement.mode === ownMode(model.facts);
  const absolute = (path: string) => isAbsolute(path) ? path : join(options.config.home, path);
  return {
    alias: model.id,
    modelPath: model.path,
    mmprojPath: isMain ? model.mmprojPath : null,
    mode: placement.mode,
    contextTokens: placement.contextTokens,
    parallel: placement.parallel,
    threads: placement.threads,
    gpuLayers: placement.gpuLayers,
    batchTokens: placement.batchTokens,
    ubatchTokens: placement.ubatchTokens,
    cacheTypeK: placement.cacheTypeK,
    cacheTypeV: placement.cacheTypeV,
    cacheRamMiB: placement.cacheRamMiB,
    httpThreads: placement.parallel * 2 + SPARE_HTTP_THREADS,
    logVerbosity: placement.memory.weightsBytes < LOGGED_WEIGHTS_BYTES ? 1 : 4,
    chatTemplate: settings.chat_template,
    loraPaths: settings.lora.map(absolute),
    draftModelPath: settings.draft_model === null || !isMain
      ? null
      : absolute(settings.draft_model),
    memoryBytes: Math.ceil(placement.memory.ramBytes),
    extraArgs: [...poolingArgs(model, options), ...settings.extra_args],
  };
}

// Of a model that was not made for embeddings llama-server would give one vector per token, which no
// client reads, and die of a chat: the mean of all is what such a model's text is likened by.
function poolingArgs({ facts }: Model, { placement, settings }: LaunchPlanOptions): string[] {
  if (placement.mode !== "embedding" || settings.extra_args.includes("--pooling")) return [];
  const pooling = facts?.pooling ?? "none";
  return pooling === "none" || pooling === "rank" ? ["--pooling", "mean"] : [];
}
