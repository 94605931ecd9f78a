// Composition root inside the scope: makes the parts, listens, drains. Runs in a Worker.

import type { CageInfo, HostReading, RuntimeInfo } from "./api_types.ts";
import type { Config } from "./config_type.ts";
import { AppError, messageOf } from "./errors.ts";
import { ApiKeys } from "./gateway/api_keys.ts";
import { createGateway, type Gateway } from "./gateway/app.ts";
import { Departures } from "./gateway/departures.ts";
import { Doors } from "./gateway/doors.ts";
import { Events } from "./gateway/events.ts";
import { findModel } from "./gateway/find_model.ts";
import { Fits } from "./gateway/fits.ts";
import type { Parts } from "./gateway/parts.ts";
import { Requests } from "./gateway/requests.ts";
import { Speeds } from "./gateway/speeds.ts";
import { listen } from "./gateway/listen.ts";
import { LogTail } from "./gateway/log_tail.ts";
import { Metrics } from "./gateway/metrics.ts";
import { Mirror } from "./gateway/mirror.ts";
import { Hardware } from "./hardware/hardware.ts";
import type { LeftoverProcess, ToHost, ToServer } from "./host/messages.ts";
import { createLog } from "./log.ts";
import { Imports } from "./models/import.ts";
import { openModels } from "./models/open_models.ts";
import { createDownloads } from "./create_downloads.ts";
import { createHub } from "./create_hub.ts";
import { createOrchestrator } from "./create_orchestrator.ts";
import { HostPort } from "./runtime/host_port.ts";
import { UNKNOWN_RUNTIME } from "./unknown_runtime.ts";
import { within } from "./within.ts";

type Init = Extract<ToServer, { type: "init" }>;

const HEARTBEAT_MS = 2_000;

/** All that the server holds; disposed in reverse. */
class Server implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly #parts: Parts;
  readonly #ending = new AbortController();
  #servers: Deno.HttpServer<Deno.NetAddr>[] = [];

  constructor(stack: AsyncDisposableStack, parts: Parts) {
    this.#stack = stack;
    this.#parts = parts;
  }

  listen(gateway: Gateway, config: Config): number {
    this.#servers = listen({
      hosts: config.hosts,
      port: config.port,
      handle: (request, info) => gateway.handle(request, info),
    });
    return this.#servers[0]!.addr.port;
  }

  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  /** No new requests; answers in progress end; then everything stops. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    const closed = this.#servers.map((server) => server.shutdown());
    this.#parts.events.close();
    await this.#parts.orchestrator.close(DRAIN_MS);
    await within(Promise.all(closed), 500);
    await this.#stack.disposeAsync();
  }
}

/** How long answers in progress may go on when the server is asked to end. */
const DRAIN_MS = 30_000;

