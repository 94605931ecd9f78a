// Whose turn it is: one download is fetched at a time, the first in the queue that can go on. Runs it,
// and decides with download_failure.ts when one that failed comes again.

import { AppError, messageOf } from "../errors.ts";
import type { Download } from "./download.ts";
import type { DownloadContext } from "./download_context.ts";
import { diskFull, isDiskFull, verdictOf } from "./download_failure.ts";
import { runDownload } from "./download_job.ts";

export interface DownloadTurnsOptions {
  context: DownloadContext;
  /** In the order of the queue. */
  all(): readonly Download[];
  /** Whether another model than this download's has the ID, installed or on its way. */
  isTaken(id: string, download: Download): boolean;
  /** Before it runs. */
  onTurn(download: Download): Promise<void>;
  /** The files are in their place. */
  onFinished(download: Download): Promise<void>;
  /** All end, and none begins. */
  closing: AbortSignal;
}

interface Active {
  download: Download;
  controller: AbortController;
  ended: Promise<void>;
}

export class DownloadTurns implements AsyncDisposable {
  readonly #options: DownloadTurnsOptions;
  readonly #timers = new Map<Download, ReturnType<typeof setTimeout>>();
  #active: Active | null = null;

  constructor(options: DownloadTurnsOptions) {
    this.#options = options;
  }

  /** After `closing` has fired. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    await this.#active?.ended;
  }

  isActive(download: Download): boolean {
    return this.#active?.download === download;
  }

  /** The first that can go on goes on; a lower one that runs gives way to it. */
  pump(): void {
    if (this.#options.closing.aborted) return;
    const next = this.#options.all().find((each) => isUnderWay(each) && !isAway(each));
    if (this.#active !== null) {
      if (this.#active.download !== next) this.#active.controller.abort(setAside());
      return;
    }
    if (next === undefined || next.retryAtMs !== null) return;
    const controller = new AbortController();
    // Deferred, so that `#active` is there before anything of it can end.
    const ended = Promise.resolve().then(() => this.#run(next, controller.signal));
    this.#active = { download: next, controller, ended };
  }

  /** Resolves when nothing of it is going on any more; what is not under way does not begin again. */
  async stop(download: Download): Promise<void> {
    this.unwait(download);
    if (this.#active?.download !== download) return this.pump();
    this.#active.controller.abort(setAside());
    await this.#active.ended;
  }

  /** Its wait is over, whatever it was for. */
  unwait(download: Download): void {
    clearTimeout(this.#timers.get(download));
    this.#timers.delete(download);
    download.retryAtMs = null;
    download.holdsTurn = false;
  }

  async #run(download: Download, signal: AbortSignal): Promise<void> {
    const { context, isTaken, closing, onTurn, onFinished } = this.#options;
    const stopped = AbortSignal.any([signal, closing]);
    try {
      await onTurn(download);
      stopped.throwIfAborted();
      await runDownload(download, {
        context,
        isTaken: (id) => isTaken(id, download),
        signal: stopped,
      });
      await onFinished(download);
    } catch (error) {
      if (!stopped.aborted) this.#settle(download, error);
      // It gave way to another one. A user's pause has set a state of its own.
      else if (isUnderWay(download) && !closing.aborted) download.set("queued");
    } finally {
      this.#active = null;
      this.pump();
    }
  }

  #settle(download: Download, error: unknown): void {
    const { log, timing } = this.#options.context;
    const known = asShown(error);
    const verdict = verdictOf(known, {
      failures: ++download.failures,
      wrongChecksums: download.wrongChecksums,
      backOff: timing.backOff,
      random: Math.random(),
    });
    log[known.code === "internal" ? "error" : "warn"]("Download is interrupted", {
      download: download.id,
      next: verdict.kind,
      reason: messageOf(error),
    });
    if (verdict.kind === "failed") return download.set("failed", known);
    const afterMs = verdict.kind === "room" ? timing.roomPollMs : verdict.afterMs;
    this.#retryLater(download, afterMs);
    download.holdsTurn = verdict.kind === "retry" && afterMs <= timing.holdMs;
    download.set("waiting", known);
  }

  #retryLater(download: Download, afterMs: number): void {
    download.retryAtMs = Date.now() + afterMs;
    const timer = setTimeout(() => void this.#retry(download, timer), afterMs);
    this.#timers.set(download, timer);
  }

  async #retry(download: Download, timer: ReturnType<typeof setTimeout>): Promise<void> {
    const isForRoom = download.record.error?.code === "disk_full";
    const mayGoOn = !isForRoom || await this.#hasRoom(download);
    // Somebody may have paused or cancelled it while the disk was looked at.
    if (this.#timers.get(download) !== timer) return;
    if (!mayGoOn) return this.#retryLater(download, this.#options.context.timing.roomPollMs);
    this.unwait(download);
    this.pump();
  }

  // Looked at from here, so that a download that runs meanwhile need not give way for it.
  async #hasRoom({ needBytes }: Download): Promise<boolean> {
    const freeBytes = await this.#options.context.freeBytes();
    return freeBytes === null || needBytes === null || freeBytes >= needBytes;
  }
}

/** It goes on by itself, sooner or later. */
export function isUnderWay({ state }: Download): boolean {
  return state === "queued" || state === "downloading" || state === "verifying" ||
    state === "waiting";
}

/** A long wait is not waited for by others. */
function isAway({ retryAtMs, holdsTurn }: Download): boolean {
  return retryAtMs !== null && !holdsTurn;
}

/** The registry's words for a full disk are ours: what waits for room is known by them. */
function asShown(error: unknown): AppError {
  if (!(error instanceof AppError)) return bug(error);
  return isDiskFull(error) && error.code !== "disk_full" ? diskFull(null) : error;
}

function setAside(): AppError {
  return new AppError("cancelled", "The download is set aside");
}

function bug(error: unknown): AppError {
  return new AppError(
    "internal",
    `Cannot download: something is wrong inside (${
      messageOf(error)
    }). Resume the download to try again`,
    { cause: error },
  );
}
