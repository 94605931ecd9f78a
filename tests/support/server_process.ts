// The real program, started as a user would: its own process, its own home, any free port.

import { join } from "node:path";
import { type TempDir, tempDir } from "./temp_dir.ts";
import { testRuntime } from "./llama_server.ts";
import { cageEnv, pathWithBwrap } from "./test_cage.ts";

export interface ServerOptions {
  flags?: string[];
  env?: Record<string, string>;
  /** An existing folder; by default a new one that goes with the server. */
  home?: string;
  /** The module that is run, from the repository's root; by default `main.ts`. */
  entry?: string;
  /** Range of the doors; by default one that all tests share. */
  doors?: string;
  /** The llama-server that it is told to use; null = it finds one, as for a user. */
  llamaServer?: null;
  /** Deno's flags for what it may do; by default all. */
  permissions?: string[];
  /** Where it listens; by default loopback. `url` is loopback's in any case. */
  host?: string;
  /** Runs before the start: to put models into the home. */
  prepare?(home: string): Promise<void> | void;
}

export interface ServerProcess extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly home: string;
  readonly runtimeHome: string;
  readonly pid: number;
  /** Everything on stderr so far. */
  readonly stderr: string;
  /** Resolves after the last byte on stderr. */
  readonly status: Promise<Deno.CommandStatus>;
  /** From the start of the process to its ready line. */
  readonly readyMs: number;
  kill(signal: Deno.Signal): void;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  post(path: string, body: unknown, init?: RequestInit): Promise<Response>;
  json<T = Record<string, unknown>>(path: string, init?: RequestInit): Promise<T>;
}

const ROOT = new URL("../../", import.meta.url);

/** Starts `main.ts serve` and waits for its ready line; throws with its stderr if it ends before. */
export async function startServer(options: ServerOptions = {}): Promise<ServerProcess> {
  const dir = await tempDir();
  const home = options.home ?? join(dir.path, "home");
  const runtimeHome = join(dir.path, "runtime");
  const sockets = join(dir.path, "run");
  await Deno.mkdir(home, { recursive: true });
  await Deno.mkdir(sockets, { recursive: true });
  await Deno.mkdir(runtimeHome, { recursive: true });
  await options.prepare?.(home);
  const startedMs = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", ...options.permissions ?? ["-A"], "--no-prompt", "--quiet", "--cached-only"],
      ...[options.entry ?? "main.ts", "serve"],
      ...["--home", home, "--runtime-home", runtimeHome, "--port", "0", "--no-open"],
      ...["--host", options.host ?? "127.0.0.1"],
      ...(options.llamaServer === null ? [] : ["--llama-server", await testRuntime()]),
      // Doors of their own: 8080-8100 may be in use on the machine that runs the tests.
      ...["--runtime-ports", options.doors ?? "28080-28100"],
      ...(options.flags ?? []),
    ],
    cwd: ROOT,
    env: {
      ...cageEnv(options.flags),
      XDG_RUNTIME_DIR: sockets,
      ...options.env,
      ...(options.env?.PATH !== undefined && { PATH: await pathWithBwrap(options.env.PATH) }),
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let stderr = "";
  const stderrDone = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr) stderr += decoder.decode(chunk, { stream: true });
  })();
  const address = await readyAddress(child, () => stderr).catch(async (error) => {
    await stop(child, stderrDone, dir);
    throw error;
  });
  const readyMs = performance.now() - startedMs;
  const request = (path: string, init?: RequestInit) => fetch(address.url + path, init);
  return {
    url: address.url,
    port: Number(new URL(address.url).port),
    home,
    runtimeHome,
    pid: child.pid,
    readyMs,
    status: Promise.all([child.status, stderrDone]).then(([status]) => status),
    get stderr() {
      return stderr;
    },
    kill: (signal) => child.kill(signal),
    fetch: request,
    post: (path, body, init) =>
      request(path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
        ...init,
      }),
    async json(path, init) {
      const response = await request(path, init);
      return await response.json();
    },
    [Symbol.asyncDispose]: async () => {
      await address.rest.cancel();
      await stop(child, stderrDone, dir);
    },
  };
}

async function readyAddress(child: Deno.ChildProcess, stderr: () => string) {
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (!text.includes("\n")) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`The server ended before it was ready: ${text}${stderr()}`);
    text += decoder.decode(value, { stream: true });
  }
  const url = /^ZombieCoder is ready at (http:\/\/\S+)\n$/.exec(text)?.[1];
  if (url === undefined) throw new Error(`Not a ready line: ${text}`);
  return { url: url.replace("//0.0.0.0:", "//127.0.0.1:"), rest: reader };
}

async function stop(
  child: Deno.ChildProcess,
  stderrDone: Promise<void>,
  dir: TempDir,
): Promise<void> {
  try {
    child.kill("SIGTERM");
  } catch {
    // It has ended already.
  }
  const kill = setTimeout(() => child.kill("SIGKILL"), 40_000);
  await child.status;
  clearTimeout(kill);
  await stderrDone;
  await dir[Symbol.asyncDispose]();
}

/**
 * Waits until the condition holds, asking again as fast as it answers; throws after the time, which
 * only ends a test that would hang. Shorter than what ends by itself: the `sleep 60` of some tests.
 */
export async function until<T>(
  condition: () => Promise<T | false | null | undefined> | T | false | null | undefined,
  timeoutMs = 30_000,
): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value !== false && value !== null && value !== undefined) return value;
    if (performance.now() > endMs) throw new Error(`Not within ${timeoutMs} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
