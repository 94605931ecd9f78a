// A host that starts nothing and answers as a test says, for the orchestrator's rules by
// themselves: which process starts, which stops, and when.

import type { HostCallName, HostCalls, RunningProcess, ToHost } from "../../src/host/messages.ts";
import { HostPort } from "../../src/runtime/host_port.ts";

type Call = Extract<ToHost, { type: "call" }>;

const READY_LINE = 'cmd_child_to_router:state:{"state":"ready"}';

export class ScriptedHost {
  readonly port: HostPort;
  /** Model names in the order of their starts and stops: `+a`, `-a`. */
  readonly events: string[] = [];
  /** Starts of these models stay without their ready line until `makeReady`. */
  readonly slow = new Set<string>();
  /** Starts of these models end at once with code 1. */
  readonly broken = new Set<string>();
  /** Processes that no model of the server knows of. */
  readonly strays: RunningProcess[] = [];
  readonly #running = new Map<number, string>();

  constructor() {
    this.port = new HostPort({
      post: (message) => {
        if (message.type === "call") queueMicrotask(() => this.#answer(message));
      },
      onRuntime: () => {},
      onReading: () => {},
    });
  }

  /** Models whose process runs. */
  get running(): string[] {
    return [...this.#running.values()];
  }

  makeReady(model: string): void {
    this.#say(this.#idOf(model), READY_LINE);
  }

  /** Its process dies. */
  kill(model: string): void {
    this.#exit(this.#idOf(model), 139);
  }

  #answer({ call, name, params }: Call): void {
    const answers: { [K in HostCallName]?: (given: never) => unknown } = {
      start: (given: HostCalls["start"]["params"]) => this.#start(given),
      stop: ({ id }: HostCalls["stop"]["params"]) => this.#stop(id),
      processes: () => [
        ...[...this.#running.keys()].map((id) => ({ id, pid: pidOf(id), rssBytes: null })),
        ...this.strays,
      ],
    };
    const result = answers[name]!(params as never);
    this.port.receive({ type: "result", call, result });
  }

  #start({ id, launch: { alias } }: HostCalls["start"]["params"]) {
    this.events.push(`+${alias}`);
    this.#running.set(id, alias);
    queueMicrotask(() => {
      if (this.broken.has(alias)) this.#exit(id, 1);
      else if (!this.slow.has(alias)) this.#say(id, READY_LINE);
    });
    return { pid: pidOf(id), startTime: "1", boot: "b", commandLine: [] };
  }

  #stop(id: number) {
    const model = this.#running.get(id);
    if (model !== undefined) {
      this.events.push(`-${model}`);
      this.#exit(id, 0);
    }
    const stray = this.strays.findIndex((process) => process.id === id);
    if (stray >= 0) this.events.push(`-stray ${this.strays.splice(stray, 1)[0]!.pid}`);
    return { exited: true };
  }

  #say(id: number, line: string): void {
    this.port.receive({ type: "lines", id, lines: [line] });
  }

  #exit(id: number, code: number): void {
    this.#running.delete(id);
    this.port.receive({ type: "exited", id, code, signal: null });
  }

  #idOf(model: string): number {
    const found = [...this.#running].find(([, name]) => name === model);
    if (found === undefined) throw new Error(`"${model}" does not run`);
    return found[0];
  }
}

function pidOf(id: number): number {
  return 1_000_000_000 + id;
}
