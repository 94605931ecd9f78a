// One question to a server, on a connection of its own, timed from its first byte to the answer's last.

import { request } from "node:http";
import type { BenchModel } from "./models.ts";

const ANSWER_TIMEOUT_MS = 60_000;

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly tookMs: number;
}

export interface Question {
  readonly method?: "GET" | "POST" | "PUT";
  readonly json?: unknown;
  readonly timeoutMs?: number;
}

/** Throws what the connection throws, and after the timeout. `node:http` knows no proxy. */
export function ask(url: string, question: Question = {}): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const body = question.json === undefined ? "" : JSON.stringify(question.json);
  const startedAt = performance.now();
  const sent = request(url, {
    method: question.method ?? "GET",
    agent: false,
    headers: body === ""
      ? { connection: "close" }
      : { connection: "close", "content-type": "application/json", "content-length": body.length },
    signal: AbortSignal.timeout(question.timeoutMs ?? ANSWER_TIMEOUT_MS),
  }, (response) => {
    let text = "";
    response.setEncoding("utf8");
    response.on("data", (chunk: string) => text += chunk);
    response.on("error", reject);
    response.on("end", () => {
      const tookMs = performance.now() - startedAt;
      resolve({ status: response.statusCode ?? 0, body: text, tookMs });
    });
  });
  sent.on("error", reject);
  sent.end(body);
  return promise;
}

/** Asks a model and checks what it says. Throws an Error on a wrong answer. */
export async function askModel(url: string, model: BenchModel): Promise<number> {
  const json = JSON.parse(chatBody(model.name, false));
  const answer = await ask(`${url}/v1/chat/completions`, { method: "POST", json });
  if (answer.status !== 200 || !answer.body.includes(model.sentence)) {
    throw new Error(
      `Wrong answer of "${model.name}" at ${url}: ${answer.status} ${answer.body.slice(0, 500)}`,
    );
  }
  return answer.tookMs;
}

export function chatBody(model: string, stream: boolean): string {
  return JSON.stringify({ model, stream, messages: [{ role: "user", content: "hi" }] });
}
