// Uses the Hub's client as the server does, in the scope that it is started with, and answers what
// came of each try.

/// <reference lib="deno.worker" />

import { AppError, messageOf } from "../../src/errors.ts";
import { createLog } from "../../src/log.ts";
import { Hub } from "../../src/models/hub.ts";

export interface HubScopeInput {
  endpoint: string;
  downloadHosts: string[];
  token: string | null;
  /** Fetched without the client. */
  others: string[];
}

async function outcome(attempt: () => Promise<unknown>): Promise<string> {
  try {
    return `done: ${await attempt()}`;
  } catch (error) {
    if (error instanceof AppError) return `${error.code} ${error.values["reason"] ?? ""}`.trim();
    return error instanceof Error ? error.name : messageOf(error);
  }
}

self.addEventListener("message", async ({ data }: MessageEvent<HubScopeInput>) => {
  const log = createLog({ part: "hub", level: "error", write() {} });
  const { endpoint, token, downloadHosts, others } = data;
  using hub = new Hub({ endpoint, token, downloadHosts, log, connectMs: 30_000 });
  const wanted = { repo: "org/m", commit: "main", path: "a.gguf" };
  const answers = [
    await outcome(async () => (await hub.search("m")).rows.length),
    await outcome(async () => (await hub.repo("org/m")).files.length),
    await outcome(async () => {
      const answer = await hub.open(await hub.resolve(wanted), { start: 5, end: 10 });
      return `${answer.status} ${(await answer.arrayBuffer()).byteLength}`;
    }),
  ];
  for (const url of others) {
    answers.push(await outcome(async () => await (await fetch(url)).text()));
  }
  self.postMessage(answers);
});
