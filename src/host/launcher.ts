// Turns the server's wish for an instance into a process: checks it, finds its cage, starts it, and lets the
// server reach its socket.

import { join } from "node:path";
import type { CageInfo } from "../api_types.ts";
import type { Config } from "../config.ts";
import { removeIfThere } from "../durable_write.ts";
import { AppError } from "../errors.ts";
import type { Log } from "../log.ts";
import { holdsPlace } from "../real_place.ts";
import type { CageTools } from "./cage.ts";
import { CageKeeper } from "./cage_keeper.ts";
import { KnownLibraries } from "./cage_libraries.ts";
import { type CagePrograms, probeCage } from "./cage_probe.ts";
import { type PreparedLaunch, prepareLaunch } from "./caged_launch.ts";
import type { Runtime } from "./find_runtime.ts";
import { InstanceSocket } from "./instance_socket.ts";
import type { LaunchSpec, StartedProcess } from "./messages.ts";
import { checkModelPaths } from "./model_paths.ts";
import type { Processes, StartOptions } from "./processes.ts";
import { denoMemory } from "./probes/deno_memory.ts";
import { startable } from "./rights.ts";
import type { SocketFolder } from "./socket_folder.ts";

export interface LauncherOptions {
  config: Pick<Config, "cage" | "home" | "runtimeHome">;
  log: Log;
  platform: string;
  processes: Processes;
  sockets: SocketFolder;
  tools: CageTools;
  /** What cages are made of, as it is now. */
  programs(): CagePrograms;
  /** Folders that hold models, as they are now. */
  modelFolders(): readonly string[];
  onCage(info: CageInfo): void;
}

const ONLY_PORTS =
  "Models listen on ports, since this program may not use sockets. zombiecoder scope says more";

export class Launcher implements AsyncDisposable {
  readonly #options: LauncherOptions;
  readonly #cages: CageKeeper;
  readonly #libraries = new KnownLibraries();
  readonly #ending = new AbortController();

  constructor(options: LauncherOptions) {
    this.#options = options;
    const { config, platform, tools, programs, log, onCage } = options;
    this.#cages = new CageKeeper({
      mode: config.cage,
      probe: async (runtime) => {
        // A cage has no network: what listens on a port could not be reached in it.
        if (platform === "linux" && options.sockets.places.some((place) => "port" in place)) {
          return { cage: null, reason: ONLY_PORTS };
        }
        return await probeCage({
          ...{ platform, tools, runtime },
          programs: startable(programs()),
          folders: this.#filterFolders(),
          libraries: this.#libraries,
          signal: this.#ending.signal,
        });
      },
      onChange: (info) => {
        const { mode, active, reason } = info;
        if (mode === "auto" && active === null) log.warn("Models run without a cage", { reason });
        onCage(info);
      },
    });
  }

  get cage(): CageInfo {
    return this.#cages.info;
  }

  /** Finds out which cage holds; throws `load_failed` where there must be one and is none. */
  async findCage(runtime: Runtime): Promise<void> {
    await this.#cages.for(runtime);
  }

  /** Ends what still looks for a cage, and removes what it kept beside the sockets. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(new AppError("shutting_down", "The server is stopping"));
    await this.#cages.settled();
    const beside = this.#besideSockets();
    if (beside !== null) await removeIfThere(beside);
  }

  #filterFolders(): string[] {
    const beside = this.#besideSockets();
    const first = join(this.#options.config.runtimeHome, ".cage");
    return beside === null ? [first] : [first, beside];
  }

  /** Where a runtime home is only read: a folder that the server cannot write either. */
  #besideSockets(): string | null {
    const { sockets, config, platform } = this.#options;
    const folder = `${sockets.dir}-cage`;
    return holdsPlace(config.home, folder, platform) ? null : folder;
  }

  async prepare(launch: LaunchSpec, runtime: Runtime): Promise<PreparedLaunch> {
    const { platform, sockets, modelFolders } = this.#options;
    return prepareLaunch(launch, {
      files: checkModelPaths(launch, modelFolders()),
      cage: await this.#cages.for(runtime),
      ...{ runtime, sockets, platform },
      libraries: this.#libraries,
      // 0 where we may not know.
      totalMemoryBytes: denoMemory().total_bytes ?? 0,
    });
  }

  async start(
    id: number,
    { wanted, place, folder }: PreparedLaunch,
    { onLines, onExit }: Pick<StartOptions, "onLines" | "onExit">,
  ): Promise<StartedProcess> {
    const { processes, log } = this.#options;
    const socket = "socketPath" in place
      ? new InstanceSocket({
        path: place.socketPath,
        folder,
        onRefused: ({ message }) => {
          log.error("A process is ended", { id, reason: message });
          onLines([`cage: ${message}`]);
          void processes.stop(id, 0);
        },
      })
      : null;
    try {
      return await processes.start(id, {
        wanted,
        onLines: (lines) => {
          // Before the server hears that it can connect.
          socket?.look();
          onLines(lines);
        },
        onExit: (code, signal) => {
          socket?.[Symbol.dispose]();
          onExit(code, signal);
        },
      });
    } catch (error) {
      socket?.[Symbol.dispose]();
      throw error;
    }
  }
}
