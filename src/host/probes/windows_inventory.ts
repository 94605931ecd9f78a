// Windows: one PowerShell call that prints memory, CPU, system and GPUs as JSON, and its parser.

import type { CpuInfo, GpuInfo, MemoryInfo, OsInfo } from "../../api_types.ts";

const CLASS = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Class\\" +
  "{4d36e968-e325-11ce-bfc1-08002be10318}";

/**
 * Sizes of GPUs come from the registry: `AdapterRAM` ends at 4 GiB. Without double quotes, which
 * would not survive the way through `-Command`.
 */
export const INVENTORY_SCRIPT = [
  "$ErrorActionPreference='SilentlyContinue'",
  "[Console]::OutputEncoding=[Text.Encoding]::UTF8",
  "$os=Get-CimInstance Win32_OperatingSystem|" +
  "Select-Object Caption,Version,TotalVisibleMemorySize,FreePhysicalMemory",
  "$cpus=@(Get-CimInstance Win32_Processor|" +
  "Select-Object Name,NumberOfCores,NumberOfLogicalProcessors,Architecture)",
  "$gpus=@(Get-CimInstance Win32_VideoController|Select-Object Name,PNPDeviceID)",
  `$adapters=@(Get-ItemProperty '${CLASS}\\0*'|ForEach-Object{@{id=$_.MatchingDeviceId;` +
  "memory=$_.'HardwareInformation.qwMemorySize';small=$_.'HardwareInformation.MemorySize'}})",
  "@{os=$os;cpus=$cpus;gpus=$gpus;adapters=$adapters}|ConvertTo-Json -Depth 4 -Compress",
].join(";");

export interface WindowsInventory {
  cpu: Omit<CpuInfo, "usage">;
  memory: MemoryInfo;
  os: OsInfo;
  gpus: GpuInfo[];
}

/** Null for text that is not the script's JSON; what is missing in it is unknown. */
export function parseWindowsInventory(text: string): WindowsInventory | null {
  const root = parse(text);
  if (root === null) return null;
  const os = record(root["os"]);
  const cpus = list(root["cpus"]);
  const [cpu] = cpus;
  return {
    cpu: {
      model: word(cpu?.["Name"]),
      // One row for each socket.
      physical_cores: sum(cpus.map((row) => whole(row["NumberOfCores"]))),
      logical_cores: sum(cpus.map((row) => whole(row["NumberOfLogicalProcessors"]))),
      // No query of Windows names them.
      features: [],
    },
    memory: {
      total_bytes: kibibytes(os["TotalVisibleMemorySize"]),
      available_bytes: kibibytes(os["FreePhysicalMemory"]),
    },
    os: {
      family: "windows",
      name: word(os["Caption"]),
      // Inside an emulation the program's own architecture is not the machine's.
      arch: ARCHITECTURES.get(whole(cpu?.["Architecture"]) ?? -1) ?? Deno.build.arch,
      kernel: word(os["Version"]),
      container: null,
    },
    gpus: readGpus(list(root["gpus"]), list(root["adapters"])),
  };
}

type Row = Readonly<Record<string, unknown>>;

const ARCHITECTURES = new Map([[9, "x86_64"], [12, "aarch64"]]);

/** PCI vendors; a Snapdragon's GPU is on no bus. Virtual and basic displays are none of these. */
const VENDORS: readonly (readonly [RegExp, GpuInfo["vendor"]])[] = [
  [/^PCI\\VEN_10DE/i, "nvidia"],
  [/^PCI\\VEN_1002/i, "amd"],
  [/^PCI\\VEN_8086/i, "intel"],
  [/^ACPI\\QCOM/i, "other"],
];

function readGpus(controllers: Row[], adapters: Row[]): GpuInfo[] {
  const gpus: GpuInfo[] = [];
  for (const controller of controllers) {
    const id = word(controller["PNPDeviceID"]) ?? "";
    const vendor = VENDORS.find(([pattern]) => pattern.test(id))?.[1];
    if (vendor === undefined) continue;
    const name = word(controller["Name"]);
    // The registry keeps removed cards: only one that is there now is looked up.
    const adapter = adapters.find((row) => {
      const match = word(row["id"])?.toLowerCase();
      return match !== undefined && id.toLowerCase().startsWith(match);
    });
    gpus.push({
      name,
      vendor,
      vram_total_bytes: quadword(adapter?.["memory"]) ?? quadword(adapter?.["small"]),
      vram_free_bytes: null,
      unified: isUnified(vendor, name ?? ""),
    });
  }
  return gpus;
}

/** By the name alone, since Windows does not tell; null where the name is not clear. */
function isUnified(vendor: GpuInfo["vendor"], name: string): boolean | null {
  if (vendor === "nvidia") return false;
  if (vendor === "other") return true;
  if (vendor === "intel") {
    if (/\b[AB]\d{2,3}M?\b/.test(name)) return false;
    return /\b(UHD|HD|Iris|Xe|Arc)\b/.test(name) ? true : null;
  }
  if (/\bRX\b|\bPRO W\d/.test(name)) return false;
  return /Radeon(\(TM\))? (Graphics|\d{3,4}[MS])\b/.test(name) ? true : null;
}

/** A number, or its bytes in ascending order where a driver wrote it as binary. */
function quadword(value: unknown): number | null {
  if (Array.isArray(value)) {
    const bytes = value.filter((byte) => Number.isInteger(byte) && byte >= 0 && byte < 256);
    if (bytes.length !== value.length || bytes.length === 0 || bytes.length > 8) return null;
    return bytes.reduceRight<number>((number, byte) => number * 256 + byte, 0) || null;
  }
  return whole(value) || null;
}

function kibibytes(value: unknown): number | null {
  const number = whole(value);
  return number === null ? null : number * 1024;
}

function sum(numbers: (number | null)[]): number | null {
  return numbers.length === 0 || numbers.includes(null)
    ? null
    : numbers.reduce<number>((total, number) => total + (number ?? 0), 0);
}

function whole(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function word(value: unknown): string | null {
  return typeof value === "string" && value.trim() !== "" ? value.trim() : null;
}

/** `ConvertTo-Json` may write one item without its array. */
function list(value: unknown): Row[] {
  return (Array.isArray(value) ? value : [value]).map(record).filter((row) =>
    Object.keys(row).length > 0
  );
}

function record(value: unknown): Row {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Row : {};
}

function parse(text: string): Row | null {
  try {
    // Windows PowerShell may begin UTF-8 with a mark.
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ""));
    return typeof value === "object" && value !== null ? value as Row : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
