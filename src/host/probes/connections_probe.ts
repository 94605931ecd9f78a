// Which client TCP connections are gone, for the departures that `Deno.serve` does not notice.
// In doubt, and where the system's table cannot be read, everybody is still there.

import type { ClientConnection } from "../messages.ts";
import {
  judgeByNetstat,
  type NetstatRow,
  parseMacNetstat,
  parseWindowsNetstat,
} from "./netstat.ts";
import { addRows, connectionKey, type ConnectionTable } from "./proc_net_tcp.ts";
import { type RunCommand, runCommand } from "./run_command.ts";
import { SystemFiles } from "./system_files.ts";
import { hex } from "./socket_address.ts";

/** netstat is a process of its own: it is not started more often than this. */
const NETSTAT_EVERY_MS = 500;
const NETSTAT_TIMEOUT_MS = 3000;

/**
 * The kernel walks its whole hash of connections for each read, 4 to 30 ms: of one core's time at
 * most this share goes there. What is asked in between is answered with "nobody".
 */
const CPU_SHARE = 0.1;
/** On a busy machine a read takes long without costing much: the wait for the next one ends here. */
const MOST_PAUSE_MS = 300;

export interface ConnectionsProbe {
  /** Ids of those whose client closed, reset, or shut down its sending side. */
  departed(connections: readonly ClientConnection[]): Promise<number[]>;
}

export interface LinuxConnectionsOptions {
  files?: SystemFiles;
  /** 1 = as often as asked. */
  cpuShare?: number;
  /** Monotonic milliseconds. */
  now?: () => number;
}

export class LinuxConnectionsProbe implements ConnectionsProbe {
  readonly #files: SystemFiles;
  readonly #cpuShare: number;
  readonly #now: () => number;
  #dueMs = -Infinity;

  constructor(options: LinuxConnectionsOptions = {}) {
    this.#files = options.files ?? new SystemFiles();
    this.#cpuShare = options.cpuShare ?? CPU_SHARE;
    this.#now = options.now ?? (() => performance.now());
  }

  async departed(connections: readonly ClientConnection[]): Promise<number[]> {
    const startMs = this.#now();
    if (connections.length === 0 || startMs < this.#dueMs) return [];
    this.#dueMs = Infinity;
    try {
      return await this.#departed(connections);
    } finally {
      const endMs = this.#now();
      const pauseMs = (endMs - startMs) * (1 / this.#cpuShare - 1);
      this.#dueMs = endMs + Math.min(pauseMs, MOST_PAUSE_MS);
    }
  }

  async #departed(connections: readonly ClientConnection[]): Promise<number[]> {
    const first = await this.#table(connections);
    if (first === null) return [];
    const departed: number[] = [];
    const absent: ClientConnection[] = [];
    for (const connection of connections) {
      const key = connectionKey(connection);
      if (key === null) continue;
      const established = first.get(key);
      if (established === false) departed.push(connection.id);
      if (established === undefined) absent.push(connection);
    }
    if (absent.length === 0) return departed;
    // The kernel hands the table out in pieces, and a row may slip between two of them while
    // others come and go: missing counts only when it is missing twice.
    const second = await this.#table(absent);
    if (second === null) return departed;
    const gone = absent.filter((connection) => !second.get(connectionKey(connection) ?? ""));
    return [...departed, ...gone.map(({ id }) => id)];
  }

  /**
   * Only the files that these connections are in: an IPv4 client of an IPv6 listener is in the
   * second and has an IPv6 address here. Null where one cannot be read.
   */
  async #table(connections: readonly ClientConnection[]): Promise<ConnectionTable | null> {
    const ports = new Set(connections.map(({ localPort }) => hex(localPort, 4)));
    const ipv6 = connections.filter(({ remoteAddress }) => remoteAddress.includes(":")).length;
    const paths: string[] = [];
    if (ipv6 < connections.length) paths.push("/proc/net/tcp");
    if (ipv6 > 0) paths.push("/proc/net/tcp6");
    const table: ConnectionTable = new Map();
    for (const path of paths) {
      const text = await this.#files.readAside(path);
      if (text === null) return null;
      addRows(table, { text, ports });
    }
    return table;
  }
}

export interface NetstatOptions {
  /** Each command's rows are put together; one that fails leaves everybody alive. */
  commands: readonly (readonly [string, ...string[]])[];
  parse: (text: string) => NetstatRow[];
  run: RunCommand;
  /** Monotonic milliseconds. */
  now?: () => number;
}

export class NetstatConnectionsProbe implements ConnectionsProbe {
  readonly #options: NetstatOptions;
  readonly #now: () => number;
  #dueMs = -Infinity;
  #absentBefore: ReadonlySet<number> = new Set();

  constructor(options: NetstatOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  async departed(connections: readonly ClientConnection[]): Promise<number[]> {
    if (connections.length === 0 || this.#now() < this.#dueMs) return [];
    this.#dueMs = Infinity;
    try {
      const rows = await this.#rows();
      if (rows === null) return [];
      const { closing, absent } = judgeByNetstat(connections, rows);
      const before = this.#absentBefore;
      this.#absentBefore = new Set(absent);
      return [...closing, ...absent.filter((id) => before.has(id))];
    } finally {
      this.#dueMs = this.#now() + NETSTAT_EVERY_MS;
    }
  }

  /** Null where a command failed; no row at all is no answer either, since we ourselves listen. */
  async #rows(): Promise<NetstatRow[] | null> {
    const rows: NetstatRow[] = [];
    for (const [command, ...args] of this.#options.commands) {
      const result = await this.#options.run(command, args, NETSTAT_TIMEOUT_MS);
      if (result?.code !== 0) return null;
      rows.push(...this.#options.parse(result.stdout));
    }
    return rows.length === 0 ? null : rows;
  }
}

export function createConnectionsProbe(
  platform: typeof Deno.build.os = Deno.build.os,
  run: RunCommand = runCommand,
): ConnectionsProbe {
  if (platform === "darwin") {
    return new NetstatConnectionsProbe({
      commands: [["/usr/sbin/netstat", "-anW", "-p", "tcp"]],
      parse: parseMacNetstat,
      run,
    });
  }
  if (platform === "windows") {
    const netstat = "C:\\Windows\\System32\\netstat.exe";
    return new NetstatConnectionsProbe({
      commands: [[netstat, "-an", "-p", "TCP"], [netstat, "-an", "-p", "TCPv6"]],
      parse: parseWindowsNetstat,
      run,
    });
  }
  return new LinuxConnectionsProbe();
}
