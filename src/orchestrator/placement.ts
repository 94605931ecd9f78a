// planPlacement(): how one model is loaded into this much room: context, slots, batch, offload,
// memory (pure). Sizes are sizing.ts's; which room that is, and who must go for it, load_plan.ts's.

import type { ModelSettings } from "../api_types.ts";
import { AppError } from "../errors.ts";
import type { LaunchSpec } from "../host/messages.ts";
import type { GgufFacts } from "../models/gguf.ts";
import type { GpuRoom } from "./gpu_room.ts";
import { formatNeed, formatRoom, type MemoryNeed, withOverhead } from "./memory_need.ts";
import { fitsGpus, type GpuDevice } from "./offload.ts";
import { defaultContext, Sizing, type SizingOptions, type SizingSettings } from "./sizing.ts";

/** What is chosen here of a launch, and what that will take. */
export interface Placement extends PlacedLaunch {
  memory: MemoryNeed;
  /** Units on the GPU, the output counted; null = llama.cpp will choose, and we cannot tell. */
  layersOnGpu: number | null;
}

type PlacedLaunch = Pick<
  LaunchSpec,
  | "mode"
  | "contextTokens"
  | "parallel"
  | "threads"
  | "gpuLayers"
  | "batchTokens"
  | "ubatchTokens"
  | "cacheTypeK"
  | "cacheTypeV"
  | "cacheRamMiB"
>;

export interface PlacementOptions extends SizingOptions {
  settings: SizingSettings & Pick<ModelSettings, "gpu_layers">;
  /** Null = unknown. */
  totalRamBytes: number | null;
  /** RAM that this model may use; null = unknown: then nothing is made smaller to fit. */
  budgetBytes: number | null;
  /** Null = the runtime lists none. */
  gpu: GpuRoom | null;
}

/** With less, a talk is soon over. */
const USEFUL_CONTEXT = 4096;
/** Less is of no use; a model that was trained for less gets its own length. */
const LEAST_CONTEXT = 512;
/** llama.cpp rounds up to whole blocks anyway. */
const CONTEXT_STEP = 256;
const MIB = 1024 ** 2;
/** Below it, no memory for prompts whose slot went to another talk. */
const CACHE_RAM_FROM_BYTES = 16e9;
const MOST_CACHE_RAM_MIB = 512;

/**
 * Chooses how to load the model: as many layers on the GPU as there is room for with a useful
 * context (4,096 tokens), then as much context as fits with those: the user's own, else what was
 * trained for, up to 8,192. Where the memory is too short for a useful one it is less, never below
 * 512: whether that fits is `checkFits`'s and `planEviction`'s to say. Experts go where their layer
 * goes. Throws `invalid_request` for a cache type that does not exist.
 */
export function planPlacement(options: PlacementOptions): Placement {
  const { gpu } = options;
  const wish = options.settings.gpu_layers;
  if (gpu === null || wish === 0) return onCpu(options);
  if (gpu.devices.length > 0) return wish === null ? onGpus(options, gpu) : asWished(options, gpu);
  // How much the GPU will take is not known, so nothing is taken off the RAM: too careful, never
  // too bold.
  const placement = onCpu(options, new Sizing(options, "unknown"));
  const layersOnGpu = wish === null ? null : Math.min(wish, unitsOf(options.facts));
  return { ...placement, gpuLayers: wish ?? "auto", layersOnGpu };
}

/** The context from which on a model is useful: less than 4,096 where it was trained for less. */
export function usefulContext(facts: GgufFacts): number {
  return Math.min(USEFUL_CONTEXT, defaultContext(facts));
}

interface Choice {
  contextTokens: number;
  layers: number;
}

function onCpu(options: PlacementOptions, sizing = new Sizing(options, null)): Placement {
  const contexts = contextsOf(options, sizing);
  const contextTokens = last(contexts, (tokens) => fitsRam(options, sizing.need(tokens)));
  return placed(options, sizing, { contextTokens: contextTokens ?? contexts[0]!, layers: 0 });
}

