// Ollama's options that belong to the load of a model: another value loads it again, the same one or
// none does not.

import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { join } from "node:path";
import { HELLO_SENTENCE, writeTestModel } from "../src/models/hello_model.ts";
import { suits } from "../src/orchestrator/load_wishes.ts";
import { rowOf } from "./support/chat.ts";
import { ENDLESS_MODEL } from "./support/gguf_files.ts";
import { askOllama, askWell } from "./support/ollama_api.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";

const ROUTE = "POST /api/generate";

Deno.test("suits() compares what a request names with how the model was loaded, or asked to be", () => {
  const placement = { contextTokens: 4096, batchTokens: 512, gpuLayers: 0, threads: 2 };
  const loaded = { placement, asked: { gpuLayers: 99 } };
  equal(suits({}, loaded), true);
  equal(suits({ contextTokens: 4096, threads: 2 }, loaded), true);
  equal(suits({ contextTokens: 4097 }, loaded), false);
  equal(suits({ contextTokens: 4096, threads: 1 }, loaded), false);
  // It has no more layers than it got: asking for as many again changes nothing.
  equal(suits({ gpuLayers: 99 }, loaded), true);
  equal(suits({ contextTokens: 4096 }, { placement: null, asked: {} }), false);
});

Deno.test("load-time options load the model again where they differ from how it runs", async () => {
  await using server = await startServer();
  const ask = async (options?: Record<string, unknown>) => {
    const { last } = await askWell(server, ROUTE, {
      model: "hello",
      prompt: "hi",
      stream: false,
      ...(options !== undefined && { options }),
    });
    equal(last.response, HELLO_SENTENCE);
    return (await rowOf(server, "hello")).pid!;
  };
  const first = await ask();
  equal(await contextOf(server), 8192);
  equal(await ask({ num_ctx: 8192 }), first, "as it is loaded");
  const small = await ask({ num_ctx: 2048 });
  notEqual(small, first);
  equal(await contextOf(server), 2048);
  equal(await ask({ num_ctx: 2048 }), small);
  equal(await ask(), small, "who names nothing takes it as it is");
  const threads = await ask({ num_thread: 1, num_batch: 96 });
  notEqual(threads, small);
  const command = await commandOf(threads);
  match(command, / -c 2048 /, "what was not named again stays");
  match(command, / -t 1 /);
  match(command, / -b 96 /);
  equal(await ask({ num_thread: 1, num_batch: 96, num_ctx: 2048 }), threads);
  notEqual(await ask({ num_gpu: 0, num_ctx: 1024 }), threads);
  equal(await contextOf(server), 1024);
  // Once it has left memory, the model's settings hold again.
  await askWell(server, ROUTE, { model: "hello", keep_alive: 0 });
  await ask();
  equal(await contextOf(server), 8192);
});

Deno.test("requests that want another load wait for the answers in progress, and all are answered", async () => {
  await using server = await startServer({
    prepare: (home) => writeTestModel(join(home, "endless.gguf"), ENDLESS_MODEL),
  });
  const sizes = [1024, 2048, 1024, 4096, 2048, 1024];
  const answers = await Promise.all(sizes.map((num_ctx) =>
    askWell(server, ROUTE, {
      model: "endless",
      prompt: "hi",
      stream: false,
      options: { num_ctx, num_predict: 50 },
    })
  ));
  for (const { last } of answers) deepEqual([last.eval_count, last.done_reason], [50, "length"]);
  await until(async () => (await rowOf(server, "endless")).leases === 0);
});

Deno.test("a load that cannot be is refused to who asked for it, and to nobody after", async () => {
  await using server = await startServer({ flags: ["--memory-budget", "300MB"] });
  const asked = { model: "hello", prompt: "hi", stream: false };
  const { status, last } = await askOllama(server, ROUTE, {
    ...asked,
    options: { num_ctx: 2 ** 24 },
  });
  equal(status, 507);
  match(last.error, /needs .* memory budget/);
  equal((await askWell(server, ROUTE, asked)).last.response, HELLO_SENTENCE);
  equal(await contextOf(server), 8192);
  for (const options of [{ num_ctx: 0 }, { num_ctx: "4k" }, { num_thread: -1 }, { num_batch: 0 }]) {
    const { status, last } = await askOllama(server, ROUTE, { ...asked, options });
    deepEqual([status, typeof last.error], [400, "string"], JSON.stringify(options));
  }
});

Deno.test("an empty request loads the model as its options say", async () => {
  await using server = await startServer();
  await askWell(server, "POST /api/chat", { model: "hello", options: { num_ctx: 512 } });
  equal(await contextOf(server), 512);
  ok((await rowOf(server, "hello")).state === "ready");
});

async function contextOf(server: ServerProcess): Promise<number> {
  const { models } = (await askWell(server, "GET /api/ps")).last;
  return models[0].context_length;
}

async function commandOf(pid: number): Promise<string> {
  return (await Deno.readTextFile(`/proc/${pid}/cmdline`)).replaceAll("\0", " ");
}
