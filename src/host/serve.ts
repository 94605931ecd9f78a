// The life of `zombiecoder serve`: lock, log, host, signals, exit code.

import { dirname, join } from "node:path";
import type { Config } from "../config.ts";
import { AppError, messageOf } from "../errors.ts";
import { createLog, type Log } from "../log.ts";
import { VERSION } from "../version.ts";
import { BuildGuard } from "./build_check.ts";
import { type CagePrograms, findCagePrograms } from "./cage_probe.ts";
import { Host, type HostOptions } from "./host.ts";
import { grantableRoots, type ImportPlaces, importRoots } from "./import_roots.ts";
import { LogFile } from "./log_file.ts";
import type { ImportRoot } from "./messages.ts";
import type { FindOrInstallOptions } from "./install.ts";
import { withRealFolders } from "./real_folders.ts";
import { checkProgramPlaces, pathOutside, type ProgramPlaces } from "./program_safety.ts";
import { mayUseSocket } from "./rights.ts";
import type { RuntimesOptions } from "./runtimes.ts";
import { clearLeftovers } from "./runtime_home.ts";
import { ServerLock } from "./server_lock.ts";
import { prepareSocketFolder, type SocketBases } from "./socket_folder.ts";
import { UncaughtErrors } from "./uncaught_errors.ts";

export interface ServeOptions {
  config: Config;
  /** Folder of the sources or of the bundle. */
  programDir: string;
  /** Where the private folder of the sockets is made. */
  socketBases: SocketBases;
  /** The value of PATH. */
  path: string | null;
  /** By what the models of other programs are looked for; none are without it. */
  importPlaces?: ImportPlaces;
  /** As those of `HostOptions`. */
  cagePrograms?(): CagePrograms;
  serverUrl?: string;
  heartbeatLimitMs?: number;
  /** Called once, after the line that says so. */
  onReady?(address: string): void;
  io: { out(text: string): void; err(text: string): void };
}

/** Serves until a signal asks it to end (0) or it cannot go on (throws). */
export async function serve(given: ServeOptions): Promise<number> {
  const { home } = given.config;
  checkProgramPlaces(home, programPlaces(given));
  const options = { ...given, path: pathOutside(home, given.path) };
  const { io } = options;
  using lock = ServerLock.take(options.config.home);
  const config = withRealFolders(options.config);
  using logFile = new LogFile(join(config.home, "logs"));
  const log = createLog({
    part: "host",
    level: config.logLevel,
    write: (entry) => logFile.write(entry),
  });
  using uncaught = new UncaughtErrors(log);
  const ending = new AbortController();
  // Before the host, so that a second signal is heard until all is stopped.
  using stop = new StopSignals(() => lock[Symbol.dispose]());
  using sockets = prepareSocketFolder({
    ...options.socketBases,
    home: config.home,
    platform: Deno.build.os,
    mayUse: mayUseSocket,
  });
  await using host = new Host({
    config,
    log,
    lock,
    version: VERSION,
    sockets,
    ...runtimeParts(options, { log, signal: ending.signal }),
    importRoots: importRootsOf(options, log),
    cagePrograms: options.cagePrograms ??
      (() => findCagePrograms(Deno.build.os, options.path)),
    serverUrl: options.serverUrl,
    heartbeatLimitMs: options.heartbeatLimitMs,
    onReady: (address) => {
      io.out(`ZombieCoder is ready at ${address}\n`);
      options.onReady?.(address);
    },
  });
  await host.start();
  try {
    await Promise.race([stop.received, host.failed, uncaught.first]);
  } catch (error) {
    // The caller says it on stderr, which nobody may read: who started this in the background has left.
    const kept = createLog({
      part: "host",
      level: config.logLevel,
      write: (entry) => logFile.keep(entry),
    });
    kept.error("The server cannot go on", { reason: messageOf(error) });
    throw error;
  } finally {
    ending.abort(new AppError("shutting_down", "The server is stopping"));
  }
  return 0;
}