async function startServer(init: Init, post: (message: ToHost) => void) {
  await using stack = new AsyncDisposableStack();
  let config = init.config;
  let runtime: RuntimeInfo = UNKNOWN_RUNTIME;
  let cage: CageInfo = { mode: config.cage, active: null, reason: null };
  let port = 0;
  const logTail = new LogTail();
  const log = createLog({
    part: "server",
    level: config.logLevel,
    write: (entry) => {
      logTail.take(entry);
      post({ type: "log", entry });
    },
  });
  const hardware = new Hardware(() => config);
  const host = new HostPort({
    post,
    onRuntime: (info) => {
      runtime = info;
      parts.events.emitSystem();
    },
    onCage: (info) => {
      cage = info;
      parts.events.emitSystem();
    },
    onReading: (reading: HostReading) => {
      hardware.update(reading);
      parts.events.emitSystem();
    },
  });
  const { importRoots } = init;
  const { registry, library } = await openModels(config, { log, stack, importRoots });
  const hubParts = createHub(config, { log, stack });
  const leftovers = registry.leftovers();
  const departures = new Departures(host);
  stack.defer(() => departures.stop());
  const doors = new Doors({
    log: log.for("doors"),
    hosts: config.hosts,
    ports: config.runtimePorts,
    handle: (request, info, door) => gateway.handleDoor(request, info as never, door),
  });
  const events = new Events(() => parts);
  stack.defer(() => events.close());
  const downloads = stack.use(
    createDownloads({
      config: () => config,
      boot: init.boot,
      hub: hubParts.hub,
      registry,
      library,
      freeBytes: async () => (await host.call("reading", { disk: true })).disk_free_bytes,
      emit: (event) => events.emit(event),
      log,
    }),
  );
  const metrics = new Metrics();
  const orchestrator = createOrchestrator({
    config: () => config,
    places: init.places,
    runtime: () => runtime,
    onChange: (entry) => mirror.changed(entry),
    observer: metrics,
    log,
    host,
    registry,
    library,
    hardware,
    doors,
  });
  const speeds = stack.use(
    new Speeds({
      host,
      hardware,
      registry,
      orchestrator,
      runtime: () => runtime,
      log: log.for("speeds"),
    }),
  );
  const keys = stack.use(
    new ApiKeys({
      registry: registry.keys,
      startKey: config.apiKey,
      startKeyName: config.sources.apiKey === "environment" ? "ZOMBIE_API_KEY" : "--api-key-file",
      log: log.for("keys"),
    }),
  );
  const parts: Parts = {
    config: () => config,
    setConfig: (changed) => config = changed,
    version: init.version,
    boot: init.boot,
    port: () => port,
    runtime: () => runtime,
    cage: () => cage,
    requests: new Requests(events, metrics),
    log: log.for("gateway"),
    logTail,
    host,
    scope: init.scope,
    hardware,
    fits: new Fits({ host, hardware, orchestrator, runtime: () => runtime, speeds }),
    speeds,
    registry,
    keys,
    library,
    ...hubParts,
    downloads,
    imports: new Imports({ roots: importRoots, library, registry, log: log.for("import") }),
    orchestrator,
    events,
    metrics,
    departures,
  };
  const mirror = stack.use(new Mirror(parts));
  const gateway = createGateway(parts);
  const server = new Server(stack.move(), parts);
  port = server.listen(gateway, config);
  post({ type: "listening", address: config.hosts[0]!, port });
  void settle(parts, { leftovers, signal: server.ending });
  return { server, host };
}

// What is not needed for the first answer: it waits until the gateway is up.
async function settle(
  parts: Parts,
  { leftovers, signal }: { leftovers: LeftoverProcess[]; signal: AbortSignal },
): Promise<void> {
  try {
    await parts.downloads.start();
    signal.throwIfAborted();
    parts.hardware.update(await parts.host.call("reading", { disk: false }));
    await parts.host.call("reap", { rows: leftovers });
    signal.throwIfAborted();
    const gone = parts.library.list().filter((model) => model.isMissing);
    parts.registry.endEarlierLife(gone.map((model) => model.id));
    for (const name of parts.config().preload) await preload(parts, { name, signal });
  } catch (error) {
    // Who is told to end at once need not be complete, and its registry is closed.
    if (signal.aborted) return;
    parts.log.warn("Start is not complete", { reason: messageOf(error) });
  }
}

// One that cannot be loaded must not keep the others from it.
async function preload(
  parts: Parts,
  { name, signal }: { name: string; signal: AbortSignal },
): Promise<void> {
  try {
    signal.throwIfAborted();
    await parts.orchestrator.load(await findModel(parts, name));
  } catch (error) {
    if (signal.aborted) return;
    parts.log.warn("Cannot preload", { model: name, reason: messageOf(error) });
  }
}

declare const self: DedicatedWorkerGlobalScope;

/** Listens to the host: the first message starts the server. */
function main(): void {
  const post = (message: ToHost) => self.postMessage(message);
  let running: Promise<Awaited<ReturnType<typeof startServer>>> | null = null;
  let host: HostPort | null = null;
  self.onmessage = async ({ data }: MessageEvent<ToServer>) => {
    if (host?.receive(data)) return;
    if (data.type === "init") {
      setInterval(() => post({ type: "heartbeat" }), HEARTBEAT_MS);
      running = startServer(data, post);
      try {
        host = (await running).host;
      } catch (error) {
        post({ type: "fatal", error: fatal(error) });
      }
    } else if (data.type === "drain") {
      const started = await running;
      await started?.server[Symbol.asyncDispose]();
      post({ type: "drained" });
    }
  };
}

function fatal(error: unknown) {
  const known = error instanceof AppError ? error : new AppError("internal", messageOf(error));
  return known.toData();
}

main();
