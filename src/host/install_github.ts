// Installs llama.cpp from its own release builds. The digest of the pinned build is part of this
// file; that of any other comes from the same server as the file and is marked as unverified.

import { join } from "node:path";
import type { InstallContext, InstallSource, PreparedBuild } from "./install.ts";
import { unpackArchive } from "./archive.ts";
import { downloadAsset, FETCH_LIMITS, type FetchLimits } from "./download_asset.ts";
import { removeIfThere } from "../durable_write.ts";
import { SERVER_FILE } from "./find_runtime.ts";
import { GithubReleases, type Release, type ReleaseAsset } from "./github_releases.ts";

export const PINNED_TAG = "b11118";

/** SHA-256 of the pinned build's archives. */
export const PINNED_DIGESTS: Readonly<Record<string, string>> = {
  "ubuntu-x64.tar.gz": "20f3067d5bc7e48c2be49ada32497a08dc75c730d90fce852d1d7cf12fe36995",
  "ubuntu-vulkan-x64.tar.gz": "145fdde715c1e9f4808f1fe0749944149c91713a9d681fd00818f87b6cbdaccf",
  "macos-arm64.tar.gz": "ca0ea3156257b21eeb11d0628f2baecd3928013a3d060e2e192042276e5b1f35",
  "win-cpu-x64.zip": "7f8431c69471cf8991f43da4af6e80f3a66778a63055004a9211ebba00d68084",
  "win-vulkan-x64.zip": "5cb80f42a602965f7491cac4977329ff47c6aa4f850272406708854b5d290547",
};

export interface GithubOptions {
  /** Default: `https://api.github.com`. */
  apiBase?: string;
  /** `latest` is opt-in: its digests are not ours, and llama.cpp's command line changes often. */
  release?: "pinned" | "latest";
  platform?: { os: string; arch: string };
  /** Whether a GPU is worth a try; default: no. */
  hasGpu?(): Promise<boolean>;
  pinned?: { tag: string; digests: Readonly<Record<string, string>> };
  limits?: Readonly<FetchLimits>;
}

/** The end of the archive's name for each system: CPU build first, then the one for GPUs. */
const VARIANTS: Readonly<Record<string, readonly [cpu: string, gpu: string | null]>> = {
  "linux x86_64": ["ubuntu-x64.tar.gz", "ubuntu-vulkan-x64.tar.gz"],
  "linux aarch64": ["ubuntu-arm64.tar.gz", "ubuntu-vulkan-arm64.tar.gz"],
  // Metal is inside; there is none for Intel Macs.
  "darwin aarch64": ["macos-arm64.tar.gz", null],
  "darwin x86_64": ["macos-x64.tar.gz", null],
  "windows x86_64": ["win-cpu-x64.zip", "win-vulkan-x64.zip"],
  "windows aarch64": ["win-cpu-arm64.zip", null],
};

export function githubSource(options: GithubOptions = {}): InstallSource {
  const {
    apiBase = "https://api.github.com",
    release: wanted = "pinned",
    platform = { os: Deno.build.os, arch: Deno.build.arch },
    hasGpu = () => Promise.resolve(false),
    pinned = { tag: PINNED_TAG, digests: PINNED_DIGESTS },
    limits = FETCH_LIMITS,
  } = options;
  const variants = VARIANTS[`${platform.os} ${platform.arch}`];

  function unsuitable(): Promise<string | null> {
    const reason = `it has no build for ${platform.os} on ${platform.arch}`;
    return Promise.resolve(variants === undefined ? reason : null);
  }

  async function* builds(context: InstallContext): AsyncGenerator<PreparedBuild> {
    if (variants === undefined) return;
    const { log, signal } = context;
    const releases = new GithubReleases(apiBase, { limits, signal });
    context.progress("Asking GitHub for llama.cpp", 0);
    const release = wanted === "pinned"
      ? await releases.byTag(pinned.tag)
      : await releases.latest((each) => assetFor(variants[0], each) !== undefined);
    const [cpu, gpu] = variants;
    const order = gpu !== null && (await hasGpu()) ? [gpu, cpu] : [cpu];
    for (const variant of order) {
      const last = variant === order.at(-1);
      const asset = assetFor(variant, release);
      try {
        if (asset === undefined) throw new Error(`release "${release.tag}" has no ${variant}`);
        const digest = release.tag === pinned.tag ? pinned.digests[variant] : undefined;
        const fetched = await fetchBuild({ asset, digest, limits }, context);
        const name = `llama-${release.tag}-${variant.replace(/\.(tar\.gz|zip)$/, "")}`;
        yield { ...fetched, name, needsDevice: variant === gpu };
      } catch (error) {
        signal.throwIfAborted();
        if (last) throw error;
        log.warn("Cannot use the build for GPUs", { variant, reason: String(error) });
      }
    }
  }

  return { name: "github", unsuitable, builds };
}

function assetFor(variant: string, release: Release): ReleaseAsset | undefined {
  // The name is computed, and only compared with what the server says.
  const name = `llama-${release.tag}-bin-${variant}`;
  return release.assets.find((asset) => asset.name === name);
}

async function fetchBuild(
  { asset, digest, limits }: {
    asset: ReleaseAsset;
    digest: string | undefined;
    limits: Readonly<FetchLimits>;
  },
  { workFolder, progress, log, signal }: InstallContext,
): Promise<Pick<PreparedBuild, "folder" | "verified" | "archives">> {
  const { name, sizeBytes, url } = asset;
  const expected = digest ?? asset.sha256;
  if (expected === null) throw new Error(`"${name}" has no digest to check it by`);
  if (digest === undefined) log.warn("The digest of this build is not pinned", { name });
  const megabytes = Math.ceil(sizeBytes / 1e6);
  const onBytes = (received: number) =>
    progress(`Downloading llama.cpp (${megabytes} MB)`, 0.9 * received / sizeBytes);
  // The asset's name decides nothing on this disk but the kind of archive.
  const kind = name.endsWith(".zip") ? ".zip" : ".tar.gz";
  const path = join(workFolder, `archive${kind}`);
  await removeIfThere(path);
  const sha256 = await downloadAsset(url, { path, sizeBytes, limits, signal, onBytes });
  if (sha256 !== expected) {
    throw new Error(`"${name}" is not what it should be: SHA-256 ${sha256} instead of ${expected}`);
  }
  progress("Unpacking llama.cpp", 0.9);
  const unpacked = join(workFolder, "unpacked");
  await removeIfThere(unpacked);
  await Deno.mkdir(unpacked, { mode: 0o755 });
  await unpackArchive(path, unpacked, { signal });
  await removeIfThere(path);
  const folder = await folderOfServer(unpacked);
  const verified = digest === undefined ? "unverified" : "pinned";
  return { folder, verified, archives: [{ name, sha256 }] };
}

/** Flat (zip), or everything in one folder (tar). */
async function folderOfServer(unpacked: string): Promise<string> {
  const entries = await Array.fromAsync(Deno.readDir(unpacked));
  const only = entries.length === 1 && entries[0]!.isDirectory ? entries[0]!.name : "";
  const folder = join(unpacked, only);
  for await (const entry of Deno.readDir(folder)) {
    if (entry.isFile && entry.name === SERVER_FILE) return folder;
  }
  throw new Error(`the archive has no ${SERVER_FILE}`);
}
