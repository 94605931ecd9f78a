// Installs llama.cpp from its own release builds. The digest of the pinned build is part of this
// file; that of any other comes from the same server as the file and is marked as unverified.

import { join } from "node:path";
import type { InstallContext, InstallSource, PreparedBuild } from "./install_source.ts";
import { unpackArchive } from "./archive.ts";
import { downloadAsset, FETCH_LIMITS, type FetchLimits } from "./download_asset.ts";
import { removeIfThere } from "../durable_write.ts";
import { GithubReleases, type ReleaseAsset } from "./github_releases.ts";
import { type BuildAssets, findAssets, releaseBuilds } from "./release_builds.ts";
import { isThere } from "./runtime_home.ts";
import { SERVER_FILE } from "./server_file.ts";

export const RELEASE_API = "https://api.github.com";

export const PINNED_TAG = "b11118";

/** SHA-256 of the pinned build's archives, by the ends of their names. */
export const PINNED_DIGESTS: Readonly<Record<string, string>> = {
  "ubuntu-x64.tar.gz": "20f3067d5bc7e48c2be49ada32497a08dc75c730d90fce852d1d7cf12fe36995",
  "ubuntu-vulkan-x64.tar.gz": "145fdde715c1e9f4808f1fe0749944149c91713a9d681fd00818f87b6cbdaccf",
  "macos-arm64.tar.gz": "ca0ea3156257b21eeb11d0628f2baecd3928013a3d060e2e192042276e5b1f35",
  "win-cpu-x64.zip": "7f8431c69471cf8991f43da4af6e80f3a66778a63055004a9211ebba00d68084",
  "win-vulkan-x64.zip": "5cb80f42a602965f7491cac4977329ff47c6aa4f850272406708854b5d290547",
  "win-cuda-12.4-x64.zip": "09d262cb22c26d276a8c2cd38e0ddb405404c4c60e355c2ed96cda8e77538c59",
  "cudart-win-cuda-12.4-x64.zip":
    "8c79a9b226de4b3cacfd1f83d24f962d0773be79f1e7b75c6af4ded7e32ae1d6",
};

export interface GithubOptions {
  /** Default: `RELEASE_API`. */
  apiBase?: string | undefined;
  /** `latest` is opt-in: its digests are not ours, and llama.cpp's command line changes often. */
  release?: "pinned" | "latest" | undefined;
  /** One kind of build and no other; default: the one for the CPU, or for GPUs where one is worth a try. */
  variant?: string | undefined;
  platform?: { os: string; arch: string } | undefined;
  /** Whether a GPU is worth a try; default: no. */
  hasGpu?(): Promise<boolean>;
  pinned?: { tag: string; digests: Readonly<Record<string, string>> };
  limits?: Readonly<FetchLimits>;
}

export function githubSource(options: GithubOptions = {}): InstallSource {
  const {
    apiBase = RELEASE_API,
    release: wanted = "pinned",
    variant = null,
    platform = { os: Deno.build.os, arch: Deno.build.arch },
    hasGpu = () => Promise.resolve(false),
    pinned = { tag: PINNED_TAG, digests: PINNED_DIGESTS },
    limits = FETCH_LIMITS,
  } = options;
  const all = releaseBuilds(platform);
  const builtFor = variant === null ? all : all.filter((each) => each.variant === variant);
  const [first] = builtFor;

  function unsuitable(): Promise<string | null> {
    const kind = variant === null ? "build" : `${variant} build`;
    const reason = `it has no ${kind} for ${platform.os} on ${platform.arch}`;
    return Promise.resolve(first === undefined ? reason : null);
  }

  async function* builds(context: InstallContext): AsyncGenerator<PreparedBuild> {
    if (first === undefined) return;
    const { log, signal } = context;
    const releases = new GithubReleases(apiBase, { limits, signal });
    context.progress("Asking GitHub for llama.cpp", 0);
    const release = wanted === "pinned"
      ? await releases.byTag(pinned.tag)
      : await releases.latest((each) => findAssets(each, first) !== null);
    const gpu = variant === null ? builtFor.find((each) => each.variant === "vulkan") : undefined;
    const order = gpu !== undefined && (await hasGpu()) ? [gpu, first] : [first];
    for (const build of order) {
      const last = build === order.at(-1);
      try {
        const assets = findAssets(release, build);
        if (assets === null) throw new Error(`release "${release.tag}" has no ${build.ending}`);
        const digests = release.tag === pinned.tag ? pinned.digests : {};
        const fetched = await fetchBuild(assets, { digests, limits, context });
        const plain = `llama-${release.tag}-${assets.ending.replace(/\.(tar\.gz|zip)$/, "")}`;
        const name = await context.nameFor(plain, fetched.archives);
        yield { ...fetched, name, needsDevice: build.needsDevice };
      } catch (error) {
        signal.throwIfAborted();
        if (last) throw error;
        log.warn("Cannot use the build for GPUs", {
          variant: build.variant,
          reason: String(error),
        });
      }
    }
  }

  return { name: "github", unsuitable, builds };
}

