// Answers the server's calls, each by the part of the host that it is for. Which messages are obeyed at
// all is message_check.ts's.

import type { HostReading } from "../api_types.ts";
import type { Config } from "../config.ts";
import { AppError, messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import type { BuildGuard } from "./build_check.ts";
import type { PreparedLaunch } from "./caged_launch.ts";
import type { Launcher } from "./launcher.ts";
import type { HostCallName, HostCalls, LaunchSpec, ToServer } from "./messages.ts";
import { BandwidthProbe } from "./probes/bandwidth.ts";
import { createConnectionsProbe } from "./probes/connections_probe.ts";
import { freeDiskBytes } from "./probes/free_disk.ts";
import type { HostProbe } from "./probes/host_probe.ts";
import type { Processes } from "./processes.ts";
import type { RuntimeKeeper } from "./runtime_keeper.ts";
import type { Runtimes, RuntimesOptions } from "./runtimes.ts";

export interface CallsOptions {
  config: Pick<Config, "home">;
  log: Log;
  probe: HostProbe;
  processes: Processes;
  launcher: Launcher;
  runtime: RuntimeKeeper;
  guard: BuildGuard;
  /** Loaded when somebody first asks for the builds. */
  runtimes(given: Pick<RuntimesOptions, "keeper" | "running" | "facts">): Promise<Runtimes>;
}

/** One life of the server: what it asked for is not told to the next. */
export interface Caller {
  isGone(): boolean;
  post(message: ToServer): void;
}

export class Calls implements AsyncDisposable {
  readonly #options: CallsOptions;
  readonly #bandwidth: BandwidthProbe;
  readonly #connections = createConnectionsProbe();
  #runtimes: Promise<Runtimes> | null = null;

  constructor(options: CallsOptions) {
    this.#options = options;
    this.#bandwidth = new BandwidthProbe(options.probe);
  }

  async answer<K extends HostCallName>(
    { call, name, params }: { call: number; name: K; params: HostCalls[K]["params"] },
    caller: Caller,
  ): Promise<void> {
    const answers: { [N in HostCallName]: (given: never, caller: Caller) => unknown } =
      this.#answers;
    try {
      if (!Object.hasOwn(answers, name)) throw new Error(`Unknown call "${name}"`);
      const result = await answers[name](params as never, caller);
      caller.post({ type: "result", call, result });
    } catch (error) {
      if (!(error instanceof AppError)) {
        this.#options.log.error("Call failed", { call: name, reason: messageOf(error) });
      }
      const known = error instanceof AppError
        ? error
        : new AppError("internal", `The host could not do "${name}": ${messageOf(error)}`);
      caller.post({ type: "error", call, error: known.toData() });
    }
  }

  async read(disk: boolean): Promise<HostReading> {
    const { probe, config } = this.#options;
    const reading = await probe.read();
    if (!disk) return reading;
    return { ...reading, disk_free_bytes: await freeDiskBytes(config.home) };
  }

  /** An installation that was told to end takes its work folder with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#runtimes?.catch(() => undefined))?.[Symbol.asyncDispose]();
  }

  readonly #answers = {
    start: async ({ id, launch }: HostCalls["start"]["params"], caller: Caller) => {
      const prepared = await this.#prepare(launch);
      if (caller.isGone()) throw new AppError("cancelled", "The server that asked is gone");
      return await this.#options.launcher.start(id, prepared, {
        onLines: (lines) => caller.post({ type: "lines", id, lines }),
        onExit: (code, signal) => caller.post({ type: "exited", id, code, signal }),
      });
    },
    stop: async ({ id, graceMs }: HostCalls["stop"]["params"]) => {
      await this.#options.processes.stop(id, graceMs);
      return { exited: true };
    },
    command: async ({ launch }: HostCalls["command"]["params"]) => {
      const { wanted } = await this.#prepare(launch);
      return { commandLine: [wanted.program, ...wanted.args] };
    },
    reading: ({ disk }: HostCalls["reading"]["params"]) => this.read(disk),
    bandwidth: ({ threads }: HostCalls["bandwidth"]["params"]) => this.#bandwidth.read(threads),
    processes: () => this.#options.processes.running(),
    reap: async ({ rows }: HostCalls["reap"]["params"]) => ({
      killed: await this.#options.processes.reap(rows),
    }),
    runtime: async ({ retry }: HostCalls["runtime"]["params"]) => {
      const { runtime } = this.#options;
      await runtime.get({ retry });
      return runtime.info;
    },
    runtimes: async () => (await this.#builds()).list(),
    installRuntime: async (params: HostCalls["installRuntime"]["params"]) =>
      (await this.#builds()).install(params),
    cancelRuntime: async ({ variant }: HostCalls["cancelRuntime"]["params"]) =>
      (await this.#builds()).cancel(variant),
    useRuntime: async ({ build }: HostCalls["useRuntime"]["params"]) =>
      (await this.#builds()).use(build),
    removeRuntime: async ({ build }: HostCalls["removeRuntime"]["params"]) =>
      (await this.#builds()).remove(build),
    departed: async ({ connections }: HostCalls["departed"]["params"]) => ({
      departed: await this.#connections.departed(connections),
    }),
  };

  #builds(): Promise<Runtimes> {
    const { runtimes, runtime, processes, probe } = this.#options;
    return this.#runtimes ??= runtimes({
      keeper: runtime,
      running: () => processes.programs(),
      facts: async () => {
        const { offerFacts } = await import("./offer_facts.ts");
        return await offerFacts(probe);
      },
    });
  }

  async #prepare(launch: LaunchSpec): Promise<PreparedLaunch> {
    const { runtime, guard, launcher } = this.#options;
    return await launcher.prepare(launch, await runtime.checked(guard));
  }
}
