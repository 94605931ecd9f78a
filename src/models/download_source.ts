// What downloads need of the Hub, and nothing more. The Hub's client is hub.ts.

import type { DownloadFileRecord } from "./registry_downloads.ts";

/** A file as it is at one commit. */
export interface SourceFile {
  /** In the repository. */
  path: string;
  sizeBytes: number;
  /** Null for what the Hub keeps without one. */
  sha256: string | null;
}

export interface SourceModel {
  /** The commit that the revision means now. */
  commit: string;
  /** In their order, the projector last. */
  files: (SourceFile & { role: DownloadFileRecord["role"] })[];
}

export interface WantedModel {
  /** `org/name` */
  repo: string;
  revision: string;
  /** The first file of the model. */
  file: string;
}

export interface WantedFile {
  repo: string;
  commit: string;
  path: string;
}

/** Where the bytes of a file lie for the next minutes. */
export interface ResolvedFile {
  url: string;
  sizeBytes: number;
  sha256: string | null;
  commit: string;
}

/** All of it throws the AppErrors of the Hub's client. */
export interface DownloadSource {
  /** Every file that the model is made of: parts, projector. */
  model(wanted: WantedModel, signal: AbortSignal): Promise<SourceModel>;
  /** Asks the Hub again: links expire. */
  resolve(wanted: WantedFile, signal: AbortSignal): Promise<ResolvedFile>;
  /** The answer to a request for bytes `start` to `end` (exclusive), whatever its status. */
  open(
    resolved: ResolvedFile,
    range: { start: number; end: number },
    signal: AbortSignal,
  ): Promise<Response>;
}