async function fetchBuild(
  { main, companion, ending }: BuildAssets,
  { digests, limits, context }: {
    digests: Readonly<Record<string, string>>;
    limits: Readonly<FetchLimits>;
    context: InstallContext;
  },
): Promise<Pick<PreparedBuild, "folder" | "verified" | "archives">> {
  const parts: { asset: ReleaseAsset; digest: string | undefined }[] = [
    { asset: main, digest: digests[ending] },
  ];
  if (companion !== null) {
    parts.push({ asset: companion, digest: digests[`cudart-${ending}`] });
  }
  const totalBytes = parts.reduce((sum, { asset }) => sum + asset.sizeBytes, 0);
  const archives: PreparedBuild["archives"] = [];
  const folders: string[] = [];
  let doneBytes = 0;
  for (const [index, { asset, digest }] of parts.entries()) {
    const unpacked = join(context.workFolder, `unpacked-${index}`);
    const onBytes = (received: number) => {
      const activity = `Downloading llama.cpp (${Math.ceil(totalBytes / 1e6)} MB)`;
      context.progress(activity, 0.9 * (doneBytes + received) / totalBytes);
    };
    const sha256 = await fetchAsset(asset, { unpacked, digest, limits, context, onBytes });
    archives.push({ name: asset.name, sha256 });
    folders.push(unpacked);
    doneBytes += asset.sizeBytes;
  }
  const folder = await folderOfServer(folders[0]!);
  if (folders[1] !== undefined) await moveLibraries(folders[1], folder);
  const isPinned = parts.every(({ digest }) => digest !== undefined);
  return { folder, verified: isPinned ? "pinned" : "unverified", archives };
}

async function fetchAsset(
  { name, sizeBytes, sha256: told, url }: ReleaseAsset,
  { unpacked, digest, limits, context, onBytes }: {
    unpacked: string;
    digest: string | undefined;
    limits: Readonly<FetchLimits>;
    context: InstallContext;
    onBytes(received: number): void;
  },
): Promise<string> {
  const { workFolder, log, signal } = context;
  const expected = digest ?? told;
  if (expected === null) throw new Error(`"${name}" has no digest to check it by`);
  if (digest === undefined) log.warn("The digest of this build is not pinned", { name });
  // The asset's name decides nothing on this disk but the kind of archive.
  const kind = name.endsWith(".zip") ? ".zip" : ".tar.gz";
  const path = join(workFolder, `archive${kind}`);
  await removeIfThere(path);
  const sha256 = await downloadAsset(url, { path, sizeBytes, limits, signal, onBytes });
  if (sha256 !== expected) {
    throw new Error(`"${name}" is not what it should be: SHA-256 ${sha256} instead of ${expected}`);
  }
  context.progress("Unpacking llama.cpp", 0.9);
  await removeIfThere(unpacked);
  await Deno.mkdir(unpacked, { mode: 0o755 });
  await unpackArchive(path, unpacked, { signal });
  await removeIfThere(path);
  return sha256;
}

/** Flat (zip), or everything in one folder (tar). */
async function folderWithin(unpacked: string): Promise<string> {
  const entries = await Array.fromAsync(Deno.readDir(unpacked));
  const only = entries.length === 1 && entries[0]!.isDirectory ? entries[0]!.name : "";
  return join(unpacked, only);
}

async function folderOfServer(unpacked: string): Promise<string> {
  const folder = await folderWithin(unpacked);
  for await (const entry of Deno.readDir(folder)) {
    if (entry.isFile && entry.name === SERVER_FILE) return folder;
  }
  throw new Error(`the archive has no ${SERVER_FILE}`);
}

/** NVIDIA's libraries are looked for beside llama-server. Whatever else came with them is left out. */
async function moveLibraries(unpacked: string, folder: string): Promise<void> {
  const from = await folderWithin(unpacked);
  let count = 0;
  for await (const { name, isFile } of Deno.readDir(from)) {
    if (!isFile || !/\.(so(\.\d+)*|dll)$/.test(name)) continue;
    if (await isThere(join(folder, name))) throw new Error(`two archives have the file "${name}"`);
    await Deno.rename(join(from, name), join(folder, name));
    count++;
  }
  if (count === 0) throw new Error("the archive of CUDA's libraries has none");
}
