// Whatever is wrong with a request, on whichever route: a 4xx in the shape that its caller reads, never
// a 5xx, and nothing has happened. Fields by which llama-server is asked are malformed_test.ts's.

import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { type Dialect, dialectOf } from "../src/gateway/dialect.ts";
import { within } from "../src/within.ts";
import { TestHub } from "./support/hub.ts";
import { type JsonSchema, openApiOf, type Operation, operationsOf } from "./support/openapi.ts";
import { rawRequest } from "./support/raw_request.ts";
import { type ServerProcess, startServer } from "./support/server_process.ts";

interface Malformed {
  method: string;
  /** As it stands in the request line. */
  target: string;
  headers: Record<string, string>;
  body: string | Uint8Array | null;
}

/** Makes the request wrong in one way; null where this route cannot be asked wrongly so. */
type Mistake = (operation: Operation, seed: Seed) => Partial<Malformed> | null;

interface Seed {
  text: string;
  value: unknown;
  number: number;
}

/** Whatever is asked there, the answer is that it is not there: 501, as Ollama's clients expect. */
function isRefused({ answers }: Operation): boolean {
  return answers.has("501");
}

const MISTAKES: Readonly<Record<string, Mistake>> = {
  "wrong method": (operation) =>
    operation.path.startsWith("/api/experimental") || operation.path.startsWith("/upstream")
      ? null
      : { method: "PATCH" },
  "hostile path": ({ path }, { number }) => ({
    target: plain(path) +
      ["/../x", "/%2e%2e/x", "/a%00b", "/a\\b", "/%5c..%5c", "/x#y"][number % 6],
  }),
  "foreign host": (_operation, { number }) => ({
    headers: { host: ["evil.example", "127.0.0.1", "", "localhost:1"][number % 4]! },
  }),
  "foreign origin": () => ({ headers: { origin: "http://evil.example" } }),
  "foreign site": () => ({ headers: { "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors" } }),
  "nobody's name": ({ path, ...operation }, { text }) =>
    /\{(id|model|name|file)\}/.test(path) && !isRefused({ path, ...operation })
      ? { target: plain(path, `nobody ${text}`), body: operation.body === null ? null : "{}" }
      : null,
  "no JSON": (operation, { number }) =>
    takesJson(operation) ? { body: BAD_TEXTS[number % BAD_TEXTS.length]! } : null,
  "a body that is no object": (operation, { value }) =>
    takesJson(operation) && !isObject(value) ? { body: JSON.stringify(value) } : null,
  "a field of a wrong type": (operation, { value, number }) => {
    const body = withWrongField(operation.body, { value, number });
    return body === null ? null : { body: JSON.stringify(body) };
  },
  "a field too many": (operation) =>
    operation.body?.additionalProperties === false ? { body: '{"no_such_field":1}' } : null,
  "a field too few": (operation) =>
    (operation.body?.required?.length ?? 0) > 0 ? { body: "{}" } : null,
  "too large": (operation) => takesJson(operation) ? { body: " ".repeat(70_000) } : null,
  "no JSON by its type": (operation) =>
    operation.path.startsWith("/admin") && takesJson(operation)
      ? { headers: { "content-type": "text/plain" }, body: "{}" }
      : null,
  "a wrong query": ({ path }) => {
    const query = WRONG_QUERIES[path];
    return query === undefined
      ? null
      : { target: plain(path) + query, headers: { "anthropic-version": "1" } };
  },
};

const REQUESTS = 5_000;
/** What the server may grow by in half of them: some 6 kB for each. */
const MOST_GROWN_BYTES = 16e6;
const ANSWER_MS = 20_000;

const BAD_TEXTS: readonly (string | Uint8Array)[] = [
  ...[
    "{",
    '{"model":',
    '{"model":"hello"}}',
    "{model:1}",
    '"',
    "[",
    "nul",
    "\u0000",
    "--",
    "<xml/>",
  ],
  new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]),
];

const WRONG_QUERIES: Readonly<Record<string, string>> = {
  "/admin/models/{id}/load": "?wait=maybe",
  "/admin/models/{id}/log": "?follow=7",
  "/admin/hub/search": `?cursor=${"x".repeat(5_000)}`,
  "/v1/models": "?limit=0",
};

function takesJson(operation: Operation): boolean {
  return operation.body !== null && operation.method !== "GET" && !isRefused(operation) &&
    !operation.path.startsWith("/upstream");
}

