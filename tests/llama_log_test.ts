import assert from "node:assert/strict";
import fc from "fast-check";
import { KEPT_LINES, LlamaLog } from "../src/runtime/llama_log.ts";
import { parseLlamaLine } from "../src/runtime/llama_log_line.ts";
import { fixtureLines } from "./support/llama_log_fixture.ts";

const MIB = 1024 ** 2;

function logOf(lines: readonly string[]): LlamaLog {
  const log = new LlamaLog();
  for (const line of lines) log.take(line);
  return log;
}

Deno.test("LlamaLog follows a good start to ready", async () => {
  const log = new LlamaLog();
  assert.equal(log.state, "loading");
  assert.equal(log.progress, null);
  const seen: (number | null)[] = [];
  for (const line of await fixtureLines("good_start")) {
    log.take(line);
    if (seen.at(-1) !== log.progress) seen.push(log.progress);
  }
  assert.equal(log.state, "ready");
  assert.deepEqual(seen, [null, 0, 1]);
  assert.equal(log.address, "unix:///run/instances/00.sock");
  assert.equal(log.memoryBytes, null);
  assert.equal(log.lastError, null);
});

Deno.test("LlamaLog knows how far a larger model is", async () => {
  const seen: number[] = [];
  const log = new LlamaLog();
  for (const line of await fixtureLines("kv_too_large")) {
    log.take(line);
    if (log.progress !== null && seen.at(-1) !== log.progress) seen.push(log.progress);
  }
  assert.deepEqual(seen, [0, 0.5887057185173035, 0.8623422980308533, 1]);
  assert.equal(log.state, "loading");
});

Deno.test("LlamaLog sums the buffers that log level 4 prints", async () => {
  const log = logOf(await fixtureLines("good_start_level_4"));
  const expected = (0.24 + 0.12 + 1.39) * MIB;
  assert.ok(Math.abs(log.memoryBytes! - expected) <= 4, `${log.memoryBytes}`);
  assert.deepEqual([...log.memoryByDevice.keys()], ["CPU_Mapped", "CPU"]);
});

Deno.test("LlamaLog counts repacked weights beside the pieces of the file that stay", async () => {
  const log = logOf(await fixtureLines("repacked_start_level_4"));
  assert.equal(log.memoryByDevice.get("CPU_REPACK"), Math.round(330.75 * MIB));
  // 24 norm tensors of 0.01 MiB and the rest: one line for each piece of the file.
  assert.ok(Math.abs(log.memoryByDevice.get("CPU_Mapped")! - 4.37 * MIB) < 0.01 * MIB);
  assert.ok(log.memoryByDevice.get("CPU")! > 96 * MIB);
});

Deno.test("LlamaLog gives no memory before the work space is known", () => {
  const log = logOf(["load_tensors:   CPU_Mapped model buffer size =   100.00 MiB"]);
  assert.equal(log.memoryBytes, null);
  log.take("llama_kv_cache:        CPU KV buffer size =     50.00 MiB");
  assert.equal(log.memoryBytes, null);
  log.take("sched_reserve:        CPU compute buffer size =     2.00 MiB");
  assert.equal(log.memoryBytes, 152 * MIB);
});

Deno.test("LlamaLog sums several caches of a device and forgets what a probe printed", () => {
  const log = logOf([
    "load_tensors:        CUDA0 model buffer size =  9999.00 MiB",
    "common_fit_params: fitting params to free memory took 0.10 seconds",
    "load_tensors:        CUDA0 model buffer size =  4403.49 MiB",
    "load_tensors:   CPU_Mapped model buffer size =   281.81 MiB",
    "llama_kv_cache:      CUDA0 KV buffer size =   160.00 MiB",
    "llama_kv_cache:      CUDA0 KV buffer size =   174.00 MiB",
    "llama_memory_recurrent:      CUDA0 RS buffer size =    75.38 MiB",
    "sched_reserve:      CUDA0 compute buffer size =   258.50 MiB",
    "sched_reserve:  CUDA_Host compute buffer size =     9.01 MiB",
    "llama_context:  CUDA_Host  output buffer size =     0.49 MiB",
  ]);
  const expected = 4403.49 + 281.81 + 160 + 174 + 75.38 + 258.5 + 9.01 + 0.49;
  assert.ok(Math.abs(log.memoryBytes! - expected * MIB) < 10);
});

