// One process that the bench started: its first words, and its end, by its own pid.

import { endProcesses, processTree } from "./process_tree.ts";

const STOP_TIMEOUT_MS = 8000;
const LOG_LINES = 30;

export interface ChildOptions {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Keep its output for an error message; reading costs, so peers' logs go nowhere. */
  readonly read?: boolean;
}

export class Child implements AsyncDisposable {
  readonly startedAt: number;
  readonly pid: number;
  readonly #command: string;
  readonly #process: Deno.ChildProcess;
  readonly #log: string[] = [];
  readonly #waiters = new Set<() => void>();
  #ended = false;

  constructor(path: string, options: ChildOptions) {
    this.#command = [path, ...options.args].join(" ");
    const output = options.read ? "piped" : "null";
    this.startedAt = performance.now();
    this.#process = new Deno.Command(path, {
      args: [...options.args],
      clearEnv: true,
      env: { ...cleanEnvironment(), ...options.env },
      stdin: "null",
      stdout: output,
      stderr: output,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    }).spawn();
    this.pid = this.#process.pid;
    this.#process.status.then(() => {
      this.#ended = true;
      this.#wake();
    });
    if (options.read) {
      this.#read(this.#process.stdout);
      this.#read(this.#process.stderr);
    }
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** What it said last, for an error message. */
  failure(action: string): Error {
    return new Error(`Cannot ${action}: ${this.#command}\n${this.#log.join("\n")}`);
  }

  /** The first line that matches. Throws an Error when it ends or says nothing in time. */
  async line(pattern: RegExp, timeoutMs: number): Promise<string> {
    const deadline = performance.now() + timeoutMs;
    while (true) {
      const found = this.#log.find((line) => pattern.test(line));
      if (found !== undefined) return found;
      if (this.#ended || performance.now() > deadline) throw this.failure(`see ${pattern} of`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiters.add(resolve);
      const timer = setTimeout(resolve, deadline - performance.now());
      await promise;
      clearTimeout(timer);
      this.#waiters.delete(resolve);
    }
  }

  /** Ends it and whatever it leaves behind. */
  async [Symbol.asyncDispose](): Promise<void> {
    const below = processTree(this.pid).filter((each) => each.pid !== this.pid);
    this.#kill("SIGTERM");
    const killed = setTimeout(() => this.#kill("SIGKILL"), STOP_TIMEOUT_MS);
    await this.#process.status;
    clearTimeout(killed);
    // A killed parent takes nobody along.
    await endProcesses(below);
  }

  #kill(signal: Deno.Signal): void {
    // Once its status is known its number may belong to another process.
    if (!this.#ended) this.#process.kill(signal);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      this.#log.push(...lines);
      this.#log.splice(0, this.#log.length - LOG_LINES);
      this.#wake();
    }
  }

  #wake(): void {
    for (const resolve of this.#waiters) resolve();
  }
}

/** The caller's environment without what would steer llama-server or us. */
function cleanEnvironment(): Record<string, string> {
  const kept = Object.entries(Deno.env.toObject())
    .filter(([name]) => !/^(LLAMA_|ZOMBIE_|GGML_)/.test(name));
  return Object.fromEntries(kept);
}
