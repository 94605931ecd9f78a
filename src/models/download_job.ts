// What is done for one download when its turn has come: ask the Hub, look for room, fetch, place. It
// may be cut off at any point and be begun again; when and how often is the queue's.

import { AppError } from "../errors.ts";
import { syncPath } from "../durable_write.ts";
import { type Download, DOWNLOADS_FOLDER } from "./download.ts";
import type { DownloadContext } from "./download_context.ts";
import { diskFailure, diskFull } from "./download_failure.ts";
import { install } from "./download_install.ts";
import { checkNames, freeId } from "./download_names.ts";
import { safeJoin } from "./safe_join.ts";
import { StallWatch } from "./stall_watch.ts";

export interface JobOptions {
  context: DownloadContext;
  /** Whether another model has this ID, installed or on its way. */
  isTaken(id: string): boolean;
  signal: AbortSignal;
}

/** Returns when the model is in its place. Throws AppErrors, or the signal's reason. */
export async function runDownload(download: Download, options: JobOptions): Promise<void> {
  const { context, signal } = options;
  if (!download.isPlanned) await planDownload(download, options);
  await checkRoom(download, context);
  // Paused or cancelled meanwhile: that state is not ours to change.
  signal.throwIfAborted();
  if (download.state !== "waiting") download.set("downloading");
  try {
    await prepareFolder(download, context);
    await fetchAll(download, options);
    signal.throwIfAborted();
    await place(download, options);
  } catch (error) {
    throw diskFailure(error, download.folder) ?? error;
  }
}

/** Asks the Hub what the model is made of, and writes it down. */
export async function planDownload(download: Download, options: JobOptions): Promise<void> {
  const { context, isTaken, signal } = options;
  const { repo, revision, file, modelId } = download.record;
  using watch = new StallWatch(context.settings().stallMs, signal);
  const asked = context.source.model({ repo, revision, file }, watch.signal);
  const model = await watch.during(asked).catch((error) => {
    throw watch.signal.aborted ? watch.signal.reason : error;
  });
  const names = model.files.map(({ path }) => path);
  checkNames(names);
  const files = names.map((name) => ({ name }));
  await download.plan(model, modelId ?? freeId({ home: context.home, repo, files, isTaken }));
}

/** @throws {AppError} `disk_full` where what is missing would not fit. */
export async function checkRoom(download: Download, context: DownloadContext): Promise<void> {
  const { missingBytes } = download;
  download.needBytes = missingBytes === 0 ? 0 : missingBytes + context.reserveBytes;
  const freeBytes = await context.freeBytes();
  if (freeBytes === null || freeBytes >= download.needBytes) return;
  throw diskFull({ needBytes: download.needBytes, freeBytes });
}

/** By names of ours alone, and not through a link. */
async function prepareFolder(download: Download, { home }: DownloadContext): Promise<void> {
  const folder = safeJoin(home, `${DOWNLOADS_FOLDER}/${download.id}`);
  await Deno.mkdir(folder, { recursive: true });
  await syncPath(safeJoin(home, DOWNLOADS_FOLDER));
  await syncPath(home);
}

async function fetchAll(download: Download, options: JobOptions): Promise<void> {
  const { signal } = options;
  for (const [index, file] of download.files.entries()) {
    const { repo, commit } = download.record;
    const laterBytes = download.files.slice(index + 1)
      .reduce((sum, { missingBytes }) => sum + missingBytes, 0);
    try {
      await file.fetch({
        repo,
        commit: commit!,
        laterBytes,
        signal,
        onVerifying: () => download.set("verifying"),
      });
    } catch (error) {
      if (error instanceof AppError && error.code === "checksum_wrong") download.wrongChecksums++;
      if (!meansAnother(error)) throw error;
      await lookUpAgain(download, options, error);
    }
  }
}

/** The pinned commit is gone, or a file of it is another one now. */
function meansAnother(error: unknown): error is AppError {
  return error instanceof AppError &&
    (error.code === "download_changed" || error.code === "hub_not_found");
}

/**
 * What the revision means now takes the place of what is gone. Throws the reason in any case: a Hub
 * that says something else each time must not keep us busy.
 */
async function lookUpAgain(
  download: Download,
  options: JobOptions,
  reason: AppError,
): Promise<never> {
  const before = { ...download.record, files: download.files };
  await planDownload(download, options);
  const now = download.record.commit;
  if (now === before.commit && download.files === before.files) throw reason;
  const { repo, file } = before;
  options.context.log.warn("A repository has changed", { repo, before: before.commit, now });
  throw new AppError(
    "download_changed",
    `The repository ${JSON.stringify(repo)} has changed and its earlier state is gone: ${
      JSON.stringify(file)
    } is downloaded as it is now`,
    { values: { repo, file, before: before.commit, now } },
  );
}

async function place(download: Download, { context, isTaken }: JobOptions): Promise<void> {
  const { home } = context;
  const { repo } = download.record;
  const files = download.files.map(({ record, path }) => ({
    name: record.path,
    path,
    sizeBytes: record.sizeBytes,
  }));
  for (;;) {
    const id = download.record.modelId!;
    const placed = await install({ home, folder: download.folder, id, files });
    if (placed === "placed") return;
    if (placed === "taken") {
      download.rename(freeId({ home, repo, files, isTaken }));
      continue;
    }
    for (const file of download.files) await file.startOver();
    throw new AppError(
      "download_failed",
      "Cannot finish the download: its partial file was taken away. It is downloaded again",
    );
  }
}
