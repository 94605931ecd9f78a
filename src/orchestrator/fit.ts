// planFit(): whether a model suits this computer now, and how it would be loaded (pure). The same
// for the catalogue, the Hub, imports and loads: they differ only in where the facts come from.

import type { Badge, BadgeCode, Fit } from "../api_types.ts";
import type { GgufFacts } from "../models/gguf.ts";
import { badgeOf } from "./badge.ts";
import { type GpuRoom, vramFree, withFreed } from "./gpu_room.ts";
import {
  chooseRoom,
  fitsRoom,
  type LoadOptions,
  placeIn,
  type RoomName,
  roomOf,
} from "./load_plan.ts";
import type { Machine } from "./machine.ts";
import { type GpuDevice, roomOn } from "./offload.ts";
import { type Placement, usefulContext } from "./placement.ts";
import { Sizing } from "./sizing.ts";
import { expectedTokensPerSecond } from "./speed.ts";

/** A machine whose memory was measured; null = not yet, or unknown. */
export interface FitMachine extends Machine {
  ramBytesPerSecond: number | null;
  /** Of the GPU's own memory. */
  gpuBytesPerSecond: number | null;
}

export interface FitOptions extends LoadOptions {
  /** Real speed by expected speed, as learnt; 1 = nothing learnt. */
  correction: number;
  /** How it is loaded already; null or left out = it is not. */
  running?: Placement | null;
}

export interface FitAnswer {
  fit: Fit;
  badge: Badge;
}

/** Slower is no pleasure: about as fast as one reads. */
const FLUENT_TOKENS_PER_SECOND = 8;
/** Bits for each weight of the smallest quantization that is still of use, Q2_K. */
const LEAST_BITS = 3.35;

const UNUSABLE: ReadonlySet<GgufFacts["kind"]> = new Set(["projector", "adapter", "other"]);

export function planFit(machine: FitMachine, options: FitOptions): FitAnswer {
  const judged = judge(machine, options);
  const { placement, code } = judged;
  const { memory, contextTokens } = placement;
  const tokensPerSecond = speedOf(machine, { options, placement });
  const gpuLayers = placement.layersOnGpu ?? 0;
  const badge = badgeOf({
    code,
    need: memory,
    free: { ramBytes: roomOf(machine, "beside").ramBytes, vramBytes: vramFree(machine.gpu) },
    budgetBytes: machine.budgetBytes,
    vramBytes: vramFree(roomOf(machine, "alone").gpu),
    context: contextTokens,
    gpuLayers,
    tokensPerSecond,
    ...(code === "too_large" && { instead: insteadOf(machine, options) }),
  });
  const fit: Fit = {
    weights_bytes: memory.weightsBytes,
    kv_bytes: memory.kvBytes,
    compute_bytes: memory.computeBytes,
    total_bytes: memory.totalBytes,
    ram_bytes: memory.ramBytes,
    vram_bytes: memory.vramBytes,
    context: contextTokens,
    gpu_layers: gpuLayers,
    tokens_per_second: tokensPerSecond,
  };
  return { fit, badge };
}

interface Judged {
  code: BadgeCode;
  placement: Placement;
}

function judge(machine: FitMachine, options: FitOptions): Judged {
  if (UNUSABLE.has(options.facts.kind)) {
    return { code: "unusable", placement: placeIn(machine, "beside", options) };
  }
  if (options.running) {
    return { code: besideCode(machine, options, options.running), placement: options.running };
  }
  const { room, placement, beside } = chooseRoom(machine, options);
  if (room === "beside") return { code: besideCode(machine, options, placement), placement };
  if (room === "go") {
    // It may be that only its speed asks for the others' place: beside them it would do as well.
    const doesBeside = beside !== null && besideCode(machine, options, beside) === "fits";
    return { code: doesBeside ? "fits" : "needs_unload", placement };
  }
  return widerRoom(machine, options);
}

