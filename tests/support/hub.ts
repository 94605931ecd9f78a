// A stand-in for the Hub: its real routes and headers on one server, the signed links of its CDN on
// another host. What goes wrong, request by request, is the test's choice; every request is kept.

import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { refusalOf } from "./hub_access.ts";
import { listModels, modelInfo, noRevision, refs, tree } from "./hub_api.ts";
import type { HubContent } from "./hub_content.ts";
import {
  type Fault,
  fileAnswer,
  type HubAnswer,
  type HubRequest,
  rangeOf,
  refusalAnswer,
} from "./hub_exchange.ts";
import { blobId, isLfs, type RepoGiven, TestRepo, xetHash } from "./hub_repo.ts";
import { send } from "./hub_send.ts";

export interface TestHubOptions {
  /** The CDN's name; it listens on the loopback address that this means. */
  cdnHost?: string;
  /** How long a link of the CDN can be used. */
  linkLifetimeMs?: number;
  /** Entries on a page of a list, and of a tree. */
  pageSize?: number;
  /** Requests in one window, by bucket. */
  limits?: { api: number; resolvers: number };
}

const WINDOW_SECONDS = 300;

export class TestHub implements AsyncDisposable {
  readonly #hub: Server;
  readonly #cdn: Server;
  readonly #closing = new AbortController();
  readonly #sending = new Set<Promise<void>>();
  readonly #repos = new Map<string, TestRepo>();
  readonly #renamed = new Map<string, string>();
  readonly #contents = new Map<string, HubContent>();
  readonly #cdnHost: string;
  readonly #pageSize: number;
  /** Users' tokens. */
  readonly tokens = new Set<string>();
  /** All requests, in the order in which they came. */
  readonly requests: HubRequest[] = [];
  /** Asked for each request before it is answered. */
  fault: (request: HubRequest) => Fault | null = () => null;
  linkLifetimeMs: number;
  /** What is left in this window; at 0 the answer is 429. */
  remaining: { api: number; resolvers: number };
  /** Seconds until the window ends. */
  windowLeft = WINDOW_SECONDS;

  private constructor(options: TestHubOptions) {
    this.#cdnHost = options.cdnHost ?? "localhost";
    this.#pageSize = options.pageSize ?? 1000;
    this.linkLifetimeMs = options.linkLifetimeMs ?? 3_600_000;
    this.remaining = { ...options.limits ?? { api: 1_000_000, resolvers: 1_000_000 } };
    this.#hub = createServer((request, response) => this.#take("hub", request, response));
    this.#cdn = createServer((request, response) => this.#take("cdn", request, response));
  }

  static async start(options: TestHubOptions = {}): Promise<TestHub> {
    const hub = new TestHub(options);
    await listen(hub.#hub, "127.0.0.1");
    await listen(hub.#cdn, hub.#cdnHost === "localhost" ? "127.0.0.1" : hub.#cdnHost);
    return hub;
  }

  /** For `HF_ENDPOINT`. */
  get endpoint(): string {
    return `http://127.0.0.1:${portOf(this.#hub)}`;
  }

  /** `host:port`, for `ZOMBIE_DOWNLOAD_HOSTS`. */
  get downloadHost(): string {
    return `${this.#cdnHost}:${portOf(this.#cdn)}`;
  }

  /** Adds a repository, or takes the place of the one of that name. */
  add(name: string, given: RepoGiven): TestRepo {
    const repo = new TestRepo(name, given);
    this.#repos.set(name, repo);
    return repo;
  }

  /** The old name leads to the new one. */
  rename(from: string, to: string): void {
    this.#renamed.set(from, to);
  }

  /** A user's token that may see these private repositories and have the files of these gated ones. */
  addToken(token: string, repos: readonly TestRepo[] = []): void {
    this.tokens.add(token);
    for (const repo of repos) repo.allowed.add(token);
  }

  /** Ends with the answers that are under way. */
  async settled(): Promise<void> {
    await Promise.all(this.#sending);
    // Whoever waits for one of them comes first.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }

  /** Those at the second host. */
  get cdnRequests(): HubRequest[] {
    return this.requests.filter(({ host }) => host === "cdn");
  }

  /** Bytes of files, of both hosts together. */
  get sentBytes(): number {
    return this.requests.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
  }

  #take(host: "hub" | "cdn", incoming: IncomingMessage, response: ServerResponse): void {
    const url = new URL(incoming.url ?? "/", "http://stand.in");
    const headers = incoming.headers as Record<string, string>;
    const token = /^Bearer (.*)$/.exec(headers.authorization ?? "")?.[1] ?? null;
    const isFile = /^\/([^/]+\/[^/]+)\/resolve\/[^/]+\/(.+)$/.exec(url.pathname);
    const request: HubRequest = {
      host,
      method: incoming.method ?? "GET",
      path: url.pathname,
      query: url.searchParams,
      headers,
      token,
      range: rangeOf(headers.range),
      repo: isFile?.[1] ?? url.searchParams.get("repo"),
      file: isFile ? decodeURIComponent(isFile[2]!) : url.searchParams.get("file"),
      atMs: performance.now(),
      status: 0,
      sentBytes: 0,
      sentFrom: 0,
      end: "open",
    };
    this.requests.push(request);
    const fault = this.fault(request) ?? {};
    // A socket that its other end has closed fails each write; `close` says all that matters.
    response.on("error", () => {});
    const sending = send(response, this.#answer(request, fault), {
      request,
      fault,
      closing: this.#closing.signal,
    });
    this.#sending.add(sending);
    void sending.finally(() => this.#sending.delete(sending));
  }

  #answer(request: HubRequest, fault: Fault): HubAnswer {
    if (fault.status !== undefined) {
      const answer = refusalAnswer({ status: fault.status, message: "Something went wrong" });
      if (fault.retryAfter !== undefined) answer.headers["retry-after"] = `${fault.retryAfter}`;
      return answer;
    }
    if (request.host === "cdn") return this.#cdnAnswer(request, fault);
    const bucket = request.path.startsWith("/api/") ? "api" : "resolvers";
    const isLimited = this.remaining[bucket] <= 0;
    const left = isLimited ? 0 : --this.remaining[bucket];
    const answer = isLimited
      ? refusalAnswer({ status: 429, message: "We had to rate limit you" })
      : this.#hubAnswer(request, fault);
    Object.assign(answer.headers, {
      "ratelimit": `"${bucket}";r=${left};t=${this.windowLeft}`,
      "ratelimit-policy": `"fixed window";"${bucket}";q=${left + 1};w=${WINDOW_SECONDS}`,
    });
    return answer;
  }

  #hubAnswer(request: HubRequest, fault: Fault): HubAnswer {
    const { token } = request;
    const isKnown = token !== null && this.tokens.has(token);
    const options = { endpoint: this.endpoint, pageSize: this.#pageSize };
    if (request.path === "/api/models") {
      const mayBeSeen = [...this.#repos.values()].filter((repo) =>
        !repo.given.private || (isKnown && repo.allowed.has(token))
      );
      return listModels(mayBeSeen, request, options);
    }
    const file = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(request.path);
    const api =
      /^\/api\/models\/([^/]+\/[^/]+)(?:\/(revision|tree|refs)(?:\/([^/]+))?(?:\/(.+))?)?$/
        .exec(request.path);
    const name = decodeURIComponent((file ?? api)?.[1] ?? "");
    const renamed = this.#renamed.get(name);
    if (renamed !== undefined) {
      const location = request.path.replace(name, renamed) + queryOf(request);
      return { status: 307, headers: { location }, body: new Uint8Array(0) };
    }
    const repo = this.#repos.get(name) ?? null;
    const refusal = refusalOf(repo, { token, isKnown, files: file !== null });
    if (refusal !== null) return refusalAnswer(refusal);
    if (file !== null) {
      return this.#resolve(repo!, request, {
        revision: decodeURIComponent(file[2]!),
        path: file[3]!.split("/").map(decodeURIComponent).join("/"),
        fault,
      });
    }
    const revision = decodeURIComponent(api?.[3] ?? "main");
    if (api?.[2] === "refs") return refs(repo!);
    if (api?.[2] !== "tree") return modelInfo(repo!, request, revision);
    return tree(repo!, request, { ...options, revision, under: api[4] ?? "" });
  }

