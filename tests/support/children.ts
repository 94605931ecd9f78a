// Programs started by the host's own code, with what they said and how they ended.

import { Processes } from "../../src/host/processes.ts";
import { type CageTools, findCageTools, type Wanted } from "../../src/host/cage.ts";
import type { StartedProcess } from "../../src/host/messages.ts";
import { createProcessProbe } from "../../src/host/probes/process_probe.ts";
import { logEntries } from "./log_entries.ts";

export interface Exit {
  code: number;
  signal: string | null;
}

export interface Child extends StartedProcess {
  id: number;
  lines: string[];
  /** Sizes of the batches that the lines came in. */
  batches: number[];
  exited: Promise<Exit>;
  /** Resolves when a line begins so; with the rest of it. */
  said(beginning: string): Promise<string>;
}

export interface ChildrenOptions {
  tools?: CageTools;
  patienceMs?: number;
}

/** Stops whatever it started when it goes out of scope. */
export class Children implements AsyncDisposable {
  readonly logged = logEntries();
  readonly processes: Processes;
  #lastId = 0;

  constructor({ tools = findCageTools(Deno.build.os), ...options }: ChildrenOptions = {}) {
    const probe = createProcessProbe();
    this.processes = new Processes({ log: this.logged.log, probe, tools, ...options });
  }

  /** Runs text of the shell. */
  shell(script: string): Promise<Child> {
    return this.start({ program: "/bin/sh", args: ["-c", script] });
  }

  async start({ program, args, env, walls }: Partial<Wanted> & Pick<Wanted, "program">) {
    const id = ++this.#lastId;
    const exit = Promise.withResolvers<Exit>();
    const lines: string[] = [];
    const batches: number[] = [];
    const waiting = new Set<() => void>();
    const started = await this.processes.start(id, {
      wanted: { program, args: args ?? [], env: { PATH: "/usr/bin:/bin", ...env }, walls },
      onLines(batch) {
        batches.push(batch.length);
        for (const line of batch) lines.push(line);
        for (const check of waiting) check();
      },
      onExit: (code, signal) => exit.resolve({ code, signal }),
    });
    function said(beginning: string): Promise<string> {
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      function check() {
        const line = lines.find((each) => each.startsWith(beginning));
        if (line !== undefined) resolve(line.slice(beginning.length));
      }
      waiting.add(check);
      check();
      exit.promise.then(() => reject(new Error(`It ended: ${lines.slice(-5).join("\n")}`)));
      return promise;
    }
    return { ...started, id, lines, batches, exited: exit.promise, said };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.processes[Symbol.asyncDispose]();
  }
}
