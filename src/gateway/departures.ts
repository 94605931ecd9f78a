// Notices clients that left before their answer began. Deno.serve tells of them only when head and
// body came in one small read (facts: `tests/departures_test.ts`), so for requests that have been
// silent for a while the system's own connection table is asked, through the host.

import type { ClientConnection } from "../host/messages.ts";
import type { HostPort } from "../runtime/host_port.ts";

const TICK_MS = 100;

interface Waiting {
  connection: ClientConnection;
  abort: AbortController;
  /** Seen by a tick: most answers begin before the second one and are never asked about. */
  seen: boolean;
}

export class Departures {
  readonly #host: HostPort;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #asking = false;

  constructor(host: HostPort) {
    this.#host = host;
  }

  /** Watches one client until the returned function is called; aborts the controller when it has left. */
  watch(
    client: { localPort: number; remoteAddress: string; remotePort: number },
    abort: AbortController,
  ): () => void {
    const id = ++this.#lastId;
    this.#waiting.set(id, { connection: { id, ...client }, abort, seen: false });
    this.#timer ??= setInterval(() => void this.#tick(), TICK_MS);
    return () => this.#waiting.delete(id);
  }

  async #tick(): Promise<void> {
    if (this.#waiting.size === 0) return this.stop();
    if (this.#asking) return;
    const connections: ClientConnection[] = [];
    for (const waiting of this.#waiting.values()) {
      if (waiting.seen) connections.push(waiting.connection);
      waiting.seen = true;
    }
    if (connections.length === 0) return;
    this.#asking = true;
    try {
      const { departed } = await this.#host.call("departed", { connections });
      for (const id of departed) this.#waiting.get(id)?.abort.abort();
    } finally {
      this.#asking = false;
    }
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}