  #resolve(
    repo: TestRepo,
    request: HubRequest,
    { revision, path, fault }: { revision: string; path: string; fault: Fault },
  ): HubAnswer {
    const found = repo.find(revision);
    if (found === null) return noRevision(revision);
    const content = found.files.get(path);
    if (content === undefined) {
      const message = "Entry not found";
      const answer = refusalAnswer({ status: 404, code: "EntryNotFound", message });
      answer.headers["x-repo-commit"] = found.commit;
      return answer;
    }
    const headers = { "x-repo-commit": found.commit, "accept-ranges": "bytes" };
    if (!isLfs(path, content)) {
      const etag = `"${blobId(path, content)}"`;
      const range = fault.ignoreRange ? null : request.range;
      return fileAnswer(fault.content ?? content, { range, headers: { ...headers, etag } });
    }
    const xet = xetHash(content);
    this.#contents.set(xet, content);
    return {
      status: 302,
      headers: {
        ...headers,
        "x-linked-size": `${content.sizeBytes}`,
        "x-linked-etag": `"${content.sha256}"`,
        "etag": `"${content.sha256}"`,
        "x-xet-hash": xet,
        "location": this.#signed(xet, { repo: repo.name, file: path }),
      },
      body: new TextEncoder().encode("Found. Redirecting"),
    };
  }

  #signed(xet: string, named: { repo: string; file: string }): string {
    const url = new URL(`http://${this.downloadHost}/xet-bridge-us/${xet}`);
    const expires = `${Date.now() + this.linkLifetimeMs}`;
    for (const [name, value] of Object.entries(named)) url.searchParams.set(name, value);
    url.searchParams.set("Expires", expires);
    url.searchParams.set("Signature", signatureOf(xet, expires));
    return url.href;
  }

  #cdnAnswer({ path, query, range }: HubRequest, fault: Fault): HubAnswer {
    const xet = path.slice(path.lastIndexOf("/") + 1);
    const expires = query.get("Expires") ?? "";
    const content = this.#contents.get(xet);
    if (content === undefined || query.get("Signature") !== signatureOf(xet, expires)) {
      return refusalAnswer({ status: 403, message: "Missing or wrong signature" });
    }
    if (Date.now() > Number(expires)) {
      return refusalAnswer({ status: 403, message: "Request has expired" });
    }
    return fileAnswer(fault.content ?? content, {
      range: fault.ignoreRange ? null : range,
      headers: { "etag": `"${xet}"`, "content-type": "binary/octet-stream" },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#sending);
    await Promise.all([close(this.#hub), close(this.#cdn)]);
  }
}

function signatureOf(xet: string, expires: string): string {
  return createHash("sha256").update(`secret of the stand-in ${xet} ${expires}`).digest("hex");
}

function queryOf({ query }: HubRequest): string {
  return query.size === 0 ? "" : `?${query}`;
}

function listen(server: Server, host: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(0, host, () => resolve());
  return promise;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeAllConnections();
  return promise;
}
