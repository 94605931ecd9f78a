// Every route of Ollama's API with every field of its requests and answers, as its sources have them
// (release 0.30); and how a test asks for one. Each field needs a row in a table: `checkTable()`.

import { deepEqual, equal } from "node:assert/strict";
import type { ServerProcess } from "./server_process.ts";

/** `>` what a client sends, `<` what it gets. */
export const OLLAMA_API: Readonly<Record<string, { ">": string; "<": string }>> = {
  "POST /api/generate": {
    ">":
      "model prompt suffix system template context stream raw format keep_alive images options " +
      "think truncate shift logprobs top_logprobs _debug_render_only",
    "<": "model created_at response thinking done logprobs done_reason context total_duration " +
      "load_duration prompt_eval_count prompt_eval_duration eval_count eval_duration",
  },
  "POST /api/chat": {
    ">": "model messages messages.role messages.content messages.thinking messages.images " +
      "messages.tool_calls messages.tool_calls.id messages.tool_calls.function.name " +
      "messages.tool_calls.function.arguments messages.tool_name messages.tool_call_id tools " +
      "stream format keep_alive options think truncate shift logprobs top_logprobs " +
      "_debug_render_only",
    "<": "model created_at message.role message.content message.thinking message.tool_calls.id " +
      "message.tool_calls.function.index message.tool_calls.function.name " +
      "message.tool_calls.function.arguments done logprobs done_reason total_duration " +
      "load_duration prompt_eval_count prompt_eval_duration eval_count eval_duration",
  },
  "POST /api/embed": {
    ">": "model input truncate dimensions keep_alive options",
    "<": "model embeddings total_duration load_duration prompt_eval_count",
  },
  "POST /api/embeddings": { ">": "model prompt keep_alive options", "<": "embedding" },
  "GET /api/tags": {
    ">": "",
    "<": "models.name models.model models.modified_at models.size models.digest " +
      "models.details.parent_model models.details.format models.details.family " +
      "models.details.families models.details.parameter_size models.details.quantization_level " +
      "models.details.context_length models.details.embedding_length models.capabilities",
  },
  "GET /api/ps": {
    ">": "",
    "<": "models.name models.model models.size models.digest models.details models.expires_at " +
      "models.size_vram models.context_length",
  },
  "POST /api/show": {
    ">": "model name verbose system options",
    "<": "license modelfile parameters template system details model_info projector_info " +
      "capabilities modified_at tensors",
  },
  "POST /api/pull": {
    ">": "model name stream insecure",
    "<": "status digest total completed",
  },
  "POST /api/push": { ">": "model stream", "<": "error" },
  "POST /api/create": {
    ">":
      "model name from files adapters template license system parameters messages quantize stream",
    "<": "status",
  },
  "HEAD /api/blobs/:digest": { ">": "digest", "<": "" },
  "POST /api/blobs/:digest": { ">": "digest body", "<": "" },
  "POST /api/copy": { ">": "source destination", "<": "" },
  "DELETE /api/delete": { ">": "model name", "<": "" },
  "GET /api/version": { ">": "", "<": "version" },
  "POST /api/me": { ">": "", "<": "error" },
  "POST /api/signout": { ">": "", "<": "error" },
  "GET /api/status": { ">": "", "<": "error" },
};

/** Load-time ones first. */
export const OLLAMA_OPTIONS =
  ("num_ctx num_batch num_gpu num_thread main_gpu use_mmap draft_num_predict " +
    "num_keep seed num_predict top_k top_p min_p typical_p repeat_last_n temperature " +
    "repeat_penalty presence_penalty frequency_penalty stop").split(" ");

export type Check = () => Promise<void> | void;

/** A check for each field, by its name behind `>` or `<`. */
export type Table = Readonly<Record<string, Check>>;

/** Fails where a field of the route has no check, or a check no field; then makes each check. */
export async function checkTable(route: string, table: Table): Promise<number> {
  const api = OLLAMA_API[route]!;
  const names = ([">", "<"] as const).flatMap((way) =>
    api[way].split(" ").filter((name) => name !== "").map((name) => `${way} ${name}`)
  );
  deepEqual(Object.keys(table).sort(), names.sort(), `the fields of ${route}`);
  for (const [name, check] of Object.entries(table)) {
    try {
      await check();
    } catch (error) {
      throw new Error(`${route} ${name}: ${error instanceof Error ? error.message : error}`, {
        cause: error,
      });
    }
  }
  return names.length;
}

// deno-lint-ignore no-explicit-any -- answers are read by checks that assert on each field
export type Json = any;

export interface ApiAnswer {
  status: number;
  type: string;
  /** Each line, or the one object. */
  lines: Json[];
  /** The last of them. */
  last: Json;
}

/** Asks as a client does; throws for bodies that are not JSON, one object to a line. */
export async function askOllama(
  server: Pick<ServerProcess, "fetch">,
  route: string,
  body?: unknown,
): Promise<ApiAnswer> {
  const [method, path] = route.split(" ") as [string, string];
  const answer = await server.fetch(path, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  const lines = text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
  return {
    status: answer.status,
    type: answer.headers.get("content-type") ?? "",
    lines,
    last: lines.at(-1),
  };
}

/** The same for what must succeed. */
export async function askWell(
  server: Pick<ServerProcess, "fetch">,
  route: string,
  body?: unknown,
): Promise<ApiAnswer> {
  const answer = await askOllama(server, route, body);
  equal(answer.status, 200, JSON.stringify(answer.lines));
  return answer;
}
