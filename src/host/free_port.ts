// A port that is free on every address of the gateway: chosen before the server starts, since its scope
// must name the port.

/** By chance another address of the same port may be taken. */
const MOST_TRIES = 20;

/** 0 where none is found: whoever binds it then has the reason. */
export function freePort(hosts: readonly string[]): number {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const port = freeOn(hosts);
    if (port !== null) return port;
  }
  return 0;
}

function freeOn(hosts: readonly string[]): number | null {
  const listeners: Deno.TcpListener[] = [];
  let port = 0;
  try {
    for (const hostname of hosts) {
      try {
        const listener = Deno.listen({ hostname, port });
        listeners.push(listener);
        port = listener.addr.port;
      } catch (error) {
        // A machine without IPv6 is served on IPv4, and narrow flags may name the first address alone.
        const { AddrNotAvailable, NotCapable } = Deno.errors;
        const isOptional = error instanceof AddrNotAvailable || error instanceof NotCapable;
        if (listeners.length === 0 && error instanceof NotCapable) throw error;
        if (listeners.length === 0 || !isOptional) return null;
      }
    }
    return port;
  } finally {
    for (const listener of listeners) listener.close();
  }
}
