import assert from "node:assert/strict";
import { guardedServer } from "./support/guarded_server.ts";
import { rawRequest } from "./support/raw_request.ts";

const KEY = "correct-horse-battery";

function get(path: string, host: string, more = ""): string {
  return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`;
}

Deno.test("the guard answers only hosts that are its own, with the port it listens on", async () => {
  await using server = guardedServer({ allowedHosts: ["pc.lan", "proxy.lan:443"] });
  const { port } = server;
  const hosts: [host: string, status: number][] = [
    [`127.0.0.1:${port}`, 200],
    [`localhost:${port}`, 200],
    [`[::1]:${port}`, 200],
    [`LocalHost:${port}`, 200],
    [`pc.lan:${port}`, 200],
    ["pc.lan", 200],
    ["proxy.lan:443", 200],
    ["127.0.0.1", 403],
    ["localhost", 403],
    [`127.0.0.1:${port + 1}`, 403],
    [`proxy.lan:${port}`, 403],
    [`localhost.:${port}`, 403],
    [`localhost.evil.example:${port}`, 403],
    [`evil.example:${port}`, 403],
    [`127.0.0.1.evil.example:${port}`, 403],
    [`0.0.0.0:${port}`, 403],
    [`127.1:${port}`, 403],
    [`2130706433:${port}`, 403],
    [`[::ffff:127.0.0.1]:${port}`, 403],
    [`user@127.0.0.1:${port}`, 403],
    [`127.0.0.1:${port}/evil`, 403],
    [`127.0.0.1:${port}, evil.example`, 403],
    [`sub.pc.lan:${port}`, 403],
    ["", 400],
  ];
  for (const [host, status] of hosts) {
    const answer = await rawRequest(port, get("/v1/models", host));
    assert.equal(answer.status, status, `Host: ${host}`);
    if (status === 403) {
      const { error } = JSON.parse(answer.body);
      assert.equal(error.code, "host_not_allowed", host);
      assert.match(error.message, /--allowed-hosts/);
    }
  }
  assert.equal(server.passed.length, hosts.filter(([, status]) => status === 200).length);
});

Deno.test("the guard refuses a missing or doubled Host", async () => {
  await using server = guardedServer();
  const { port } = server;
  const own = `127.0.0.1:${port}`;
  assert.equal((await rawRequest(port, "GET /v1/models HTTP/1.1\r\n\r\n")).status, 400);
  assert.equal((await rawRequest(port, "GET /v1/models HTTP/1.0\r\n\r\n")).status, 400);
  const twice = get("/v1/models", own, "Host: evil.example\r\n");
  assert.equal((await rawRequest(port, twice)).status, 400);
  assert.deepEqual(server.passed, []);
});

Deno.test("the guard wants the request line and Host to agree", async () => {
  await using server = guardedServer();
  const { port } = server;
  const own = `127.0.0.1:${port}`;
  const table: [target: string, host: string, status: number][] = [
    [`http://${own}/v1/models`, own, 200],
    [`http://LOCALHOST:${port}/v1/models`, `localhost:${port}`, 200],
    [`http://evil.example/v1/models`, own, 403],
    [`http://evil.example:${port}/v1/models`, own, 403],
    [`http://${own}/v1/models`, "evil.example", 403],
    [`http://localhost:${port}/v1/models`, own, 400],
    [`https://${own}/v1/models`, own, 400],
    [`http://user:pass@${own}/v1/models`, own, 403],
    [`http://${own}.evil.example/v1/models`, own, 403],
  ];
  for (const [target, host, status] of table) {
    const answer = await rawRequest(port, get(target, host));
    assert.equal(answer.status, status, `${target} with Host ${host}`);
  }
  assert.deepEqual(server.passed, ["GET /v1/models", "GET /v1/models"]);
});

