// Finds a llama-server, or installs one from the first source that can. What a source fetches and
// how it is verified is the source's; how a build is asked about itself is runtime_probe.ts's.

import { join } from "node:path";
import { AppError, messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { removeIfThere, syncPath, syncTree } from "../durable_write.ts";
import { findRuntime, givenRuntime, SERVER_FILE } from "./find_runtime.ts";
import type { FindOptions, Runtime } from "./find_runtime.ts";
import {
  type BuildRecord,
  finishBuild,
  lockRuntimeHome,
  makeWorkFolder,
  markUnfinished,
  moveBuildAside,
  removeLeftovers,
} from "./runtime_home.ts";
import { probeRuntime, refusalOf } from "./runtime_probe.ts";

export interface InstallProgress {
  activity: string;
  /** 0 to 1; null = unknown. */
  progress: number | null;
}

/** One way to get a llama.cpp build. */
export interface InstallSource {
  readonly name: string;
  /** Why this source cannot serve this machine; null = it can be tried. */
  unsuitable(): Promise<string | null>;
  /**
   * Fetches and verifies builds, the best first; the next one is asked for if the one before
   * did not run.
   */
  builds(context: InstallContext): AsyncIterable<PreparedBuild>;
}

export interface InstallContext {
  /**
   * Empty and the source's own; removed afterwards. On the same file system as the final
   * folder.
   */
  readonly workFolder: string;
  /** Where a build of this name will lie: for what must know its own place. */
  finalFolder(name: string): string;
  progress(activity: string, progress: number | null): void;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface PreparedBuild extends Pick<BuildRecord, "name" | "verified" | "archives"> {
  /** Inside the work folder; holds `llama-server` itself. */
  folder: string;
  /** A build for GPUs is kept only if it sees one. */
  needsDevice: boolean;
}

export interface FindOrInstallOptions extends FindOptions {
  /** `--llama-server`. */
  llamaServer: string | null;
  /** Tried in this order. */
  sources: readonly InstallSource[];
  log: Log;
  onProgress(progress: InstallProgress): void;
}

const BY_HAND =
  'Install llama.cpp by hand (package "llama.cpp" with Homebrew, winget or MacPorts, ' +
  '"llama.cpp-tools" on Debian sid and Ubuntu 26.04, "llama-cpp" on Arch, "llama-server" on Alpine) ' +
  "or name the program with --llama-server PATH, then try again";

/**
 * The first that runs of: `--llama-server`, the bundled build, builds in the runtime home, PATH,
 * then an installation. Throws AppError `runtime_missing` that says what was tried, the signal's
 * reason after an abort.
 */
export async function findOrInstallRuntime(options: FindOrInstallOptions): Promise<Runtime> {
  if (options.llamaServer !== null) return await givenRuntime(options.llamaServer, options);
  options.onProgress({ activity: "Looking for llama-server", progress: null });
  const tried: string[] = [];
  const found = await findRuntime(options, tried);
  if (found !== null) return found;
  for (const reason of tried) options.log.warn("llama-server is not used", { reason });
  return await installRuntime(options, tried);
}

async function installRuntime(options: FindOrInstallOptions, tried: string[]): Promise<Runtime> {
  const { runtimeHome, log, signal } = options;
  let home: string;
  let lock: Disposable;
  try {
    await Deno.mkdir(runtimeHome, { recursive: true, mode: 0o700 });
    // Its own real place: what lies there may know it, and probes are remembered by it.
    home = await Deno.realPath(runtimeHome);
    const activity = "Waiting for another process that installs llama.cpp";
    const onWait = () => options.onProgress({ activity, progress: null });
    lock = await lockRuntimeHome(home, { signal, onWait });
  } catch (error) {
    signal.throwIfAborted();
    const path = runtimeHome;
    throw new AppError(
      "folder_unusable",
      `Cannot write in the runtime home "${path}": ${messageOf(error)}. ` +
        "Correct that or choose another folder with --runtime-home",
      { values: { path }, cause: error },
    );
  }
  using _lock = lock;
  const removed = await removeLeftovers(home);
  if (removed.length > 0) log.info("Removed unfinished installations", { count: removed.length });
  // Another process may have installed one while this one waited.
  const found = await findRuntime({ ...options, runtimeHome: home }, []);
  if (found !== null) return found;

  for (const source of options.sources) {
    const unsuitable = await source.unsuitable();
    if (unsuitable !== null) {
      tried.push(`Source "${source.name}": ${unsuitable}`);
      continue;
    }
    const runtime = await installFrom(source, { ...options, runtimeHome: home }, tried);
    if (runtime !== null) return runtime;
  }
  const reasons = tried.map((reason) => `${reason}. `).join("");
  throw new AppError(
    "runtime_missing",
    `Cannot find or install llama-server. ${reasons}${BY_HAND}`,
    { values: { sources: options.sources.map((source) => source.name).join(", ") } },
  );
}

async function installFrom(
  source: InstallSource,
  options: FindOrInstallOptions,
  tried: string[],
): Promise<Runtime | null> {
  const { runtimeHome, log, signal } = options;
  const workFolder = await makeWorkFolder(runtimeHome);
  const fail = (error: unknown) => {
    signal.throwIfAborted();
    tried.push(`Source "${source.name}": ${messageOf(error)}`);
    log.warn("Cannot install llama.cpp", { source: source.name, reason: messageOf(error) });
  };
  const context: InstallContext = {
    workFolder,
    finalFolder: (name) => join(runtimeHome, plainName(name)),
    progress: (activity, progress) => options.onProgress({ activity, progress }),
    log,
    signal,
  };
  log.info("Installing llama.cpp", { source: source.name });
  try {
    for await (const build of source.builds(context)) {
      try {
        const runtime = await keep(build, { ...options, source: source.name, workFolder });
        const { name, verified } = build;
        log.info("Installed llama.cpp", { name, verified, version: runtime.version });
        return runtime;
      } catch (error) {
        fail(error);
      }
    }
  } catch (error) {
    fail(error);
  } finally {
    await removeIfThere(workFolder);
  }
  return null;
}

/** Moves a prepared build into place and keeps it if it runs there; else nothing of it stays. */
async function keep(
  build: PreparedBuild,
  options: FindOrInstallOptions & { source: string; workFolder: string },
): Promise<Runtime> {
  const { runtimeHome, source, workFolder, signal } = options;
  options.onProgress({ activity: "Checking that llama-server runs", progress: null });
  const folder = join(runtimeHome, plainName(build.name));
  const files = await sizesIn(build.folder);
  const serverSha256 = await sha256Of(join(build.folder, SERVER_FILE));
  await markUnfinished(build.folder);
  await syncTree(build.folder);
  signal.throwIfAborted();
  // Only a build that did not run, or is not whole, can still be there.
  await moveBuildAside(folder, workFolder);
  await Deno.rename(build.folder, folder);
  try {
    await syncPath(runtimeHome);
    const path = join(folder, SERVER_FILE);
    const probe = await probeRuntime(path, { runtimeHome, fresh: true, signal });
    const refusal = refusalOf(probe);
    if (refusal !== null) throw new Error(`"${build.name}" is not kept: ${refusal}`);
    if (build.needsDevice && probe.devices.length === 0) {
      throw new Error(`"${build.name}" is not kept: it sees no GPU`);
    }
    await finishBuild(folder, {
      schema: 1,
      source,
      name: build.name,
      build: probe.build,
      version: probe.version,
      verified: build.verified,
      archives: build.archives,
      serverSha256,
      files,
      installedAt: new Date().toISOString(),
    });
    return { ...probe, source: "installed" };
  } catch (error) {
    await moveBuildAside(folder, workFolder);
    throw error;
  }
}

async function sizesIn(folder: string): Promise<Record<string, number>> {
  const sizes: Record<string, number> = {};
  for await (const entry of Deno.readDir(folder)) {
    if (entry.isFile) sizes[entry.name] = (await Deno.lstat(join(folder, entry.name))).size;
  }
  return sizes;
}

async function sha256Of(path: string): Promise<string> {
  // Only an installation needs it, and every start loads this file.
  const { createHash } = await import("node:crypto");
  const hash = createHash("sha256");
  using file = await Deno.open(path, { read: true });
  for await (const bytes of file.readable) hash.update(bytes);
  return hash.digest("hex");
}

// Part of a path that is removed: never a name that leads elsewhere.
function plainName(name: string): string {
  if (!/^[a-z0-9][a-z0-9.+~-]{0,100}$/.test(name)) throw new Error(`"${name}" is no build name`);
  return name;
}
