// What a request may ask of the load of its model, beyond the model's settings (pure). As long as it
// stays loaded that stays as it is: what a request does not name is not changed for it.

import type { ModelSettings } from "../api_types.ts";
import type { Placement } from "./placement.ts";

/** Absent = as it is. */
export interface LoadWishes {
  contextTokens?: number;
  batchTokens?: number;
  gpuLayers?: number;
  threads?: number;
}

/** How a model is loaded, and what it was asked for then: that may be more than it can have. */
export interface LoadedAs {
  placement: Pick<Placement, keyof LoadWishes> | null;
  asked: LoadWishes;
}

/** Whether a request with these wishes can be answered without loading the model again. */
export function suits(wishes: LoadWishes, { placement, asked }: LoadedAs): boolean {
  return Object.entries(wishes).every(([name, value]) => {
    const wish = name as keyof LoadWishes;
    return asked[wish] === value || placement?.[wish] === value;
  });
}

export function settingsWith(settings: ModelSettings, wishes: LoadWishes): ModelSettings {
  return {
    ...settings,
    context: wishes.contextTokens ?? settings.context,
    gpu_layers: wishes.gpuLayers ?? settings.gpu_layers,
    threads: wishes.threads ?? settings.threads,
  };
}

/** Batches are chosen by the placement alone; an input for an embedding needs the one that it has. */
export function placementWith(placement: Placement, { batchTokens }: LoadWishes): Placement {
  if (batchTokens === undefined || placement.mode !== "chat") return placement;
  const ubatchTokens = Math.min(placement.ubatchTokens, batchTokens);
  return { ...placement, batchTokens, ubatchTokens };
}
