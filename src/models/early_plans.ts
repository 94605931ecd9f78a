// Asks the Hub about downloads whose turn is still to come: sizes are shown, and typing errors told, not
// only after hours.

import { AppError } from "../errors.ts";
import type { Download } from "./download.ts";
import type { DownloadContext } from "./download_context.ts";
import { verdictOf } from "./download_failure.ts";
import { planDownload } from "./download_job.ts";

export interface EarlyPlansOptions {
  context: DownloadContext;
  isTaken(id: string, download: Download): boolean;
  closing: AbortSignal;
}

interface Planning {
  controller: AbortController;
  ended: Promise<void>;
}

export class EarlyPlans implements AsyncDisposable {
  readonly #options: EarlyPlansOptions;
  readonly #planning = new Map<Download, Planning>();

  constructor(options: EarlyPlansOptions) {
    this.#options = options;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#planning.keys()].map((download) => this.end(download)));
  }

  begin(download: Download): void {
    const controller = new AbortController();
    const ended = this.#plan(download, controller.signal)
      .finally(() => this.#planning.delete(download));
    this.#planning.set(download, { controller, ended });
  }

  /** Before its turn, or its end: two must not plan one download. */
  async end(download: Download): Promise<void> {
    const planning = this.#planning.get(download);
    planning?.controller.abort(new AppError("cancelled", "Its turn has come"));
    await planning?.ended;
  }

  async #plan(download: Download, signal: AbortSignal): Promise<void> {
    const { context, isTaken, closing } = this.#options;
    const stopped = AbortSignal.any([signal, closing]);
    try {
      await planDownload(download, {
        context,
        isTaken: (id) => isTaken(id, download),
        signal: stopped,
      });
    } catch (error) {
      if (stopped.aborted || download.state !== "queued") return;
      // What passes comes up again, and is told, at its turn.
      if (error instanceof AppError && verdictOf(error, FIRST).kind === "failed") {
        download.set("failed", error);
      }
    }
  }
}

const FIRST = { failures: 1, wrongChecksums: 0, backOff: { firstMs: 0, mostMs: 0 }, random: 0 };
