// Requests to the Hub and to the hosts that it leads to: who gets the token, which host may be asked,
// how long and how large an answer may be. What answers mean is hub.ts's.

import { headUntilAborted } from "../abort.ts";
import { isLoopback } from "../addresses.ts";
import type { AppError } from "../errors.ts";
import { isDownloadHost } from "../hub_hosts.ts";
import { BODY_MS, noAnswer, readBody } from "./hub_body.ts";
import {
  hostRefused,
  hubFailure,
  hubNonsense,
  type HubSubject,
  hubUnreachable,
} from "./hub_failure.ts";

export interface HubHttpOptions {
  /** Without a slash at its end. */
  endpoint: string;
  token: string | null;
  /** `host` or `host:port`, besides the Hub's own. */
  downloadHosts: readonly string[];
  /** Until the head of an answer; 10,000. */
  connectMs?: number | undefined;
}

/** What was asked for, for messages; and who may end it. */
export interface Asking extends Omit<HubSubject, "host" | "hasToken"> {
  signal?: AbortSignal | undefined;
}

const CONNECT_MS = 10_000;
const JSON_LIMIT_BYTES = 32 * 1024 ** 2;
const REFUSAL_LIMIT_BYTES = 64 * 1024;
const MOST_REDIRECTS = 5;
/** A line that is slower than this has no use for large models. */
const SLOWEST_BYTES_PER_MS = 16;

export class HubHttp implements Disposable {
  readonly #endpoint: URL;
  readonly #options: HubHttpOptions;
  readonly #direct = new Map<string, Deno.HttpClient>();

  constructor(options: HubHttpOptions) {
    this.#options = options;
    this.#endpoint = new URL(options.endpoint);
  }