function asWished(options: PlacementOptions, gpu: GpuRoom): Placement {
  const wish = options.settings.gpu_layers!;
  const layers = Math.min(wish, unitsOf(options.facts));
  const sizing = new Sizing(options, { ...gpu, count: gpu.devices.length });
  const contexts = contextsOf(options, sizing);
  const useful = contexts.filter((tokens) => tokens >= usefulContext(options.facts));
  const fits = (tokens: number) => fitsRam(options, sizing.need(tokens, layers));
  const contextTokens =
    last(useful, (tokens) => fits(tokens) && fitsAll(sizing.need(tokens, layers), gpu.devices)) ??
      last(contexts, fits) ?? contexts[0]!;
  return { ...placed(options, sizing, { contextTokens, layers }), gpuLayers: wish };
}

function onGpus(options: PlacementOptions, gpu: GpuRoom): Placement {
  const { contextTokens, ...used } = deal(options, gpu);
  const { sizing, devices, layers } = used;
  if (layers === 0) return onCpu(options);
  const contexts = contextsOf(options, sizing);
  const fits = (tokens: number, count: number) => {
    const need = sizing.need(tokens, count);
    return fitsRam(options, need) && fitsAll(need, devices);
  };
  const useful = contexts.filter((tokens) => tokens >= contextTokens);
  const best = last(useful, (tokens) => fits(tokens, layers));
  let choice: Choice | null = best === null ? null : { contextTokens: best, layers };
  if (choice === null) {
    // A GPU costs some RAM as well: where it is that which is missing, the CPU does without.
    const alone = onCpu(options);
    const short = contexts.filter((tokens) => tokens < contextTokens);
    const most = (tokens: number) => mostLayers(options, { ...used, contextTokens: tokens });
    const less = last(short, (tokens) => fits(tokens, most(tokens)));
    const isAlone = fitsRam(options, alone.memory);
    if (isAlone && (less === null || alone.contextTokens > less)) return alone;
    const least = less ?? contexts[0]!;
    choice = { contextTokens: least, layers: most(least) };
  }
  const placement = placed(options, sizing, choice);
  // Where a small card must not be used, llama.cpp has to be told nothing: it finds out as well.
  return devices.length < gpu.devices.length ? { ...placement, gpuLayers: "auto" } : placement;
}

interface Dealing extends Choice {
  sizing: Sizing;
  devices: readonly GpuDevice[];
}

/** Most layers with a useful context: on all cards, or without the smallest where they hinder. */
function deal(options: PlacementOptions, gpu: GpuRoom): Dealing {
  const byRoom = gpu.devices.toSorted((a, b) => b.freeBytes - a.freeBytes);
  const useful = usefulContext(options.facts);
  const dealings = byRoom.map((_, index) => {
    const devices = byRoom.slice(0, byRoom.length - index);
    const sizing = new Sizing(options, { ...gpu, count: devices.length });
    const contextTokens = options.settings.context === null
      ? useful
      : sizing.limited(options.settings.context);
    const dealing = { sizing, devices, contextTokens };
    return { ...dealing, layers: mostLayers(options, dealing) };
  });
  return dealings.reduce((best, each) => each.layers > best.layers ? each : best);
}

function mostLayers(options: PlacementOptions, dealing: Omit<Dealing, "layers">): number {
  const { sizing, devices, contextTokens } = dealing;
  const fits = (layers: number) => fitsAll(sizing.need(contextTokens, layers), devices);
  return mostThat(unitsOf(options.facts), fits);
}

