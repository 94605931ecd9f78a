// Which GPU memory a model may be planned into (pure): llama.cpp's devices, which alone are used,
// with what the system's own reading says of them. Unknown is not guessed, doubt is no memory.

import type { GpuInfo, RuntimeDevice } from "../api_types.ts";
import { type GpuDevice, type GpuKind, roomOn } from "./offload.ts";

/** GPUs that llama.cpp will use. */
export interface GpuRoom extends Omit<GpuKind, "count"> {
  /** Empty = there is a GPU, and how much memory it has is not known. */
  devices: readonly GpuDevice[];
}

/** Kinds of device that are no GPU: maths libraries, other computers. */
const NO_GPU = /^(?:CPU|BLAS|ACCEL|RPC)/i;

/**
 * Null where the runtime has no GPU. Cards are used before what shares the RAM, as llama.cpp does.
 * Several cards count together; of GPUs that share the RAM only the first is used.
 */
export function gpuRoom(
  runtimeDevices: readonly RuntimeDevice[],
  gpus: readonly GpuInfo[],
): GpuRoom | null {
  const left = [...gpus];
  const found = onePerCard(runtimeDevices).map((device) => {
    const gpu = takeMatch(device, left);
    return { device, gpu, unified: isUnified(device, gpu) };
  });
  if (found.length === 0) return null;
  const cards = found.filter(({ unified }) => !unified);
  const used = cards.length > 0 ? cards : found.slice(0, 1);
  const mapsFile = cards.length === 0 && isApple(found[0]!.device, found[0]!.gpu);
  const devices = used.map(({ device, gpu, unified }) =>
    unified ? sharedDevice(device) : cardDevice(device, gpu)
  );
  return {
    unified: cards.length === 0,
    mapsFile,
    devices: devices.every(({ totalBytes }) => totalBytes > 0) ? devices : [],
  };
}

/** The room when so many bytes of it, held by models of ours, were given back. */
export function withFreed(room: GpuRoom | null, freedBytes: number): GpuRoom | null {
  if (room === null || freedBytes === 0) return room;
  const totalBytes = sum(room.devices.map((device) => device.totalBytes));
  return {
    ...room,
    devices: room.devices.map((device) => ({
      ...device,
      freeBytes: Math.min(
        device.totalBytes,
        device.freeBytes + freedBytes * device.totalBytes / totalBytes,
      ),
    })),
  };
}

/** What may be planned with; null where it is no limit of its own or not known. */
export function vramFree(room: GpuRoom | null): number | null {
  if (room === null || room.unified || room.devices.length === 0) return null;
  return Math.floor(sum(room.devices.map(roomOn)));
}

// It is limited by what the system lets it have; what is free of the RAM is counted there.
function sharedDevice({ description, total_bytes }: RuntimeDevice): GpuDevice {
  return { name: description, totalBytes: total_bytes, freeBytes: total_bytes };
}

function cardDevice(device: RuntimeDevice, gpu: GpuInfo | null): GpuDevice {
  const totalBytes = Math.min(device.total_bytes, gpu?.vram_total_bytes || Infinity);
  const free = gpu?.vram_free_bytes ?? device.free_bytes;
  return {
    name: gpu?.name ?? device.description,
    totalBytes,
    freeBytes: Math.max(0, Math.min(totalBytes, free)),
  };
}

// A build with several ways to the same card lists it under each: `CUDA0` and `Vulkan0`.
function onePerCard(devices: readonly RuntimeDevice[]): RuntimeDevice[] {
  const wayOf = ({ name }: RuntimeDevice) => name.replace(/\d.*$/, "");
  const ways = new Map<string, string>();
  return devices.filter((device) => {
    if (NO_GPU.test(device.name)) return false;
    const card = words(device.description);
    if (!ways.has(card)) ways.set(card, wayOf(device));
    return ways.get(card) === wayOf(device);
  });
}

/** The reading of this device, taken out of the list: by name, else the only one of its vendor. */
function takeMatch(device: RuntimeDevice, gpus: GpuInfo[]): GpuInfo | null {
  const description = words(device.description);
  const isNamed = ({ name }: GpuInfo) => {
    const own = words(name ?? "");
    return own !== "" && description !== "" &&
      (description.includes(own) || own.includes(description));
  };
  const vendor = vendorOf(device);
  const ofVendor = gpus.filter((gpu) => gpu.vendor === vendor);
  const match = gpus.find(isNamed) ?? (ofVendor.length === 1 ? ofVendor[0] : undefined);
  if (match === undefined) return null;
  gpus.splice(gpus.indexOf(match), 1);
  return match;
}

// CUDA is for cards but where the system says otherwise. Of all others one has to know, or that there
// is memory set apart for it: what an AMD processor sets apart is not counted as RAM either.
function isUnified(device: RuntimeDevice, gpu: GpuInfo | null): boolean {
  if (isApple(device, gpu)) return true;
  const unified = gpu?.unified ?? null;
  if (unified !== null) return unified;
  return !(/^CUDA/i.test(device.name) || (gpu?.vendor === "amd" && gpu.vram_total_bytes));
}

function isApple(device: RuntimeDevice, gpu: GpuInfo | null): boolean {
  return /^(?:MTL|Metal)/i.test(device.name) && (gpu?.vendor ?? vendorOf(device)) === "apple";
}

function vendorOf({ name, description }: RuntimeDevice): GpuInfo["vendor"] {
  if (/^CUDA/i.test(name) || /nvidia|geforce|quadro|tesla/i.test(description)) return "nvidia";
  if (/amd|radeon/i.test(description)) return "amd";
  if (/intel/i.test(description)) return "intel";
  return /apple/i.test(description) ? "apple" : null;
}

/** `Intel(R) Arc(TM) A770 Graphics (DG2)` and `Intel Arc A770` have the same beginning. */
function words(name: string): string {
  return name.toLowerCase().replace(/\((?:r|tm)\)/g, "").replace(/[^a-z0-9]+/g, " ").trim();
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