  [Symbol.dispose](): void {
    for (const client of this.#direct.values()) client.close();
    this.#direct.clear();
  }

  /** Of the Hub or of the mirror. */
  get host(): string {
    return this.#endpoint.host;
  }

  urlOf(path: string): URL {
    return new URL(this.#options.endpoint + path);
  }

  /** The JSON at an address of the Hub. Throws the AppErrors of the Hub for any other answer. */
  async json(url: URL, asking: Asking): Promise<{ value: unknown; headers: Headers }> {
    const { response } = await this.ask(url, { ...asking, method: "GET" });
    if (!response.ok) throw await this.refusal(response, asking);
    const text = await this.#text(response, { ...asking, limitBytes: JSON_LIMIT_BYTES });
    try {
      return { value: JSON.parse(text), headers: response.headers };
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw hubNonsense("did not answer with JSON", this.#subject(asking));
    }
  }

  /**
   * The Hub's own answer, whatever its status: redirects are followed as long as they stay there, so
   * that the token never leaves it. The caller reads or cancels the body.
   */
  async ask(
    url: URL,
    { method, ...asking }: Asking & { method: "GET" | "HEAD" },
  ): Promise<{ response: Response; url: URL }> {
    let target = url;
    for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
      const response = await this.#fetch(target, { method, headers: {}, asking });
      const next = locationOf(response, target);
      if (next === null || !this.#isHub(next)) return { response, url: target };
      await response.body?.cancel();
      target = next;
    }
    throw hubNonsense("leads in circles", this.#subject(asking));
  }

  /** The bytes of a file, from the Hub or from a host that it led to. Any status but a redirect. */
  async file(
    url: URL,
    { headers, ...asking }: Asking & { headers: Record<string, string> },
  ): Promise<Response> {
    let target = url;
    for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
      this.checkHost(target, asking);
      const response = await this.#fetch(target, { method: "GET", headers, asking });
      const next = locationOf(response, target);
      if (next === null) return response;
      await response.body?.cancel();
      target = next;
    }
    throw hubNonsense("leads in circles", this.#subject(asking));
  }

  /** @throws {AppError} `hub_host_refused` for a host that nobody allowed. */
  checkHost(url: URL, asking: Asking): void {
    if (!this.#mayAsk(url)) throw hostRefused(url.host, this.#subject(asking));
  }

  /** What the Hub's refusal means. Reads the answer to its end. */
  async refusal(response: Response, asking: Asking): Promise<AppError> {
    let message = response.headers.get("x-error-message") ?? "";
    if (message === "" && response.body !== null) {
      const text = await this.#text(response, { ...asking, limitBytes: REFUSAL_LIMIT_BYTES })
        // The status alone says enough where the words do not arrive.
        .catch(() => "");
      message = errorIn(text);
    } else await response.body?.cancel();
    return hubFailure({ status: response.status, headers: response.headers, message }, {
      ...this.#subject(asking),
    });
  }

  /** These bytes of a file, at most so many; fewer where the host sends fewer. */
  async range(url: URL, asking: Asking & { start: number; end: number }): Promise<Uint8Array> {
    const { start, end } = asking;
    const response = await this.file(url, {
      ...asking,
      headers: { range: `bytes=${start}-${end - 1}` },
    });
    const isPart = response.status === 206 &&
      response.headers.get("content-range")?.startsWith(`bytes ${start}-`) === true;
    if (isPart || (response.status === 200 && start === 0)) {
      // On a slow line a header takes minutes; that it still comes is what counts.
      const totalMs = BODY_MS + (end - start) / SLOWEST_BYTES_PER_MS;
      return await this.#bytes(response, { ...asking, most: end - start, totalMs });
    }
    if (!response.ok) throw await this.refusal(response, asking);
    await response.body?.cancel();
    throw hubNonsense("does not give parts of files", this.#subject(asking));
  }

  nonsense(what: string, asking: Asking): AppError {
    return hubNonsense(what, this.#subject(asking));
  }

  async #fetch(
    url: URL,
    { method, headers, asking: { signal } }: {
      method: string;
      headers: Record<string, string>;
      asking: Asking;
    },
  ): Promise<Response> {
    const { connectMs = CONNECT_MS } = this.#options;
    const silence = new AbortController();
    const timer = setTimeout(() => silence.abort(noAnswer(connectMs)), connectMs);
    const sent: Record<string, string> = {
      "accept-encoding": "identity",
      "user-agent": "zombiecoder-local-ai",
      ...headers,
    };
    if (this.#mayHaveToken(url)) sent["authorization"] = `Bearer ${this.#options.token}`;
    const ended = signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal]);
    try {
      const answer = fetch(url, {
        method,
        headers: sent,
        redirect: "manual",
        signal: ended,
        client: this.#clientFor(url),
      } as RequestInit);
      return await headUntilAborted(answer, ended);
    } catch (error) {
      signal?.throwIfAborted();
      // The scope lists the same hosts as this part does, but for what a port says.
      if (error instanceof Deno.errors.NotCapable) {
        throw hostRefused(url.host, this.#subject({}));
      }
      throw hubUnreachable(silence.signal.aborted ? silence.signal.reason : error, {
        host: url.host,
      });
    } finally {
      clearTimeout(timer);
    }
  }

  async #text(response: Response, asking: Asking & { limitBytes: number }): Promise<string> {
    const bytes = await this.#bytes(response, { ...asking, most: asking.limitBytes + 1 });
    if (bytes.length > asking.limitBytes) {
      throw hubNonsense("answered with too much text", this.#subject(asking));
    }
    return new TextDecoder().decode(bytes);
  }

  async #bytes(
    response: Response,
    asking: Asking & { most: number; totalMs?: number },
  ): Promise<Uint8Array> {
    try {
      return await readBody(response, asking.most, {
        totalMs: asking.totalMs ?? BODY_MS,
        signal: asking.signal,
      });
    } catch (error) {
      asking.signal?.throwIfAborted();
      throw hubUnreachable(error, { host: this.host });
    }
  }

  /** Proxies are for other machines: Deno alone would ask them for this one, too. */
  #clientFor({ hostname, host, port, protocol }: URL): Deno.HttpClient | undefined {
    if (!isOnLoopback(hostname)) return undefined;
    let client = this.#direct.get(host);
    if (client === undefined) {
      client = Deno.createHttpClient({
        proxy: {
          transport: "tcp",
          hostname: bare(hostname),
          port: Number(port || (protocol === "https:" ? 443 : 80)),
        },
      });
      this.#direct.set(host, client);
    }
    return client;
  }

  #isHub(url: URL): boolean {
    return url.origin === this.#endpoint.origin;
  }

  #mayHaveToken(url: URL): boolean {
    return this.#options.token !== null && this.#isHub(url) &&
      (url.protocol === "https:" || isOnLoopback(url.hostname));
  }

  #mayAsk(url: URL): boolean {
    if (this.#isHub(url)) return true;
    const { protocol, hostname } = url;
    // Where the Hub is asked in the open nothing more is lost by it.
    const isOpen = protocol === "http:" && this.#endpoint.protocol === "https:";
    if (isOpen && !isOnLoopback(hostname)) return false;
    return isDownloadHost(url, this.#options.downloadHosts);
  }

  #subject(asking: Asking): HubSubject {
    const { repo, revision, file } = asking;
    const { host, protocol, hostname } = this.#endpoint;
    const hasToken = this.#options.token !== null &&
      (protocol === "https:" || isOnLoopback(hostname));
    return { host, hasToken, repo, revision, file };
  }
}

/** Where a redirect leads; null for any other answer, and for a redirect to nowhere. */
export function locationOf({ status, headers }: Response, base: URL): URL | null {
  const location = headers.get("location");
  const isRedirect = status === 301 || status === 302 || status === 303 || status === 307 ||
    status === 308;
  return isRedirect && location !== null ? URL.parse(location, base.href) : null;
}

function isOnLoopback(hostname: string): boolean {
  return hostname === "localhost" || isLoopback(bare(hostname));
}

function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "");
}

function errorIn(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    const { error } = (value ?? {}) as { error?: unknown };
    return typeof error === "string" ? error : "";
  } catch {
    return "";
  }
}
