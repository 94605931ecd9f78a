// What this process itself may do. Started with narrower flags than it would like, the program runs with
// what it got and tells what it lacks; a Worker that was given more than its parent would not start.

import type { MissingRight, ScopeInfo } from "../api_types.ts";
import type { Config } from "../config_type.ts";
import { netWords } from "../net_words.ts";
import { SETTINGS } from "../settings.ts";
import type { Place } from "./messages.ts";
import { type Grant, permissionsOf } from "./scope.ts";

export type IsGranted = (right: Deno.PermissionDescriptor) => boolean;

/** Never asks: what is not granted already is not granted. */
export const isGranted: IsGranted = (right) => {
  // Names with a star cannot be asked for: one below it stands for all.
  const asked = right.name === "net" && right.host?.startsWith("*.")
    ? { ...right, host: `any${right.host.slice(1)}` }
    : right;
  return Deno.permissions.querySync(asked).state === "granted";
};

export interface RightsOptions {
  config: Config;
  /** What the server should get. */
  grants: readonly Grant[];
  places: readonly Place[];
  platform: string;
  isGranted?: IsGranted;
}

/** What of it can be given, and what is missing with what that costs. */
export function scopeWithin(options: RightsOptions): Pick<ScopeInfo, "permissions" | "missing"> {
  const { grants, isGranted: granted = isGranted } = options;
  const got = grants.filter(({ kind, value }) => granted(descriptor(kind, value)));
  const lacking = grants.filter((grant) => !got.includes(grant));
  return {
    permissions: permissionsOf(got),
    missing: [...missingInServer(lacking), ...missingInHost(options, granted)],
  };
}

function descriptor(kind: Grant["kind"], value: string): Deno.PermissionDescriptor {
  return kind === "net" ? { name: kind, host: value } : { name: kind, path: value };
}

/** Whatever has the same kind and the same use together. */
function missingInServer(lacking: readonly Grant[]): MissingRight[] {
  const rows: MissingRight[] = [];
  for (const [costs, grants] of Map.groupBy(lacking, (grant) => grant.costs)) {
    for (const [kind, same] of Map.groupBy(grants, (grant) => grant.kind)) {
      const values = same.map(({ value }) => value);
      const words = kind === "net" ? addressWords(values) : values;
      rows.push({ permission: `${kind} ${words.join(", ")}`, costs });
    }
  }
  return rows;
}

function addressWords(addresses: readonly string[]): string[] {
  const { sockets, groups } = netWords(addresses);
  return [
    ...sockets.length === 0 ? [] : [`${sockets.length} sockets`],
    ...groups.map(({ hosts, ports }) => `${hosts.join(", ")} (${ports})`),
  ];
}

interface Wish {
  permission: string;
  right: Deno.PermissionDescriptor;
  costs: MissingRight["costs"];
}

function missingInHost(
  { config, platform, places }: RightsOptions,
  granted: IsGranted,
): MissingRight[] {
  const refused = wishes(config, platform).filter(({ right }) => !granted(right));
  const rows: MissingRight[] = [...Map.groupBy(refused, ({ costs }) => costs)].map((
    [costs, wanted],
  ) => ({ permission: wanted.map(({ permission }) => permission).join(", "), costs }));
  if (platform !== "windows" && places.some((place) => "port" in place)) {
    rows.push({
      permission: "net unix",
      costs: {
        code: "private_sockets",
        message:
          "Models listen on ports of this computer, guarded by a key, not on private sockets",
      },
    });
  }
  if (platform === "linux" && !hasAllRights()) {
    rows.push({
      permission: "all (for /proc and /sys)",
      costs: {
        code: "system_files",
        message:
          "What each model takes, how busy the CPU is, limits of a container and some GPUs are unknown; clients that leave early are noticed late; what an earlier life left running is not ended",
      },
    });
  }
  const unread = SETTINGS.flatMap(({ environment }) => environment ?? [])
    .filter((name) => !granted({ name: "env", variable: name }));
  if (unread.length > 0) {
    rows.push({
      permission: `env ${unread.join(", ")}`,
      costs: { code: "environment", message: "These variables are not read" },
    });
  }
  return rows;
}

function wishes({ runtimeHome, llamaServer, releaseApi }: Config, platform: string): Wish[] {
  const engine = llamaServer ?? "llama-server";
  const { hostname, port, protocol } = new URL(releaseApi);
  const releases = `${hostname}:${port || (protocol === "http:" ? "80" : "443")}`;
  const install = {
    code: "install",
    message: "llama.cpp cannot be installed: a llama-server that is there already is used",
  };
  const wanted: Wish[] = [
    {
      permission: `run ${engine}`,
      right: { name: "run", command: engine },
      costs: { code: "engine", message: "It cannot be started: no model can be loaded by it" },
    },
    {
      permission: "run",
      right: { name: "run" },
      costs: {
        code: "programs",
        message:
          "Builds that were installed here cannot be started, programs that tell of GPUs are not asked, and of a process that does not end only itself is killed, not what it started",
      },
    },
    {
      permission: `read ${runtimeHome}`,
      right: { name: "read", path: runtimeHome },
      costs: { code: "builds", message: "Builds that were installed here are not found" },
    },
    {
      permission: `write ${runtimeHome}`,
      right: { name: "write", path: runtimeHome },
      costs: install,
    },
    {
      permission: `net ${releases}`,
      right: { name: "net", host: releases },
      costs: install,
    },
    {
      permission: "sys statfs",
      right: { name: "sys", kind: "statfs" as "osRelease" },
      costs: { code: "disk", message: "The free space of the disk is unknown" },
    },
    {
      permission: "sys systemMemoryInfo",
      right: { name: "sys", kind: "systemMemoryInfo" },
      costs: { code: "memory", message: "Where /proc cannot be read, so is the memory unknown" },
    },
  ];
  if (platform !== "linux") return wanted;
  return [...wanted, {
    permission: "run setsid, setpriv",
    right: { name: "run", command: "/usr/bin/setpriv" },
    costs: {
      code: "watchdog",
      message: "A model that is loading outlives us where we are killed in that moment",
    },
  }, {
    permission: "run bwrap",
    right: { name: "run", command: "bwrap" },
    costs: { code: "cage", message: "Models run without a cage of bubblewrap" },
  }];
}

/** Deno keeps these files for those who may do everything, and has no way to ask for that. */
function hasAllRights(): boolean {
  try {
    Deno.statSync("/proc/self/stat");
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.NotCapable);
  }
}

/** A unix socket wants three rights at once. */
export function mayUseSocket(path: string): boolean {
  return isGranted({ name: "net", host: `unix:${path}` }) && isGranted({ name: "read", path }) &&
    isGranted({ name: "write", path });
}

/** Absolute paths of programs, null for each that may not be started. */
export function startable<T extends { readonly [name in keyof T]: string | null }>(tools: T): T {
  const kept = Object.entries<string | null>(tools).map(([name, path]) => [
    name,
    path !== null && isGranted({ name: "run", command: path }) ? path : null,
  ]);
  return Object.fromEntries(kept) as T;
}

/** Null where there are no such numbers, or where we may not know ours. */
export function userId(): number | null {
  try {
    return Deno.uid();
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return null;
    throw error;
  }
}
