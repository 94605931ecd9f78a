// One download as it is now: its row in the registry, its files, what is shown of it. What it does next
// is download_job.ts's and the queue's, downloads.ts.

import { join } from "node:path";
import type { DownloadRow, DownloadState, ErrorBody } from "../api_types.ts";
import { AppError, type AppErrorData, messageOf } from "../errors.ts";
import type { DownloadContext } from "./download_context.ts";
import { removeIfThere } from "../durable_write.ts";
import { READY_FOLDER } from "./download_install.ts";
import { DownloadFile } from "./download_file.ts";
import type { SourceModel } from "./download_source.ts";
import type { DownloadFileRecord, DownloadRecord } from "./registry_downloads.ts";
import { TransferRate } from "./transfer_rate.ts";

/** Below `<home>`: one folder for each download, by its ID. */
export const DOWNLOADS_FOLDER = "downloads";

/** Shown as an estimate only up to this: beyond it nobody believes it. */
const MOST_SECONDS_LEFT = 30 * 86_400;

export interface DownloadOptions {
  context: DownloadContext;
  /** `soon`: it is one of many changes a second. */
  onChange(download: Download, options: { soon: boolean }): void;
}

export class Download {
  readonly folder: string;
  readonly #options: DownloadOptions;
  readonly #rate = new TransferRate();
  #record: DownloadRecord;
  #files: DownloadFile[];
  /** When it is tried again by itself, by `Date.now()`; null while it needs no second try. */
  retryAtMs: number | null = null;
  /** So short a wait that nobody else takes its turn. */
  holdsTurn = false;
  /** Tries in a row that brought no byte. */
  failures = 0;
  wrongChecksums = 0;
  /** How much room it waits for. */
  needBytes: number | null = null;

  constructor(
    record: DownloadRecord,
    files: readonly DownloadFileRecord[],
    options: DownloadOptions,
  ) {
    this.#options = options;
    this.#record = record;
    this.folder = join(options.context.home, DOWNLOADS_FOLDER, record.id);
    this.#files = files.map((file) => this.#fileOf(file));
  }

  get record(): Readonly<DownloadRecord> {
    return this.#record;
  }

  get files(): readonly DownloadFile[] {
    return this.#files;
  }

  get id(): string {
    return this.#record.id;
  }

  get state(): DownloadState {
    return this.#record.state;
  }

  get isPlanned(): boolean {
    // A plan that was cut off while it was written down has too few files.
    const bytes = this.#files.reduce((sum, { record }) => sum + record.sizeBytes, 0);
    return this.#record.commit !== null && this.#files.length > 0 &&
      bytes === this.#record.bytesTotal;
  }

  get missingBytes(): number {
    return this.#files.reduce((sum, { missingBytes }) => sum + missingBytes, 0);
  }

  get #doneBytes(): number {
    return this.#files.reduce((sum, { doneBytes }) => sum + doneBytes, 0);
  }

  /** A new state, with the error that explains it; on the disk when it returns. */
  set(state: DownloadState, error: AppError | null = null): void {
    const data = error?.toData() ?? null;
    const isSame = state === this.state && data?.code === this.#record.error?.code;
    if (state !== this.state) this.#rate.restart();
    this.#record = { ...this.#record, state, error: data, bytesDone: this.#doneBytes };
    if (!isSame) this.#save();
    this.#options.onChange(this, { soon: false });
  }

  move(position: number): void {
    if (this.#record.position === position) return;
    this.#record = { ...this.#record, position };
    this.#save();
    this.#options.onChange(this, { soon: false });
  }

  /** What the Hub says that it is made of. Where that is what it was, all bytes are kept. */
  async plan(model: SourceModel, modelId: string): Promise<void> {
    const { registry } = this.#options.context;
    // At once: the name is taken from the moment on in which it was found free.
    this.#record = { ...this.#record, modelId };
    const isSame = this.#files.length === model.files.length &&
      this.#files.every((file, number) => file.is(model.files[number]!));
    if (!isSame) {
      for (const file of this.#files) await file.startOver();
      await removeIfThere(join(this.folder, READY_FOLDER));
      registry.removeFiles(this.id);
      this.#files = model.files.map((file, number) =>
        this.#fileOf({
          downloadId: this.id,
          number,
          ...file,
          parts: [],
          synced: [],
          boot: "",
          verified: false,
        })
      );
      this.#record = { ...this.#record, bytesDone: 0 };
    }
    const bytesTotal = model.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    this.#record = { ...this.#record, commit: model.commit, bytesTotal };
    // The download first: a file's row is one of its own.
    registry.put(this.#record);
    if (!isSame) { for (const { record } of this.#files) registry.putFile(record); }
    this.#options.onChange(this, { soon: false });
  }

  rename(modelId: string): void {
    if (this.#record.modelId === modelId) return;
    this.#record = { ...this.#record, modelId };
    // Not lost: after a power cut it must be clear what a file of this name is.
    this.#options.context.registry.put(this.#record);
  }

  row(): DownloadRow {
    const { commit, modelId, error } = this.#record;
    const { retryAtMs } = this;
    const bytesPerSecond = this.state === "downloading" ? this.#rate.bytesPerSecond : 0;
    const secondsLeft = Math.ceil(this.missingBytes / bytesPerSecond);
    return {
      id: this.id,
      repo: this.#record.repo,
      revision: this.#record.revision,
      commit,
      file: this.#record.file,
      model: modelId,
      state: this.state,
      position: this.#record.position,
      bytes_total: this.#record.bytesTotal,
      bytes_done: this.state === "done" ? this.#record.bytesDone : this.#doneBytes,
      bytes_per_second: bytesPerSecond,
      seconds_left: secondsLeft <= MOST_SECONDS_LEFT ? secondsLeft : null,
      files: this.#files.map(({ record, doneBytes }) => ({
        path: record.path,
        bytes_total: record.sizeBytes,
        bytes_done: doneBytes,
        verified: record.verified,
      })),
      error: error === null ? null : bodyOf(error),
      retry_at: retryAtMs === null ? null : new Date(retryAtMs).toISOString(),
      created_at: this.#record.createdAt,
    };
  }

  #fileOf(record: DownloadFileRecord): DownloadFile {
    return new DownloadFile(record, {
      folder: this.folder,
      context: this.#options.context,
      totalDone: () => this.#doneBytes,
      onProgress: (byteCount) => this.#onProgress(byteCount),
    });
  }

  #onProgress(byteCount: number): void {
    if (byteCount > 0) {
      this.failures = 0;
      this.#rate.add(byteCount);
      // The reason of a wait is shown until the wait is over; behind a file that is verified, others
      // may still be to come.
      if (this.state === "waiting" || this.state === "verifying") return this.set("downloading");
    }
    this.#options.onChange(this, { soon: true });
  }

  /** A full disk or a foreign lock must not stop what goes on in memory. */
  #save(): void {
    const { registry, log } = this.#options.context;
    try {
      registry.put(this.#record);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      log.warn("Cannot note a download's state", { download: this.id, reason: messageOf(error) });
    }
  }
}

function bodyOf({ message, code, values }: AppErrorData): ErrorBody {
  return { message, code, values };
}
