// Finds a llama-server, or installs one from the first source that can. What a source fetches and
// how it is verified is the source's; how a build is asked about itself is runtime_probe.ts's.

import { join } from "node:path";
import { AppError, messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { removeIfThere, syncPath, syncTree } from "../durable_write.ts";
import { hashesOf, sizesIn } from "./build_check.ts";
import { candidates, findRuntime, givenRuntime, usable } from "./find_runtime.ts";
import type { FindOptions, Runtime } from "./find_runtime.ts";
import {
  type BuildRecord,
  finishBuild,
  isBuildName,
  lockRuntimeHome,
  makeWorkFolder,
  markUnfinished,
  moveBuildAside,
  removeLeftovers,
} from "./runtime_home.ts";
import { probeRuntime, refusalOf } from "./runtime_probe.ts";
import { SERVER_FILE } from "./server_file.ts";

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
  /** A user asked for what is installed. */
  asked?: boolean;
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
  const tried: string[] = [];
  const found = await findRuntime(options, tried);
  if (found !== null) return found;
  for (const reason of tried) options.log.warn("llama-server is not used", { reason });
  return await installRuntime(options, tried);
}

async function installRuntime(options: FindOrInstallOptions, tried: string[]): Promise<Runtime> {
  const { home, lock } = await openHome(options);
  using _lock = lock;
  // Another process may have installed one while this one waited.
  const found = await findRuntime({ ...options, runtimeHome: home }, []);
  if (found !== null) return found;
  const failures: Failures = { tried, refused: false };
  const runtime = await installFirst({ ...options, runtimeHome: home }, failures);
  if (runtime !== null) return runtime;
  const reasons = tried.map((reason) => `${reason}. `).join("");
  throw new AppError(
    "runtime_missing",
    `Cannot find or install llama-server. ${reasons}${BY_HAND}`,
    { values: { sources: options.sources.map((source) => source.name).join(", ") } },
  );
}

/**
 * From the first source that has a build which runs, beside those that are there; one of the same name
 * that runs is kept as it is. Throws `runtime_refused` where a build did not run, `download_failed`
 * where none came.
 */
export async function installBeside(options: FindOrInstallOptions): Promise<Runtime> {
  const { home, lock } = await openHome(options);
  using _lock = lock;
  const failures: Failures = { tried: [], refused: false };
  const runtime = await installFirst({ ...options, runtimeHome: home }, failures);
  if (runtime !== null) return runtime;
  throw new AppError(
    failures.refused ? "runtime_refused" : "download_failed",
    `Cannot install this build of llama.cpp: ${failures.tried.join(". ")}. ` +
      "What is here is as it was",
    { values: failures.refused ? { reason: "unusable" } : {} },
  );
}

interface Failures {
  /** A sentence each. */
  tried: string[];
  /** A build came, and was not kept. */
  refused: boolean;
}

/** The runtime home, ours alone until `lock` is disposed, without what a dead process left. */
async function openHome(
  { runtimeHome, log, signal, onProgress }: FindOrInstallOptions,
): Promise<{ home: string; lock: Disposable }> {
  try {
    await Deno.mkdir(runtimeHome, { recursive: true, mode: 0o700 });
    // Its own real place: what lies there may know it, and probes are remembered by it.
    const home = await Deno.realPath(runtimeHome);
    const activity = "Waiting for another process that installs llama.cpp";
    const onWait = () => onProgress({ activity, progress: null });
    const lock = await lockRuntimeHome(home, { signal, onWait });
    try {
      const removed = await removeLeftovers(home);
      if (removed.length > 0) {
        log.info("Removed unfinished installations", { count: removed.length });
      }
      return { home, lock };
    } catch (error) {
      lock[Symbol.dispose]();
      throw error;
    }
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
}

async function installFirst(
  options: FindOrInstallOptions,
  failures: Failures,
): Promise<Runtime | null> {
  for (const source of options.sources) {
    const unsuitable = await source.unsuitable();
    if (unsuitable !== null) {
      failures.tried.push(`Source "${source.name}": ${unsuitable}`);
      continue;
    }
    const runtime = await installFrom(source, options, failures);
    if (runtime !== null) return runtime;
  }
  return null;
}

async function installFrom(
  source: InstallSource,
  options: FindOrInstallOptions,
  failures: Failures,
): Promise<Runtime | null> {
  const { runtimeHome, log, signal } = options;
  const workFolder = await makeWorkFolder(runtimeHome);
  const fail = (error: unknown) => {
    signal.throwIfAborted();
    failures.tried.push(`Source "${source.name}": ${messageOf(error)}`);
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
        failures.refused = true;
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
  const kept = await runningBuild(build, options);
  if (kept !== null) return kept;
  const files = sizesIn(build.folder);
  const hashes = await hashesOf(build.folder, Object.keys(files));
  await markUnfinished(build.folder);
  await syncTree(build.folder);
  signal.throwIfAborted();
  // Only a build that did not run, or is not whole, can still be there.
  await moveBuildAside(folder, workFolder);
  await Deno.rename(build.folder, folder);
  try {
    await syncPath(runtimeHome);
    options.guard?.forget(folder);
    const path = join(folder, SERVER_FILE);
    const probe = await probeRuntime(path, { runtimeHome, fresh: true, signal });
    const refusal = refusalOf(probe);
    if (refusal !== null) throw new Error(`"${build.name}" is not kept: ${refusal}`);
    if (build.needsDevice && probe.devices.length === 0) throw seesNoGpu(build);
    await finishBuild(folder, {
      schema: 1,
      source,
      name: build.name,
      build: probe.build,
      version: probe.version,
      verified: build.verified,
      archives: build.archives,
      serverSha256: hashes[SERVER_FILE]!,
      files,
      hashes,
      ...options.asked === true && { asked: true },
      installedAt: new Date().toISOString(),
    });
    return { ...probe, source: "installed" };
  } catch (error) {
    await moveBuildAside(folder, workFolder);
    throw error;
  }
}

/** The build of this name that is there and runs: it is never replaced. */
async function runningBuild(
  build: PreparedBuild,
  options: FindOrInstallOptions,
): Promise<Runtime | null> {
  const there = (await candidates(options)).find(({ source, name }) =>
    source === "installed" && name === build.name
  );
  if (there === undefined) return null;
  let runtime: Runtime;
  try {
    runtime = await usable(there, options);
  } catch {
    options.signal.throwIfAborted();
    return null;
  }
  if (build.needsDevice && runtime.devices.length === 0) throw seesNoGpu(build);
  return runtime;
}

function seesNoGpu({ name }: PreparedBuild): Error {
  return new Error(
    `"${name}" is not kept: it sees no GPU. Update the GPU's driver, then try again`,
  );
}

// Part of a path that is removed: never a name that leads elsewhere.
function plainName(name: string): string {
  if (!isBuildName(name)) throw new Error(`"${name}" is no build name`);
  return name;
}
