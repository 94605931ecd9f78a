// Linux GPUs from `/sys/class/drm` (AMD with sizes, Intel without) and the NVIDIA driver's `/proc`.

import type { GpuInfo } from "../../api_types.ts";
import { parseWhole, type SystemFiles } from "./system_files.ts";

const DRM = "/sys/class/drm";
const NVIDIA = "/proc/driver/nvidia/gpus";

const VENDORS = new Map<string, "nvidia" | "amd" | "intel">([
  ["0x10de", "nvidia"],
  ["0x1002", "amd"],
  ["0x8086", "intel"],
]);

/** A carve-out of an APU is small beside the system memory that the GPU may map. */
const MOST_CARVE_OUT_BYTES = 4 * 1024 ** 3;

/** `/proc/driver/nvidia/gpus/ADDRESS/information`: `Model: \t\t NVIDIA GeForce RTX 3060`. */
export function parseNvidiaInformation(text: string): string | null {
  return /^Model:[ \t]*(\S.*?)[ \t]*$/m.exec(text)?.[1] ?? null;
}

/** libdrm's table of names: lines of `device,\trevision,\tname`, hexadecimal without `0x`. */
export function findAmdName(table: string, card: { device: string; revision: string }) {
  const hex = (text: string) => text.replace(/^0x/, "").toUpperCase().padStart(2, "0");
  for (const line of table.split("\n")) {
    const [device, revision, ...name] = line.split(",").map((part) => part.trim());
    if (device?.toUpperCase() !== hex(card.device) || revision === undefined) continue;
    if (revision.toUpperCase() === hex(card.revision)) return name.join(", ") || null;
  }
  return null;
}

/**
 * Whether an AMD GPU lives in system RAM. Only cards have `board_info`, on newer kernels; else
 * a small carve-out beside a larger mappable part tells an APU. Null where neither is clear.
 */
export function isAmdUnified(
  card: { boardInfo: boolean; vramBytes: number | null; gttBytes: number | null },
): boolean | null {
  if (card.boardInfo) return false;
  if (card.vramBytes === null || card.gttBytes === null) return null;
  return card.vramBytes <= MOST_CARVE_OUT_BYTES && card.gttBytes > card.vramBytes ? true : null;
}

/** Models that the NVIDIA driver knows; it tells no memory here. */
export function readNvidiaDriver(files: SystemFiles): GpuInfo[] {
  return files.names(NVIDIA).map((address) => ({
    name: parseNvidiaInformation(files.read(`${NVIDIA}/${address}/information`) ?? ""),
    vendor: "nvidia",
    vram_total_bytes: null,
    vram_free_bytes: null,
    unified: null,
  }));
}

/** GPUs of the three vendors that llama.cpp can use; a display without one (virtual) is left out. */
export function readDrm(files: SystemFiles): GpuInfo[] {
  const gpus: GpuInfo[] = [];
  const seen = new Set<string>();
  // A GPU without a display may have only a `renderD` node; `card0-HDMI-A-1` is a socket, no GPU.
  const nodes = files.names(DRM).filter((name) => /^(card|renderD)\d+$/.test(name));
  for (const node of nodes) {
    const device = `${DRM}/${node}/device`;
    const vendor = VENDORS.get(files.readLine(`${device}/vendor`) ?? "");
    if (vendor === undefined) continue;
    const slot = /^PCI_SLOT_NAME=(.+)$/m.exec(files.read(`${device}/uevent`) ?? "")?.[1] ?? null;
    if (slot === null ? node.startsWith("renderD") && gpus.length > 0 : seen.has(slot)) continue;
    if (slot !== null) seen.add(slot);
    gpus.push(
      vendor === "amd" ? readAmd(files, device) : {
        name: null,
        vendor,
        vram_total_bytes: null,
        vram_free_bytes: null,
        // Intel's own graphics sit at one fixed place of the first bus, its cards behind a bridge.
        unified: vendor !== "intel" || slot === null ? null : /:00:02\.\d$/.test(slot),
      },
    );
  }
  return gpus;
}

function readAmd(files: SystemFiles, device: string): GpuInfo {
  const vram = readPool(files, `${device}/mem_info_vram`);
  const gtt = readPool(files, `${device}/mem_info_gtt`);
  const unified = isAmdUnified({
    boardInfo: files.exists(`${device}/board_info`),
    vramBytes: vram.total,
    gttBytes: gtt.total,
  });
  // An APU uses its carve-out and the mapped system memory alike; all of it is RAM.
  return {
    name: readAmdName(files, device),
    vendor: "amd",
    vram_total_bytes: unified ? sum(vram.total, gtt.total) : vram.total,
    vram_free_bytes: unified ? sum(free(vram), free(gtt)) : free(vram),
    unified,
  };
}

function readAmdName(files: SystemFiles, device: string): string | null {
  const card = {
    device: files.readLine(`${device}/device`) ?? "",
    revision: files.readLine(`${device}/revision`) ?? "",
  };
  return files.readLine(`${device}/product_name`) ??
    findAmdName(files.read("/usr/share/libdrm/amdgpu.ids") ?? "", card);
}

interface Pool {
  total: number | null;
  used: number | null;
}

function readPool(files: SystemFiles, path: string): Pool {
  return {
    total: parseWhole(files.readLine(`${path}_total`)),
    used: parseWhole(files.readLine(`${path}_used`)),
  };
}

function free(pool: Pool): number | null {
  return pool.total === null || pool.used === null ? null : Math.max(0, pool.total - pool.used);
}

function sum(first: number | null, second: number | null): number | null {
  return first === null || second === null ? null : first + second;
}
