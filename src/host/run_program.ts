// Runs a program to its end, bounded in time and output. Long-lived children are processes.ts's.

import { onAborted } from "../abort.ts";
import { messageOf } from "../errors.ts";
import { signalGroup } from "./process_group.ts";

export interface RunOptions {
  cwd?: string;
  /** The whole environment of the program unless `inherit` is set. */
  environment?: Readonly<Record<string, string>>;
  /**
   * Adds our own environment: for tools of the system only, which need the user's proxy and
   * locale.
   */
  inherit?: boolean;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

export interface RunResult {
  code: number;
  stdout: string;
  stderr: string;
  timedOut: boolean;
}

const OUTPUT_LIMIT_BYTES = 4 * 1024 * 1024;
const KILL_AFTER_MS = 2_000;
const PIPES_AFTER_EXIT_MS = 1_000;
const BUSY_TRIES = 50;
const BUSY_MS = 20;

/**
 * Starts `path` with `args` and waits for its end. Throws what `Deno.Command` throws where it
 * cannot start (a missing ELF interpreter is `NotFound`), and the signal's reason after an abort. Of one
 * that did not end in time, what it started is ended as well.
 */
export async function runProgram(
  path: string,
  args: readonly string[],
  options: RunOptions,
): Promise<RunResult> {
  const child = await spawn(path, options.signal, {
    args: [...args],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...options.environment },
    clearEnv: options.inherit !== true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    // A group of its own, with all that it starts. On Windows it would have no console, and no group.
    detached: Deno.build.os !== "windows",
  });

  let timedOut = false;
  let killTimer: ReturnType<typeof setTimeout> | undefined;
  const end = () => {
    signalGroup(child, "SIGTERM");
    killTimer = setTimeout(() => signalGroup(child, "SIGKILL"), KILL_AFTER_MS);
  };
  const timer = setTimeout(() => {
    timedOut = true;
    end();
  }, options.timeoutMs);
  if (options.signal !== undefined) onAborted(options.signal, end);

  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  try {
    const status = await child.status;
    if (killTimer !== undefined) signalGroup(child, "SIGKILL");
    // A grandchild may keep a pipe open for ever: what came so far is then the output.
    const pipesTimer = setTimeout(() => {
      stdout.stop();
      stderr.stop();
    }, PIPES_AFTER_EXIT_MS);
    const [out, err] = await Promise.all([stdout.text, stderr.text]);
    clearTimeout(pipesTimer);
    options.signal?.throwIfAborted();
    return { code: status.code, stdout: out, stderr: err, timedOut };
  } finally {
    clearTimeout(timer);
    clearTimeout(killTimer);
    options.signal?.removeEventListener("abort", end);
  }
}

async function spawn(
  path: string,
  signal: AbortSignal | undefined,
  options: Deno.CommandOptions,
): Promise<Deno.ChildProcess> {
  for (let tries = 1;; tries++) {
    signal?.throwIfAborted();
    try {
      return new Deno.Command(path, options).spawn();
    } catch (error) {
      if (!isBusy(error) || tries === BUSY_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, BUSY_MS));
    }
  }
}

/** ETXTBSY: whoever wrote the program has it open yet, or a process that was started meanwhile. */
function isBusy(error: unknown): boolean {
  return Deno.build.os !== "windows" && /\(os error 26\)/.test(messageOf(error));
}

function collect(stream: ReadableStream<Uint8Array>) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  async function read(): Promise<string> {
    let text = "";
    let sizeBytes = 0;
    while (true) {
      const { value, done } = await reader.read();
      if (done) return text + decoder.decode();
      sizeBytes += value.length;
      // Past the limit the pipe is still drained: a full pipe would block the program.
      if (sizeBytes <= OUTPUT_LIMIT_BYTES) text += decoder.decode(value, { stream: true });
    }
  }
  return { text: read(), stop: () => void reader.cancel() };
}
