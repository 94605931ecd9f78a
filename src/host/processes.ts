// Every llama-server that we started: start, stop, reap, and those that an earlier life left behind.

import { dirname } from "node:path";
import { AppError, messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { within } from "../within.ts";
import { caged, type CageTools, type Wanted } from "./cage.ts";
import { LineBatches } from "./line_batches.ts";
import {
  type LeftoverProcess,
  PLACES,
  type RunningProcess,
  type StartedProcess,
} from "./messages.ts";
import { signalGroup, signalProcess } from "./process_group.ts";
import { leftoverPids, type ProcessProbe, TOKEN_VARIABLE } from "./probes/process_probe.ts";

export interface ProcessesOptions {
  log: Log;
  probe: ProcessProbe;
  tools: CageTools;
  /**
   * How long a process gets for its exit line before SIGTERM, and its output after its end; 500 if left
   * out.
   */
  patienceMs?: number;
}

export interface StartOptions {
  wanted: Wanted;
  onLines(lines: string[]): void;
  onExit(code: number, signal: string | null): void;
}

interface Child {
  process: Deno.ChildProcess;
  /** The llama-server itself, whatever starts it. */
  program: string;
  stdin: WritableStreamDefaultWriter<Uint8Array>;
  token: string | undefined;
  /** It is the wrapper around the process that counts. */
  wrapped: boolean;
  /** The process that counts, as soon as it was found. */
  inner: number | null;
  /** Resolves when the process is reaped. */
  ended: Promise<void>;
}

/** By which llama-server ends at once, with code 0. */
const EXIT_LINE = new TextEncoder().encode("cmd_router_to_child:exit\n");
/** Long enough for a process that reads its stdin, and for its output. */
const PATIENCE_MS = 500;
const LAST_WORD_MS = 100;
/** A wrapper takes some 6 ms to make its process; after 200 looks its own number must do. */
const LOOK_MS = 5;
const MOST_LOOKS = 200;
/** The system may take so long to take back the memory of a large one. */
const FREED_MS = 10_000;

export class Processes implements AsyncDisposable {
  readonly #options: ProcessesOptions;
  readonly #patienceMs: number;
  readonly #children = new Map<number, Child>();
  #closed = false;

  constructor(options: ProcessesOptions) {
    this.#options = options;
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS;
  }

  /** Starts a process under the server's number for it. Throws `load_failed` where the system refuses. */
  async start(id: number, options: StartOptions): Promise<StartedProcess> {
    if (this.#closed) throw new AppError("shutting_down", "The server is stopping");
    if (this.#children.has(id)) throw new Error(`Process number ${id} is taken`);
    // Each has a place of its own, and there are no more of them.
    if (this.#children.size >= PLACES) {
      throw new AppError(
        "overloaded",
        `Cannot start more than ${PLACES} processes. Unload a model`,
      );
    }
    const { wanted } = options;
    const { program, args, env, detached } = caged(wanted, this.#options.tools);
    const process = spawn(program, {
      args,
      env,
      clearEnv: true,
      cwd: dirname(wanted.program),
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      detached,
    });
    const lines = new LineBatches(options.onLines);
    const output = Promise.all([lines.read(process.stdout), lines.read(process.stderr)]);
    const stdin = process.stdin.getWriter();
    const wrapped = wanted.walls?.cage.kind === "bubblewrap";
    const ended = process.status.then(async (status) => {
      // What it started goes with it: its group still has the number as long as one of it lives.
      signalGroup(process, "SIGKILL");
      // One that left the group may hold the pipes open: what it says is not waited for long.
      // In a cage nobody can: its output ends when the last of it has given back its memory.
      const isRead = await within(output, wrapped ? FREED_MS : this.#patienceMs);
      // We ourselves may have stood still for so long: what already is in the pipe is its last word.
      if (isRead === null) await within(output, LAST_WORD_MS);
      lines.close();
      // An exit line that nobody read is still on its way; close() would wait for it.
      stdin.abort().catch(() => {});
      this.#children.delete(id);
      options.onExit(status.code, status.signal);
    });
    this.#children.set(id, {
      ...{ process, stdin, wrapped, ended },
      program: wanted.program,
      token: wanted.env[TOKEN_VARIABLE],
      inner: null,
    });
    // The process loads meanwhile.
    const { probe } = this.#options;
    const pid = await this.#innerOf(id) ?? process.pid;
    const [facts, boot] = await Promise.all([probe.readProcess(pid), probe.bootId()]);
    return {
      pid,
      startTime: facts?.startTime ?? "",
      boot,
      commandLine: [wanted.program, ...wanted.args],
    };
  }

  /** Exit line on stdin, SIGTERM, then SIGKILL to the group; resolves when it is reaped. */
  async stop(id: number, graceMs: number): Promise<void> {
    const child = this.#children.get(id);
    if (child === undefined) return;
    // The pipe may be gone already: the process is then on its way out.
    child.stdin.write(EXIT_LINE).catch(() => {});
    const term = setTimeout(() => {
      // A wrapper would die of it and take the process along: that must get the signal itself.
      if (child.inner === null) signalProcess(child.process, "SIGTERM");
      else signalPid(child.inner, "SIGTERM");
    }, this.#patienceMs);
    const kill = setTimeout(() => signalGroup(child.process, "SIGKILL"), graceMs);
    try {
      await child.ended;
    } finally {
      clearTimeout(term);
      clearTimeout(kill);
    }
  }

  running(): Promise<RunningProcess[]> {
    return Promise.all(
      [...this.#children].map(async ([id, { process, inner }]) => {
        const pid = inner ?? process.pid;
        const facts = await this.#options.probe.readProcess(pid);
        return { id, pid, rssBytes: facts?.rssBytes ?? null };
      }),
    );
  }

  /** The process in its wrapper, which takes some milliseconds to make it; null where there is none. */
  async #innerOf(id: number): Promise<number | null> {
    const child = this.#children.get(id);
    const { probe } = this.#options;
    const { innermost } = probe;
    if (child === undefined || !child.wrapped || innermost === undefined) return null;
    for (let look = 1; this.#children.get(id) === child && look <= MOST_LOOKS; look++) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      child.inner = await innermost.call(probe, child.process.pid, look % 10 === 0);
      if (child.inner !== null) return child.inner;
    }
    return null;
  }

  /** Each once for each process that runs now. */
  programs(): string[] {
    return [...this.#children.values()].map(({ program }) => program);
  }

  /** Ends processes of an earlier life: only where pid, start time, boot and token all match. */
  async reap(rows: readonly LeftoverProcess[]): Promise<number[]> {
    const { probe, log } = this.#options;
    const killed: number[] = [];
    for (const row of rows) {
      if (this.#isOurs(row.token)) continue;
      for (const pid of await leftoverPids(row, probe)) {
        log.warn("Process of an earlier life is stopped", { pid });
        if (signalPid(pid, "SIGKILL")) killed.push(pid);
      }
    }
    return killed;
  }

  // By its token, not by its number: in a cage it has several.
  #isOurs(token: string): boolean {
    return [...this.#children.values()].some((child) => child.token === token);
  }

  /** Stops all of them at once; nothing can be started afterwards. */
  async stopAll(graceMs: number): Promise<void> {
    await Promise.all([...this.#children.keys()].map((id) => this.stop(id, graceMs)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.stopAll(2_000);
  }
}

function spawn(program: string, options: Deno.CommandOptions) {
  try {
    return new Deno.Command(program, options).spawn();
  } catch (error) {
    throw new AppError("load_failed", `Cannot start "${program}": ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function signalPid(pid: number, signal: Deno.Signal): boolean {
  try {
    Deno.kill(pid, signal);
    return true;
  } catch (error) {
    const { NotCapable, NotFound } = Deno.errors;
    if (error instanceof NotFound || error instanceof NotCapable) return false;
    throw error;
  }
}