Deno.test("LlamaLog tells what is on GPUs from what their drivers keep of the RAM", () => {
  const log = logOf([
    "load_tensors:   CPU_Mapped model buffer size =   281.81 MiB",
    "load_tensors:        CUDA0 model buffer size =  4403.49 MiB",
    "load_tensors:          AMX model buffer size =    10.00 MiB",
    "llama_kv_cache:      CUDA0 KV buffer size =   512.00 MiB",
    "llama_context:  CUDA_Host  output buffer size =     0.49 MiB",
    "sched_reserve:      CUDA0 compute buffer size =   258.50 MiB",
    "sched_reserve:  CUDA_Host compute buffer size =     9.01 MiB",
  ]);
  assert.ok(Math.abs(log.gpuBytes - (4403.49 + 512 + 258.5) * MIB) < 10);
  assert.ok(Math.abs(log.memoryBytes! - log.gpuBytes - (281.81 + 10 + 9.5) * MIB) < 10);
});

Deno.test("LlamaLog keeps the last 50 lines, oldest first, each of 500 characters at most", () => {
  const log = logOf(Array.from({ length: 120 }, (_, index) => `line ${index} ${"x".repeat(600)}`));
  assert.equal(log.lastLines.length, KEPT_LINES);
  assert.match(log.lastLines[0]!, /^line 70 /);
  assert.match(log.lastLines.at(-1)!, /^line 119 /);
  assert.ok(log.lastLines.every((line) => line.length === 500));
  assert.deepEqual(logOf(["a", "", "b"]).lastLines, ["a", "b"]);
});

Deno.test("LlamaLog strips colours and control characters", () => {
  const log = logOf(["\x1b[31mred\x1b[0m\x07 \u009b2Jtext\u2028end\ttab\r"]);
  assert.deepEqual(log.lastLines, ["red 2Jtextend\ttab"]);
});

Deno.test("LlamaLog keeps no text of a request once it is ready", async () => {
  const log = logOf((await fixtureLines("good_start")).filter((line) => !line.includes("exit")));
  const seen: string[] = [];
  log.follow((line) => seen.push(line));
  const before = log.lastLines.length;
  // What it really printed for a request with a grammar that is wrong.
  log.take("parse: error parsing grammar: Undefined rule identifier 'secret'");
  log.take("root ::= secret");
  assert.deepEqual(seen, []);
  assert.equal(log.lastLines.length, before);
  log.take("0.01.000.000 I slot      release: id  0 | task 0 | stop processing: n_tokens = 36");
  log.take("/src/ggml.c:123: GGML_ASSERT(a->ne[0] == b->ne[0]) failed");
  assert.equal(seen.length, 2);
});

Deno.test("LlamaLog keeps of a refusal that there was one, not what was sent", () => {
  const log = new LlamaLog();
  const refusal =
    'got exception: {"error":{"code":500,"message":"Unsupported tool type: {\\"type\\":\\"secret\\"}"}}';
  log.take("0.00.1.000 W srv    operator(): " + refusal);
  // Nobody was served yet: it is why the load fails.
  assert.match(log.lastLines[0]!, /secret/);
  log.take('cmd_child_to_router:state:{"state":"ready","payload":{}}');
  log.take("0.00.2.000 W srv    operator(): " + refusal);
  log.take('0.00.3.000 E srv    parse: what is wrong is { "prompt": "secret" }');
  assert.deepEqual(log.lastLines.slice(-2), [
    "0.00.2.000 W srv    operator(): got exception: (what a request held is not kept)",
    "0.00.3.000 E srv    parse: what is wrong is (what a request held is not kept)",
  ]);
  assert.doesNotMatch(log.lastError!, /secret/);
});

