import assert from "node:assert/strict";
import type { RequestRow, ServerEvent } from "../src/api_types.ts";
import { AppError } from "../src/errors.ts";
import { type RequestAudience, Requests, tokensOf } from "../src/gateway/requests.ts";

function audience(hasListeners = false): RequestAudience & { rows: RequestRow[] } {
  const rows: RequestRow[] = [];
  return {
    hasListeners,
    rows,
    emit(event: ServerEvent) {
      if (event.type === "request") rows.push(event.data);
    },
  };
}

function start(requests: Requests, abort = new AbortController()) {
  return requests.begin({ model: "hello", route: "POST /generate", stream: false, abort });
}

Deno.test("list() shows a request from its arrival to its end, and no texts", () => {
  const requests = new Requests(audience());
  const record = start(requests);
  assert.equal(requests.list()[0]?.state, "queued");
  record.queued();
  record.answering();
  assert.equal(requests.list()[0]?.state, "answering");
  record.firstByte();
  record.end(200, { promptTokens: 7, completionTokens: 3, tokensPerSecond: null });
  const [row] = requests.list();
  assert.equal(row?.state, "done");
  assert.equal(row?.status, 200);
  assert.equal(row?.model, "hello");
  assert.equal(row?.prompt_tokens, 7);
  assert.equal(row?.completion_tokens, 3);
  assert.equal(row?.error, null);
  const { wait_ms, first_byte_ms, total_ms } = row!;
  assert.ok(wait_ms! >= 0 && wait_ms! <= first_byte_ms! && first_byte_ms! <= total_ms!);
  assert.ok(Math.abs(Date.parse(row!.started_at) - Date.now()) < 60_000);
});

Deno.test("list() keeps the running ones and the last 200, the latest first", () => {
  const requests = new Requests(audience());
  const running = start(requests);
  const ids = Array.from({ length: 450 }, () => {
    const record = start(requests);
    record.end(200);
    return record.id;
  });
  const rows = requests.list();
  assert.equal(rows.length, 201);
  assert.equal(rows[0]?.id, running.id);
  assert.deepEqual(rows.slice(1).map((row) => row.id), ids.slice(-200).reverse());
  assert.equal(requests.runningCount, 1);
});

Deno.test("cancel() aborts the request that has this ID, and says whether there is one", () => {
  const requests = new Requests(audience());
  const abort = new AbortController();
  const other = new AbortController();
  const record = start(requests, abort);
  start(requests, other);
  assert.equal(requests.cancel("nothing"), false);
  assert.equal(requests.cancel(record.id), true);
  assert.ok(abort.signal.aborted && abort.signal.reason instanceof AppError);
  assert.equal(abort.signal.reason.code, "cancelled");
  assert.ok(!other.signal.aborted);
  assert.equal(requests.list().find(({ id }) => id === record.id)?.state, "cancelled");
  record.fail(abort.signal.reason);
  assert.equal(requests.list().at(-1)?.state, "cancelled");
  assert.equal(requests.cancel(record.id), false);
});

Deno.test("an end comes once: what is told after it changes nothing", () => {
  const requests = new Requests(audience());
  const record = start(requests);
  record.end(200);
  record.fail(new Error("late"));
  record.answering();
  const [row] = requests.list();
  assert.equal(row?.state, "done");
  assert.equal(row?.error, null);
  assert.equal(requests.list().length, 1);
});

Deno.test("fail() shows the error, its status, and a client that left as cancelled", () => {
  const requests = new Requests(audience());
  start(requests).fail(new AppError("load_failed", "Cannot load"));
  start(requests).fail(new AppError("cancelled", "The client left"));
  start(requests).end(400);
  const [bad, left, failed] = requests.list();
  assert.deepEqual([failed?.state, failed?.status, failed?.error], ["failed", 502, "Cannot load"]);
  assert.equal(left?.state, "cancelled");
  assert.deepEqual([bad?.state, bad?.status], ["failed", 400]);
});

Deno.test("rows go out only while somebody watches", () => {
  const nobody = audience();
  const quiet = start(new Requests(nobody));
  quiet.queued();
  quiet.end(200);
  assert.deepEqual(nobody.rows, []);
  const somebody = audience(true);
  const record = start(new Requests(somebody));
  record.queued();
  record.answering();
  record.end(200);
  assert.deepEqual(somebody.rows.map(({ state }) => state), ["queued", "answering", "done"]);
});

Deno.test("IDs of two starts differ", () => {
  assert.notEqual(start(new Requests(audience())).id, start(new Requests(audience())).id);
});

Deno.test("tokensOf() reads the counts of each shape of answer", () => {
  const table: [tail: string, prompt: number | null, completion: number | null][] = [
    ['{"usage":{"completion_tokens":3,"prompt_tokens":7,"total_tokens":10}}', 7, 3],
    ['{"usage": {"completion_tokens": 3, "prompt_tokens": 7}}', 7, 3],
    [
      '{"usage":{"prompt_tokens":7,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":5}}}',
      7,
      3,
    ],
    [
      'data: {"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":34}}\n\ndata: [DONE]\n\n',
      12,
      34,
    ],
    ['{"tokens_predicted":9,"tokens_evaluated":4,"timings":{"prompt_n":1,"predicted_n":9}}', 4, 9],
    ['{"timings":{"cache_n":6,"prompt_n":2,"predicted_n":5,"predicted_ms":1.5}}', 8, 5],
    ['{"object":"list","usage":{"prompt_tokens":4,"total_tokens":4}}', 4, null],
    ['{"content":"\\"completion_tokens\\":99, \\"prompt_tokens\\":99"}', null, null],
    ['{"usage":{"completion_tokens":3,"prompt_tokens":7', null, 3],
    ['{"usage":{"prompt_tokens":null,"completion_tokens":"3"}}', null, null],
    ["", null, null],
  ];
  for (const [tail, promptTokens, completionTokens] of table) {
    const wanted = { promptTokens, completionTokens, tokensPerSecond: null };
    assert.deepEqual(tokensOf(tail), wanted, tail);
    assert.deepEqual(tokensOf(new TextEncoder().encode(tail)), wanted, tail);
    assert.deepEqual(tokensOf(new TextEncoder().encode("é".repeat(5_000) + tail)), wanted, tail);
  }
});

Deno.test("tokensOf() reads the speed of answers that are long enough to tell", () => {
  const table: [tail: string, tokensPerSecond: number | null][] = [
    ['{"timings":{"predicted_n":32,"predicted_per_second":41.25}}', 41.25],
    ['{"timings": {"predicted_n": 32, "predicted_per_second": 41}}', 41],
    ['{"usage":{"completion_tokens":99},"timings":{"predicted_per_second":7.5,"x":1}}', 7.5],
    ['{"timings":{"predicted_n":31,"predicted_per_second":41.25}}', null],
    ['{"timings":{"predicted_n":32,"predicted_per_second":null}}', null],
    ['{"timings":{"predicted_n":32,"predicted_per_second":41.2', null],
    ['{"content":"\\"predicted_per_second\\":1000.0","usage":{"completion_tokens":99}}', null],
    ['{"usage":{"prompt_tokens":7,"completion_tokens":99}}', null],
  ];
  for (const [tail, wanted] of table) {
    assert.equal(tokensOf(tail).tokensPerSecond, wanted, tail);
  }
});
