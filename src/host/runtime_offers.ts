// Which builds of llama.cpp are offered on which computer, and why (pure; facts/protocols.md, B.3 and
// B.4). Nobody is asked over the network for it.

import type { AvailableRuntime, GpuInfo, RuntimeOfferCode } from "../api_types.ts";
import type { NvidiaDriver } from "./probes/nvidia_driver.ts";
import { isBuildOf, type ReleaseBuild, releaseBuilds } from "./release_builds.ts";

export interface OfferFacts {
  os: string;
  arch: string;
  gpus: readonly Pick<GpuInfo, "vendor">[];
  /** Null where none answers. */
  nvidia: NvidiaDriver | null;
}

export interface OfferOptions {
  tag: string;
  digests: Readonly<Record<string, string>>;
  /** Names of the builds that were installed here. */
  installed: readonly string[];
  /** Whether any build is here that can be used, wherever it came from. */
  hasBuild: boolean;
}

interface Verdict {
  offered: boolean;
  code: RuntimeOfferCode;
  values: Record<string, string | number>;
}

/** The first driver that runs each line of CUDA; Windows has versions of its own for the older one. */
const DRIVERS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "cuda-12": { linux: "525.60", windows: "528.33" },
  "cuda-13": { linux: "580.00", windows: "580.00" },
};
/** CUDA 13 left the GPUs before Turing. */
const LEAST_CAPABILITY_OF_13 = 7.5;
/** The CUDA 12 line for Windows is older than Blackwell. */
const LEAST_CAPABILITY_WITHOUT_12 = 12;

/**
 * In the order of the releases. The best that this computer can use is recommended, unless it is the one
 * for the CPU and there is a build already.
 */
export function runtimeOffers(facts: OfferFacts, options: OfferOptions): AvailableRuntime[] {
  const rows = releaseBuilds(facts).map((build): AvailableRuntime => {
    const { tag, digests, installed } = options;
    const verdict = verdictOn(build, facts);
    return {
      variant: build.variant,
      size_bytes: build.sizeBytes,
      verified: isPinned(build, digests) ? "pinned" : "unverified",
      ...verdict,
      recommended: false,
      reason: reasonOf(verdict),
      installed: installed.find((name) => isBuildOf(name, { tag, wanted: build })) ?? null,
    };
  });
  const best = rows.findLast(({ offered, variant }) => offered && isWorth(variant, facts));
  for (const row of rows) {
    row.recommended = row === best && !(options.hasBuild && row.code === "runs_anywhere");
  }
  return rows;
}

/** A build for GPUs of makers that nobody knows may run, and may be slower than the CPU. */
function isWorth(variant: string, { gpus }: OfferFacts): boolean {
  return variant !== "vulkan" || gpus.some(({ vendor }) => vendor !== null && vendor !== "other");
}

function verdictOn({ variant }: ReleaseBuild, facts: OfferFacts): Verdict {
  if (variant === "vulkan") {
    return facts.gpus.length === 0 ? no("no_gpu") : yes("gpu_fits");
  }
  if (!variant.startsWith("cuda")) return yes("runs_anywhere");
  if (!facts.gpus.some(({ vendor }) => vendor === "nvidia")) return no("no_nvidia_gpu");
  if (facts.nvidia === null) return no("driver_unknown");
  const { version: driver, leastCapability, mostCapability } = facts.nvidia;
  const needed = DRIVERS[variant]![facts.os]!;
  if (isOlder(driver, needed)) return no("driver_too_old", { driver, needed });
  if (variant === "cuda-13" && (leastCapability ?? 0) < LEAST_CAPABILITY_OF_13) {
    return no(leastCapability === null ? "driver_unknown" : "gpu_too_old");
  }
  const isNew = (mostCapability ?? 0) >= LEAST_CAPABILITY_WITHOUT_12;
  if (variant === "cuda-12" && facts.os === "windows" && isNew) return no("gpu_too_new");
  return yes("gpu_fits");
}

function yes(code: RuntimeOfferCode): Verdict {
  return { offered: true, code, values: {} };
}

function no(code: RuntimeOfferCode, values: Verdict["values"] = {}): Verdict {
  return { offered: false, code, values };
}

function reasonOf({ code, values }: Verdict): string {
  switch (code) {
    case "runs_anywhere":
      return "It runs on any computer of this kind";
    case "gpu_fits":
      return "This computer has a GPU for it";
    case "no_gpu":
      return "No GPU was found: where there is one, install its driver";
    case "no_nvidia_gpu":
      return "No GPU of NVIDIA was found: where there is one, install NVIDIA's driver";
    case "driver_unknown":
      return "NVIDIA's driver does not say what it can run: install or update it";
    case "driver_too_old":
      return `NVIDIA's driver ${values.driver} is too old: update it to ${values.needed} or later`;
    case "gpu_too_old":
      return "The GPU is too old for it: choose another build";
    case "gpu_too_new":
      return "The GPU is too new for it: choose another build";
  }
}

function isOlder(version: string, than: string): boolean {
  const parts = version.split(".").map(Number);
  const others = than.split(".").map(Number);
  const at = others.findIndex((other, index) => (parts[index] ?? 0) !== other);
  return at >= 0 && (parts[at] ?? 0) < others[at]!;
}

/** Every archive of it, whatever version of the line the release has. */
function isPinned(build: ReleaseBuild, digests: Readonly<Record<string, string>>): boolean {
  const known = Object.keys(digests).find((ending) =>
    isBuildOf(`llama-t-${ending.replace(/\.(tar\.gz|zip)$/, "")}`, { tag: "t", wanted: build })
  );
  return known !== undefined && (!build.hasCompanion || `cudart-${known}` in digests);
}
