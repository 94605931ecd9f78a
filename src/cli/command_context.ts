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

export interface CommandContext {
  readonly loaded: LoadedConfig;
  readonly terminal: Terminal;
  readonly servers: ServerProcesses;
  /** The folder from which relative paths count. */
  readonly cwd: string;
}

/** A command; it returns the exit code. */
export type RunCommand = (context: CommandContext) => Promise<number>;
