// Everything that can go wrong with one download, ordered request by request from a seed; and a record
// of what it may have cost.

import { CHUNK_BYTES } from "../../src/models/download_stream.ts";
import { CONNECTIONS } from "../../src/models/downloads.ts";
import type { TestHub } from "./hub.ts";
import { type HubContent, seededContent } from "./hub_content.ts";
import type { Fault, HubRequest } from "./hub_exchange.ts";
import type { Random } from "./random.ts";
import { bytesSentTwice, type SentRange } from "./ranges_sent.ts";

const MIB = 1024 ** 2;
/** After these many faults a download is left in peace, so that a test has an end. */
const MOST_FAULTS = 8;
/** Of one life: written in the moment of death, and not noted yet; a piece for each connection. */
const UNNOTED_BYTES = CONNECTIONS * CHUNK_BYTES;

export class DownloadChaos {
  readonly #hub: TestHub;
  readonly #random: Random;
  readonly #file: string;
  readonly #content: HubContent;
  /** Answers with bytes that are none of the file's, or none that were asked for. */
  readonly #useless = new Set<HubRequest>();
  #faults = 0;
  /** What was on the disk when the program died last: none of it may come again. */
  #written: readonly SentRange[] | null = null;
  /** The requests of the lives before. */
  #pastRequests = 0;
  #pastExcessBytes = 0;
  /** A part came from a file of the same size: only the checksum can tell. */
  isSpoilt = false;

  constructor(
    hub: TestHub,
    { random, file, content }: { random: Random; file: string; content: HubContent },
  ) {
    this.#hub = hub;
    this.#random = random;
    this.#file = file;
    this.#content = content;
  }

  fault(request: HubRequest): Fault | null {
    if (request.file !== this.#file) return null;
    const random = this.#random;
    const pace = { bytesPerSecond: (20 + random.below(60)) * MIB };
    if (this.#faults >= MOST_FAULTS || random.chance(0.45)) {
      return request.host === "cdn" ? pace : null;
    }
    this.#faults++;
    if (request.host === "hub") {
      return random.chance(0.5) ? { status: 500 } : { status: 429, retryAfter: random.below(2) };
    }
    switch (random.below(9)) {
      case 0:
        return { status: 429, retryAfter: random.below(2) };
      case 1:
        return { status: 500 + random.below(4) };
      case 2:
        return { refuse: true };
      case 3:
        return { ...pace, stallAfterBytes: random.below(8 * MIB) };
      case 4:
        this.#useless.add(request);
        return { ...pace, ignoreRange: true };
      case 5:
        this.#useless.add(request);
        return {
          ...pace,
          content: seededContent(99, this.#content.sizeBytes + 1 + random.below(MIB)),
        };
      case 6:
        if (this.isSpoilt || random.chance(0.8)) return pace;
        this.isSpoilt = true;
        return { ...pace, content: seededContent(98, this.#content.sizeBytes) };
      default:
        return { ...pace, cutAfterBytes: random.below(12 * MIB) };
    }
  }

  /**
   * The program is dead, and all its requests have ended. What it had not written is lost, and may come
   * again; `written` is what it had.
   */
  noteDeath(written: readonly SentRange[]): void {
    this.#pastExcessBytes += this.#excessOfThisLife;
    this.#pastRequests = this.#requests().length;
    this.#written = written;
  }

  /** What was fetched more often than it had to be; null where everything had to be. */
  get excessBytes(): number | null {
    return this.isSpoilt ? null : this.#pastExcessBytes + this.#excessOfThisLife;
  }

  get #excessOfThisLife(): number {
    const twice = bytesSentTwice([...this.#written ?? [], ...this.#sent(this.#pastRequests)]);
    return this.#written === null ? twice : Math.max(0, twice - UNNOTED_BYTES);
  }

  /** The file's own bytes that went out. */
  get sentBytes(): number {
    return this.#sent().reduce((sum, { start, end }) => sum + end - start, 0);
  }

  /** What was sent, one line for each answer, for the one who looks for a mistake. */
  toString(): string {
    return this.#requests().map((each) => {
      const { status, sentFrom, sentBytes, end, range } = each;
      const useless = this.#useless.has(each) ? " useless" : "";
      return `${status} ${range?.start}-${range?.end}: ${sentFrom}+${sentBytes} ${end}${useless}`;
    }).join("\n");
  }

  #requests(): HubRequest[] {
    return this.#hub.cdnRequests.filter(({ file }) => file === this.#file);
  }

  #sent(from = 0): SentRange[] {
    return this.#requests().slice(from)
      .filter((each) => each.sentBytes > 0 && (each.status === 206 || each.status === 200))
      .filter((each) => !this.#useless.has(each))
      .map(({ sentFrom, sentBytes }) => ({ start: sentFrom, end: sentFrom + sentBytes }));
  }
}
