// What all downloads of one home share: made once by downloads.ts, handed down.

import type { Log } from "../log.ts";
import type { BackOff } from "./download_failure.ts";
import type { DownloadSource } from "./download_source.ts";
import type { RegistryDownloads } from "./registry_downloads.ts";
import type { SpeedLimit } from "./speed_limit.ts";

export interface DownloadSettings {
  /** Without a byte for so long a connection is given up. */
  stallMs: number;
  /** All downloads together; 0 = no limit. */
  bytesPerSecondLimit: number;
}

/** Not for users; tests change them. */
export interface DownloadTiming {
  backOff: BackOff;
  /** A wait that is no longer keeps its turn in the queue. */
  holdMs: number;
  /** How often a full disk is looked at. */
  roomPollMs: number;
  /** What came within this may be lost in a power cut. */
  syncMs: number;
  /** States that change many times a second are told this often. */
  gatherMs: number;
}

export const TIMING: DownloadTiming = {
  backOff: { firstMs: 1_000, mostMs: 300_000 },
  holdMs: 10_000,
  roomPollMs: 10_000,
  syncMs: 5_000,
  gatherMs: 250,
};

/** Left to the system and to other programs. */
export const RESERVE_BYTES = 256 * 1024 ** 2;

export interface DownloadContext {
  /** Absolute. */
  home: string;
  source: DownloadSource;
  registry: RegistryDownloads;
  /** This start of the system; "" where it is not known. */
  boot: string;
  log: Log;
  limit: SpeedLimit;
  settings(): DownloadSettings;
  /** On the disk of the home; null where the system does not say. */
  freeBytes(): Promise<number | null>;
  timing: DownloadTiming;
  reserveBytes: number;
  /** Requests for one file at the same time. */
  connections: number;
}
