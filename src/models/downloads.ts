// All downloads of one home: what users do with them, what a restart finds, who is told. Whose turn it
// is, is download_turns.ts's.

import { basename } from "node:path";
import type { DownloadRow } from "../api_types.ts";
import { removeIfThere } from "../durable_write.ts";
import { AppError, messageOf } from "../errors.ts";
import { randomHex } from "../random_hex.ts";
import { Download, DOWNLOADS_FOLDER } from "./download.ts";
import {
  type DownloadContext,
  type DownloadTiming,
  RESERVE_BYTES,
  TIMING,
} from "./download_context.ts";
import { downloadExists, downloadIsDone, downloadNotFound } from "./download_refusals.ts";
import { DownloadTurns, isUnderWay } from "./download_turns.ts";
import { checkWanted } from "./download_names.ts";
import { EarlyPlans } from "./early_plans.ts";
import type { WantedModel } from "./download_source.ts";
import { firstPartOf, modelIdOf } from "./model_names.ts";
import type { DownloadFileRecord, DownloadRecord } from "./registry_downloads.ts";
import { safeJoin } from "./safe_join.ts";
import { SpeedLimit } from "./speed_limit.ts";

type Given = "home" | "source" | "registry" | "boot" | "log" | "settings" | "freeBytes";

export interface DownloadsOptions extends Pick<DownloadContext, Given> {
  /** The model that has this ID, in whatever letter case; null where there is none. */
  installed(id: string): { repo: string | null } | null;
  onChange(change: DownloadRow | { id: string; removed: true }): void;
  /** The model's files are in their place. What it does belongs to the download's end. */
  onFinished(model: { id: string; repo: string }): Promise<void>;
  timing?: Partial<DownloadTiming>;
  reserveBytes?: number;
  connections?: number;
}

/** For one file at the same time, by default. */
export const CONNECTIONS = 2;

export class Downloads implements AsyncDisposable {
  readonly #options: DownloadsOptions;
  readonly #context: DownloadContext;
  readonly #closing = new AbortController();
  readonly #turns: DownloadTurns;
  readonly #plans: EarlyPlans;
  readonly #tellTimers = new Map<Download, ReturnType<typeof setTimeout>>();
  /** In the order of the queue; those that are done come last. */
  #all: Download[];

