// A placement and a model's settings as the launch that the instance asks the host for (pure).

import { isAbsolute, join } from "node:path";
import type { ModelSettings } from "../api_types.ts";
import type { Config } from "../config_type.ts";
import type { Model } from "../models/library.ts";
import type { LaunchPlan } from "../runtime/instance.ts";
import type { Placement } from "./placement.ts";

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
  const absolute = (path: string) => isAbsolute(path) ? path : join(options.config.home, path);
  return {
    alias: model.id,
    modelPath: model.path,
    mmprojPath: model.mmprojPath,
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
    draftModelPath: settings.draft_model === null ? null : absolute(settings.draft_model),
    extraArgs: settings.extra_args,
  };
}
