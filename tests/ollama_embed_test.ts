// /api/embed and /api/embeddings, field by field.

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { join } from "node:path";
import { writeTestModel } from "../src/models/hello_model.ts";
import { rowOf } from "./support/chat.ts";
import { EMBEDDING_MODEL } from "./support/gguf_files.ts";
import { askOllama, askWell, checkTable } from "./support/ollama_api.ts";
import { type ServerProcess, startServer } from "./support/server_process.ts";

const NEW = "POST /api/embed";
const OLD = "POST /api/embeddings";
const CONTEXT = 512;

function served(): Promise<ServerProcess> {
  return startServer({
    prepare: (home) =>
      writeTestModel(join(home, "embedding.gguf"), { ...EMBEDDING_MODEL, contextLength: CONTEXT }),
  });
}

async function wrong(
  server: ServerProcess,
  { route, fields }: { route: string; fields: Record<string, unknown> },
): Promise<void> {
  const { status, last } = await askOllama(server, route, {
    model: "embedding",
    input: "hi",
    prompt: "hi",
    ...fields,
  });
  deepEqual([status, typeof last.error], [400, "string"], JSON.stringify([fields, last]));
}

Deno.test("/api/embed has every field of Ollama's, each with its type and meaning", async () => {
  await using server = await served();
  const embed = async (fields: Record<string, unknown>) =>
    (await askWell(server, NEW, { model: "embedding", input: "hi", ...fields })).last;
  const refuse = async (...all: Record<string, unknown>[]) => {
    for (const fields of all) await wrong(server, { route: NEW, fields });
  };
  const first = await embed({ input: ["hi", "abc"] });
  await checkTable(NEW, {
    "> model": async () => {
      equal((await embed({ model: "embedding:latest" })).model, "embedding:latest");
      equal((await askOllama(server, NEW, { model: "nobody", input: "hi" })).status, 404);
      await refuse({ model: 7 });
    },
    "> input": async () => {
      deepEqual((await embed({ input: "hi" })).embeddings, [first.embeddings[0]]);
      for (const input of ["", [], null]) deepEqual((await embed({ input })).embeddings, []);
      await refuse({ input: 7 }, { input: [7] }, { input: {} });
    },
    "> truncate": async () => {
      const long = "abc ".repeat(CONTEXT);
      const cut = await embed({ input: [long, "hi"] });
      equal(cut.prompt_eval_count, CONTEXT + 3);
      deepEqual(cut.embeddings[1], first.embeddings[0]);
      const refused = await askOllama(server, NEW, {
        model: "embedding",
        input: long,
        truncate: false,
      });
      equal(refused.status, 400);
      match(refused.last.error, /3073 tokens.*512/);
      await refuse({ truncate: "yes" });
    },
    "> dimensions": async () => {
      const [whole] = first.embeddings;
      const [short] = (await embed({ dimensions: 10 })).embeddings;
      equal(short.length, 10);
      ok(Math.abs(Math.hypot(...short) - 1) < 1e-6);
      ok(Math.abs(short[0] / short[9] - whole[0] / whole[9]) < 1e-6, "the first ones");
      equal((await embed({ dimensions: 9_999 })).embeddings[0].length, whole.length);
      await refuse({ dimensions: 0 }, { dimensions: "10" });
    },
    "> keep_alive": async () => {
      await embed({ keep_alive: "7m" });
      equal((await rowOf(server, "embedding")).keep_alive_ms, 420_000);
      await refuse({ keep_alive: "soon" });
    },
    "> options": async () => {
      await embed({ options: { num_ctx: 256 } });
      const { models } = (await askWell(server, "GET /api/ps")).last;
      equal(models[0].context_length, 256);
      await refuse({ options: 7 }, { options: { num_ctx: "x" } });
    },
    "< model": () => equal(first.model, "embedding"),
    "< embeddings": () => {
      equal(first.embeddings.length, 2);
      for (const vector of first.embeddings) {
        equal(vector.length, 64);
        ok(vector.every((value: unknown) => typeof value === "number"));
        ok(Math.abs(Math.hypot(...vector) - 1) < 1e-5, "of length 1");
      }
      ok(
        first.embeddings[0].some((value: number, at: number) => value !== first.embeddings[1][at]),
      );
    },
    "< total_duration": () => ok(Number.isSafeInteger(first.total_duration)),
    "< load_duration": () => {
      ok(Number.isSafeInteger(first.load_duration) && first.load_duration > 1e7);
      ok(first.load_duration < first.total_duration);
    },
    "< prompt_eval_count": () => equal(first.prompt_eval_count, 7),
  });
});

Deno.test("/api/embeddings has every field of Ollama's, each with its type and meaning", async () => {
  await using server = await served();
  const embed = async (fields: Record<string, unknown>) =>
    (await askWell(server, OLD, { model: "embedding", prompt: "hi", ...fields })).last;
  const refuse = async (...all: Record<string, unknown>[]) => {
    for (const fields of all) await wrong(server, { route: OLD, fields });
  };
  const { embedding } = await embed({});
  await checkTable(OLD, {
    "> model": async () => {
      equal((await askOllama(server, OLD, { model: "nobody", prompt: "hi" })).status, 404);
      await refuse({ model: 7 });
    },
    "> prompt": async () => {
      for (const prompt of ["", null]) deepEqual(await embed({ prompt }), { embedding: [] });
      await refuse({ prompt: 7 }, { prompt: ["hi"] });
    },
    "> keep_alive": async () => {
      await embed({ keep_alive: 90 });
      equal((await rowOf(server, "embedding")).keep_alive_ms, 90_000);
    },
    "> options": () => refuse({ options: 7 }),
    "< embedding": async () => {
      ok(embedding.every((value: unknown) => typeof value === "number"));
      ok(Math.hypot(...embedding) > 2, "of any length, as the model gives it");
      const [normal] = (await askWell(server, NEW, { model: "embedding", input: "hi" })).last
        .embeddings;
      const length = Math.hypot(...embedding);
      ok(
        embedding.every((value: number, at: number) =>
          Math.abs(value / length - normal[at]) < 1e-5
        ),
      );
    },
  });
});

Deno.test("/api/embed of a model that chats: an instance for it beside the other", async () => {
  await using server = await served();
  const chat = { model: "hello", messages: [{ role: "user", content: "hi" }], stream: false };
  const said = (await askWell(server, "POST /api/chat", chat)).last.message.content;
  const { embeddings } = (await askWell(server, NEW, { model: "hello", input: "hi" })).last;
  equal(embeddings[0].length, 64);
  equal((await askWell(server, "POST /api/chat", chat)).last.message.content, said);
});
