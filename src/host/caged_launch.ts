// One launch as it is in its cage: its command, the files that it gets, where it listens. Nothing is made
// or started here.

import { join } from "node:path";
import { AppError } from "../errors.ts";
import type { Wanted } from "./cage.ts";
import { KnownLibraries } from "./cage_libraries.ts";
import { type Cage, type ModelFile, privateMemoryBound } from "./cage_view.ts";
import type { Runtime } from "./find_runtime.ts";
import { SOCKET_NAME } from "./instance_socket.ts";
import { buildCommand } from "./launch.ts";
import type { LaunchSpec, Place } from "./messages.ts";
import type { SocketFolder } from "./socket_folder.ts";

export interface LaunchOptions {
  /** Null = without. */
  cage: Cage | null;
  runtime: Runtime;
  /** All that the launch names, and no others. */
  files: readonly ModelFile[];
  sockets: SocketFolder;
  platform: string;
  totalMemoryBytes: number;
  /** What earlier loads saw; by default nothing. */
  libraries?: KnownLibraries;
}

export interface PreparedLaunch {
  wanted: Wanted;
  /** Where the server connects. */
  place: Place;
  /** The process's own folder, in which it makes its socket; null = it listens at the place itself. */
  folder: string | null;
}

export function prepareLaunch(
  launch: LaunchSpec,
  options: LaunchOptions,
): PreparedLaunch {
  const { cage, runtime, files, sockets, platform } = options;
  const place = sockets.places[launch.place];
  if (place === undefined) {
    const count = sockets.places.length;
    throw new AppError(
      "invalid_request",
      `Cannot start a model at place ${launch.place}: choose one from 0 to ${count - 1}`,
    );
  }
  const hasDevices = runtime.devices.length > 0;
  // macOS makes no second name of a socket: there the profile itself keeps it a socket.
  const folder = cage === null || cage.kind === "sandbox-exec" || !("socketPath" in place)
    ? null
    : join(sockets.dir, String(launch.place).padStart(2, "0"));
  const command = buildCommand(launch, {
    flags: runtime.flags,
    hasDevices,
    place: folder === null ? place : { socketPath: join(folder, SOCKET_NAME) },
    platform,
  });
  const program = runtime.path;
  if (cage === null) return { wanted: { program, ...command }, place, folder };
  const gpu = hasDevices && launch.gpuLayers !== 0;
  const view = {
    libraries: (options.libraries ?? new KnownLibraries()).of(program, {
      gpu,
      isOurs: runtime.source === "installed",
    }),
    files,
    writable: folder ?? ("socketPath" in place ? place.socketPath : null),
    gpu,
    // Drivers reserve far more than they use.
    privateBytes: gpu ? null : privateMemoryBound({
      plannedBytes: launch.memoryBytes,
      totalBytes: options.totalMemoryBytes,
      threads: 2 * launch.threads + launch.httpThreads,
    }),
  };
  return { wanted: { program, ...command, walls: { cage, view } }, place, folder };
}
