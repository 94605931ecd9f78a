// The Hub's client: search, what a repository holds at one commit, and where a file's bytes lie now.
// Who may be asked, and with which token, is hub_http.ts's; fetching to disk is downloads.ts's.

import { AppError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { SourceModel, WantedFile, WantedModel } from "./download_source.ts";
import {
  commitIn,
  filesIn,
  type HubRepoSummary,
  isCommit,
  isSha256,
  nextPage,
  SUMMARY_FIELDS,
  summaryIn,
} from "./hub_answers.ts";
import { findHubModel, groupHubFiles, type HubFile } from "./hub_files.ts";
import { type Asking, HubHttp, locationOf } from "./hub_http.ts";
import {
  checkHubPath,
  checkRepoName,
  checkRevision,
  isHubPath,
  searchTextOf,
} from "./hub_names.ts";
import type { HubRepoInfo } from "./hub_repo_info.ts";
import { type ByteRange, type HubFiles, HubHeaders, type ResolvedHubFile } from "./hub_headers.ts";

export type { HubRepoSummary } from "./hub_answers.ts";
export type { ByteRange, ResolvedHubFile } from "./hub_headers.ts";
export type { HubRepoInfo } from "./hub_repo_info.ts";

export interface HubOptions {
  /** `hfEndpoint`, `hfToken` and `downloadHosts` of the settings. */
  endpoint: string;
  token: string | null;
  downloadHosts: readonly string[];
  log: Log;
  /** Until the head of an answer; 10,000. */
  connectMs?: number | undefined;
}

export interface SearchOptions {
  /** 1 to 100; 30 if left out. */
  limit?: number;
  /** As an earlier answer gave it. */
  cursor?: string | null;
  signal?: AbortSignal;
}

export interface SearchPage {
  rows: HubRepoSummary[];
  /** For the next page; null on the last one. */
  cursor: string | null;
}

export interface RepoOptions {
  /** Branch, tag or commit; `main` if left out. */
  revision?: string;
  signal?: AbortSignal;
}

const MOST_PAGES = 100;
const MOST_FILES = 20_000;
const LONGEST_SEARCH = 200;
const LONGEST_CURSOR = 4000;
const PAGE_ROWS = 30;
const MOST_ROWS = 100;

/** Every method throws the Hub's AppErrors, and the signal's reason. */
export class Hub implements HubFiles, Disposable {
  readonly #http: HubHttp;
  readonly #log: Log;
  readonly #headers: HubHeaders;

  constructor(options: HubOptions) {
    this.#http = new HubHttp(options);
    this.#log = options.log;
    this.#headers = new HubHeaders(this);
    if (options.token !== null && /^http:\/\/(?!127\.|localhost|\[::1\])/.test(options.endpoint)) {
      this.#log.warn("HF_TOKEN is not sent: HF_ENDPOINT is not encrypted", {
        endpoint: options.endpoint,
      });
    }
  }

  [Symbol.dispose](): void {
    this.#http[Symbol.dispose]();
  }

  /** Repositories with GGUF files, the most downloaded ones first. */
  async search(query: string, options: SearchOptions = {}): Promise<SearchPage> {
    const { limit = PAGE_ROWS, cursor = null, signal } = options;
    const url = this.#http.urlOf("/api/models");
    const text = searchTextOf(query).slice(0, LONGEST_SEARCH);
    if (text !== "") url.searchParams.set("search", text);
    url.searchParams.set("filter", "gguf");
    url.searchParams.set("sort", "downloads");
    url.searchParams.set("limit", `${Math.min(Math.max(1, Math.floor(limit)), MOST_ROWS)}`);
    for (const field of SUMMARY_FIELDS) url.searchParams.append("expand", field);
    // The address of the next page is not ours to follow from a client's hands: the mark in it is.
    if (cursor !== null) url.searchParams.set("cursor", cursor.slice(0, LONGEST_CURSOR));
    const { value, headers } = await this.#http.json(url, { signal });
    if (!Array.isArray(value)) throw this.#http.nonsense("did not answer with a list", {});
    const next = nextPage(headers);
    return {
      rows: value.map(summaryIn).filter((row) => row !== null),
      cursor: next === null ? null : URL.parse(next, url.href)?.searchParams.get("cursor") ?? null,
    };
  }

  /** The repository as one commit has it, with every GGUF file in all its folders. */
  async repo(name: string, options: RepoOptions = {}): Promise<HubRepoInfo> {
    const { revision = "main", signal } = options;
    checkRepoName(name);
    checkRevision(revision);
    const asking = { repo: name, revision, signal };
    const at = `/api/models/${name}/revision/${encodeURIComponent(revision)}`;
    const { value } = await this.#http.json(this.#http.urlOf(at), asking);
    const [summary, commit] = [summaryIn(value), commitIn(value)];
    if (summary === null || commit === null) {
      throw this.#http.nonsense("did not say what the repository is", asking);
    }
    const files = (await this.#tree(name, commit, asking)).filter(({ path }) =>
      /\.gguf$/i.test(path)
    );
    const refused = files.filter(({ path }) => !isHubPath(path));
    for (const { path } of refused.slice(0, 20)) {
      this.#log.warn("A file on the Hub has a name that is not taken", { repo: name, file: path });
    }
    const taken = files.filter(({ path }) => isHubPath(path));
    return { ...summary, commit, files: taken, headers: this.#headers.knownOf(taken) };
  }

  /** The same with the headers that its models' facts follow from; those that fail are left out. */
  async withHeaders(info: HubRepoInfo, signal?: AbortSignal): Promise<HubRepoInfo> {
    return { ...info, headers: await this.#headers.read(info, signal) };
  }

  /** All files of the model that `file` belongs to, at the commit that the revision means now. */
  async model({ repo, revision, file }: WantedModel, signal?: AbortSignal): Promise<SourceModel> {
    checkHubPath(file);
    const info = await this.repo(repo, { revision, ...(signal !== undefined && { signal }) });
    const found = findHubModel(groupHubFiles(info.files), file);
    if (found === null) throw this.#noModel(info, { repo, revision, file });
    const { projector } = found;
    return {
      commit: info.commit,
      files: [
        ...found.parts.map((part) => ({ ...part, role: "model" as const })),
        ...(projector === null ? [] : [{ ...projector, role: "projector" as const }]),
      ],
    };
  }

  /** Where the file's bytes lie now: to be asked again for each connection, since links expire. */
  async resolve(wanted: WantedFile, signal?: AbortSignal): Promise<ResolvedHubFile> {
    const { repo, commit, path } = wanted;
    checkRepoName(repo);
    checkRevision(commit);
    checkHubPath(path);
    const asking = { repo, revision: commit, file: path, signal };
    const encoded = path.split("/").map(encodeURIComponent).join("/");
    const address = this.#http.urlOf(`/${repo}/resolve/${encodeURIComponent(commit)}/${encoded}`);
    const { response, url } = await this.#http.ask(address, { ...asking, method: "HEAD" });
    const location = locationOf(response, url);
    if (location === null && !response.ok) throw await this.#http.refusal(response, asking);
    await response.body?.cancel();
    if (location !== null) this.#http.checkHost(location, asking);
    const { headers } = response;
    const sizeBytes = Number(
      headers.get("x-linked-size") ?? (location === null ? headers.get("content-length") : NaN),
    );
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
      throw this.#http.nonsense("did not say how large the file is", asking);
    }
    const sha256 = bareTag(headers.get("x-linked-etag") ?? headers.get("etag"));
    const said = headers.get("x-repo-commit");
    return {
      url: (location ?? url).href,
      sizeBytes,
      sha256: isSha256(sha256) ? sha256 : null,
      commit: isCommit(said) ? said : commit,
      repo,
      path,
    };
  }

  /** The host's answer to a request for these bytes, whatever its status: 206, 200, 403, 416 ... */
  open(
    resolved: Pick<ResolvedHubFile, "url"> & Partial<ResolvedHubFile>,
    { start, end }: ByteRange,
    signal?: AbortSignal,
  ): Promise<Response> {
    const { url, repo, path: file } = resolved;
    const headers = { range: `bytes=${start}-${end - 1}` };
    return this.#http.file(new URL(url), { headers, repo, file, signal });
  }

  /** These bytes, or fewer where the file is shorter. */
  async read(
    resolved: ResolvedHubFile,
    range: ByteRange,
    signal?: AbortSignal,
  ): Promise<Uint8Array> {
    const { url, repo, path: file } = resolved;
    return await this.#http.range(new URL(url), { ...range, repo, file, signal });
  }

  async #tree(name: string, commit: string, asking: Asking): Promise<HubFile[]> {
    const files: HubFile[] = [];
    let url: URL | null = this.#http.urlOf(`/api/models/${name}/tree/${commit}?recursive=true`);
    for (let page = 0; url !== null && page < MOST_PAGES; page++) {
      const { value, headers } = await this.#http.json(url, asking);
      files.push(...filesIn(value));
      if (files.length > MOST_FILES) break;
      const next = nextPage(headers);
      // On the host that was asked, whatever host the link names: a mirror hands on the Hub's own.
      if (next === null) url = null;
      else url.search = URL.parse(next, url.href)?.search ?? "";
    }
    return files.slice(0, MOST_FILES);
  }

  #noModel(info: HubRepoInfo, { repo, revision, file }: WantedModel): AppError {
    const isThere = info.files.some(({ path }) => path === file);
    return new AppError(
      "hub_not_found",
      `Cannot get ${JSON.stringify(`${repo}/${file}`)} from the Hub: ${
        isThere
          ? "it is no model by itself, or parts of it are missing. Choose another file"
          : `there is no such file at ${JSON.stringify(revision)}. Look at the list of files`
      }`,
      { param: "file", values: { repo, file, reason: isThere ? "no_model" : "file" } },
    );
  }
}

/** Without quotes, and without the mark of a weak one. */
function bareTag(tag: string | null): string | null {
  return tag?.replace(/^W\//, "").replace(/^"|"$/g, "") ?? null;
}
