// Linux `/proc/net/tcp` and `tcp6`: which of our client connections are still open.

import type { ClientConnection } from "../messages.ts";
import { addressBytes, hex, kernelHex } from "./socket_address.ts";

/** Value: whether a row under this key is in state ESTABLISHED. */
export type ConnectionTable = Map<string, boolean>;

const MAPPED = "0000000000000000FFFF0000";
const ESTABLISHED = "01";

/** Local port, remote address and remote port as a row has them; null for a text that is no address. */
export function connectionKey(connection: ClientConnection): string | null {
  const bytes = addressBytes(connection.remoteAddress);
  if (bytes === null) return null;
  return `${hex(connection.localPort, 4)}${kernelHex(bytes)}:${hex(connection.remotePort, 4)}`;
}

/**
 * Adds the rows whose local port (4 hex digits) is in `ports`. Rows are cut out by position, since
 * this runs many times a second: `  12: 0100007F:1F41 0100007F:C350 01 ...`.
 */
export function addRows(
  table: ConnectionTable,
  options: { text: string; ports: ReadonlySet<string> },
): void {
  const { text, ports } = options;
  // The first line names the columns.
  let line = text.indexOf("\n") + 1;
  while (line > 0 && line < text.length) {
    const local = text.indexOf(":", text.indexOf(":", line) + 1) + 1;
    const remote = local + 5;
    const port = text.slice(local, local + 4);
    if (ports.has(port)) {
      const colon = text.indexOf(":", remote);
      const address = text.slice(remote, colon);
      const canonical = address.startsWith(MAPPED) ? address.slice(MAPPED.length) : address;
      const key = port + canonical + text.slice(colon, colon + 5);
      // Two local addresses may share a port: one open connection is enough to live.
      if (text.slice(colon + 6, colon + 8) === ESTABLISHED) table.set(key, true);
      else if (!table.has(key)) table.set(key, false);
    }
    line = text.indexOf("\n", line) + 1;
  }
}
