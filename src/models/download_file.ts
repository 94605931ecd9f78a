// One file on its way: its partial file on the disk, its part map, its checksum. Several connections
// fill it, each its own part; when `fetch()` returns, every byte of it was checked.

import { join } from "node:path";
import { AppError, messageOf } from "../errors.ts";
import { abortableDelay } from "../within.ts";
import { removeIfThere, syncPath, writeAll } from "../durable_write.ts";
import type { DownloadContext } from "./download_context.ts";
import { diskFailure, diskFull, isDiskFull } from "./download_failure.ts";
import type { SourceFile } from "./download_source.ts";
import { FileConnections } from "./file_connections.ts";
import { type Part, PartMap } from "./part_map.ts";
import { PrefixHash } from "./prefix_hash.ts";
import type { DownloadFileRecord } from "./registry_downloads.ts";

const MIB = 1024 ** 2;

export interface FileOptions {
  /** Of this download alone; it is there. */
  folder: string;
  context: DownloadContext;
  /** Bytes came, or were found to be useless (negative). */
  onProgress(byteCount: number): void;
  /** Of the whole download, for the registry. */
  totalDone(): number;
}

export interface FetchOptions {
  repo: string;
  commit: string;
  /** What is missing of the files after this one. */
  laterBytes: number;
  signal: AbortSignal;
  /** All bytes are here, and a part of them is still to be read for the checksum. */
  onVerifying(): void;
}

export class DownloadFile {
  readonly path: string;
  readonly #options: FileOptions;
  #record: DownloadFileRecord;
  #map: PartMap;
  #hash: PrefixHash | null = null;
  #following: Promise<void> = Promise.resolve();
  readonly #ignored = { ranges: 0 };
  /** The disk failed to confirm what was written. */
  #isUnsure = false;

  constructor(record: DownloadFileRecord, options: FileOptions) {
    const { context, folder } = options;
    this.#options = options;
    this.#record = record;
    this.path = join(folder, `${String(record.number).padStart(2, "0")}.partial`);
    // What was written before a power cut may be there or not; what the disk confirmed is.
    const isSameBoot = record.boot !== "" && record.boot === context.boot;
    this.#map = new PartMap(record.sizeBytes, isSameBoot ? record.parts : record.synced);
  }

  get record(): Readonly<DownloadFileRecord> {
    return this.#record;
  }

  get doneBytes(): number {
    return this.#record.verified ? this.#record.sizeBytes : this.#map.doneBytes;
  }

  get missingBytes(): number {
    return this.#record.sizeBytes - this.doneBytes;
  }

  /** Whether this is still the file that the Hub has under its path. */
  is(file: SourceFile): boolean {
    const { path, sizeBytes, sha256 } = this.#record;
    return path === file.path && sizeBytes === file.sizeBytes && sha256 === file.sha256;
  }

  /** Throws AppErrors: those of the Hub's client, of the line and of the disk; or the signal's reason. */
  async fetch(options: FetchOptions): Promise<void> {
    if (this.#record.verified) return;
    try {
      await this.#prepare();
      this.#hash ??= await PrefixHash.create();
      await this.#fillAll(options);
      await this.#verify(options);
    } catch (error) {
      throw diskFailure(error, this.path) ?? error;
    }
  }

  /** Nothing of it is any good. */
  async startOver(): Promise<void> {
    this.#options.onProgress(-this.doneBytes);
    this.#map = new PartMap(this.#record.sizeBytes);
    this.#hash = null;
    this.#put({ verified: false, parts: [], synced: [] });
    await removeIfThere(this.path);
  }

  async #prepare(): Promise<void> {
    const { sizeBytes } = this.#record;
    const size = await sizeOf(this.path);
    if (size === sizeBytes) return;
    // Gone or cut short by somebody: the map speaks of another file.
    if (this.#map.doneBytes > 0) await this.startOver();
    using file = await Deno.open(this.path, { write: true, create: true });
    await file.truncate(sizeBytes);
    await file.sync();
    await syncPath(this.#options.folder);
  }

  async #fillAll({ repo, commit, laterBytes, signal }: FetchOptions): Promise<void> {
    const { context } = this.#options;
    const ended = new AbortController();
    const stopped = AbortSignal.any([signal, ended.signal]);
    const connections = new FileConnections({
      file: { repo, commit, ...this.#record },
      context,
      map: this.#map,
      ignored: this.#ignored,
      segmentBytes: segmentBytesOf(this.#record.sizeBytes),
      open: (part) => this.#writerOf(part, stopped),
    });
    let refusal: { error: unknown } | null = null;
    const watching = this.#watchDisk(laterBytes, stopped).catch((error) => {
      refusal = { error };
      ended.abort(error);
    });
    this.#follow(stopped);
    try {
      await connections.run(stopped);
    } finally {
      ended.abort(null);
      await watching;
      await this.#following;
      if (this.#isUnsure) this.#believeTheDisk();
    }
    // The last bytes may have come while the disk refused those before.
    if (refusal !== null && !this.#map.isComplete) throw (refusal as { error: unknown }).error;
  }

  async #writerOf(part: Part, signal: AbortSignal) {
    const handle = await Deno.open(this.path, { write: true });
    await handle.seek(part.start + part.done, Deno.SeekMode.Start);
    return {
      write: async (bytes: Uint8Array) => {
        await writeAll(handle, bytes);
        this.#hash?.offer(part.start + part.done, bytes);
        this.#map.advance(part, bytes.length);
        this.#options.onProgress(bytes.length);
        this.#note();
        this.#follow(signal);
      },
      [Symbol.dispose]: () => handle.close(),
    };
  }

  /** Lets the checksum catch up with the bytes that did not come in order. */
  #follow(signal: AbortSignal): void {
    const hash = this.#hash;
    if (hash === null || hash.hashedBytes >= this.#map.prefixBytes) return;
    this.#following = hash.follow(this.path, { until: () => this.#map.prefixBytes, signal })
      // It is read again at the end: there the error counts.
      .catch(() => {});
  }

  /** From time to time: has the disk what we wrote, and does it take more? */
  async #watchDisk(laterBytes: number, signal: AbortSignal): Promise<void> {
    const { context } = this.#options;
    while (!signal.aborted) {
      await abortableDelay(context.timing.syncMs, signal);
      if (signal.aborted) return;
      await this.#sync();
      const freeBytes = await context.freeBytes();
      // Less than what it takes to begin: a download must not stop and go at the edge.
      if (freeBytes !== null && freeBytes < context.reserveBytes / 2) {
        const needBytes = this.missingBytes + laterBytes + context.reserveBytes;
        throw diskFull({ needBytes, freeBytes });
      }
    }
  }

  async #sync(): Promise<void> {
    const synced = this.#map.toRanges();
    try {
      using file = await Deno.open(this.path, { write: true });
      await file.syncData();
    } catch (error) {
      this.#isUnsure = true;
      throw error;
    }
    this.#put({ synced });
  }

