// Which part of a model lies on a GPU when so many of its layers do (pure): weights in llama.cpp's
// own units, and whether a share fits the devices. How many there shall be is placement.ts's.

import type { GgufFacts } from "../models/gguf.ts";
import { ModelKeys } from "./model_keys.ts";

/** What of a GPU decides where bytes are counted. */
export interface GpuKind {
  /** Devices that the layers are dealt out to. */
  count: number;
  /** It shares the RAM: nothing is ever added to that. */
  unified: boolean;
  /** It reads the file's own pages, as on Apple's systems: nothing is there twice. */
  mapsFile: boolean;
}

/** One device as it is planned for. */
export interface GpuDevice {
  name: string;
  totalBytes: number;
  freeBytes: number;
}

/** Weights as llama.cpp moves them, in bytes. */
export interface ModelUnits {
  /** Tables of which a token reads one row: they always stay in RAM. */
  inputBytes: number;
  blocks: number[];
  /** The output, the first unit that goes to a GPU. */
  headBytes: number;
  /** Of the head, what is also the input: a GPU gets a copy of its own. */
  tiedBytes: number;
}

/** What the GPUs must have room for, in bytes. */
export interface GpuShare {
  /** Dealt out to all devices, layer by layer. */
  layersBytes: number;
  /** On each device, however few layers it has. */
  eachBytes: number;
  /** On the first one alone: the projector. */
  firstBytes: number;
  largestLayerBytes: number;
}

/** Windows of a desktop come and go, and an estimate is no measurement. */
export const GPU_MARGIN_BYTES = 256 * 1024 ** 2;

export function modelUnits(facts: GgufFacts): ModelUnits {
  const { weightsBytes, tokenEmbeddingBytes, hasOutputTensor } = facts;
  const layers = Math.max(0, facts.blockCount ?? facts.blockBytes.length);
  const inBlocks = sum(facts.blockBytes);
  const outside = Math.max(0, weightsBytes - tokenEmbeddingBytes - inBlocks);
  // Without the header's own sums: an output as large as the input, and equal blocks.
  const guessed = hasOutputTensor ? Math.min(tokenEmbeddingBytes, outside) : 0;
  const blocks = Array.from(
    { length: layers },
    (_, layer) => inBlocks > 0 ? facts.blockBytes[layer] ?? 0 : (outside - guessed) / layers,
  );
  const rest = Math.max(0, weightsBytes - tokenEmbeddingBytes - sum(blocks));
  // Gemma 3n and 4: a table for each layer, by far the largest of what is in no block.
  const hasTables = (new ModelKeys(facts).count("embedding_length_per_layer_input") ?? 0) > 0;
  const ownHead = hasTables ? guessed : rest;
  const tiedBytes = hasOutputTensor ? 0 : tokenEmbeddingBytes;
  return {
    inputBytes: tokenEmbeddingBytes + rest - ownHead,
    blocks,
    headBytes: ownHead + tiedBytes,
    tiedBytes,
  };
}

/** The first block of those on the GPU, when `gpuLayers` units are there, the head counted. */
export function firstGpuBlock(units: ModelUnits, gpuLayers: number): number {
  return Math.max(0, units.blocks.length + 1 - Math.max(1, gpuLayers));
}

/**
 * Whether a share fits. llama.cpp deals layers out by the free memory of the devices, whole ones:
 * each must have room for its part, rounded up by one layer, and for what every device holds.
 */
export function fitsGpus(share: GpuShare, devices: readonly GpuDevice[]): boolean {
  const freeBytes = sum(devices.map((device) => device.freeBytes));
  return devices.length > 0 && devices.every((device, index) => {
    const part = devices.length === 1 ? share.layersBytes : Math.min(
      share.layersBytes,
      share.layersBytes * device.freeBytes / freeBytes + share.largestLayerBytes,
    );
    const needed = part + share.eachBytes + (index === 0 ? share.firstBytes : 0);
    return needed <= roomOn(device);
  });
}

/** What may be planned with on a device. */
export function roomOn(device: GpuDevice): number {
  return Math.max(0, device.freeBytes - GPU_MARGIN_BYTES);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
