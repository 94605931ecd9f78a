// What happens, told to everyone who watches: GET /admin/events. A snapshot first, then each change;
// a reader who was away briefly gets what it missed. Whoever causes an event calls `emit`.

import type { ServerEvent } from "../api_types.ts";
import { EventStream, eventText } from "./event_stream.ts";

export interface EventsOptions {
  /** The first reader came, or the last one left: the host reads the hardware only while one is there. */
  onWatch(on: boolean): void;
  pingMs?: number;
  /** How long events are still kept for a reader who lost its connection. */
  lingerMs?: number;
  /** Changes of one thing within this time are one event. */
  gatherMs?: number;
  mostUnreadBytes?: number;
}

interface KeptEvent {
  number: number;
  bytes: Uint8Array;
}

const KEPT = 1_000;
const PING_MS = 15_000;
const LINGER_MS = 30_000;
const GATHER_MS = 50;
const PING = ": ping\n\n";

export class Events implements Disposable {
  readonly #options: EventsOptions;
  // Numbers of an earlier start must not be taken for ours.
  readonly #prefix = Date.now().toString(36);
  readonly #streams = new Set<EventStream>();
  #kept: KeptEvent[] = [];
  #lastNumber = 0;
  readonly #gathering = new Map<string, () => ServerEvent>();
  #gatherTimer: ReturnType<typeof setTimeout> | null = null;
  #pingTimer: ReturnType<typeof setInterval> | null = null;
  #lingerTimer: ReturnType<typeof setTimeout> | null = null;
  #isClosed = false;

  constructor(options: EventsOptions) {
    this.#options = options;
  }

  /** False where nobody watches, or lately did: then no event need be made at all. */
  get hasListeners(): boolean {
    return this.#streams.size > 0 || this.#lingerTimer !== null;
  }

  get listenerCount(): number {
    return this.#streams.size;
  }

  emit(event: ServerEvent): void {
    if (!this.hasListeners) return;
    const number = ++this.#lastNumber;
    const bytes = new TextEncoder().encode(this.#text(event, number));
    this.#kept.push({ number, bytes });
    // Cut in large steps: dropping the first of a thousand with each event would move them all.
    if (this.#kept.length >= 2 * KEPT) this.#kept = this.#kept.slice(-KEPT);
    for (const stream of this.#streams) stream.send(bytes);
  }

  /**
   * The same for what changes many times a second, such as a model's row under load: of all calls with
   * one key within 50 ms the last one's event is made and emitted.
   */
  emitSoon(key: string, make: () => ServerEvent): void {
    if (!this.hasListeners) return;
    this.#gathering.set(key, make);
    this.#gatherTimer ??= setTimeout(
      () => this.#flush(),
      this.#options.gatherMs ?? GATHER_MS,
    );
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
      const events = snapshot();
      for (const event of events) stream.send(this.#text(event, this.#lastNumber));
    } else {
      for (const { bytes } of missed) stream.send(bytes);
    }
    // A quiet server must not look like a dead one: the headers go out with the first byte.
    stream.send(PING);
    if (!stream.ended) this.#join(stream);
    if (this.#isClosed) stream.close();
    return stream.response;
  }

  /** Ends every stream; nobody can watch from then on. */
  [Symbol.dispose](): void {
    this.#isClosed = true;
    for (const stream of [...this.#streams]) stream.close();
    this.#forget();
  }

  #text(event: ServerEvent, number: number): string {
    return eventText({ id: `${this.#prefix}-${number}`, event: event.type, data: event.data });
  }

  // Null where the reader needs a snapshot: an ID of another start, or too much has happened since.
  #since(lastEventId: string | null): KeptEvent[] | null {
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
    this.#options.onWatch(true);
  }

  #leave(stream: EventStream): void {
    if (!this.#streams.delete(stream) || this.#streams.size > 0) return;
    if (this.#pingTimer !== null) clearInterval(this.#pingTimer);
    this.#pingTimer = null;
    this.#options.onWatch(false);
    if (this.#isClosed) return;
    this.#lingerTimer = setTimeout(() => this.#forget(), this.#options.lingerMs ?? LINGER_MS);
  }

  #flush(): void {
    if (this.#gatherTimer !== null) clearTimeout(this.#gatherTimer);
    this.#gatherTimer = null;
    const changes = [...this.#gathering.values()];
    this.#gathering.clear();
    for (const make of changes) this.emit(make());
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