Deno.test("the guard refuses paths that mean another place once decoded", async () => {
  await using server = guardedServer();
  const { port } = server;
  for (
    const path of [
      "/admin/../v1/models",
      "/v1/./models",
      "/..",
      "/v1/%2e%2e/admin/models",
      "/v1/%2E./models",
      "/v1/..%2fadmin",
      "/v1\\models",
      "/v1/%5c..%5cmodels",
      "/admin/models/a%00b/load",
      "/admin/models/a%0d%0ab/load",
      "/v1/models#x",
    ]
  ) {
    const answer = await rawRequest(port, get(path, `127.0.0.1:${port}`));
    assert.equal(answer.status, 400, path);
    assert.equal(JSON.parse(answer.body).error.code, "invalid_request");
  }
  assert.deepEqual(server.passed, []);
  for (
    const path of [
      "/v1/models?file=../x%00",
      "/admin/models/phi-3.5%2Fmini/load",
      "/admin/models/..phi/load",
    ]
  ) {
    const answer = await rawRequest(port, get(path, `127.0.0.1:${port}`));
    assert.equal(answer.status, 200, path);
  }
});

Deno.test("the guard lets no page of another origin cause anything, on any route", async () => {
  await using server = guardedServer({ origins: ["https://chat.example"] });
  const { port } = server;
  const own = `127.0.0.1:${port}`;
  const origins: [origin: string, allowed: boolean][] = [
    [`http://127.0.0.1:${port}`, true],
    [`http://localhost:${port}`, true],
    [`http://[::1]:${port}`, true],
    ["https://chat.example", true],
    ["null", false],
    ["http://evil.example", false],
    ["https://chat.example.evil.example", false],
    ["http://chat.example", false],
    ["https://chat.example:444", false],
    [`https://127.0.0.1:${port}`, false],
    [`http://127.0.0.1:${port + 1}`, false],
    ["http://localhost", false],
    ["", false],
    [`http://127.0.0.1:${port}, http://evil.example`, false],
  ];
  const routes = [
    "GET /v1/models",
    "POST /v1/chat/completions",
    "POST /generate",
    "GET /admin/models",
    "POST /admin/models/hello/load",
    "DELETE /admin/models",
    "GET /",
    "GET /health",
  ];
  for (const [origin, allowed] of origins) {
    for (const route of routes) {
      const [method, path] = route.split(" ");
      const before = server.passed.length;
      const answer = await rawRequest(
        port,
        `${method} ${path} HTTP/1.1\r\nHost: ${own}\r\nOrigin: ${origin}\r\nContent-Length: 0\r\n\r\n`,
      );
      assert.equal(answer.status, allowed ? 200 : 403, `${route} from ${origin}`);
      assert.equal(server.passed.length - before, allowed ? 1 : 0);
      const cors = answer.headers.get("access-control-allow-origin");
      assert.equal(cors, allowed && origin !== `http://${own}` ? origin : null);
      assert.equal(answer.headers.get("access-control-allow-credentials"), null);
      if (allowed) continue;
      const { error } = JSON.parse(answer.body);
      assert.equal(error.code, "origin_not_allowed");
      assert.match(error.message, /--origins/);
    }
  }
});

Deno.test("the guard answers the preflight of an allowed origin, and of no other", async () => {
  await using server = guardedServer({ origins: ["https://chat.example"], apiKey: KEY });
  function preflight(origin: string): Promise<Response> {
    return fetch(`${server.url}/v1/chat/completions`, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
        "access-control-request-private-network": "true",
      },
    });
  }
  const answer = await preflight("https://chat.example");
  await answer.body?.cancel();
  assert.equal(answer.status, 204);
  assert.equal(answer.headers.get("access-control-allow-origin"), "https://chat.example");
  assert.match(answer.headers.get("access-control-allow-methods") ?? "", /POST/);
  assert.equal(
    answer.headers.get("access-control-allow-headers"),
    "authorization,content-type",
  );
  assert.equal(answer.headers.get("access-control-allow-private-network"), "true");
  const refused = await preflight("https://evil.example");
  await refused.body?.cancel();
  assert.equal(refused.status, 403);
  assert.equal(refused.headers.get("access-control-allow-origin"), null);
  assert.deepEqual(server.passed, []);
});

Deno.test("the guard lets the page at the gateway call a door, and tells the browser so", async () => {
  await using door = guardedServer({ gatewayPort: 8001 });
  const answer = await fetch(`${door.url}/v1/models`, {
    headers: { origin: "http://localhost:8001" },
  });
  assert.equal(await answer.text(), "passed");
  assert.equal(answer.headers.get("access-control-allow-origin"), "http://localhost:8001");
});