Deno.test("LlamaLog is not made to load again by a line of its log", async () => {
  const log = logOf(await fixtureLines("good_start"));
  log.take('cmd_child_to_router:state:{"state":"loading","payload":{}}');
  assert.equal(log.state, "ready");
  assert.equal(log.progress, 1);
});

Deno.test("LlamaLog.follow() gives every line until it is ended", () => {
  const log = new LlamaLog();
  const seen: string[] = [];
  const end = log.follow((line) => seen.push(line));
  log.take("one");
  end();
  log.take("two");
  assert.deepEqual(seen, ["one"]);
});

Deno.test("LlamaLog remembers the last error's message", async () => {
  const log = logOf(await fixtureLines("unknown_architecture"));
  assert.equal(log.lastError, "llama_server: exiting due to model loading error".slice(14));
  const flag = logOf(await fixtureLines("unknown_flag"));
  assert.equal(flag.lastError, "error: invalid argument: --no-such-flag");
});

Deno.test("parseLlamaLine() counts each stage of a load the same", () => {
  const line = (payload: unknown) =>
    parseLlamaLine(`cmd_child_to_router:state:${JSON.stringify({ state: "loading", payload })}`);
  const stages = ["text_model", "mmproj_model"];
  assert.deepEqual(line({ stages, current: "mmproj_model", value: 0.5 }), {
    type: "state",
    state: "loading",
    progress: 0.75,
  });
  for (
    const odd of [
      {},
      null,
      { stages: [], current: "x", value: 0 },
      { stages, current: "other", value: 0 },
      { stages, current: "text_model", value: 7 },
      { stages, current: "text_model", value: "0" },
    ]
  ) {
    assert.deepEqual(line(odd), { type: "state", state: "loading", progress: null });
  }
});

Deno.test("parseLlamaLine() knows the state of a line that arrived cut", () => {
  const cut = 'cmd_child_to_router:state:{"state":"ready","payload":{"id":"hel';
  assert.deepEqual(parseLlamaLine(cut), { type: "state", state: "ready", progress: 1 });
  assert.equal(parseLlamaLine('cmd_child_to_router:state:{"state":"sleeping"}'), null);
  assert.equal(parseLlamaLine("cmd_child_to_router:state:"), null);
  assert.equal(parseLlamaLine("cmd_child_to_router:state:null"), null);
});

Deno.test("parseLlamaLine() reads the listening address of TCP and of a socket", () => {
  assert.deepEqual(
    parseLlamaLine("0.00.1 I srv  llama_server: listening on http://127.0.0.1:35659"),
    {
      type: "listening",
      address: "http://127.0.0.1:35659",
    },
  );
  const older = "main: server is listening on http://127.0.0.1:8080 - starting the main loop";
  assert.deepEqual(parseLlamaLine(older), { type: "listening", address: "http://127.0.0.1:8080" });
});

Deno.test("LlamaLog never throws and never grows, whatever is printed", () => {
  const piece = fc.oneof(
    fc.string({ maxLength: 2000 }),
    fc.json().map((json) => `cmd_child_to_router:state:${json}`),
    fc.constantFrom(
      "x: CPU model buffer size = 999999999999999999999.00 MiB",
      "x: CPU compute buffer size = 1.00 MiB",
      "0.0 E ",
    ),
  );
  fc.assert(fc.property(fc.array(piece, { maxLength: 80 }), (lines) => {
    const log = logOf(lines);
    assert.ok(log.lastLines.length <= KEPT_LINES);
    assert.ok(log.lastLines.every((line) => line.length <= 500));
    assert.ok(log.memoryBytes === null || Number.isSafeInteger(log.memoryBytes));
    assert.ok(log.progress === null || (log.progress >= 0 && log.progress <= 1));
  }));
});
