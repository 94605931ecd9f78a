// All that crosses between the host (may start programs) and the server (handles the network).
// The host trusts none of it: `message_check.ts` has a form for each message and call that it takes;
// `launch.ts`, `model_paths.ts` and `host.ts` check the values before they act on them.

import type { CageInfo, HostReading, RuntimeInfo, RuntimeList, ScopeInfo } from "../api_types.ts";
import type { Config } from "../config.ts";
import type { AppErrorData } from "../errors.ts";
import type { LogEntry } from "../log.ts";

/** How many processes can listen at once: the scope must list each place when the server starts. */
export const PLACES = 64;

/** Where one process listens: a unix socket, or loopback TCP on systems without them. */
export type Place = { socketPath: string } | { port: number };

/**
 * What a process is called in a request's address. A name that never leads
 * anywhere (RFC 6761): whoever asks for it elsewhere, or by a proxy, reaches nobody.
 */
export const INSTANCE_HOST = "instance.invalid";

export const CACHE_TYPES = [
  "f32",
  "f16",
  "bf16",
  "q8_0",
  "q5_1",
  "q5_0",
  "q4_1",
  "q4_0",
  "iq4_nl",
] as const;
export type CacheType = (typeof CACHE_TYPES)[number];

/** One llama-server process, wanted. Everything but paths and names is a checked number or word. */
export interface LaunchSpec {
  /** 0 to 63: which socket it listens on. */
  place: number;
  /** Random, 32 hex digits: marks the process as ours across a restart. */
  token: string;
  /** Key that every request to the process carries; 32 hex digits. */
  key: string;
  /** Model name, shown by the process itself. */
  alias: string;
  /** Absolute path of the first model file. */
  modelPath: string;
  mmprojPath: string | null;
  mode: "chat" | "embedding" | "rerank";
  /** Tokens that one slot can hold. */
  contextTokens: number;
  parallel: number;
  threads: number;
  /** Layers on the GPU; "auto" leaves it to llama.cpp; 0 = CPU only. */
  gpuLayers: number | "auto";
  /** Logical batch: prefill can be stopped only between two of them. */
  batchTokens: number;
  ubatchTokens: number;
  cacheTypeK: CacheType | null;
  cacheTypeV: CacheType | null;
  /** MiB of host memory for prompts that left their slot; 0 = none. */
  cacheRamMiB: number;
  httpThreads: number;
  /** llama-server's own levels: 1 = errors, 4 = the sizes of its buffers and each request as well. */
  logVerbosity: 1 | 4;
  chatTemplate: string | null;
  loraPaths: string[];
  draftModelPath: string | null;
  /** What it was planned to take of the RAM; null = unknown, its memory is then not bounded. */
  memoryBytes: number | null;
  /** More arguments that the user set; only those on `launch.ts`'s list pass. */
  extraArgs: string[];
}

/** A folder in which another program keeps models: only read, and only what lies in it is imported. */
export interface ImportRoot {
  /** As in `ImportRow`. */
  program: string;
  /** Absolute; need not exist: a drive may be plugged in later. */
  path: string;
}

/** How a process of ours is known again after a crash of the host. All four must match. */
export interface ProcessIdentity {
  pid: number;
  /** Start time as the system writes it (Linux: field 22 of /proc/PID/stat, clock ticks). */
  startTime: string;
  /** Linux: /proc/sys/kernel/random/boot_id. */
  boot: string;
  token: string;
}

/** A row that an earlier life left behind; without pid the process is looked for by its token. */
export type LeftoverProcess = Omit<ProcessIdentity, "pid" | "startTime"> & {
  pid: number | null;
  startTime: string | null;
};

export interface RunningProcess {
  id: number;
  pid: number;
  rssBytes: number | null;
}

export interface StartedProcess {
  pid: number;
  startTime: string;
  boot: string;
  /** The command line with the key left out (it is in the environment). */
  commandLine: string[];
}

/** Questions of the server, each with its answer's type. */
export interface HostCalls {
  start: { params: { id: number; launch: LaunchSpec }; result: StartedProcess };
  /** Ends process `id` if it runs: exit line, SIGTERM, SIGKILL to the group; answers when it is reaped. */
  stop: { params: { id: number; graceMs: number }; result: { exited: true } };
  /** The command line that `start` would use now. */
  command: { params: { launch: LaunchSpec }; result: { commandLine: string[] } };
  /** `disk` asks for the free space as well. */
  reading: { params: { disk: boolean }; result: HostReading };
  /**
   * Reads memory on all threads of an instance for under a second; null where that cannot be done.
   * `busy` tells that other work ran beside it, so the figure may be low.
   */
  bandwidth: {
    params: { threads: number };
    result: { bytesPerSecond: number | null; busy: boolean };
  };
  /** What runs right now, from the processes themselves. */
  processes: { params: Record<string, never>; result: RunningProcess[] };
  reap: { params: { rows: LeftoverProcess[] }; result: { killed: number[] } };
  /** Waits until a runtime is found or installed; the error says what to install by hand. */
  runtime: { params: { retry: boolean }; result: RuntimeInfo };
  /** The builds that are here, and those that could be. */
  runtimes: { params: Record<string, never>; result: RuntimeList };
  /** Begins an installation; `job` tells how far it is. */
  installRuntime: { params: InstallRuntimeParams; result: RuntimeList };
  /** Answers when nothing is left of it; `variant` null = whatever is being installed. */
  cancelRuntime: { params: { variant: string | null }; result: RuntimeList };
  /** By a name of the list, or `auto` for the usual order. */
  useRuntime: { params: { build: string }; result: RuntimeList };
  removeRuntime: { params: { build: string }; result: RuntimeList };
  /** Which of these client connections are gone: see `gateway/departures.ts`. */
  departed: { params: { connections: ClientConnection[] }; result: { departed: number[] } };
}

export interface InstallRuntimeParams {
  /** Of the list; null = the recommended one. */
  variant: string | null;
  /** The newest one instead of the one whose digest we know. */
  latest: boolean;
  /** Take it though nothing but its own server vouches for it. */
  unverified: boolean;
}

/** A TCP connection as the server sees it. */
export interface ClientConnection {
  id: number;
  localPort: number;
  remoteAddress: string;
  remotePort: number;
}

export type HostCallName = keyof HostCalls;

export type ToHost =
  | {
    [K in HostCallName]: { type: "call"; call: number; name: K; params: HostCalls[K]["params"] };
  }[HostCallName]
  /** Readings every two seconds while someone watches. */
  | { type: "watch"; on: boolean }
  | { type: "heartbeat" }
  | { type: "listening"; address: string; port: number }
  | { type: "log"; entry: LogEntry }
  /** The server cannot go on: the host prints the line and exits. */
  | { type: "fatal"; error: AppErrorData }
  | { type: "drained" };

export type ToServer =
  /** `boot` is "" where it is not known at once. */
  | {
    type: "init";
    config: Config;
    places: Place[];
    importRoots: ImportRoot[];
    version: string;
    boot: string;
    /** What the server really got, and what the program lacks. */
    scope: Pick<ScopeInfo, "permissions" | "missing">;
  }
  | { type: "result"; call: number; result: unknown }
  | { type: "error"; call: number; error: AppErrorData }
  | { type: "lines"; id: number; lines: string[] }
  | { type: "exited"; id: number; code: number; signal: string | null }
  | { type: "runtime"; runtime: RuntimeInfo }
  | { type: "cage"; cage: CageInfo }
  | { type: "reading"; reading: HostReading }
  /** Stop taking requests, finish the answers, stop the instances, then say `drained`. */
  | { type: "drain" };
