// Finds a llama-server, or installs one from the first source that can. What a source fetches and
// how it is verified is the source's; which build is kept is keep_build.ts's.

import { join } from "node:path";
import { AppError, messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { freeName } from "./build_archives.ts";
import { type FindOptions, findRuntime, givenRuntime, type Runtime } from "./find_runtime.ts";
import type { InstallContext, InstallSource } from "./install_source.ts";
import { keepBuild, type KeepOptions, plainName } from "./keep_build.ts";
import {
  lockRuntimeHome,
  makeWorkFolder,
  removeLeftovers,
  removeWorkFolder,
} from "./runtime_home.ts";
import { homeUnusable } from "./runtime_refusals.ts";

export interface FindOrInstallOptions
  extends FindOptions, Pick<KeepOptions, "onProgress" | "cancellation" | "asked"> {
  /** `--llama-server`. */
  llamaServer: string | null;
  /** Tried in this order. */
  sources: readonly InstallSource[];
  log: Log;
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
  const reasons = tried.map((reason) => `${withoutPeriod(reason)}. `).join("");
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
    `Cannot install this build of llama.cpp: ${failures.tried.map(withoutPeriod).join(". ")}. ` +
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
    throw homeUnusable("write in", { path: runtimeHome, error });
  }
}

async function installFirst(
  options: FindOrInstallOptions,
  failures: Failures,
): Promise<Runtime | null> {
  for (const source of options.sources) {
    const unsuitable = await reasonAgainst(source, options.signal);
    options.signal.throwIfAborted();
    if (unsuitable !== null) {
      failures.tried.push(`Source "${source.name}": ${unsuitable}`);
      continue;
    }
    const runtime = await installFrom(source, options, failures);
    if (runtime !== null) return runtime;
  }
  return null;
}

/** What cannot even be asked, for want of a right or a tool, is a reason like any other. */
async function reasonAgainst(source: InstallSource, signal: AbortSignal): Promise<string | null> {
  try {
    return await source.unsuitable(signal);
  } catch (error) {
    return messageOf(error);
  }
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
    nameFor: (name, archives) => freeName(runtimeHome, { name, archives }),
    finalFolder: (name) => join(runtimeHome, plainName(name)),
    progress: (activity, progress) => options.onProgress({ activity, progress }),
    log,
    signal,
  };
  log.info("Installing llama.cpp", { source: source.name });
  try {
    for await (const build of source.builds(context)) {
      try {
        const runtime = await keepBuild(build, { ...options, source: source.name, workFolder });
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
    await removeWorkFolder(workFolder);
  }
  return null;
}

/** Programs end what they say with one, and so do we. */
function withoutPeriod(reason: string): string {
  return reason.replace(/[.\s]+$/, "");
}
