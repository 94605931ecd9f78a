// Hears the server's messages and keeps the server alive: the only side that starts programs. It takes no
// input but the command line and the messages, and checks each of those; calls are calls.ts's to answer.

import type { Config } from "../config.ts";
import { AppError, messageOf } from "../errors.ts";
import { within } from "../within.ts";
import type { Log } from "../log.ts";
import { findCageTools } from "./cage.ts";
import type { BuildGuard } from "./build_check.ts";
import type { CagePrograms } from "./cage_probe.ts";
import { type Caller, Calls, type CallsOptions } from "./calls.ts";
import { freePort } from "./free_port.ts";
import { Launcher } from "./launcher.ts";
import { type WrongMessage, wrongMessage } from "./message_check.ts";
import type { ImportRoot, ToHost, ToServer } from "./messages.ts";
import { standingRoots } from "./import_roots.ts";
import { HostProbe } from "./probes/host_probe.ts";
import { createProcessProbe } from "./probes/process_probe.ts";
import { Processes } from "./processes.ts";
import { workerModule } from "./program_files.ts";
import { RuntimeKeeper, type RuntimeKeeperOptions } from "./runtime_keeper.ts";
import { scopeWithin, startable } from "./rights.ts";
import { serverGrants } from "./scope.ts";
import type { ServerLock } from "./server_lock.ts";
import { ServerWorker } from "./server_worker.ts";
import type { SocketFolder } from "./socket_folder.ts";

export interface HostOptions {
  config: Config;
  version: string;
  log: Log;
  lock: ServerLock;
  sockets: SocketFolder;
  findRuntime: RuntimeKeeperOptions["find"];
  runtimes: CallsOptions["runtimes"];
  /** Removes what a killed installation left, where one did. Throws nothing. */
  clearLeftovers?(): Promise<void>;
  /** What `findRuntime` saw of installed builds. */
  guard: BuildGuard;
  /** Where other programs keep models; none by default. */
  importRoots?: readonly ImportRoot[] | undefined;
  /** What cages are made of. */
  cagePrograms(): CagePrograms;
  /** The module that the server runs; by default `server.ts`. */
  serverUrl?: string | undefined;
  /** A server that is silent for so long hangs. */
  heartbeatLimitMs?: number | undefined;
  /** The gateway listens: called once, however often the server starts again. */
  onReady(address: string): void;
}

const READING_INTERVAL_MS = 2_000;
/** The answers in progress get so long when the program is asked to end. */
const DRAIN_MS = 35_000;
/** An installation that is told to end: it leaves what it waits for, and removes its work folder. */
const INSTALLATION_END_MS = 10_000;
/** Ports that are chosen, where the user named none, before the start is given up. */
const PORT_TRIES = 10;
/** A process whose server died has nobody to answer, and the next server waits for its end. */
const CRASH_GRACE_MS = 200;

export class Host implements AsyncDisposable {
  readonly #options: HostOptions;
  readonly #platform = Deno.build.os;
  readonly #probe = new HostProbe();
  readonly #processes: Processes;
  readonly #runtime: RuntimeKeeper;
  readonly #launcher: Launcher;
  readonly #calls: Calls;
  #server: ServerWorker;
  #port = 0;
  #portTries = 0;
  readonly #failed = Promise.withResolvers<never>();
  #watch: ReturnType<typeof setInterval> | null = null;
  #drained: PromiseWithResolvers<void> | null = null;
  #boot = "";
  #isReady = false;
  #hasFailed = false;
  /** Grows with each death of the server: what one asked for is not answered to the next. */
  #life = 0;
  /** Kinds of wrong messages that the log has told of. */
  readonly #refused = new Set<string>();

