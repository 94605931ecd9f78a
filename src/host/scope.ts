// Config -> the exact Deno permissions of the server (pure). What is not listed is refused.

import type { Config } from "../config.ts";
import { hubAddresses } from "../hub_hosts.ts";
import type { ImportRoot, Place } from "./messages.ts";

export interface ScopePaths {
  /** Private folder of the sockets, and each of them: Deno wants exact socket paths. */
  socketDir: string;
  places: readonly Place[];
  /** Folders in which other programs keep models; read only. */
  importRoots: readonly ImportRoot[];
}

/** Permissions for the server's Worker. It never gets run, env, ffi, import or a broad sys. */
export function serverScope(config: Config, paths: ScopePaths) {
  return {
    read: [
      ...[config.home, ...config.modelsDirs, ...paths.importRoots.map(({ path }) => path)],
      paths.socketDir,
    ],
    write: [config.home, paths.socketDir],
    net: [
      ...config.hosts.flatMap((host) => ownAddresses(host, config)),
      ...paths.places.map((place) =>
        "socketPath" in place ? `unix:${place.socketPath}` : `127.0.0.1:${place.port}`
      ),
      ...hubAddresses(config),
    ],
    run: false,
    env: false,
    ffi: false,
    import: false,
    sys: false,
  } satisfies Deno.PermissionOptionsObject;
}

function ownAddresses(host: string, config: Config): string[] {
  const name = host.includes(":") ? `[${host}]` : host;
  // Port 0: any free one, for a door when all of its ports are taken.
  const ports = new Set([config.port, 0]);
  for (let port = config.runtimePorts.first; port <= config.runtimePorts.last; port++) {
    ports.add(port);
  }
  return [...ports].map((port) => `${name}:${port}`);
}
