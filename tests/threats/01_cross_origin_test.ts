// A page of another site that is open in the user's browser sends whatever a page can send.

import { deepEqual, equal, match, ok, throws } from "node:assert/strict";
import { writeTestModel } from "../../src/models/hello_model.ts";
import { join } from "node:path";
import { parseHost, parseOrigin } from "../../src/addresses.ts";
import { BODIES, everyRequest } from "../support/every_request.ts";
import { TestHub } from "../support/hub.ts";
import { rawRequest } from "../support/raw_request.ts";
import { type ServerProcess, startServer } from "../support/server_process.ts";
import { serverState } from "../support/server_state.ts";
import { threatName } from "./rows.ts";

const DOORS = "29100-29120";

async function victim(hub: TestHub): Promise<ServerProcess> {
  return await startServer({
    doors: DOORS,
    env: { HF_ENDPOINT: hub.endpoint },
    prepare: (home) => writeTestModel(join(home, "victim.gguf"), { sentence: "I am here." }),
  });
}

function foreignOrigins(port: number): string[] {
  return [
    "null",
    "http://evil.example",
    `https://evil.example:${port}`,
    `http://127.0.0.1:${port}.evil.example`,
    `http://127.0.0.1:${port + 1}`,
    `https://127.0.0.1:${port}`,
    "http://127.0.0.1",
    "http://localhost",
    `http://0.0.0.0:${port}`,
    `http://[::ffff:127.0.0.1]:${port}`,
    "file://",
    "chrome-extension://abcdefghijklmnop",
  ];
}

Deno.test(threatName(1, "12 origins on every route change nothing and read nothing"), async () => {
  await using hub = await TestHub.start();
  await using server = await victim(hub);
  const { port } = server;
  await (await server.post("/admin/models/victim/load", {})).body?.cancel();
  const before = await serverState(server);
  const requests = everyRequest();
  const origins = foreignOrigins(port);
  ok(requests.length > 80 && origins.length === 12, `${requests.length} requests`);
  for (const { method, path, body } of requests) {
    await Promise.all(origins.map(async (origin) => {
      const head = body === null
        ? ""
        : `Content-Type: text/plain\r\nContent-Length: ${body.length}\r\n`;
      const answer = await rawRequest(
        port,
        `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nOrigin: ${origin}\r\n${head}\r\n${
          body ?? ""
        }`,
      );
      const what = `${method} ${path} from ${origin}`;
      equal(answer.status, 403, what);
      equal(answer.headers.get("access-control-allow-origin"), null, what);
      if (method === "HEAD") return;
      // The user who wonders is told which setting it is; there is none that allows everybody.
      match(answer.body, /--origins|another site/, what);
    }));
  }
  deepEqual(await serverState(server), before);
  deepEqual(hub.requests, []);
  // What was refused is what would have been done for the user's own page.
  const own = { origin: server.url, "content-type": "application/json" };
  const sent = await server.fetch("/api/copy", {
    method: "POST",
    headers: own,
    body: JSON.stringify(BODIES["/api/copy"]),
  });
  equal(sent.status, 200, await sent.text());
  ok((await serverState(server)).join() !== before.join());
});

Deno.test(
  threatName(1, "what a page sends without an Origin is known by Sec-Fetch-Site"),
  async () => {
    await using hub = await TestHub.start();
    await using server = await victim(hub);
    const before = await serverState(server);
    const modes = [
      ["cross-site", "no-cors", "image"],
      ["cross-site", "no-cors", "script"],
      ["same-site", "no-cors", "empty"],
      ["cross-site", "navigate", "iframe"],
    ];
    for (const { method, path, body } of everyRequest()) {
      await Promise.all(modes.map(async ([site, mode, dest]) => {
        const answer = await rawRequest(
          server.port,
          `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n` +
            `Sec-Fetch-Site: ${site}\r\nSec-Fetch-Mode: ${mode}\r\nSec-Fetch-Dest: ${dest}\r\n` +
            `Content-Length: ${body?.length ?? 0}\r\n\r\n${body ?? ""}`,
        );
        equal(answer.status, 403, `${method} ${path} ${site} ${mode} ${dest}`);
      }));
    }
    // A link shows a page, and even that link unloads nothing.
    const link = await rawRequest(
      server.port,
      `GET /unload HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nSec-Fetch-Site: cross-site\r\n` +
        "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n\r\n",
    );
    equal(link.status, 403);
    deepEqual(await serverState(server), before);
  },
);

Deno.test(
  threatName(1, "what a form can send is no JSON: 415 on every write of /admin"),
  async () => {
    await using hub = await TestHub.start();
    await using server = await victim(hub);
    const before = await serverState(server);
    const writes = everyRequest().filter(({ method, path }) =>
      path.startsWith("/admin/") && !["GET", "HEAD"].includes(method)
    );
    ok(writes.length >= 15, `${writes.length} writes`);
    const types = [
      "text/plain",
      "text/plain;charset=UTF-8",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "text/plain; application/json",
      "application/json-seq",
      "",
      null,
    ];
    for (const { method, path, body } of writes) {
      for (const type of types) {
        const answer = await rawRequest(
          server.port,
          `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n` +
            (type === null ? "" : `Content-Type: ${type}\r\n`) +
            `Content-Length: ${body!.length}\r\n\r\n${body}`,
        );
        equal(answer.status, 415, `${method} ${path} as ${type}`);
        equal(JSON.parse(answer.body).error.code, "unsupported_media_type");
      }
    }
    deepEqual(await serverState(server), before);
    deepEqual(hub.requests, []);
  },
);

Deno.test(threatName(1, "nobody can allow all origins or hosts at once"), () => {
  for (const all of ["*", "http://*", "https://*.example", "null", "//", ""]) {
    throws(() => parseOrigin(all), { name: "BadValue" }, all);
  }
  for (const all of ["*", "*.example", "*:8001", ""]) {
    throws(() => parseHost(all), { name: "BadValue" }, all);
  }
});
