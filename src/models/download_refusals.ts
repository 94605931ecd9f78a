// What cannot be done with a download, in words.

import { AppError } from "../errors.ts";
import type { DownloadRecord } from "./registry_downloads.ts";

type Existing = Pick<DownloadRecord, "repo" | "file" | "state" | "modelId"> & { id: string | null };

export function downloadNotFound(id: string): AppError {
  const shown = id.slice(0, 100);
  return new AppError(
    "download_not_found",
    `Cannot find the download ${JSON.stringify(shown)}. GET /admin/downloads lists them`,
    { values: { id: shown } },
  );
}

export function downloadExists({ id, repo, file, state, modelId }: Existing): AppError {
  const how = state === "done"
    ? `it is installed as ${JSON.stringify(modelId)}. Delete the model first`
    : `it is ${state}. Resume or cancel that download`;
  return new AppError(
    "download_exists",
    `Cannot download ${JSON.stringify(file)} of ${JSON.stringify(repo)} again: ${how}`,
    { values: { id, repo, file, state, model: modelId } },
  );
}

export function downloadIsDone(
  { id, modelId }: Pick<DownloadRecord, "id" | "modelId">,
  action: string,
): AppError {
  return new AppError(
    "invalid_request",
    `Cannot ${action} the download of ${JSON.stringify(modelId)}: it is done`,
    { values: { id, model: modelId } },
  );
}
