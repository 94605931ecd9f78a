// llama-server alone, over TCP: the limit of what anything in front of it can reach.

import { ask, askModel } from "../chat.ts";
import { Child } from "../child.ts";
import type { BenchModel } from "../models.ts";
import { waitUntil } from "../waiting.ts";
import { freePort, LLAMA_FLAGS, START_TIMEOUT_MS } from "./contender.ts";
import type { Contender, Running, StartOptions } from "./contender.ts";

export const direct: Contender = { name: "direct", start: startDirect, coldAnswer };

async function startDirect(options: StartOptions): Promise<Running> {
  return await startWithModel(options.models.tiny, options);
}

async function coldAnswer(model: BenchModel, options: StartOptions): Promise<number> {
  const startedAt = performance.now();
  await using running = await startWithModel(model, options);
  await askModel(running.url, model);
  return performance.now() - startedAt;
}

/** llama-server that serves this model and no other. */
export async function startWithModel(model: BenchModel, options: StartOptions): Promise<Running> {
  return await startLlamaServer(options, ["-m", model.path, "--alias", model.name]);
}

/** llama-server with the common flags and these. */
export async function startLlamaServer(
  options: StartOptions,
  flags: readonly string[],
): Promise<Running> {
  const port = freePort();
  const child = new Child(options.llamaServer, {
    args: [
      ...["--host", "127.0.0.1", "--port", `${port}`],
      ...[...LLAMA_FLAGS, ...options.peerFlags, ...flags],
    ],
  });
  const url = `http://127.0.0.1:${port}`;
  const readyMs = await untilHealthy(child, url);
  return {
    url,
    readyMs,
    pid: child.pid,
    isGateway: false,
    dropsStreams: true,
    instancesPid: child.pid,
    setUp: null,
    unload: null,
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

/** Milliseconds from its start to a good `/health`. Ends the child where that never comes. */
export async function untilHealthy(child: Child, url: string): Promise<number> {
  try {
    await waitUntil(() => isHealthy(child, url), {
      timeoutMs: START_TIMEOUT_MS,
      everyMs: 2,
      what: `${url}/health`,
    });
  } catch (error) {
    await child[Symbol.asyncDispose]();
    throw error;
  }
  return performance.now() - child.startedAt;
}

async function isHealthy(child: Child, url: string): Promise<boolean> {
  if (child.ended) throw child.failure("start");
  try {
    return (await ask(`${url}/health`, { timeoutMs: 2000 })).status === 200;
  } catch (error) {
    // Nobody listens yet, or not for long enough to answer.
    if (error instanceof Error && /ECONN|refused|reset|closed|hang up/i.test(`${error}`)) {
      return false;
    }
    throw error;
  }
}
