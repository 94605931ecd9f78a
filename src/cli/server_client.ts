// A client of the gateway: JSON in, JSON out, streams of events, and errors as the server words them.

import { headUntilAborted, untilAborted } from "../abort.ts";
import { reachable } from "../addresses.ts";
import { AppError, type AppErrorData, messageOf } from "../errors.ts";
import { type ServerStreamEvent, streamEvents } from "./stream_events.ts";

export interface ServerClientOptions {
  /** `http://127.0.0.1:8001` */
  address: string;
  apiKey: string | null;
}

export interface CallOptions {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
}

export class ServerClient implements Disposable {
  readonly address: string;
  readonly #apiKey: string | null;
  readonly #http: Deno.HttpClient;

  constructor({ address, apiKey }: ServerClientOptions) {
    this.address = reachable(address);
    this.#apiKey = apiKey;
    const { hostname, port } = new URL(this.address);
    // Named as its own proxy, it is asked directly: a proxy of the environment is for other machines.
    this.#http = Deno.createHttpClient({
      proxy: {
        transport: "tcp",
        hostname: hostname.replace(/^\[|\]$/g, ""),
        port: Number(port || 80),
      },
    });
  }

  [Symbol.dispose](): void {
    this.#http.close();
  }

  /** The answer's JSON; null where it has none. Throws what the server says in its error. */
  async json<T>(path: string, options: CallOptions = {}): Promise<T> {
    const response = await this.#send(path, options);
    try {
      const text = await untilAborted(response.text(), options.signal);
      return (text === "" ? null : JSON.parse(text)) as T;
    } catch (error) {
      throw this.#broken(error, options.signal);
    }
  }

  async text(path: string): Promise<string> {
    try {
      return await (await this.#send(path)).text();
    } catch (error) {
      throw this.#broken(error);
    }
  }

  /** Server-sent events and comments as they come. */
  async *events(path: string, options: CallOptions = {}): AsyncGenerator<ServerStreamEvent> {
    const response = await this.#send(path, options);
    try {
      yield* streamEvents(textOf(response, options.signal));
    } catch (error) {
      throw this.#broken(error, options.signal);
    }
  }

  /** Lines of plain text as they come. */
  async *lines(path: string, options: CallOptions = {}): AsyncGenerator<string> {
    const response = await this.#send(path, options);
    let rest = "";
    try {
      for await (const text of textOf(response, options.signal)) {
        const lines = (rest + text).split("\n");
        rest = lines.pop()!;
        yield* lines;
      }
    } catch (error) {
      throw this.#broken(error, options.signal);
    }
  }

  async #send(path: string, options: CallOptions = {}): Promise<Response> {
    const { method = "GET", body, signal } = options;
    const headers = new Headers(options.headers);
    if (this.#apiKey !== null) headers.set("authorization", `Bearer ${this.#apiKey}`);
    if (body !== undefined) headers.set("content-type", "application/json");
    let response: Response;
    try {
      const answer = fetch(this.address + path, {
        method,
        headers,
        redirect: "error",
        client: this.#http,
        ...(body !== undefined && { body: JSON.stringify(body) }),
        ...(signal && { signal }),
      });
      response = await headUntilAborted(answer, signal);
    } catch (error) {
      throw this.#broken(error, signal);
    }
    if (response.ok) return response;
    throw this.#refusal(response, await response.text().catch(() => ""));
  }

  #broken(error: unknown, signal?: AbortSignal): unknown {
    if (error instanceof AppError || signal?.aborted === true) return error;
    return new AppError(
      "server_unreachable",
      `Cannot reach the server at ${this.address}: the connection failed. ` +
        "Run the command again, or zombiecoder doctor to see what is wrong",
      { cause: error, values: { address: this.address, reason: messageOf(error) } },
    );
  }

  #refusal(response: Response, text: string): AppError {
    const data = errorIn(text);
    if (response.status === 401) {
      return AppError.fromData({
        ...(data ?? { values: {} }),
        code: "invalid_api_key",
        message: this.#apiKey === null
          ? `Cannot talk to the server at ${this.address} without its API key. ` +
            "Give it with --api-key-file FILE or in ZOMBIE_API_KEY"
          : `Cannot talk to the server at ${this.address}: it does not know this API key. ` +
            "Correct --api-key-file or ZOMBIE_API_KEY",
      });
    }
    if (data !== null) return AppError.fromData(data);
    return new AppError(
      "server_unreachable",
      `Cannot use what answers at ${this.address}: it answered ${response.status}. ` +
        "If another program listens there, choose another port with --port",
      { values: { address: this.address, status: response.status } },
    );
  }
}

/** Ended by the signal itself: see abort.ts. */
function textOf(response: Response, signal?: AbortSignal): ReadableStream<string> {
  return response.body!.pipeThrough(
    new TextDecoderStream(),
    signal === undefined ? {} : { signal },
  );
}

function errorIn(text: string): AppErrorData | null {
  try {
    return errorOf(JSON.parse(text));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return null;
  }
}

/** The error in an answer or in the last event of a stream; null where there is none. */
export function errorOf(body: unknown): AppErrorData | null {
  const error = (body as { error?: Partial<AppErrorData> & { type?: unknown } } | null)?.error;
  if (typeof error?.message !== "string") return null;
  const { message, code, values, type } = error;
  if (typeof code === "string") return { message, code, values: values ?? {} };
  // llama-server's own errors have a number there, and a type by which they are told apart.
  return { message, code: "upstream_failed", values: { type: String(type ?? "") } };
}
