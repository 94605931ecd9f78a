// A llama-server of the test's own, without host, cage or gateway: shows what a model file alone
// does. Killed with everything it started when it goes out of scope.

import { testRuntime } from "./llama_server.ts";

export interface BareLlamaServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly pid: number;
  /** From the start of the process to `/health` 200. */
  readonly readyMs: number;
  /** Everything on stderr so far. */
  log(): string;
  /** POSTs JSON and gives the parsed answer; throws with the body for any status but 200. */
  // deno-lint-ignore no-explicit-any -- answers are read by tests that assert on each field
  post(path: string, body: unknown): Promise<any>;
}

export interface BareLlamaServerOptions {
  modelPath: string;
  /** Added to the defaults, which are one slot and one thread. */
  args?: readonly string[];
  /** Gives up when it is not ready by then. */
  readyWithinMs?: number;
}

/** Starts the tests' llama-server on a free port and waits until it can answer. */
export async function startLlamaServer(options: BareLlamaServerOptions): Promise<BareLlamaServer> {
  const startedAt = performance.now();
  const child = new Deno.Command(await testRuntime(), {
    args: [
      ...["-m", options.modelPath, "--host", "127.0.0.1", "--port", "0", "--threads-http", "32"],
      ...["-np", "1", "-t", "1", "--cache-ram", "0", "--no-ui", ...options.args ?? []],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    clearEnv: true,
  }).spawn();
  const log = new StderrLog(child.stderr);
  async function stop(): Promise<void> {
    try {
      child.kill("SIGKILL");
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof TypeError)) throw error;
    }
    await child.status;
    await log.ended;
  }
  try {
    const deadline = AbortSignal.timeout(options.readyWithinMs ?? 60_000);
    const url = await log.match(/listening on (http:\/\/127\.0\.0\.1:\d+)/, deadline);
    await healthy(url, { deadline, exited: child.status });
    const readyMs = performance.now() - startedAt;
    return {
      url,
      pid: child.pid,
      readyMs,
      log: () => log.text,
      post: (path, body) => post(url + path, body),
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw new Error(`llama-server did not get ready:\n${log.text}`, { cause: error });
  }
}

async function post(url: string, body: unknown): Promise<unknown> {
  const response = await fetch(url, { method: "POST", body: JSON.stringify(body) });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}: ${text}`);
  return JSON.parse(text);
}

interface HealthOptions {
  deadline: AbortSignal;
  exited: Promise<Deno.CommandStatus>;
}

// While it loads every route answers 503: nothing else tells when it is done, so this one place asks
// again and again.
async function healthy(url: string, { deadline, exited }: HealthOptions): Promise<void> {
  let gone = false;
  exited.then(() => gone = true);
  for (;;) {
    deadline.throwIfAborted();
    if (gone) throw new Error("It exited");
    const response = await fetch(`${url}/health`, { signal: deadline });
    await response.body?.cancel();
    if (response.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Collects stderr, which must be drained always: a full pipe stops the process. */
class StderrLog {
  text = "";
  readonly ended: Promise<void>;
  #ended = false;
  #changed = Promise.withResolvers<void>();

  constructor(stream: ReadableStream<Uint8Array>) {
    this.ended = this.#drain(stream);
  }

  /** The first group of the expression as soon as it is in the log. */
  async match(expression: RegExp, deadline: AbortSignal): Promise<string> {
    const late = Promise.withResolvers<never>();
    const giveUp = () => late.reject(deadline.reason);
    deadline.addEventListener("abort", giveUp, { once: true });
    try {
      for (;;) {
        const found = expression.exec(this.text)?.[1];
        if (found !== undefined) return found;
        if (this.#ended) throw new Error("It exited");
        await Promise.race([this.#changed.promise, late.promise]);
      }
    } finally {
      deadline.removeEventListener("abort", giveUp);
    }
  }

  async #drain(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.text += text;
      this.#wake();
    }
    this.#ended = true;
    this.#wake();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}