/** The path with a name for each that it takes. */
function plain(path: string, name = "hello"): string {
  return path.replace(/\{\w+\}/g, encodeURIComponent(name));
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function withWrongField(
  schema: JsonSchema | null,
  { value, number }: Pick<Seed, "value" | "number">,
): Record<string, unknown> | null {
  const fields = Object.entries(schema?.properties ?? {});
  if (fields.length === 0) return null;
  const [name, { type, enum: words }] = fields[number % fields.length]!;
  const types = [type ?? []].flat();
  const own = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  const isWrong = words === undefined
    ? types.length > 0 && !types.includes(own) && !types.includes("integer")
    : !words.includes(value);
  return isWrong ? { [name]: value } : null;
}

async function send(server: ServerProcess, { method, target, headers, body }: Malformed) {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const all: Record<string, string> = {
    host: `127.0.0.1:${server.port}`,
    "content-type": "application/json",
    ...(bytes !== null && { "content-length": String(bytes.length) }),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return await rawRequest(server.port, `${method} ${target} HTTP/1.1\r\n${lines}\r\n`, bytes);
}

function isInShape(dialect: Dialect, body: string): boolean {
  const json = JSON.parse(body);
  if (dialect === "ollama") return typeof json.error === "string" && json.error !== "";
  const isTold = typeof json.error.message === "string" && typeof json.error.type === "string";
  return isTold && (dialect === "openai" || json.type === "error");
}

async function memoryBytes({ pid }: ServerProcess): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) * 1024;
}

Deno.test("a request that is wrong in any way is a 4xx in its dialect on every route, and does nothing", async () => {
  await using hub = await TestHub.start();
  await using server = await startServer({
    env: { HF_ENDPOINT: hub.endpoint, ZOMBIE_DOWNLOAD_HOSTS: hub.downloadHost },
    prepare: (home) => Deno.writeTextFile(`${home}/config.json`, '{"body_limit": 65536}'),
  });
  const operations = operationsOf(await openApiOf(server)).filter(({ method }) =>
    method !== "HEAD"
  );
  const before = await stateOf(server);
  const seen = new Map<string, number>();
  const asked = new Set<string>();
  const request = fc.record({
    operation: fc.constantFrom(...operations),
    mistake: fc.constantFrom(...Object.keys(MISTAKES)),
    seed: fc.record({
      text: fc.string({ unit: "binary", maxLength: 20 }),
      value: fc.jsonValue({ maxDepth: 2 }),
      number: fc.nat(),
    }),
  }).filter(({ operation, mistake, seed }) => MISTAKES[mistake]!(operation, seed) !== null);
  const property = fc.asyncProperty(request, async ({ operation, mistake, seed }) => {
    const { method, path } = operation;
    const wrong = { ...MISTAKES[mistake]!(operation, seed) };
    const whole: Malformed = {
      ...{ method, target: plain(path), headers: {}, body: null },
      ...wrong,
    };
    const sent = await within(send(server, whole), ANSWER_MS);
    ok(sent !== null, `no answer: ${mistake}: ${whole.method} ${whole.target}`);
    const { status, headers, body } = sent;
    const about = `${mistake}: ${whole.method} ${whole.target}: ${status} ${body.slice(0, 300)}`;
    ok(status >= 400 && status < 500, about);
    const address = { url: whole.target, headers: new Headers(whole.headers) };
    if (whole.method !== "HEAD" && body !== "") {
      ok(headers.get("content-type")?.startsWith("application/json"), about);
      ok(isInShape(dialectOf(address), body), about);
    }
    seen.set(mistake, (seen.get(mistake) ?? 0) + 1);
    asked.add(`${method} ${path}`);
  });
  const half = () => fc.assert(property, { numRuns: REQUESTS / 2, endOnFailure: true });
  await half();
  // When memory is given back is the engine's to say. What is lost with each request grows in every half.
  let grownBytes = Infinity;
  for (let more = 0; more < 4 && grownBytes > MOST_GROWN_BYTES; more++) {
    const bytesBefore = await memoryBytes(server);
    await half();
    grownBytes = await memoryBytes(server) - bytesBefore;
  }
  deepEqual([...seen.keys()].sort(), Object.keys(MISTAKES).sort(), "a mistake was never made");
  ok(asked.size > operations.length * 0.9, `${asked.size} of ${operations.length} routes`);
  deepEqual(await stateOf(server), before);
  ok(grownBytes <= MOST_GROWN_BYTES, `${grownBytes} bytes`);
  equal(server.stderr, "");
});

/** All that a request could have changed. */
async function stateOf(server: ServerProcess): Promise<unknown> {
  const [models, keys, downloads, settings, requests] = await Promise.all(
    ["models", "keys", "downloads", "settings", "requests"].map((name) =>
      server.json<Record<string, unknown>[]>(`/admin/${name}`)
    ),
  );
  const own = await server.json("/admin/models/hello/settings");
  const rows = models!.map(({ id, state, pid, pinned }) => ({ id, state, pid, pinned }));
  const running = requests!.filter(({ total_ms }) => total_ms === null);
  return { rows, own, keys, downloads, settings, running };
}