function importRootsOf({ config, importPlaces }: ServeOptions, log: Log): ImportRoot[] {
  if (importPlaces === undefined) return [];
  const { roots, refused } = grantableRoots(importRoots(importPlaces), {
    own: [config.home, config.runtimeHome],
    userHome: importPlaces.homeDir,
  });
  for (const root of refused) {
    log.warn("Not looked into for models: more than models would be open to the server", {
      ...root,
    });
  }
  return roots;
}

function programPlaces({ programDir }: ServeOptions): ProgramPlaces {
  const execPath = Deno.execPath();
  // A compiled program's own folder is inside of it: what users put beside it, lies beside the file.
  const folder = Deno.build.standalone ? dirname(execPath) : programDir;
  return {
    execPath,
    programDir: Deno.build.standalone ? null : programDir,
    bundledFolder: join(folder, "config", "llama.cpp"),
  };
}

/** Which llama-server there is: both are loaded when they are first asked. */
function runtimeParts(
  options: ServeOptions,
  { log, signal }: { log: Log; signal: AbortSignal },
): Pick<HostOptions, "findRuntime" | "runtimes" | "guard" | "clearLeftovers"> {
  const { config } = options;
  const { releaseApi } = config;
  const guard = new BuildGuard();
  const shared = {
    llamaServer: config.llamaServer,
    bundledFolder: programPlaces(options).bundledFolder,
    runtimeHome: config.runtimeHome,
    path: options.path,
    guard,
    log: log.for("install"),
    signal,
  } satisfies Partial<FindOrInstallOptions>;
  return {
    guard,
    async findRuntime(onProgress, { cancellation, mayInstall }) {
      const { findOrInstallRuntime } = await import("./install.ts");
      const { installSources } = await import("./install_sources.ts");
      const { newerEmbedded } = await import("./newer_embedded.ts");
      const step = {
        ...shared,
        signal: AbortSignal.any([signal, cancellation.signal]),
        cancellation,
        onProgress,
      };
      const sources = mayInstall ? installSources({ releaseApi }) : [];
      const found = await findOrInstallRuntime({ ...step, sources });
      return mayInstall ? await newerEmbedded(found, step) : found;
    },
    async runtimes(given) {
      const { Runtimes } = await import("./runtimes.ts");
      const { installSources } = await import("./install_sources.ts");
      const sources: RuntimesOptions["sources"] = (wanted) =>
        installSources({ releaseApi, ...wanted });
      return new Runtimes({ ...shared, ...given, sources });
    },
    async clearLeftovers() {
      try {
        const removed = await clearLeftovers(config.runtimeHome, signal);
        if (removed.length > 0) {
          shared.log.info("Removed unfinished installations", { count: removed.length });
        }
      } catch (error) {
        // It may not be ours to change.
        shared.log.debug("Cannot look for unfinished installations", { reason: messageOf(error) });
      }
    },
  };
}

const ONE_KEY_MS = 400;

/** SIGINT and SIGTERM ask for a clean end; a second one ends at once, and every process with us. */
class StopSignals implements Disposable {
  readonly #received = Promise.withResolvers<void>();
  readonly #signals: Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGTERM", "SIGHUP"];
  readonly #onSecond: () => void;
  #firstMs: number | null = null;
  readonly #listener = () => {
    // One Ctrl-C arrives twice where a task runner hands on what the terminal sent us already.
    if (this.#firstMs !== null && performance.now() - this.#firstMs > ONE_KEY_MS) {
      this.#onSecond();
      Deno.exit(1);
    }
    this.#firstMs ??= performance.now();
    this.#received.resolve();
  };

  constructor(onSecond: () => void) {
    this.#onSecond = onSecond;
    for (const signal of this.#signals) Deno.addSignalListener(signal, this.#listener);
  }

  get received(): Promise<void> {
    return this.#received.promise;
  }

  [Symbol.dispose](): void {
    for (const signal of this.#signals) Deno.removeSignalListener(signal, this.#listener);
  }
}
