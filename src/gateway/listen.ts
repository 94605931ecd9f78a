// Listens on every address of the gateway, on one port, or says why that cannot be.

import { AppError, messageOf } from "../errors.ts";

export interface ListenOptions {
  hosts: readonly string[];
  /** 0 = any free one, the same on all addresses. */
  port: number;
  handle(request: Request, info: Deno.ServeHandlerInfo<Deno.NetAddr>): Response | Promise<Response>;
}

/** Another address of the same port may be taken where the system chose it: then it chooses again. */
const MOST_TRIES = 20;

/** Throws `port_in_use` with what to do. */
export function listen(options: ListenOptions): Deno.HttpServer<Deno.NetAddr>[] {
  for (let tries = 1;; tries++) {
    const servers: Deno.HttpServer<Deno.NetAddr>[] = [];
    let { port } = options;
    try {
      for (const hostname of options.hosts) {
        const server = listenOn(hostname, port, options.handle, servers.length > 0);
        if (server === null) continue;
        servers.push(server);
        port = server.addr.port;
      }
      return servers;
    } catch (error) {
      for (const server of servers) void server.shutdown();
      if (options.port === 0 && tries < MOST_TRIES && isTaken(error)) continue;
      throw refusal(port, error);
    }
  }
}

function listenOn(
  hostname: string,
  port: number,
  handler: ListenOptions["handle"],
  optional: boolean,
): Deno.HttpServer<Deno.NetAddr> | null {
  try {
    return Deno.serve({ hostname, port, handler, onListen: () => {} });
  } catch (error) {
    // A machine without IPv6 is served on IPv4, and narrow flags may name the first address alone.
    const { AddrNotAvailable, NotCapable } = Deno.errors;
    if (optional && (error instanceof AddrNotAvailable || error instanceof NotCapable)) return null;
    throw error;
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof Deno.errors.AddrInUse;
}

function refusal(port: number, error: unknown): AppError {
  const why = isTaken(error) ? "another program uses it" : messageOf(error);
  return new AppError(
    "port_in_use",
    `Cannot listen on port ${port}: ${why}. Stop that program or choose another port with --port`,
    { values: { port }, cause: error },
  );
}
