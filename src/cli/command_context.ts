// What every command is given.

import type { LoadedConfig } from "../config.ts";
import type { Terminal } from "./terminal.ts";

/** Where a running server is reached. */
export interface ServerAddress {
  readonly address: string;
}

/** The server as a process of its own; what starts and ends processes is the host's. */
export interface ServerProcesses {
  /** Null where none runs with this home. */
  running(): Promise<ServerAddress | null>;
  /** One that outlives the command. */
  start(): Promise<ServerAddress>;
  /** False where none runs. */
  end(): Promise<boolean>;
}

/** Where a user sees a page; what starts programs is the host's. */
export interface Desktop {
  /**
   * Shows the page at this address. `front`: its window was open already; `browser`: it is in the
   * user's own browser. Throws `not_supported` where nothing can.
   */
  show(address: string): Promise<"opened" | "front" | "browser">;
}

export interface ServiceState {
  /** That of the server which it starts; null where its settings do not say. */
  readonly home: string | null;
  /** Where a server with that home answers; null where none does. */
  readonly address: string | null;
  /** It starts with its user. */
  readonly enabled: boolean;
  readonly running: boolean;
  /** The file that it consists of; null where it is none. */
  readonly path: string | null;
  /** What it starts, where that is not there any more. */
  readonly gone: string | null;
}

/** The server as a service of this user; how a system does that is the host's. */
export interface Service {
  /**
   * `started` is false where a server runs already; `address` null where it is not ready yet; `leftOut`
   * names what the service goes without, `cached` the program that it starts, where that lies in a cache
   * which may be cleaned. Throws where the system will not.
   */
  install(): Promise<{
    readonly status: ServiceState;
    readonly started: boolean;
    readonly address: string | null;
    readonly leftOut: readonly string[];
    readonly cached: string | null;
  }>;
  /** False where none is installed. */
  remove(): Promise<boolean>;
  /** Null where none is installed. */
  status(): Promise<ServiceState | null>;
}

export interface CommandContext {
  readonly loaded: LoadedConfig;
  readonly terminal: Terminal;
  readonly servers: ServerProcesses;
  readonly desktop: Desktop;
  readonly service: Service;
  /** The folder from which relative paths count. */
  readonly cwd: string;
}

/** A command; it returns the exit code. */
export type RunCommand = (context: CommandContext) => Promise<number>;
