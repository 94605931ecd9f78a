// What each contender can do: start, be asked, be stopped.

import type { BenchModel, BenchModels } from "../models.ts";
import type { ContenderName } from "../rows.ts";
import type { Tool } from "../tools.ts";

export interface StartOptions {
  /** A folder of its own for whatever it writes; the same one again is a second start. */
  readonly folder: string;
  readonly models: BenchModels;
  /** Path of the llama-server that all of them use. */
  readonly llamaServer: string;
  readonly peerFlags: readonly string[];
  readonly nginx: Tool | null;
}

export interface Contender {
  readonly name: ContenderName;
  /** Throws an Error where it does not get ready. */
  start(options: StartOptions): Promise<Running>;
  /**
   * Milliseconds from the start of a process to the answer, where nothing in front loads models:
   * the floor under everyone's cold answer. Null where `Running.unload` does it.
   */
  readonly coldAnswer: ((model: BenchModel, options: StartOptions) => Promise<number>) | null;
}

export interface Running extends AsyncDisposable {
  readonly url: string;
  /** From the start of its process to its first good word. */
  readonly readyMs: number;
  /** The root of its process tree. */
  readonly pid: number;
  /** False for llama-server alone, which has nothing in front of it to weigh. */
  readonly isGateway: boolean;
  /** It promises to keep the connection of a streamed answer and then drops it without a word. */
  readonly dropsStreams: boolean;
  /** Loaded models' processes are below this pid; the same as `pid` but for nginx. */
  readonly instancesPid: number;
  /** Gives a model the common flags; null where the command line did. */
  readonly setUp: ((model: BenchModel) => Promise<void>) | null;
  /** Ends the model's process and waits until it says so; null where it cannot. */
  readonly unload: ((model: BenchModel) => Promise<void>) | null;
}

/** The flags that everyone's llama-server gets. A slot's context is a quarter of `-c`. */
export const SLOTS = 4;
export const THREADS = 1;
export const SLOT_CONTEXT = 512;
export const LLAMA_FLAGS: readonly string[] = [
  ...["-np", `${SLOTS}`],
  ...["-t", `${THREADS}`],
  ...["-c", `${SLOTS * SLOT_CONTEXT}`],
  ...["--threads-http", "32"],
];

export const START_TIMEOUT_MS = 30_000;

/** A port that was free a moment ago. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
