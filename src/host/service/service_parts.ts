// What all systems' services have in common: the parts they are made of.

import type { RunResult } from "../run_program.ts";
import type { ServiceSpec } from "./service_spec.ts";

export interface ServiceStatus {
  /** It starts with its user. */
  enabled: boolean;
  running: boolean;
  /** The file that it consists of; null where it is none. */
  path: string | null;
  /** The program that it starts and what this is given; as far as its settings can be read. */
  words: readonly string[];
}

/** One system's way to have a service of this user. */
export interface ServiceSystem {
  /** Null where none of ours is installed. Throws `not_supported` where the system cannot be asked. */
  status(): Promise<ServiceStatus | null>;
  /**
   * Writes it down, and starts it if it may. Throws `bad_flag` for what it cannot hold, `not_supported`
   * with what the system said, and leaves nothing then.
   */
  install(spec: ServiceSpec, options: { start: boolean }): Promise<void>;
  /** Ends it and takes it away. */
  remove(): Promise<void>;
}

export interface ServicePlaces {
  env: Readonly<Record<string, string | undefined>>;
  /** Null where this user has none. */
  homeDir: string | null;
  /** `linux`, `darwin`, `windows`. */
  os: string;
}

/** Runs one of the system's own tools by its full path. */
export type RunTool = (path: string, args: readonly string[]) => Promise<RunResult>;
