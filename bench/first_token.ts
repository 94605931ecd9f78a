// How long one dialect takes to the first word of a streamed answer, on a connection of its own.

import { request } from "node:http";
import { chatBody } from "./chat.ts";
import type { BenchModel } from "./models.ts";

export interface Dialect {
  readonly name: string;
  readonly path: string;
}

/** The same chat asked in each of them. */
export const DIALECTS: readonly Dialect[] = [
  { name: "openai", path: "/v1/chat/completions" },
  { name: "ollama", path: "/api/chat" },
];

/** Measurements of each dialect in a whole run. */
export const FIRST_TOKENS = 200;

const ANSWER_TIMEOUT_MS = 60_000;

/** Milliseconds from the request's first byte; the answer is read to its end. Throws on a wrong one. */
export function firstTokenMs(url: string, dialect: Dialect, model: BenchModel): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const body = chatBody(model.name, true);
  const word = `"content":${JSON.stringify(model.sentence.slice(0, 3)).slice(0, -1)}`;
  const startedAt = performance.now();
  const sent = request(url + dialect.path, {
    method: "POST",
    agent: false,
    headers: {
      connection: "close",
      "content-type": "application/json",
      "content-length": body.length,
    },
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  }, (response) => {
    let text = "";
    let tookMs: number | null = null;
    response.setEncoding("utf8");
    response.on("data", (chunk: string) => {
      text += chunk;
      if (tookMs === null && text.includes(word)) tookMs = performance.now() - startedAt;
    });
    response.on("error", reject);
    response.on("end", () => {
      if (tookMs !== null && response.statusCode === 200) return resolve(tookMs);
      const start = text.slice(0, 500);
      reject(new Error(`Wrong answer at ${dialect.path}: ${response.statusCode} ${start}`));
    });
  });
  sent.on("error", reject);
  sent.end(body);
  return promise;
}
