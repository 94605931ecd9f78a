// What happens, told to everyone who watches: GET /admin/events. A snapshot first, then each change;
// a reader who was away briefly gets what it missed. Whoever causes an event calls `emit`.

import type { ServerEvent } from "../api_types.ts";
import type { HostPort } from "../runtime/host_port.ts";
import { EventStream, eventText } from "./event_stream.ts";
import { systemInfo, type SystemParts } from "./system_info.ts";

/** What events are made from; asked for when one is made. */
export interface EventParts extends SystemParts {
  host: Pick<HostPort, "post">;
}

export interface EventsOptions {
  pingMs?: number;
  /** How long events are still kept for a reader who lost its connection. */
  lingerMs?: number;
  /** States that change many times a second are shown this often. */
  gatherMs?: number;
  mostUnreadBytes?: number;
}

const KEPT = 1_000;
const PING_MS = 15_000;
const LINGER_MS = 30_000;
const GATHER_MS = 50;
const PING = ": ping\n\n";

export class Events {
  readonly #parts: () => EventParts;
  readonly #options: EventsOptions;
  // Numbers of an earlier start must not be taken for ours.
  readonly #prefix = Date.now().toString(36);
  readonly #streams = new Set<EventStream>();
  #kept: Uint8Array[] = [];
  #lastNumber = 0;
  /** The latest state of what changed within the last moment. */
  readonly #gathering = new Map<string, ServerEvent>();
  #gatherTimer: ReturnType<typeof setTimeout> | null = null;
  #pingTimer: ReturnType<typeof setInterval> | null = null;
  #lingerTimer: ReturnType<typeof setTimeout> | null = null;
  #isClosed = false;

  constructor(parts: () => EventParts, options: EventsOptions = {}) {
    this.#parts = parts;
    this.#options = options;
  }

  /** False where nobody watches, or lately did: then no event need be made at all. */
  get hasListeners(): boolean {
    return this.#streams.size > 0 || this.#lingerTimer !== null;
  }

  get listenerCount(): number {
    return this.#streams.size;
  }

  /** Tells everyone. Of one model's rows within 50 ms only the last is told. */
  emit(event: ServerEvent): void {
    if (!this.hasListeners) return;
    if (event.type !== "model" && event.type !== "system") return this.#tell(event);
    this.#gathering.set(event.type === "model" ? `model ${event.data.id}` : event.type, event);
    this.#gatherTimer ??= setTimeout(() => this.#flush(), this.#options.gatherMs ?? GATHER_MS);
  }

  /** The machine, after a reading or a change of the runtime. */
  emitSystem(): void {
    if (this.hasListeners) this.emit({ type: "system", data: systemInfo(this.#parts()) });
  }

  /**
   * The answer to one reader. `snapshot` is made now, unless the events after `lastEventId` are all
   * still kept.
   */
  stream(lastEventId: string | null, snapshot: () => ServerEvent[]): Response {
    const stream = new EventStream({
      onEnd: (ended) => this.#leave(ended),
      ...(this.#options.mostUnreadBytes !== undefined &&
        { mostUnreadBytes: this.#options.mostUnreadBytes }),
    });
    // Changes that still gather belong before it: the snapshot holds them already.
    if (this.#gathering.size > 0) this.#flush();
    const missed = this.#since(lastEventId);
    if (missed === null) {
      for (const event of snapshot()) stream.send(this.#text(event, this.#lastNumber));
    } else {
      for (const bytes of missed) stream.send(bytes);
    }
    // A quiet server must not look like a dead one: the headers go out with the first byte.
    stream.send(PING);
    if (!stream.ended) this.#join(stream);
    if (this.#isClosed) stream.close();
    return stream.response;
  }

  /** Ends every stream; nobody can watch from then on. */
  close(): void {
    this.#isClosed = true;
    for (const stream of [...this.#streams]) stream.close();
    this.#forget();
  }

  // The host reads the hardware only while someone looks.
  #watch(on: boolean): void {
    this.#parts().host.post({ type: "watch", on });
  }

  #text(event: ServerEvent, number: number): string {
    return eventText({ id: `${this.#prefix}-${number}`, event: event.type, data: event.data });
  }

  // Null where the reader needs a snapshot: an ID of another start, or too much has happened since.
  #since(lastEventId: string | null): Uint8Array[] | null {
    const [prefix, digits] = lastEventId?.split("-") ?? [];
    if (prefix !== this.#prefix || digits === undefined || !/^\d{1,15}$/.test(digits)) return null;
    const last = Number(digits);
    const missed = this.#lastNumber - last;
    // Who nobody waited for any more has a gap behind its ID.
    if (!this.hasListeners || missed < 0 || missed > Math.min(KEPT, this.#kept.length)) return null;
    return missed === 0 ? [] : this.#kept.slice(-missed);
  }

  #join(stream: EventStream): void {
    if (this.#lingerTimer !== null) clearTimeout(this.#lingerTimer);
    this.#lingerTimer = null;
    this.#streams.add(stream);
    if (this.#streams.size > 1) return;
    this.#pingTimer = setInterval(() => {
      for (const each of this.#streams) each.send(PING);
    }, this.#options.pingMs ?? PING_MS);
    this.#watch(true);
  }

  #leave(stream: EventStream): void {
    if (!this.#streams.delete(stream) || this.#streams.size > 0) return;
    if (this.#pingTimer !== null) clearInterval(this.#pingTimer);
    this.#pingTimer = null;
    this.#watch(false);
    if (this.#isClosed) return;
    this.#lingerTimer = setTimeout(() => this.#forget(), this.#options.lingerMs ?? LINGER_MS);
  }

  #flush(): void {
    if (this.#gatherTimer !== null) clearTimeout(this.#gatherTimer);
    this.#gatherTimer = null;
    const changes = [...this.#gathering.values()];
    this.#gathering.clear();
    for (const event of changes) this.#tell(event);
  }

  #tell(event: ServerEvent): void {
    const number = ++this.#lastNumber;
    const bytes = new TextEncoder().encode(this.#text(event, number));
    this.#kept.push(bytes);
    // Cut in large steps: dropping the first of a thousand with each event would move them all.
    if (this.#kept.length >= 2 * KEPT) this.#kept = this.#kept.slice(-KEPT);
    for (const stream of this.#streams) stream.send(bytes);
  }

  #forget(): void {
    if (this.#lingerTimer !== null) clearTimeout(this.#lingerTimer);
    if (this.#gatherTimer !== null) clearTimeout(this.#gatherTimer);
    this.#lingerTimer = null;
    this.#gatherTimer = null;
    this.#gathering.clear();
    this.#kept = [];
    // From here on things happen that nobody is told: an ID from before must not look up to date.
    this.#lastNumber++;
  }
}
