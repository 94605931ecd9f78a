// The connections that fill one file side by side: each takes the next part, asks for it, and after a
// failure comes back by itself while another one still flows: its part is anybody's meanwhile. When
// none flows, the run ends.

import { AppError } from "../errors.ts";
import { abortableDelay } from "../within.ts";
import type { DownloadContext } from "./download_context.ts";
import { verdictOf } from "./download_failure.ts";
import type { ResolvedFile, SourceFile, WantedFile } from "./download_source.ts";
import { LinkRefusedError, RangeIgnoredError, streamRange } from "./download_stream.ts";
import type { Part, PartMap } from "./part_map.ts";
import { StallWatch } from "./stall_watch.ts";

/** A link is asked for again after this; the Hub's own hold for about an hour. */
const LINK_MS = 5 * 60_000;
/** Answers in a row without the range asked for, until the server is taken to have none. */
const RANGES_IGNORED = 3;

export interface FileConnectionsOptions {
  file: WantedFile & SourceFile;
  context: DownloadContext;
  map: PartMap;
  /** Answers in a row without the range asked for: known from one run to the next. */
  ignored: { ranges: number };
  /** Most bytes of one request. */
  segmentBytes: number;
  /** Where the bytes of a part go. */
  open(part: Part): Promise<Disposable & { write(bytes: Uint8Array): Promise<void> }>;
}

interface Link {
  resolved: ResolvedFile;
  atMs: number;
  /** Bytes came by it. */
  worked: boolean;
}

export class FileConnections {
  readonly #options: FileConnectionsOptions;
  #link: Promise<Link> | null = null;
  /** Connections that do not wait to come back. */
  #flowing = 0;
  /** In a row, of all connections, without a byte in between. */
  #failures = 0;
  /** Ends the waits of those that are to come back, where nothing is left to come back for. */
  readonly #finished = new AbortController();

  constructor(options: FileConnectionsOptions) {
    this.#options = options;
  }

  /** Returns when the map is complete. Throws what ended the last connection, or the signal's reason. */
  async run(signal: AbortSignal): Promise<void> {
    const ended = new AbortController();
    const stopped = AbortSignal.any([signal, ended.signal]);
    this.#flowing = this.#options.context.connections;
    const working = Array.from({ length: this.#flowing }, async () => {
      try {
        await this.#work(stopped);
      } catch (error) {
        // The first error counts; the others are stopped by it.
        ended.abort(error);
      }
    });
    await Promise.all(working);
    if (stopped.aborted) throw stopped.reason;
    if (!this.#options.map.isComplete) throw new Error("Connections ended before the file did");
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { map, segmentBytes } = this.#options;
    for (;;) {
      if (this.#hasNoRanges && this.#flowing > 1) break;
      const part = map.take(this.#hasNoRanges ? Infinity : segmentBytes);
      if (part === null) break;
      const failure = await this.#tryToFill(part, signal);
      if (failure !== null) await this.#afterFailure(failure.error, signal);
    }
    this.#flowing--;
    if (map.isComplete) this.#finished.abort();
  }

  async #tryToFill(part: Part, signal: AbortSignal): Promise<{ error: unknown } | null> {
    try {
      await this.#fill(part, signal);
      return null;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      return { error };
    } finally {
      this.#options.map.release(part);
    }
  }

  get #hasNoRanges(): boolean {
    return this.#options.ignored.ranges >= RANGES_IGNORED;
  }

  async #fill(part: Part, signal: AbortSignal): Promise<void> {
    const { context, ignored, open } = this.#options;
    const pending = this.#link ??= this.#resolve(signal);
    try {
      const link = await pending;
      using target = await open(part);
      await streamRange({
        source: context.source,
        resolved: link.resolved,
        start: part.start + part.done,
        end: part.end,
        takesWhole: this.#hasNoRanges,
        stallMs: context.settings().stallMs,
        limit: context.limit,
        signal,
        write: async (bytes) => {
          await target.write(bytes);
          link.worked = true;
          this.#failures = 0;
          if (!this.#hasNoRanges) ignored.ranges = 0;
        },
      });
      if (performance.now() - link.atMs > LINK_MS) this.#forget(pending);
    } catch (error) {
      // Whoever goes on after a failure asks the Hub again.
      this.#forget(pending);
      const isExpired = error instanceof LinkRefusedError && (await pending).worked;
      if (!isExpired) throw error;
    }
  }

  #forget(link: Promise<Link>): void {
    if (this.#link === link) this.#link = null;
  }

  async #resolve(signal: AbortSignal): Promise<Link> {
    const { context, file } = this.#options;
    using watch = new StallWatch(context.settings().stallMs, signal);
    const resolved = await watch.during(context.source.resolve(file, watch.signal))
      .catch((error) => {
        throw watch.signal.aborted ? watch.signal.reason : error;
      });
    if (!isSame(resolved, file)) {
      throw new AppError(
        "download_changed",
        `Cannot go on with the download: the Hub has another ${
          JSON.stringify(file.path)
        } now than the one that was begun. It is looked up again`,
        { values: { file: file.path } },
      );
    }
    return { resolved, atMs: performance.now(), worked: false };
  }

  /** Waits until the connection may try again; throws where that is not its to decide. */
  async #afterFailure(error: unknown, signal: AbortSignal): Promise<void> {
    if (!(error instanceof AppError)) throw error;
    if (error instanceof RangeIgnoredError) this.#options.ignored.ranges++;
    const verdict = verdictOf(error, {
      failures: ++this.#failures,
      wrongChecksums: 0,
      backOff: this.#options.context.timing.backOff,
      random: Math.random(),
    });
    this.#flowing--;
    if (verdict.kind !== "retry" || this.#flowing === 0) throw error;
    await abortableDelay(verdict.afterMs, AbortSignal.any([signal, this.#finished.signal]));
    if (signal.aborted) throw signal.reason;
    this.#flowing++;
  }
}

/** A mirror may not tell the checksum here; it is compared with the bytes in any case. */
function isSame(resolved: ResolvedFile, file: WantedFile & SourceFile): boolean {
  const sha256 = resolved.sha256 ?? file.sha256;
  return resolved.commit === file.commit && resolved.sizeBytes === file.sizeBytes &&
    sha256 === (file.sha256 ?? sha256);
}
