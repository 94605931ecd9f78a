// `netstat -an` of macOS and Windows: which of our client connections are still open.

import type { ClientConnection } from "../messages.ts";

export interface NetstatRow {
  localPort: number;
  remotePort: number;
  state: string;
}

/** States after either side has said its end. Windows may translate them: an unknown word lives. */
const CLOSING: ReadonlySet<string> = new Set([
  "CLOSED",
  "CLOSE_WAIT",
  "CLOSING",
  "FIN_WAIT_1",
  "FIN_WAIT_2",
  "LAST_ACK",
  "TIME_WAIT",
]);

/** macOS: `tcp4 0 0 127.0.0.1.8001 127.0.0.1.51000 ESTABLISHED`; a listener's far side is `*.*`. */
export function parseMacNetstat(text: string): NetstatRow[] {
  return parseRows(
    text,
    /^tcp\S*\s+\d+\s+\d+\s+\S*\.(\d+)\s+\S*\.(\d+|\*)\s+(\S+)/,
  );
}

/** Windows: `  TCP    [::1]:8001    [::1]:51000    ESTABLISHED`. */
export function parseWindowsNetstat(text: string): NetstatRow[] {
  return parseRows(text, /^\s*TCP\s+\S*:(\d+)\s+\S*:(\d+)\s+(\S+)/);
}

export interface NetstatVerdict {
  /** Every row that they have says the end. */
  closing: number[];
  /** No row at all: reset, or a table that was not whole. */
  absent: number[];
}

/**
 * Compares by the two ports alone: macOS cuts long addresses off. Two clients with the same port
 * hide each other's end for a while, and nobody is taken for gone who is not.
 */
export function judgeByNetstat(
  connections: readonly ClientConnection[],
  rows: readonly NetstatRow[],
): NetstatVerdict {
  const living = new Map<string, boolean>();
  for (const row of rows) {
    const key = `${row.localPort}:${row.remotePort}`;
    living.set(key, (living.get(key) ?? false) || !CLOSING.has(row.state));
  }
  const verdict: NetstatVerdict = { closing: [], absent: [] };
  for (const { id, localPort, remotePort } of connections) {
    const state = living.get(`${localPort}:${remotePort}`);
    if (state === undefined) verdict.absent.push(id);
    else if (!state) verdict.closing.push(id);
  }
  return verdict;
}

function parseRows(text: string, pattern: RegExp): NetstatRow[] {
  return text.split("\n").flatMap((line) => {
    const [, localPort, remotePort, state] = pattern.exec(line) ?? [];
    if (state === undefined) return [];
    // A listener's remote port is 0, as Windows writes it.
    return [{ localPort: Number(localPort), remotePort: Number(remotePort) || 0, state }];
  });
}