  constructor(options: HostOptions) {
    this.#options = options;
    this.#failed.promise.catch(() => {});
    const tools = startable(findCageTools(this.#platform));
    this.#processes = new Processes({
      log: options.log.for("processes"),
      probe: createProcessProbe(),
      tools,
    });
    this.#launcher = new Launcher({
      config: options.config,
      log: options.log.for("processes"),
      platform: this.#platform,
      processes: this.#processes,
      sockets: options.sockets,
      tools,
      programs: options.cagePrograms,
      modelFolders: () => [
        ...[options.config.home, ...options.config.modelsDirs],
        ...standingRoots(options.importRoots ?? []),
      ],
      onCage: (cage) => this.#post({ type: "cage", cage }),
    });
    this.#runtime = new RuntimeKeeper({
      find: options.findRuntime,
      onChange: (runtime) => this.#post({ type: "runtime", runtime }),
    });
    this.#calls = new Calls({
      ...options,
      probe: this.#probe,
      processes: this.#processes,
      launcher: this.#launcher,
      runtime: this.#runtime,
    });
    this.#server = this.#newServer();
  }

  #newServer(): ServerWorker {
    const { sockets, ...options } = this.#options;
    // Started again after its death it listens where it listened: clients know the port.
    const port = options.config.port || freePort(options.config.hosts);
    this.#port = port;
    const config = { ...options.config, port };
    const scope = scopeWithin({
      config,
      grants: serverGrants(config, {
        socketDir: sockets.dir,
        places: sockets.places,
        importRoots: options.importRoots ?? [],
      }),
      places: sockets.places,
      platform: this.#platform,
    });
    if (scope.missing.length > 0) {
      options.log.warn("Started with less than all rights", { missing: scope.missing.length });
    }
    return new ServerWorker({
      url: options.serverUrl ?? workerModule("server"),
      permissions: scope.permissions,
      log: options.log.for("server"),
      heartbeatLimitMs: options.heartbeatLimitMs,
      init: () => ({
        type: "init",
        config,
        places: sockets.places,
        importRoots: [...options.importRoots ?? []],
        version: options.version,
        boot: this.#boot,
        scope,
      }),
      onMessage: (message) => this.#receive(message),
      onCrash: () => {
        this.#life++;
        return this.#processes.stopAll(CRASH_GRACE_MS);
      },
      onHopeless: (error) => this.#fail(error),
    });
  }

  async start(): Promise<void> {
    // Elsewhere it takes a program that would hold up the start.
    if (this.#platform === "linux") this.#boot = await createProcessProbe().bootId();
    this.#server.start();
  }

  /** Rejects when the server cannot go on. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** Lets the server finish its answers, stops every instance, ends the server. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#watch !== null) clearInterval(this.#watch);
    // One that failed would not answer.
    if (this.#server.running && !this.#hasFailed) {
      this.#drained = Promise.withResolvers();
      this.#server.expectEnd();
      this.#post({ type: "drain" });
      await within(this.#drained.promise, DRAIN_MS);
    }
    this.#server.terminate();
    await this.#processes[Symbol.asyncDispose]();
    await this.#probe[Symbol.asyncDispose]();
    const installing = [this.#runtime, this.#calls, this.#launcher];
    const ended = Promise.all(installing.map((each) => each[Symbol.asyncDispose]()));
    await within(ended, INSTALLATION_END_MS);
  }

  #post(message: ToServer): void {
    this.#server.post(message);
  }

  #caller(): Caller {
    const life = this.#life;
    const isGone = () => life !== this.#life;
    const post = (message: ToServer) => {
      if (!isGone()) this.#post(message);
    };
    return { isGone, post };
  }

  #fail(error: AppError): void {
    this.#hasFailed = true;
    this.#failed.reject(error);
  }

  #onFatal(error: AppError): void {
    const isOurChoice = this.#options.config.port === 0 && !this.#isReady;
    const mayTryAnother = isOurChoice && this.#drained === null && ++this.#portTries < PORT_TRIES;
    if (error.code !== "port_in_use" || !mayTryAnother) return this.#fail(error);
    // Somebody took the port between our look and the server's: nobody was told of it yet.
    this.#life++;
    this.#server.terminate();
    this.#server = this.#newServer();
    this.#server.start();
  }

  #receive(message: unknown): void {
    const wrong = wrongMessage(message);
    if (wrong === null) this.#obey(message as ToHost);
    else this.#refuse(wrong);
  }

  /** Has no other effect: our server sends none, so something else speaks in its place. */
  #refuse({ kind, problem, call }: WrongMessage): void {
    if (!this.#refused.has(kind)) {
      this.#refused.add(kind);
      this.#options.log.warn("Refused a message of the server", { kind, problem });
    }
    if (call === null) return;
    const error = new AppError("internal", `The host refuses "${kind}": ${problem}`);
    this.#post({ type: "error", call, error: error.toData() });
  }

  #obey(message: ToHost): void {
    switch (message.type) {
      case "call":
        void this.#calls.answer(message, this.#caller());
        return;
      case "watch":
        return this.#setWatch(message.on);
      case "log": {
        const { level, part, message: text, fields } = message.entry;
        return this.#options.log.for(part)[level](text, fields);
      }
      case "listening":
        return this.#onListening(message.address, message.port);
      case "fatal":
        return this.#onFatal(AppError.fromData(message.error));
      case "drained":
        return this.#drained?.resolve();
      case "heartbeat":
        return;
    }
  }

  #onListening(name: string, port: number): void {
    // It is shown to the user and opened by commands: nobody but us may listen there.
    if (!this.#options.config.hosts.includes(name) || port !== this.#port) {
      return this.#refuse({ kind: "listening", problem: "not where it was told to", call: null });
    }
    this.#post({ type: "cage", cage: this.#launcher.cage });
    if (this.#isReady) return this.#post({ type: "runtime", runtime: this.#runtime.info });
    this.#isReady = true;
    const address = `http://${name.includes(":") ? `[${name}]` : name}:${port}`;
    this.#options.lock.note({ address, pid: Deno.pid });
    this.#options.onReady(address);
    // Not before: what a user waits for first is the page.
    void this.#prepareRuntime();
  }

  async #prepareRuntime(): Promise<void> {
    try {
      await this.#launcher.findCage(await this.#runtime.get({ retry: false }));
    } catch (error) {
      if (error instanceof AppError && error.code === "shutting_down") return;
      this.#options.log.warn("Models cannot be loaded", { reason: messageOf(error) });
    }
    await this.#options.clearLeftovers?.();
  }

  #setWatch(on: boolean): void {
    if (this.#watch !== null) clearInterval(this.#watch);
    this.#watch = on
      ? setInterval(async () => {
        this.#post({ type: "reading", reading: await this.#calls.read(true) });
      }, READING_INTERVAL_MS)
      : null;
  }
}