function placed(options: PlacementOptions, sizing: Sizing, choice: Choice): Placement {
  const { contextTokens, layers } = choice;
  const need = sizing.need(contextTokens, layers);
  const cacheRamMiB = cacheRamOf(need, { ...options, mode: sizing.mode });
  return {
    mode: sizing.mode,
    contextTokens,
    parallel: sizing.parallel,
    threads: sizing.threads,
    gpuLayers: layers,
    batchTokens: sizing.batchTokens(contextTokens),
    ubatchTokens: sizing.ubatchTokens(contextTokens),
    cacheTypeK: sizing.cacheTypeK,
    cacheTypeV: sizing.cacheTypeV,
    cacheRamMiB,
    memory: withOverhead(need, cacheRamMiB * MIB),
    layersOnGpu: layers,
  };
}

/** The user's context alone, else those from which one may be chosen, the smallest first. */
function contextsOf({ facts, settings }: PlacementOptions, sizing: Sizing): number[] {
  if (settings.context !== null) return [sizing.limited(settings.context)];
  const wanted = defaultContext(facts);
  const contexts = [Math.min(wanted, LEAST_CONTEXT)];
  for (let next = LEAST_CONTEXT + CONTEXT_STEP; next < wanted; next += CONTEXT_STEP) {
    contexts.push(next);
  }
  if (wanted > LEAST_CONTEXT) contexts.push(wanted);
  return contexts;
}

/** The last value that fits, where each that fits has only fitting ones before it; null = none. */
function last(values: readonly number[], fits: (value: number) => boolean): number | null {
  const count = mostThat(values.length, (each) => fits(values[each - 1]!));
  return count === 0 ? null : values[count - 1]!;
}

/** The largest number up to `most` that fits, where all smaller ones fit as well; 0 = none. */
function mostThat(most: number, fits: (count: number) => boolean): number {
  let least = 0;
  let limit = most;
  while (least < limit) {
    const middle = (least + limit + 1) >> 1;
    if (fits(middle)) least = middle;
    else limit = middle - 1;
  }
  return least;
}

function unitsOf(facts: GgufFacts): number {
  return Math.max(0, facts.blockCount ?? facts.blockBytes.length) + 1;
}

function fitsRam({ budgetBytes }: PlacementOptions, need: MemoryNeed): boolean {
  return budgetBytes === null || need.ramBytes <= budgetBytes;
}

function fitsAll({ gpu }: MemoryNeed, devices: readonly GpuDevice[]): boolean {
  return gpu === null || fitsGpus(gpu, devices);
}

/**
 * Throws `out_of_memory`, with both numbers, for a model that could not be loaded even alone.
 * With an unknown budget everything passes.
 */
export function checkFits(
  placement: Pick<Placement, "memory">,
  options: { budgetBytes: number | null; name: string },
): void {
  const { budgetBytes, name } = options;
  const needBytes = placement.memory.ramBytes;
  if (budgetBytes === null || needBytes <= budgetBytes) return;
  throw new AppError("out_of_memory", tooLargeMessage(name, { needBytes, budgetBytes }), {
    values: { model: name, need_bytes: needBytes, budget_bytes: budgetBytes },
  });
}

/** The one sentence for a model that is larger than all that models may use. */
export function tooLargeMessage(
  name: string,
  { needBytes, budgetBytes }: { needBytes: number; budgetBytes: number },
): string {
  return `Cannot load "${name}": it needs ${formatNeed(needBytes)} and the memory budget is ` +
    `${formatRoom(budgetBytes)}. Choose a smaller quantization or a smaller context`;
}

// Room for the prompt of one more talk per slot, so that two that alternate need not read theirs
// again each time; given only where it costs neither context nor another program's memory.
function cacheRamOf(
  need: MemoryNeed,
  options: Pick<PlacementOptions, "totalRamBytes" | "budgetBytes"> & { mode: Placement["mode"] },
): number {
  if (options.mode !== "chat" || (options.totalRamBytes ?? 0) < CACHE_RAM_FROM_BYTES) return 0;
  const wantedMiB = Math.min(MOST_CACHE_RAM_MIB, Math.ceil(need.kvBytes / MIB));
  const fits = need.ramBytes + wantedMiB * MIB <= (options.budgetBytes ?? Infinity);
  return fits ? wantedMiB : 0;
}
