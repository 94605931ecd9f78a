// What the catalogue takes from the Hub's answer about a repository: sizes, checksums and terms as
// they are now, which files are still there, and what their headers say.

import type { CatalogueEntry, CatalogueFile, KnownFile } from "./catalogue_entry.ts";
import { findHubModel, groupHubFiles, type HubFile, type HubModelFiles } from "./hub_files.ts";
import { factsOfModels } from "./hub_headers.ts";
import type { HubHeader, HubRepoInfo } from "./hub_repo_info.ts";

/** The entry as the Hub knows it now. */
export function withRepoInfo(entry: CatalogueEntry, info: HubRepoInfo): CatalogueEntry {
  const models = groupHubFiles(info.files);
  const facts = factsOfModels(info.headers, models);
  const files = entry.files.flatMap((file) => {
    const model = findHubModel(models, file.file);
    if (model === null || model.modelBytes === 0) return [];
    return [{ ...fileNow(file, model), facts: facts[models.indexOf(model)] ?? null }];
  }).sort((a, b) => a.sizeBytes - b.sizeBytes);
  const trained = files.find((file) => file.facts !== null)?.facts?.contextLength;
  return {
    ...entry,
    contextLength: trained ?? entry.contextLength ?? info.contextLength,
    // "other" says less than what we know.
    license: info.license === null || info.license === "other" ? entry.license : info.license,
    gated: info.gated !== false,
    // Where none is left, the list is wrong, and who asks for one is told so by the Hub.
    files: files.length === 0 ? entry.files : files,
  };
}

/** A new answer, with the headers of an older one that are of files that are still the same. */
export function withKnownHeaders(info: HubRepoInfo, older: HubRepoInfo | null): HubRepoInfo {
  const has = (header: HubHeader) => info.headers.some(({ file }) => file === header.file);
  const isSame = (header: HubHeader) =>
    info.files.some(({ path, sha256 }) =>
      path === header.file && sha256 !== null && sha256 === header.sha256
    );
  const kept = older?.headers.filter((header) => !has(header) && isSame(header)) ?? [];
  return kept.length === 0 ? info : { ...info, headers: [...info.headers, ...kept] };
}

function fileNow(file: CatalogueFile, model: HubModelFiles): Omit<CatalogueFile, "facts"> {
  const { parts, projector, modelBytes, quantization } = model;
  return {
    file: model.file,
    sizeBytes: modelBytes,
    sizeExact: true,
    sha256: parts.length === 1 ? parts[0]!.sha256 : null,
    quantization: file.quantization ?? quantization,
    // The one that a download would bring.
    projector: projector === null ? null : knownFile(projector),
  };
}

function knownFile({ path, sizeBytes, sha256 }: HubFile): KnownFile {
  return { file: path, sizeBytes, sizeExact: true, sha256 };
}
