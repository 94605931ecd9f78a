// macOS `system_profiler SPDisplaysDataType -json`: the GPUs. What Metal may use is llama.cpp's to say.

import type { GpuInfo } from "../../api_types.ts";

const UNITS: Readonly<Record<string, number>> = { MB: 1024 ** 2, GB: 1024 ** 3 };

/** No GPU for text that is not the tool's JSON. */
export function parseSystemProfiler(text: string): GpuInfo[] {
  const rows = field(parse(text), "SPDisplaysDataType");
  if (!Array.isArray(rows)) return [];
  return rows.map((row) => {
    const name = word(row, "sppci_model") ?? word(row, "_name");
    // Older systems name no vendor beside `kHW_AppleM1Item`.
    const vendor = vendorOf(word(row, "spdisplays_vendor") ?? name ?? "");
    const card = bytes(word(row, "spdisplays_vram"));
    // `..._vram_shared` and `_spdisplays_vram` are parts of RAM that an integrated GPU may take.
    const unified = vendor === "apple" || word(row, "spdisplays_vram_shared") !== null ||
      word(row, "_spdisplays_vram") !== null;
    return {
      name,
      vendor,
      vram_total_bytes: unified ? null : card,
      vram_free_bytes: null,
      unified: unified ? true : card === null ? null : false,
    };
  });
}

function vendorOf(text: string): GpuInfo["vendor"] {
  if (/apple/i.test(text)) return "apple";
  if (/amd|radeon|0x1002/i.test(text)) return "amd";
  if (/intel|0x8086/i.test(text)) return "intel";
  if (/nvidia|0x10de/i.test(text)) return "nvidia";
  return text === "" ? null : "other";
}

/** `8 GB` or `1536 MB`. */
function bytes(text: string | null): number | null {
  const [, amount, unit] = /^(\d+) (MB|GB)$/.exec(text ?? "") ?? [];
  return unit === undefined ? null : Number(amount) * (UNITS[unit] ?? NaN);
}

function word(row: unknown, name: string): string | null {
  const value = field(row, name);
  return typeof value === "string" && value !== "" ? value : null;
}

function field(row: unknown, name: string): unknown {
  return typeof row === "object" && row !== null && Object.hasOwn(row, name)
    ? (row as Record<string, unknown>)[name]
    : null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
