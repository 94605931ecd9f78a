// Config -> the exact Deno permissions of the server (pure), and what each of them is for. What is not
// listed is refused.

import type { MissingRight, ServerPermissions } from "../api_types.ts";
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

/** One thing that the server may do. */
export interface Grant {
  kind: "read" | "write" | "net";
  value: string;
  /** What it would cost to be without. */
  costs: MissingRight["costs"];
}

/** Permissions for the server's Worker. It never gets run, env, ffi, import or a broad sys. */
export function serverScope(config: Config, paths: ScopePaths): ServerPermissions {
  return permissionsOf(serverGrants(config, paths));
}

export function permissionsOf(grants: readonly Grant[]): ServerPermissions {
  function values(wanted: Grant["kind"]): string[] {
    return [...new Set(grants.filter(({ kind }) => kind === wanted).map(({ value }) => value))];
  }
  return {
    read: values("read"),
    write: values("write"),
    net: values("net"),
    run: false,
    env: false,
    ffi: false,
    import: false,
    sys: false,
  };
}

const HOME = { code: "home", message: "Nothing can be kept, and the server cannot start" };
const MODELS = { code: "models_folder", message: "Models in this folder are not seen" };
const IMPORTS = {
  code: "import_places",
  message: "Models that other programs keep there are not seen",
};
const SOCKETS = { code: "sockets", message: "Models cannot be reached on their private sockets" };
const GATEWAY = { code: "gateway", message: "Nobody can be served there" };
const DOORS = { code: "doors", message: "Loaded models get no port of their own there" };
const HUB = { code: "hub", message: "Nothing can be searched or downloaded there" };

export function serverGrants(config: Config, paths: ScopePaths): Grant[] {
  const { home, modelsDirs, hosts } = config;
  const { socketDir, places, importRoots } = paths;
  return [
    grant("read", home, HOME),
    ...modelsDirs.map((folder) => grant("read", folder, MODELS)),
    ...importRoots.map(({ path }) => grant("read", path, IMPORTS)),
    grant("read", socketDir, SOCKETS),
    grant("write", home, HOME),
    grant("write", socketDir, SOCKETS),
    ...hosts.flatMap((host, index) => ownAddresses(host, { config, isFirst: index === 0 })),
    ...places.map((place) =>
      grant(
        "net",
        "socketPath" in place ? `unix:${place.socketPath}` : `127.0.0.1:${place.port}`,
        SOCKETS,
      )
    ),
    ...hubAddresses(config).map((address) => grant("net", address, HUB)),
  ];
}

function grant(kind: Grant["kind"], value: string, costs: Grant["costs"]): Grant {
  return { kind, value, costs };
}

function ownAddresses(
  host: string,
  { config, isFirst }: { config: Config; isFirst: boolean },
): Grant[] {
  const name = host.includes(":") ? `[${host}]` : host;
  const grants = [grant("net", `${name}:${config.port}`, GATEWAY)];
  // Port 0: any free one, for a door when all of its ports are taken.
  const doors = new Set(isFirst ? [0] : []);
  for (let port = config.runtimePorts.first; port <= config.runtimePorts.last; port++) {
    doors.add(port);
  }
  doors.delete(config.port);
  return [...grants, ...[...doors].map((port) => grant("net", `${name}:${port}`, DOORS))];
}
