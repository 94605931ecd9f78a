// What a place to get llama.cpp from is asked, and what it gives. Which there are is install_sources.ts's.

import type { Log } from "../log.ts";
import type { BuildRecord } from "./runtime_home.ts";

export interface InstallProgress {
  activity: string;
  /** 0 to 1; null = unknown. */
  progress: number | null;
}

/** One way to get a llama.cpp build. */
export interface InstallSource {
  readonly name: string;
  /** Why this source cannot serve this machine; null = it can be tried. */
  unsuitable(signal?: AbortSignal): Promise<string | null>;
  /**
   * Fetches and verifies builds, the best first; the next one is asked for if the one before
   * did not run.
   */
  builds(context: InstallContext): AsyncIterable<PreparedBuild>;
}

export interface InstallContext {
  /**
   * Empty and the source's own; removed afterwards. On the same file system as the final
   * folder.
   */
  readonly workFolder: string;
  /** By which a build is kept: another one where one of other archives has that name. */
  nameFor(name: string, archives: BuildRecord["archives"]): Promise<string>;
  /** Where a build of this name will lie: for what must know its own place. */
  finalFolder(name: string): string;
  progress(activity: string, progress: number | null): void;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface PreparedBuild extends Pick<BuildRecord, "name" | "verified" | "archives"> {
  /** Inside the work folder; holds `llama-server` itself. */
  folder: string;
  /** A build for GPUs is kept only if it sees one. */
  needsDevice: boolean;
}
