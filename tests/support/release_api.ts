// A local stand-in for the release API of llama.cpp's repository on GitHub: the same routes and
// shapes, the assets behind a redirect to another port. Serves whatever a test gives it, cut off
// or stalled on request.

import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface AssetGiven {
  content: Uint8Array<ArrayBuffer>;
  /** What the API says; default: the right one; null: none, as for uploads before June 2025. */
  digest?: string | null;
  state?: "uploaded" | "starter";
  /** What the API says instead of the content's length. */
  sizeBytes?: number;
}

interface ReleaseGiven {
  tag: string;
  prerelease: boolean;
  draft: boolean;
  assets: Map<string, AssetGiven>;
}

const ROUTE = "/repos/ggml-org/llama.cpp/releases";

export class ReleaseApi implements AsyncDisposable {
  /** The newest first, as GitHub lists them. */
  readonly #releases: ReleaseGiven[] = [];
  readonly #api: Deno.HttpServer<Deno.NetAddr>;
  // Of Node: it can break off an answer without a word on stderr.
  readonly #cdn: Server;
  readonly #served: PromiseWithResolvers<void>[] = [];
  readonly #closing = Promise.withResolvers<void>();
  /** `GET /path` of the API, then `cdn NAME RANGE` for each answer with content. */
  readonly requests: string[] = [];
  /** The next answers with content end after so many bytes, one entry each. */
  readonly cuts: number[] = [];
  /** Answers with content stop after so many bytes and stay open. */
  stallAfterBytes: number | null = null;
  /** The API takes requests and does not answer them. */
  isSilent = false;
  /** The API answers with this status; 403 as when the limit of requests is reached. */
  status: number | null = null;
  /** Where the redirect of an asset leads instead of the second port. */
  redirectTo: string | null = null;
  /** The second port knows no ranges. */
  ignoreRange = false;

  private constructor() {
    const quiet = { port: 0, hostname: "127.0.0.1", onListen: () => {} };
    this.#cdn = createServer((request, response) => this.#content(request, response));
    this.#cdn.listen(0, "127.0.0.1");
    this.#api = Deno.serve(quiet, (request) => this.#answer(request));
  }

  static start(): ReleaseApi {
    return new ReleaseApi();
  }

  get base(): string {
    return `http://127.0.0.1:${this.#api.addr.port}`;
  }

  /** Adds the newest release. */
  add(
    tag: string,
    assets: Readonly<Record<string, AssetGiven | Uint8Array<ArrayBuffer>>>,
    { prerelease = true, draft = false } = {},
  ): void {
    const given = Object.entries(assets).map(([name, asset]) =>
      [name, asset instanceof Uint8Array ? { content: asset } : asset] as const
    );
    this.#releases.unshift({ tag, prerelease, draft, assets: new Map(given) });
  }

  /** Waits until content was sent `count` times, or until it stalled. */
  async served(count: number): Promise<void> {
    for (let index = 0; index < count; index++) await this.#servedAt(index).promise;
  }

  #servedAt(index: number): PromiseWithResolvers<void> {
    return this.#served[index] ??= Promise.withResolvers<void>();
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    this.requests.push(`GET ${pathname}`);
    if (this.isSilent) await this.#closing.promise;
    const download = /^\/ggml-org\/llama\.cpp\/releases\/download\/([^/]+)\/([^/]+)$/.exec(
      pathname,
    );
    if (download !== null) {
      const location = this.redirectTo ??
        `http://127.0.0.1:${(this.#cdn.address() as AddressInfo).port}/${download[1]}/${
          download[2]
        }?signature=x`;
      return new Response(null, { status: 302, headers: { location } });
    }
    if (this.status !== null) {
      const limit = { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1790000000" };
      const headers = this.status === 403 ? limit : {};
      return Response.json({ message: "API rate limit exceeded" }, {
        status: this.status,
        headers,
      });
    }
    // GitHub refuses requests without one.
    if (!request.headers.has("user-agent")) return new Response("no user agent", { status: 403 });
    const tag = pathname.startsWith(`${ROUTE}/tags/`) ? pathname.slice(ROUTE.length + 6) : null;
    let found: ReleaseGiven | undefined;
    if (tag !== null) found = this.#releases.find((each) => each.tag === tag && !each.draft);
    else if (pathname === `${ROUTE}/latest`) {
      found = this.#releases.find((each) => !each.prerelease && !each.draft);
    } else if (pathname === ROUTE) {
      return Response.json(this.#releases.map((each) => this.#shape(each)));
    }
    if (found === undefined) return Response.json({ message: "Not Found" }, { status: 404 });
    return Response.json(this.#shape(found));
  }

  #shape(release: ReleaseGiven) {
    const { tag, prerelease, draft } = release;
    const assets = [...release.assets].map(([name, { content, digest, state, sizeBytes }]) => ({
      name,
      label: "",
      state: state ?? "uploaded",
      content_type: "application/octet-stream",
      size: sizeBytes ?? content.length,
      digest: digest === undefined ? `sha256:${sha256(content)}` : digest,
      download_count: 1,
      browser_download_url: `${this.base}/ggml-org/llama.cpp/releases/download/${tag}/${name}`,
      url: `${this.base}${ROUTE}/assets/1`,
    }));
    const published_at = "2026-09-23T00:00:00Z";
    return { tag_name: tag, name: tag, draft, prerelease, published_at, body: "", assets };
  }

  #content(request: IncomingMessage, response: ServerResponse): void {
    const [, tag, name] = new URL(request.url ?? "/", "http://cdn").pathname.split("/");
    const release = this.#releases.find((each) => each.tag === tag);
    const content = release?.assets.get(name ?? "")?.content;
    const { range } = request.headers;
    const done = this.#servedAt(this.requests.filter((each) => each.startsWith("cdn")).length);
    this.requests.push(`cdn ${name} ${range ?? "whole"}`);
    if (content === undefined) {
      response.writeHead(404).end("gone");
      return;
    }
    const start = this.ignoreRange ? 0 : Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
    const part = content.subarray(start);
    response.setHeader("content-length", part.length);
    if (start > 0) {
      const span = `bytes ${start}-${content.length - 1}/${content.length}`;
      response.writeHead(206, { "content-range": span });
    }
    const cut = this.cuts.shift();
    response.flushHeaders();
    if (cut !== undefined) {
      response.write(part.subarray(0, cut), () => response.destroy());
    } else if (this.stallAfterBytes !== null) {
      response.write(part.subarray(0, this.stallAfterBytes), () => done.resolve());
    } else {
      response.end(part, () => done.resolve());
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.resolve();
    const closed = once(this.#cdn, "close");
    this.#cdn.close();
    this.#cdn.closeAllConnections();
    await Promise.all([this.#api.shutdown(), closed]);
  }
}

export function sha256(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}