  /** What it did not take is not there, whatever the map says. */
  #believeTheDisk(): void {
    this.#isUnsure = false;
    // It has taken in bytes that are fetched again.
    this.#hash = null;
    const before = this.#map.doneBytes;
    this.#map = new PartMap(this.#record.sizeBytes, this.#record.synced);
    this.#options.onProgress(this.#map.doneBytes - before);
  }

  async #verify({ signal, onVerifying }: FetchOptions): Promise<void> {
    const { sizeBytes, sha256, path } = this.#record;
    // Paused or cancelled meanwhile: that state is not ours to change.
    signal.throwIfAborted();
    const hash = this.#hash ??= await PrefixHash.create();
    if (hash.hashedBytes < sizeBytes) onVerifying();
    await hash.follow(this.path, { until: () => sizeBytes, signal });
    if (signal.aborted) throw signal.reason;
    const found = hash.digest();
    this.#hash = null;
    if (sha256 === null) {
      this.#options.context.log.warn("The Hub has no checksum of this file", { file: path });
    } else if (found !== sha256) {
      await this.startOver();
      throw new AppError(
        "checksum_wrong",
        `Cannot use ${
          JSON.stringify(path)
        }: its checksum is wrong. It is downloaded again from its start`,
        { values: { file: path, expected: sha256, found } },
      );
    }
    try {
      using file = await Deno.open(this.path, { write: true });
      await file.sync();
    } catch (error) {
      this.#believeTheDisk();
      throw error;
    }
    this.#put({ verified: true });
  }

  /** After each megabyte. A registry that is busy for a moment costs nothing but certainty. */
  #note(): void {
    const { context, totalDone } = this.#options;
    const { downloadId, number } = this.#record;
    const parts = this.#map.toRanges();
    this.#record = { ...this.#record, parts, boot: context.boot };
    this.#written(() =>
      context.registry.progress({ downloadId, number, parts, boot: context.boot }, totalDone())
    );
  }

  #put(change: Partial<DownloadFileRecord>): void {
    const { context } = this.#options;
    const parts = this.#map.toRanges();
    this.#record = { ...this.#record, parts, boot: context.boot, ...change };
    this.#written(() => context.registry.putFile(this.#record));
  }

  #written(write: () => void): void {
    try {
      write();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (isDiskFull(error)) throw diskFull(null);
      this.#options.context.log.warn("Cannot note a download's progress", {
        reason: messageOf(error),
      });
    }
  }
}

/**
 * Large, since each costs a round trip; small, since those that come out of order are read from the
 * page cache for the checksum.
 */
function segmentBytesOf(sizeBytes: number): number {
  return Math.min(64 * MIB, Math.max(8 * MIB, Math.ceil(sizeBytes / 4 / MIB) * MIB));
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    const info = await Deno.lstat(path);
    return info.isFile ? info.size : null;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