Deno.test("the guard tells a page with a wrong key so: the refusal carries CORS headers", async () => {
  await using server = guardedServer({ origins: ["https://chat.example"], apiKey: KEY });
  const answer = await fetch(`${server.url}/v1/models`, {
    headers: { origin: "https://chat.example", authorization: "Bearer wrong" },
  });
  assert.equal((await answer.json()).error.code, "invalid_api_key");
  assert.equal(answer.headers.get("access-control-allow-origin"), "https://chat.example");
});

Deno.test("the guard refuses what another site embeds, and follows a link", async () => {
  await using server = guardedServer();
  const { port } = server;
  const table: [site: string, mode: string, dest: string, method: string, status: number][] = [
    ["cross-site", "no-cors", "image", "GET", 403],
    ["same-site", "no-cors", "script", "GET", 403],
    ["cross-site", "navigate", "iframe", "GET", 403],
    ["cross-site", "navigate", "document", "POST", 403],
    ["cross-site", "navigate", "document", "GET", 200],
    ["same-origin", "cors", "empty", "GET", 200],
    ["none", "navigate", "document", "GET", 200],
  ];
  for (const [site, mode, dest, method, status] of table) {
    const answer = await rawRequest(
      port,
      `${method} / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nSec-Fetch-Site: ${site}\r\nSec-Fetch-Mode: ${mode}\r\nSec-Fetch-Dest: ${dest}\r\nContent-Length: 0\r\n\r\n`,
    );
    assert.equal(answer.status, status, `${method} ${site} ${mode} ${dest}`);
  }
});

Deno.test("the guard treats every header form of the key alike on every route", async () => {
  await using server = guardedServer({ apiKey: KEY });
  const forms: [headers: Record<string, string>, right: boolean][] = [
    [{ authorization: `Bearer ${KEY}` }, true],
    [{ authorization: `bearer ${KEY}` }, true],
    [{ authorization: `Bearer   ${KEY}` }, true],
    [{ "x-api-key": KEY }, true],
    [{ "X-API-Key": KEY, authorization: "Bearer other" }, true],
    [{}, false],
    [{ authorization: KEY }, false],
    [{ authorization: `Basic ${KEY}` }, false],
    [{ authorization: "Bearer" }, false],
    [{ authorization: `Bearer ${KEY}x` }, false],
    [{ authorization: `Bearer ${KEY.slice(0, -1)}` }, false],
    [{ authorization: `Bearer ${KEY.toUpperCase()}` }, false],
    [{ "x-api-key": "" }, false],
    [{ "x-api-key": `${KEY}, ${KEY}` }, false],
    [{ cookie: `x-api-key=${KEY}` }, false],
  ];
  const routes = [
    "GET /v1/models",
    "POST /v1/chat/completions",
    "POST /generate",
    "GET /admin/models",
    "POST /admin/models/hello/load",
    "GET /nowhere",
    "POST /",
    "POST /health",
    "GET /health/",
    "GET //",
    `GET /v1/models?api_key=${KEY}`,
  ];
  for (const route of routes) {
    const [method, path] = route.split(" ") as [string, string];
    for (const [headers, right] of forms) {
      const answer = await fetch(server.url + path, { method, headers });
      const text = await answer.text();
      assert.equal(answer.status !== 401, right, `${route} ${JSON.stringify(headers)}`);
      if (right) continue;
      assert.equal(answer.headers.get("www-authenticate"), "Bearer");
      const { error } = JSON.parse(text);
      assert.deepEqual([error.type, error.code], ["authentication_error", "invalid_api_key"]);
      assert.ok(!text.includes(KEY));
    }
  }
  for (const path of ["/", "/health", "/health?x=1", "/?x"]) {
    const answer = await fetch(server.url + path);
    assert.equal(await answer.text(), "passed", path);
  }
});

Deno.test("the guard asks for no key where none is configured", async () => {
  await using server = guardedServer();
  const answer = await fetch(`${server.url}/v1/models`, { headers: { "x-api-key": "any" } });
  assert.equal(await answer.text(), "passed");
});
