// Headers of files on the Hub: one is read for each model of a repository, the other quantizations
// follow from it. What was read is remembered by its checksum.

import { AppError } from "../errors.ts";
import type { GgufFacts } from "./gguf.ts";
import { familyOf, groupHubFiles, type HubFile, type HubModelFiles } from "./hub_files.ts";
import { type HubHeader, type HubRepoInfo, restoreFacts, storeFacts } from "./hub_repo_info.ts";
import { readRemoteFacts, type RemoteFile } from "./remote_gguf.ts";
import { scaledFacts } from "./scaled_facts.ts";

/** A file of one commit, and where its bytes lie for the next minutes. */
export interface ResolvedHubFile {
  url: string;
  sizeBytes: number;
  /** Null for what the Hub keeps without one. */
  sha256: string | null;
  commit: string;
  /** As it was asked for. */
  repo: string;
  path: string;
}

/** First byte, and the byte behind the last one. */
export interface ByteRange {
  start: number;
  end: number;
}

/** What this part needs of the Hub. */
export interface HubFiles {
  resolve(
    wanted: { repo: string; commit: string; path: string },
    signal?: AbortSignal,
  ): Promise<ResolvedHubFile>;
  read(resolved: ResolvedHubFile, range: ByteRange, signal?: AbortSignal): Promise<Uint8Array>;
}

/** Models whose headers are read in one repository; the largest ones have a handful of sizes. */
const MOST_FAMILIES = 4;
const MOST_REMEMBERED = 100;
const PREFERRED = "Q4_K_M";

export class HubHeaders {
  readonly #hub: HubFiles;
  /** By checksum of the first part, the latest last. */
  readonly #known = new Map<string, HubHeader>();

  constructor(hub: HubFiles) {
    this.#hub = hub;
  }

  /** What was read earlier of files with these contents. */
  knownOf(files: readonly HubFile[]): HubHeader[] {
    return files.flatMap(({ path, sha256 }) => {
      const known = sha256 === null ? undefined : this.#known.get(sha256);
      return known === undefined ? [] : [{ ...known, file: path }];
    });
  }

  /** The headers of the repository; a model whose header cannot be used has none. */
  async read(info: HubRepoInfo, signal?: AbortSignal): Promise<HubHeader[]> {
    for (const header of info.headers) this.#remember(header);
    const families = Map.groupBy(groupHubFiles(info.files), familyOf);
    const headers: HubHeader[] = [];
    for (const models of [...families.values()].slice(0, MOST_FAMILIES)) {
      const header = this.#knownAmong(models) ?? await this.#readOne(info, models, signal);
      if (header !== null) headers.push(header);
    }
    return headers;
  }

  /** The facts of one model, by its own header. */
  async factsOf(
    { repo, commit }: Pick<HubRepoInfo, "repo" | "commit">,
    model: HubModelFiles,
    signal?: AbortSignal,
  ): Promise<GgufFacts> {
    return await readRemoteFacts(
      model.parts.map((part) => this.#remote({ repo, commit, path: part.path }, part, signal)),
    );
  }

  async #readOne(
    info: HubRepoInfo,
    models: readonly HubModelFiles[],
    signal: AbortSignal | undefined,
  ): Promise<HubHeader | null> {
    const model = sampleOf(models);
    try {
      const facts = storeFacts(await this.factsOf(info, model, signal));
      const header = { file: model.file, sha256: model.parts[0]!.sha256, facts };
      this.#remember(header);
      return header;
    } catch (error) {
      // A file that is none says nothing of the other models; the Hub that fails does.
      if (error instanceof AppError && error.code === "model_file_invalid") return null;
      throw error;
    }
  }

  #knownAmong(models: readonly HubModelFiles[]): HubHeader | null {
    for (const { file, parts } of models) {
      const known = parts[0]!.sha256 === null ? undefined : this.#known.get(parts[0]!.sha256);
      if (known !== undefined) return { ...known, file };
    }
    return null;
  }

  #remember(header: HubHeader): void {
    if (header.sha256 === null) return;
    this.#known.delete(header.sha256);
    this.#known.set(header.sha256, header);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MOST_REMEMBERED) break;
      this.#known.delete(oldest);
    }
  }

  #remote(
    wanted: { repo: string; commit: string; path: string },
    { sizeBytes }: HubFile,
    signal: AbortSignal | undefined,
  ): RemoteFile {
    let resolved: Promise<ResolvedHubFile> | null = null;
    return {
      name: wanted.path,
      sizeBytes,
      read: async (start, end) => {
        resolved ??= this.#hub.resolve(wanted, signal);
        return await this.#hub.read(await resolved, { start, end }, signal);
      },
    };
  }
}

/** The facts of each model that a header tells of; null where none does. */
export function factsOfModels(
  headers: readonly HubHeader[],
  models: readonly HubModelFiles[],
): (GgufFacts | null)[] {
  const byFamily = new Map<string, { sample: HubModelFiles; facts: GgufFacts }>();
  for (const header of headers) {
    const sample = models.find(({ file }) => file === header.file);
    // Of an older commit, or of a file that is gone.
    if (sample === undefined || sample.parts[0]!.sha256 !== header.sha256) continue;
    byFamily.set(familyOf(sample), { sample, facts: restoreFacts(header.facts) });
  }
  return models.map((model) => {
    const known = byFamily.get(familyOf(model));
    if (known === undefined) return null;
    if (known.sample === model) return known.facts;
    const { modelBytes, parts, quantization } = model;
    return scaledFacts(known.facts, { modelBytes, parts: parts.length, quantization });
  });
}

/** The usual one, else the smallest in one file: each part costs a request. */
function sampleOf(models: readonly HubModelFiles[]): HubModelFiles {
  const whole = models.filter(({ parts }) => parts.length === 1);
  return whole.find(({ quantization }) => quantization === PREFERRED) ?? whole[0] ?? models[0]!;
}
