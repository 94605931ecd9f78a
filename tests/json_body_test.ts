import assert from "node:assert/strict";
import fc from "fast-check";
import { AppError } from "../src/errors.ts";
import { renderError } from "../src/gateway/error_response.ts";
import { parseJson, readBody } from "../src/gateway/json_body.ts";
import { findJsonError } from "../src/gateway/json_error.ts";
import { failure } from "./support/failure.ts";
import { logEntries } from "./support/log_entries.ts";
import { rawRequest } from "./support/raw_request.ts";

const LIMIT = 1_000;

interface BodyServer extends AsyncDisposable {
  port: number;
  /** Ends with the handler of the latest request. */
  handled: PromiseWithResolvers<AppError | null>;
}

/** Answers the length of each body. */
function bodyServer(stallMs = 5_000): BodyServer {
  const { log } = logEntries();
  const handled = Promise.withResolvers<AppError | null>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    try {
      const bytes = await readBody(request, LIMIT, { stallMs });
      handled.resolve(null);
      return new Response(`${bytes.length} bytes`);
    } catch (error) {
      handled.resolve(error instanceof AppError ? error : null);
      return renderError(error, { dialect: "openai", log });
    }
  });
  return {
    port: server.addr.port,
    handled,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

const HEAD = "POST / HTTP/1.1\r\nHost: x\r\n";

function chunked(...chunks: string[]): string {
  return chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("");
}

async function answerOn(connection: Deno.Conn): Promise<string> {
  const answer = new Uint8Array(1_000);
  const length = await connection.read(answer);
  return new TextDecoder().decode(answer.subarray(0, length ?? 0));
}

/** Nothing runs on this thread meanwhile. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

Deno.test("readBody() reads what fits, in one piece, in chunks, and nothing", async () => {
  await using server = bodyServer();
  const table: [text: string, bytes: number][] = [
    [`${HEAD}Content-Length: 5\r\n\r\nhello`, 5],
    [`${HEAD}Content-Length: ${LIMIT}\r\n\r\n${"x".repeat(LIMIT)}`, LIMIT],
    [`${HEAD}Content-Length: 0\r\n\r\n`, 0],
    [`${HEAD}\r\n`, 0],
    [`${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunked("ab", "c", "def", "")}`, 6],
    [`${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunked("")}`, 0],
  ];
  for (const [text, bytes] of table) {
    const answer = await rawRequest(server.port, text);
    assert.equal(answer.body, `${bytes} bytes`, text.slice(0, 100));
  }
});

Deno.test("readBody() refuses an announced size at once, before any of it came", async () => {
  await using server = bodyServer();
  const answer = await rawRequest(server.port, `${HEAD}Content-Length: ${LIMIT + 1}\r\n\r\n`);
  assert.equal(answer.status, 413);
  const { error } = JSON.parse(answer.body);
  assert.equal(error.code, "body_too_large");
  assert.deepEqual(error.values, { limit_bytes: LIMIT });
});

Deno.test("readBody() counts a body of unknown size and stops at the limit", async () => {
  await using server = bodyServer();
  const chunks = chunked("x".repeat(600), "x".repeat(600));
  // No last chunk: the answer must not wait for it.
  const answer = await rawRequest(
    server.port,
    `${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunks}`,
  );
  assert.equal(answer.status, 413);
});

Deno.test("readBody() gives up a body that stalls, and not one that is slow", async () => {
  await using server = bodyServer(2_000);
  const stalled = await rawRequest(server.port, `${HEAD}Content-Length: 10\r\n\r\nhal`);
  assert.equal(stalled.status, 408);
  assert.equal(JSON.parse(stalled.body).error.code, "body_stalled");

  using slow = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await slow.write(new TextEncoder().encode(`${HEAD}Content-Length: 8\r\n\r\n`));
  for (let sent = 0; sent < 8; sent++) {
    // Together more than the allowed silence: the clock starts again with every byte.
    await new Promise((resolve) => setTimeout(resolve, 300));
    await slow.write(new TextEncoder().encode("x"));
  }
  assert.match(await answerOn(slow), /8 bytes/);
});

Deno.test("readBody() gives up no body because this process itself stood still", async () => {
  await using server = bodyServer(1_000);
  using client = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await client.write(new TextEncoder().encode(`${HEAD}Content-Length: 2\r\n\r\nx`));
  // It is being read.
  await new Promise((resolve) => setTimeout(resolve, 200));
  standStill(1_500);
  await client.write(new TextEncoder().encode("x"));
  assert.match(await answerOn(client), /2 bytes/);
});

Deno.test("readBody() says `cancelled` where the client leaves in the middle", async () => {
  await using server = bodyServer();
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await connection.write(new TextEncoder().encode(`${HEAD}Content-Length: 900\r\n\r\nhal`));
  connection.close();
  assert.equal((await server.handled.promise)?.code, "cancelled");
});

Deno.test("parseJson() takes an object, with or without a byte order mark", () => {
  const encoder = new TextEncoder();
  assert.deepEqual(parseJson(encoder.encode('{"a":"é"}')), { a: "é" });
  assert.deepEqual(parseJson(encoder.encode('\ufeff{"a":1}')), { a: 1 });
});

Deno.test("parseJson() says where the text stops being JSON, and never repeats it all", () => {
  const secret = "my secret prompt ".repeat(20);
  const table: [text: string, message: RegExp][] = [
    ["", /empty/],
    ["null", /it is null/],
    ["[1]", /an array/],
    ['"text"', /a string/],
    ["{", /ends too early at line 1, column 2$/],
    ['{"a":}', /unexpected "}" at line 1, column 6$/],
    ['{\n  "a": 1,\n  "b": tru\n}', /unexpected "tru\\n}" at line 3, column 8$/],
    ["{'a':1}", /unexpected "'a':1}" at line 1, column 2$/],
    ['{"a":1} x', /unexpected "x" at line 1, column 9$/],
    ['{"a":01}', /unexpected "1}" at line 1, column 7$/],
    [`{"prompt":"${secret}",}`, /column \d+$/],
    [`{"prompt":"${secret}\n"}`, /line 1, column 352$/],
  ];
  for (const [text, message] of table) {
    const error = failure(() => parseJson(new TextEncoder().encode(text)));
    assert.equal(error.code, "invalid_request");
    assert.match(error.message, message, text);
    assert.ok(error.message.length < 120, error.message);
    assert.ok(!error.message.includes("secret"), error.message);
  }
  const error = failure(() => parseJson(new Uint8Array([0x7b, 0xff, 0x7d])));
  assert.match(error.message, /UTF-8/);
});

Deno.test("findJsonError() and JSON.parse() agree on what JSON is", () => {
  const scraps = fc.constantFrom(
    ...'{ } [ ] : , "a" "\\u00e9" "\\x" "\n" 1 -0 01 1e5 1. true nul \t \\ " é'.split(" "),
  );
  const texts = fc.oneof(
    fc.json(),
    fc.array(scraps, { maxLength: 12 }).map((parts) => parts.join("")),
    fc.tuple(fc.json(), fc.nat(), fc.string({ maxLength: 1 })).map(([json, at, more]) => {
      const place = at % (json.length + 1);
      return json.slice(0, place) + more + json.slice(place + 1);
    }),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const found = findJsonError(text);
      let isJson = true;
      try {
        JSON.parse(text);
      } catch {
        isJson = false;
      }
      assert.equal(found === null, isJson, JSON.stringify({ text, found }));
      assert.ok(found === null || found.position <= text.length);
    }),
    { numRuns: 3_000 },
  );
});

Deno.test("findJsonError() survives depth and length", () => {
  assert.equal(findJsonError("[".repeat(1_000_000))?.position, 1_000_000);
  const long = `{"a":"${"x".repeat(8_000_000)}`;
  assert.equal(findJsonError(long)?.position, long.length);
});