  constructor(options: DownloadsOptions) {
    this.#options = options;
    const { home, source, registry, boot, log } = options;
    this.#context = {
      ...{ home, source, registry, boot, log },
      settings: () => options.settings(),
      // A probe that fails is no reason to stop: the disk itself will say when it is full.
      freeBytes: () => options.freeBytes().catch(() => null),
      limit: new SpeedLimit(() => options.settings().bytesPerSecondLimit),
      timing: { ...TIMING, ...options.timing },
      reserveBytes: options.reserveBytes ?? RESERVE_BYTES,
      connections: options.connections ?? CONNECTIONS,
    };
    const isTaken = (id: string, download: Download) => this.#isTaken(id, download);
    const closing = this.#closing.signal;
    this.#plans = new EarlyPlans({ context: this.#context, isTaken, closing });
    this.#turns = new DownloadTurns({
      ...{ context: this.#context, isTaken, closing },
      all: () => this.#all,
      onTurn: (download) => this.#plans.end(download),
      onFinished: (download) => this.#finish(download),
    });
    const files = registry.files();
    this.#all = registry.list().map((record) =>
      this.#downloadOf(record, files.filter(({ downloadId }) => downloadId === record.id))
    );
  }

  /** Goes on with everything that was neither paused nor done nor failed. */
  async start(): Promise<void> {
    await this.#removeLeftFolders();
    for (const download of this.#all) if (isUnderWay(download)) download.set("queued");
    this.#turns.pump();
    for (const download of this.#all) this.#planEarly(download);
  }

  /** Soon: what came is kept, and the next start goes on with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new AppError("shutting_down", "The server is stopping"));
    await Promise.all([
      this.#turns[Symbol.asyncDispose](),
      this.#plans[Symbol.asyncDispose](),
    ]);
    for (const timer of this.#tellTimers.values()) clearTimeout(timer);
  }

  /** All that came in since the start, also what had to be fetched again. */
  get receivedBytes(): number {
    return this.#context.limit.receivedBytes;
  }

  list(): DownloadRow[] {
    return this.#all.map((download) => download.row());
  }

  get(id: string): DownloadRow {
    return this.#find(id).row();
  }

  /**
   * The row is on the disk when this returns; the Hub is asked afterwards.
   *
   * @throws {AppError} `invalid_request`, `file_name_refused`, `download_exists`, `folder_unusable`.
   */
  add(asked: WantedModel): DownloadRow {
    checkWanted(asked);
    // Whichever part is named, all of them are one download.
    const wanted = { ...asked, file: firstPartOf(asked.file) };
    const earlier = this.#earlierOf(wanted);
    const download = this.#downloadOf({
      id: randomHex(8),
      position: this.#all.filter(isUnfinished).length,
      ...wanted,
      commit: null,
      modelId: null,
      state: "queued",
      bytesTotal: null,
      bytesDone: 0,
      error: null,
      createdAt: new Date().toISOString(),
    }, []);
    this.#options.registry.put(download.record);
    if (earlier !== null) this.#forget(earlier);
    this.#all.push(download);
    this.#reorder();
    this.#tell(download);
    this.#turns.pump();
    this.#planEarly(download);
    return download.row();
  }

  /** What is going on for it has ended when this returns. */
  async pause(id: string): Promise<DownloadRow> {
    const download = this.#find(id);
    if (download.state === "done") throw downloadIsDone(download.record, "pause");
    if (download.state !== "failed") {
      download.set("paused");
      await this.#turns.stop(download);
    }
    return download.row();
  }

  /** Also for one that failed, or waits: it is tried at once. */
  resume(id: string): DownloadRow {
    const download = this.#find(id);
    if (download.state === "done") throw downloadIsDone(download.record, "resume");
    if (this.#turns.isActive(download) && isUnderWay(download)) return download.row();
    this.#turns.unwait(download);
    download.failures = 0;
    download.wrongChecksums = 0;
    download.set("queued");
    this.#turns.pump();
    return download.row();
  }

  /** Removes what was downloaded; of one that is done only the row. */
  async cancel(id: string): Promise<void> {
    const download = this.#find(id);
    // Whoever asks from here on does not find it, and its turn does not come again.
    this.#all = this.#all.filter((each) => each !== download);
    if (download.state !== "done") {
      download.set("paused");
      await Promise.all([this.#turns.stop(download), this.#plans.end(download)]);
    }
    try {
      // It may have come to its end just before.
      if (isUnfinished(download)) await removeIfThere(download.folder);
    } finally {
      // What could not be removed goes at the next start.
      this.#forget(download);
      this.#reorder();
    }
  }

  /** Before another one; null = to the end. */
  move(id: string, before: string | null): DownloadRow {
    const download = this.#find(id);
    const others = this.#all.filter((each) => each !== download);
    const index = before === null ? others.length : others.indexOf(this.#find(before));
    // Before itself: where it is.
    if (index >= 0) this.#all = others.toSpliced(index, 0, download);
    this.#reorder();
    this.#turns.pump();
    return download.row();
  }

  #downloadOf(record: DownloadRecord, files: readonly DownloadFileRecord[]): Download {
    return new Download(record, files, {
      context: this.#context,
      onChange: (download, { soon }) => soon ? this.#tellSoon(download) : this.#tell(download),
    });
  }

  #find(id: string): Download {
    const found = this.#all.find((download) => download.id === id);
    if (found === undefined) throw downloadNotFound(id);
    return found;
  }

  /** A row that the new one takes the place of: its model was deleted. Throws where it is in the way. */
  #earlierOf({ repo, file }: WantedModel): Download | null {
    const earlier = this.#all.find(({ record }) =>
      isSameName(record.repo, repo) && record.file === file
    );
    if (earlier !== undefined && isUnfinished(earlier)) throw downloadExists(earlier.record);
    const guessed = modelIdOf(basename(file));
    // In another folder of the repository there may be a file of the same name.
    const isOthers = this.#all.some(({ record }) =>
      isSameName(record.repo, repo) && record.file !== file && record.modelId === guessed
    );
    for (const id of [earlier?.record.modelId, isOthers ? null : guessed]) {
      const from = id === null || id === undefined ? null : this.#options.installed(id)?.repo;
      if (from && isSameName(from, repo)) {
        throw downloadExists({ id: earlier?.id ?? null, repo, file, state: "done", modelId: id! });
      }
    }
    return earlier ?? null;
  }

  // The one whose turn it is asks by itself.
  #planEarly(download: Download): void {
    if (this.#turns.isActive(download) || !isUnderWay(download) || download.isPlanned) return;
    this.#plans.begin(download);
  }

  #isTaken(id: string, download: Download): boolean {
    return this.#options.installed(id) !== null ||
      this.#all.some((other) =>
        other !== download && isUnfinished(other) && isSameName(other.record.modelId ?? "", id)
      );
  }

  async #finish(download: Download): Promise<void> {
    const { repo, modelId } = download.record;
    try {
      await this.#options.onFinished({ id: modelId!, repo });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#context.log.warn("A downloaded model is not offered", {
        model: modelId,
        reason: error.message,
      });
    }
    download.set("done");
    this.#context.log.info("Download is done", { model: modelId, repo });
    this.#reorder();
  }

  #forget(download: Download): void {
    this.#options.registry.remove(download.id);
    this.#all = this.#all.filter((each) => each !== download);
    clearTimeout(this.#tellTimers.get(download));
    this.#tellTimers.delete(download);
    this.#options.onChange({ id: download.id, removed: true });
  }

  #reorder(): void {
    const isDone = (download: Download) => !isUnfinished(download);
    this.#all = [...this.#all.filter(isUnfinished), ...this.#all.filter(isDone)];
    this.#all.forEach((download, position) => download.move(position));
  }

  #tell(download: Download): void {
    clearTimeout(this.#tellTimers.get(download));
    this.#tellTimers.delete(download);
    if (this.#all.includes(download)) this.#options.onChange(download.row());
  }

  #tellSoon(download: Download): void {
    if (this.#tellTimers.has(download) || this.#closing.signal.aborted) return;
    const timer = setTimeout(() => this.#tell(download), this.#context.timing.gatherMs);
    this.#tellTimers.set(download, timer);
  }

  /** Of downloads that were cancelled when power went. */
  async #removeLeftFolders(): Promise<void> {
    const { home, log } = this.#context;
    const ours = new Set(this.#all.filter(isUnfinished).map(({ id }) => id));
    try {
      for await (const { name, isDirectory } of Deno.readDir(safeJoin(home, DOWNLOADS_FOLDER))) {
        if (!isDirectory || !/^[0-9a-f]{16}$/.test(name) || ours.has(name)) continue;
        await removeIfThere(safeJoin(home, `${DOWNLOADS_FOLDER}/${name}`));
      }
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      log.warn("Cannot look for what old downloads left", { reason: messageOf(error) });
    }
  }
}

function isUnfinished({ state }: Download): boolean {
  return state !== "done";
}

function isSameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
