// Moves one prepared build into the runtime home, where it must run to be kept. Where it came from is its
// source's.

import { join } from "node:path";
import { syncPath, syncTree } from "../durable_write.ts";
import { hashesOf, sizesIn } from "./build_check.ts";
import type { Cancellation } from "./cancellation.ts";
import { candidates, type FindOptions, type Runtime, usable } from "./find_runtime.ts";
import type { InstallProgress, PreparedBuild } from "./install_source.ts";
import { finishBuild, isBuildName, markUnfinished, moveBuildAside } from "./runtime_home.ts";
import { probeRuntime, refusalOf } from "./runtime_probe.ts";
import { SERVER_FILE } from "./server_file.ts";

export interface KeepOptions extends FindOptions {
  /** Name of the install source. */
  source: string;
  /** Takes what is not kept. */
  workFolder: string;
  /** A user asked for what is installed. */
  asked?: boolean;
  onProgress(progress: InstallProgress): void;
  /** Whose wish `signal` also is: closed when a build takes its place. */
  cancellation?: Pick<Cancellation, "close" | "reopen" | "isCancelled"> | undefined;
}

/**
 * Moves a prepared build into place and keeps it if it runs there; else nothing of it stays, and what
 * lay there is back.
 */
export async function keepBuild(
  build: PreparedBuild,
  options: KeepOptions,
): Promise<Runtime> {
  const { runtimeHome, source, workFolder, signal, cancellation } = options;
  options.onProgress({ activity: "Checking that llama-server runs", progress: null });
  const folder = join(runtimeHome, plainName(build.name));
  const kept = await runningBuild(build, options);
  if (kept !== null) return kept;
  const files = sizesIn(build.folder);
  const hashes = await hashesOf(build.folder, Object.keys(files), signal);
  await markUnfinished(build.folder);
  await syncTree(build.folder, signal);
  // Only a build that did not run, or is not whole, can still be there.
  const earlier = await moveBuildAside(folder, workFolder);
  try {
    await Deno.rename(build.folder, folder);
    await syncPath(runtimeHome);
    const path = join(folder, SERVER_FILE);
    const probe = await probeRuntime(path, { runtimeHome, fresh: true, signal });
    const refusal = refusalOf(probe);
    if (refusal !== null) throw new Error(`"${build.name}" is not kept: ${refusal}`);
    if (build.needsDevice && probe.devices.length === 0) throw seesNoGpu(build);
    // Its record is what makes it a build: a folder without one is removed.
    signal.throwIfAborted();
    cancellation?.close();
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
    // Not before: what it saw of the earlier one holds where that comes back.
    options.guard?.forget(folder);
    return { ...probe, source: "installed" };
  } catch (error) {
    cancellation?.reopen();
    await moveBuildAside(folder, workFolder);
    if (earlier !== null) await Deno.rename(earlier, folder);
    throw error;
  }
}

/** The build of this name that is there and runs: it is never replaced. */
async function runningBuild(
  build: PreparedBuild,
  options: FindOptions,
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

/** Part of a path that is removed: never a name that leads elsewhere. */
export function plainName(name: string): string {
  if (!isBuildName(name)) throw new Error(`"${name}" is no build name`);
  return name;
}
