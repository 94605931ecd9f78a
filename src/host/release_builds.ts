// Which builds llama.cpp's releases have for which system, and by which names. Whether one suits this
// computer is runtime_offers.ts's.

import type { Release, ReleaseAsset } from "./github_releases.ts";

export interface ReleaseBuild {
  /** `cpu`, `metal`, `vulkan`, `cuda-12`, `cuda-13`. */
  variant: string;
  /** How the archive's name ends; `12.N`, `13.N` stand for any version of that line. */
  ending: string;
  /** Unpacked beside another archive with NVIDIA's own libraries. */
  hasCompanion: boolean;
  /** Worth nothing on a machine on which it sees no GPU. */
  needsDevice: boolean;
  /** What is downloaded, roughly: it grows with each build. */
  sizeBytes: number;
}

export interface BuildAssets {
  main: ReleaseAsset;
  companion: ReleaseAsset | null;
  /** As `ReleaseBuild.ending`, with the version that this release has. */
  ending: string;
}

function build(variant: string, ending: string, megabytes: number): ReleaseBuild {
  const isCuda = variant.startsWith("cuda");
  return {
    variant,
    ending,
    hasCompanion: isCuda,
    needsDevice: isCuda || variant === "vulkan",
    sizeBytes: megabytes * 1_000_000,
  };
}

/** The first of each runs on any of its machines. Sizes are of September 2026, companions counted. */
const BUILDS: Readonly<Record<string, readonly ReleaseBuild[]>> = {
  "linux x86_64": [
    build("cpu", "ubuntu-x64.tar.gz", 17),
    build("vulkan", "ubuntu-vulkan-x64.tar.gz", 31),
    build("cuda-12", "ubuntu-cuda-12.N-x64.tar.gz", 763),
    build("cuda-13", "ubuntu-cuda-13.N-x64.tar.gz", 589),
  ],
  "linux aarch64": [
    build("cpu", "ubuntu-arm64.tar.gz", 14),
    build("vulkan", "ubuntu-vulkan-arm64.tar.gz", 24),
    build("cuda-13", "ubuntu-cuda-13.N-arm64.tar.gz", 698),
  ],
  // Metal is inside; there is none for Intel Macs.
  "darwin aarch64": [build("metal", "macos-arm64.tar.gz", 11)],
  "darwin x86_64": [build("cpu", "macos-x64.tar.gz", 11)],
  "windows x86_64": [
    build("cpu", "win-cpu-x64.zip", 19),
    build("vulkan", "win-vulkan-x64.zip", 32),
    build("cuda-12", "win-cuda-12.N-x64.zip", 645),
    build("cuda-13", "win-cuda-13.N-x64.zip", 574),
  ],
  "windows aarch64": [
    build("cpu", "win-cpu-arm64.zip", 12),
    build("cuda-13", "win-cuda-13.N-arm64.zip", 296),
  ],
};

export function releaseBuilds({ os, arch }: { os: string; arch: string }): readonly ReleaseBuild[] {
  return BUILDS[`${os} ${arch}`] ?? [];
}

/** Null where the release has none, or not yet its companion: a fresh one may still be uploading. */
export function findAssets(release: Release, wanted: ReleaseBuild): BuildAssets | null {
  // Names are made here, and only compared with what the server says.
  const pattern = new RegExp(`^llama-${escaped(release.tag)}-bin-(${endingPattern(wanted)})$`);
  for (const main of release.assets) {
    const ending = pattern.exec(main.name)?.[1];
    if (ending === undefined) continue;
    if (!wanted.hasCompanion) return { main, companion: null, ending };
    // Windows' has no tag in its name: it is the same in many releases.
    const names = [`cudart-llama-${release.tag}-bin-${ending}`, `cudart-llama-bin-${ending}`];
    const companion = release.assets.find(({ name }) => names.includes(name));
    if (companion !== undefined) return { main, companion, ending };
  }
  return null;
}

/** Whether an installed build of this name is that of the release. */
export function isBuildOf(
  name: string,
  { tag, wanted }: { tag: string; wanted: ReleaseBuild },
): boolean {
  const ending = endingPattern(wanted).replace(/\\\.(tar\\\.gz|zip)$/, "");
  return new RegExp(`^llama-${escaped(tag)}-${ending}$`).test(name);
}

function endingPattern({ ending }: ReleaseBuild): string {
  return escaped(ending).replace(/\bN\b/, "\\d{1,2}");
}

function escaped(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\*]/g, "\\$&");
}