function widerRoom(machine: FitMachine, options: FitOptions): Judged {
  const rooms: [RoomName, BadgeCode][] = [["all", "needs_unload"], ["alone", "memory_in_use"]];
  for (const [name, code] of rooms) {
    const placement = placeIn(machine, name, options);
    if (fitsRoom(placement, roomOf(machine, name))) return { code, placement };
  }
  return { code: "too_large", placement: placeIn(machine, "alone", options) };
}

function besideCode(machine: FitMachine, options: FitOptions, placement: Placement): BadgeCode {
  // Who set a context wants that one.
  const isChosen = options.settings.context !== null;
  if (!isChosen && placement.contextTokens < usefulContext(options.facts)) return "short_context";
  const tokensPerSecond = speedOf(machine, { options, placement });
  return tokensPerSecond !== null && tokensPerSecond < FLUENT_TOKENS_PER_SECOND ? "slow" : "fits";
}

/** Rounded down to a tenth. */
function speedOf(
  machine: FitMachine,
  { options, placement }: { options: FitOptions; placement: Placement },
): number | null {
  const { facts, correction } = options;
  const tokensPerSecond = expectedTokensPerSecond({
    facts,
    // The usual talk does not grow with what the context could hold.
    contextTokens: Math.min(placement.contextTokens, usefulContext(facts)),
    cacheTypeK: placement.cacheTypeK,
    cacheTypeV: placement.cacheTypeV,
    gpu: gpuPart(machine, placement),
    ramBytesPerSecond: machine.ramBytesPerSecond,
    correction,
    cpu: { threads: placement.threads, features: machine.cpuFeatures },
  });
  return tokensPerSecond === null ? null : Math.floor(tokensPerSecond * 10) / 10;
}

/** What of a placed model lies on a GPU, and how fast that is; null = nothing. */
export function gpuPart(
  { gpu, gpuBytesPerSecond, ramBytesPerSecond }: Pick<
    FitMachine,
    "gpu" | "gpuBytesPerSecond" | "ramBytesPerSecond"
  >,
  placement: Pick<Placement, "layersOnGpu">,
) {
  const { layersOnGpu } = placement;
  if (gpu === null || layersOnGpu === 0) return null;
  // What shares the RAM is not faster than it, but where its maker says so.
  const bytesPerSecond = gpuBytesPerSecond ?? (gpu.unified ? ramBytesPerSecond : null);
  return layersOnGpu === null
    ? { layers: 1, bytesPerSecond: null }
    : { layers: layersOnGpu, bytesPerSecond };
}

/** What would fit with a useful context: a smaller quantization, or another model. */
function insteadOf(machine: FitMachine, options: FitOptions) {
  const { facts } = options;
  const cards = emptyCards(machine.gpu);
  const kind = machine.gpu && { ...machine.gpu, count: Math.max(1, cards.length) };
  const settings = { ...options.settings, context: null };
  const need = new Sizing({ ...machine, ...options, settings }, kind)
    .need(usefulContext(facts), 1);
  const beside = need.totalBytes - facts.weightsBytes;
  const roomBytes = (machine.budgetBytes ?? 0) + cards.reduce((sum, card) => sum + roomOn(card), 0);
  // Layers are whole: on each card the place of one may stay empty, and one passes through it.
  const wasted = 2 * cards.length / ((facts.blockCount ?? 0) + 1);
  const weightsBytes = Math.max(0, Math.floor((roomBytes - beside) / (1 + wasted)));
  const least = facts.weightsBytes * Math.min(1, LEAST_BITS / bitsPerWeight(facts.quantization));
  return { weightsBytes, byQuantization: least <= weightsBytes };
}

function emptyCards(gpu: GpuRoom | null): readonly GpuDevice[] {
  return gpu === null || gpu.unified ? [] : withFreed(gpu, Infinity)!.devices;
}

/** By the label's own number, about: what scales and larger layers add is the most at few bits. */
function bitsPerWeight(quantization: string | null): number {
  const label = quantization ?? "Q4";
  if (label === "F32") return 32;
  const digit = /(?:Q|FP)(\d)/.exec(label)?.[1];
  return digit === undefined ? 16 : Number(digit) + 0.6;
}
