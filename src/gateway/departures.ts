// Notices clients that left before their answer began. Deno.serve tells of them only when head and
// body came in one small read (facts: `tests/departures_test.ts`), so for requests that have been
// silent for a while the system's own connection table is asked, through the host.

import { onAborted } from "../abort.ts";
import { AppError } from "../errors.ts";
import type { ClientConnection } from "../host/messages.ts";
import type { GatewayEnv } from "./gateway_env.ts";
import type { HostPort } from "../runtime/host_port.ts";

const TICK_MS = 100;

/** One client that waits for its answer to begin. */
export interface WatchedClient {
  /**
   * Listens to what Deno.serve itself tells, too: sooner, but it tells of small bodies only and
   * costs each request too much. Clients that have to wait are listened to.
   */
  listen(): void;
  forget(): void;
}

interface Waiting {
  client: WatchedClient;
  env: GatewayEnv["Bindings"];
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

  /** Watches one client until it is forgotten; aborts the controller when it has left. */
  watch(
    request: Request,
    env: GatewayEnv["Bindings"],
    abort: AbortController,
  ): WatchedClient {
    const id = ++this.#lastId;
    const onLeave = () => abort.abort(new AppError("cancelled", "The client left"));
    let listens = false;
    const client: WatchedClient = {
      listen() {
        if (listens) return;
        listens = true;
        onAborted(request.signal, onLeave);
      },
      forget: () => {
        this.#waiting.delete(id);
        if (listens) request.signal.removeEventListener("abort", onLeave);
      },
    };
    this.#waiting.set(id, { client, env, abort, seen: false });
    this.#timer ??= setInterval(() => void this.#tick(), TICK_MS);
    return client;
  }

  async #tick(): Promise<void> {
    if (this.#waiting.size === 0) return this.stop();
    if (this.#asking) return;
    const connections: ClientConnection[] = [];
    for (const [id, waiting] of this.#waiting) {
      const { remoteAddr } = waiting.env.info;
      if (waiting.seen) {
        connections.push({
          id,
          localPort: waiting.env.localPort,
          remoteAddress: remoteAddr.hostname,
          remotePort: remoteAddr.port,
        });
      } else waiting.client.listen();
      waiting.seen = true;
    }
    if (connections.length === 0) return;
    this.#asking = true;
    try {
      const { departed } = await this.#host.call("departed", { connections });
      for (const id of departed) {
        this.#waiting.get(id)?.abort.abort(new AppError("cancelled", "The client left"));
      }
    } catch (error) {
      // The host could not say: they are all still there, and the next tick asks again.
      if (!(error instanceof AppError)) throw error;
    } finally {
      this.#asking = false;
    }
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}
