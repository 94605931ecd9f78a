// The port of each loaded model: 8080-8100, by trying to bind. A tool that knows only llama-server
// uses it as if it were one; the guard and the lease are the gateway's own.

import type { Log } from "../log.ts";
import type { Door } from "../orchestrator/entry.ts";
import { messageOf } from "../errors.ts";

export interface DoorsOptions {
  log: Log;
  hosts: readonly string[];
  ports: { readonly first: number; readonly last: number };
  handle(
    request: Request,
    info: Deno.ServeHandlerInfo,
    door: OpenDoor,
  ): Response | Promise<Response>;
}

/** What a request's handler knows of the door that it came through. */
export interface OpenDoor {
  modelId: string;
  port: number;
}

/** Opens a door for a model: the first port that can be bound, else any free one with a warning. */
export class Doors {
  readonly #options: DoorsOptions;
  readonly #taken = new Set<number>();

  constructor(options: DoorsOptions) {
    this.#options = options;
  }

  open(modelId: string): Promise<Door> {
    const { ports, log } = this.#options;
    for (let port = ports.first; port <= ports.last; port++) {
      if (this.#taken.has(port)) continue;
      const door = this.#tryToOpen(modelId, port);
      if (door !== null) return Promise.resolve(door);
    }
    const door = this.#tryToOpen(modelId, 0);
    if (door === null) throw new Error("No port at all can be bound");
    log.warn("All doors are taken: the model listens elsewhere", {
      model: modelId,
      first: ports.first,
      last: ports.last,
      port: door.port,
    });
    return Promise.resolve(door);
  }

  // Whatever the reason (in use, reserved by the system, forbidden): the next port may do.
  #tryToOpen(modelId: string, port: number): Door | null {
    const servers: Deno.HttpServer<Deno.NetAddr>[] = [];
    const open: OpenDoor = { modelId, port };
    const { hosts } = this.#options;
    // A port that the system chose is in no list of the scope: nobody may listen on it a second time.
    for (const hostname of port === 0 ? hosts.slice(0, 1) : hosts) {
      try {
        const server = Deno.serve({
          hostname,
          port: open.port,
          onListen: () => {},
          handler: (request, info) => this.#options.handle(request, info, open),
        });
        servers.push(server);
        open.port = server.addr.port;
      } catch (error) {
        // A machine without IPv6 still has a door on IPv4, and narrow flags may name that alone.
        const { AddrNotAvailable, NotCapable } = Deno.errors;
        const isOptional = error instanceof AddrNotAvailable || error instanceof NotCapable;
        if (servers.length > 0 && isOptional) continue;
        this.#options.log.debug("Port cannot be bound", { port, reason: messageOf(error) });
        for (const server of servers) void server.shutdown();
        return null;
      }
    }
    this.#taken.add(open.port);
    let closing: Promise<void> | null = null;
    return {
      port: open.port,
      close: () => closing ??= this.#close(servers, open.port),
    };
  }

  // Idle kept-alive connections must not hold the door open: answers in progress have their lease,
  // and an unload waits for those before it closes the door.
  async #close(servers: Deno.HttpServer<Deno.NetAddr>[], port: number): Promise<void> {
    await Promise.all(servers.map((server) => server.shutdown()));
    this.#taken.delete(port);
  }
}
