// GET /metrics of the whole program: what happened is counted, and Prometheus' own check has no word
// against it.

import { deepEqual, equal, ok } from "node:assert/strict";
import { ENDLESS_MODEL } from "./support/gguf_files.ts";
import { join } from "node:path";
import { writeTestModel } from "../src/models/hello_model.ts";
import { chat, post } from "./support/chat.ts";
import { promtoolCheck } from "./support/promtool.ts";
import { rawRequest } from "./support/raw_request.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";

/** Value by sample, as `name{labels}`. */
type Samples = ReadonlyMap<string, number>;

async function metricsOf(server: ServerProcess): Promise<{ text: string; samples: Samples }> {
  const answer = await server.fetch("/metrics");
  equal(answer.status, 200);
  equal(answer.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const text = await answer.text();
  const lines = text.trim().split("\n").filter((line) => !line.startsWith("#"));
  const samples = new Map(lines.map((line) => {
    const space = line.lastIndexOf(" ");
    return [line.slice(0, space), Number(line.slice(space + 1))];
  }));
  return { text, samples };
}

Deno.test("GET /metrics is clean for promtool, in an idle server and after it worked", async () => {
  await using server = await startServer({
    prepare: (home) => writeTestModel(join(home, 'a "quoted" name.gguf'), ENDLESS_MODEL),
  });
  equal(await promtoolCheck((await metricsOf(server)).text), "");
  const named = await chat(server, 'a "quoted" name', { max_tokens: 3 });
  equal(named.status, 200, named.error?.message);
  await chat(server, "hello");
  await chat(server, "nobody");
  const { text } = await metricsOf(server);
  equal(await promtoolCheck(text), "");
  ok(text.includes('{model="a \\"quoted\\" name"}'));
  // The check can fail.
  ok((await promtoolCheck("# TYPE a counter\na 1\n")).includes("_total"));
});

Deno.test("GET /metrics counts requests by route, model and status, refused ones too", async () => {
  await using server = await startServer();
  for (let time = 0; time < 3; time++) await chat(server, "hello");
  await chat(server, "hello", { stream: true }).catch(() => {});
  await chat(server, "nobody");
  const generated = await post(server, "/generate", { model_id: "hello", prompt: "hi" });
  const { port } = await generated.json();
  for (const path of ["/nowhere", "/else/where", "/admin/models/none", "/admin/models"]) {
    await (await server.fetch(path)).body?.cancel();
  }
  await rawRequest(server.port, "GET /v1/models HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  const door = await fetch(`http://127.0.0.1:${port}/props`);
  await door.body?.cancel();
  const samples = await until(async () => {
    const { samples } = await metricsOf(server);
    return samples.has(count("door", "hello", 200)) && samples;
  });
  const expected: [sample: string, value: number][] = [
    [count("/v1/chat/completions", "hello", 200), 4],
    [count("/v1/chat/completions", "", 404), 1],
    [count("/generate", "hello", 200), 1],
    [count("none", "", 404), 2],
    [count("/admin/models", "", 404), 1],
    [count("/admin/models", "", 200), 1],
    [count("/v1/models", "", 403), 1],
    [count("door", "hello", 200), 1],
    ['zombiecoder_request_duration_seconds_count{route="/v1/chat/completions"}', 5],
    ['zombiecoder_loads_total{model="hello",result="loaded"}', 1],
    ["zombiecoder_load_duration_seconds_count", 1],
    ['zombiecoder_queue_length{model="hello"}', 0],
    ['zombiecoder_requests_in_progress{model="hello"}', 0],
    ['zombiecoder_models{state="ready"}', 1],
  ];
  for (const [sample, value] of expected) equal(samples.get(sample), value, sample);
  // The stream without its usage and the door say nothing of tokens.
  const tokens = samples.get('zombiecoder_completion_tokens_total{model="hello"}')!;
  ok(tokens >= 4 * 25, String(tokens));
  for (
    const name of [
      'zombiecoder_model_memory_bytes{model="hello",memory="ram"}',
      "zombiecoder_memory_budget_bytes",
      "zombiecoder_memory_available_bytes",
      "process_resident_memory_bytes",
      "zombiecoder_uptime_seconds",
      'zombiecoder_time_to_first_byte_seconds_count{model="hello"}',
    ]
  ) {
    ok(samples.get(name)! > 0, name);
  }
});

Deno.test("a server that answers a thousand paths has the series of a few", async () => {
  await using server = await startServer();
  const before = (await metricsOf(server)).samples.size;
  for (let number = 0; number < 300; number++) {
    const paths = [`/x${number}`, `/v1/models/x${number}`, `/upstream/x${number}/props`];
    await Promise.all(paths.map(async (path) => await (await server.fetch(path)).body?.cancel()));
  }
  const { samples } = await metricsOf(server);
  // Three routes, each with a count and a histogram.
  ok(samples.size - before < 80, `${before} ${samples.size}`);
  deepEqual([...samples.keys()].filter((name) => /x\d/.test(name)), []);
});

function count(route: string, model: string, code: number): string {
  return `zombiecoder_requests_total{route="${route}",model="${model}",code="${code}"}`;
}
