// A page whose own name leads to this machine after all: the browser believes that they are one site.

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { join } from "node:path";
import { writeTestModel } from "../../src/models/hello_model.ts";
import { everyRequest } from "../support/every_request.ts";
import { rawRequest } from "../support/raw_request.ts";
import { startServer } from "../support/server_process.ts";
import { serverState } from "../support/server_state.ts";
import { rowOf } from "../support/chat.ts";
import { threatName } from "./rows.ts";

/** What a request says of where it goes: its target, and the lines of Host. */
interface HostForm {
  /** The request line's target for this path. */
  target?(path: string): string;
  hosts: readonly string[];
}

/** 22 of them, none of which is this server's address on this port. */
function hostForms(port: number): HostForm[] {
  const own = `127.0.0.1:${port}`;
  const names = [
    `evil.example:${port}`,
    "evil.example",
    `127.0.0.1.evil.example:${port}`,
    `localhost.evil.example:${port}`,
    `localhost.:${port}`,
    `evil.localhost:${port}`,
    `127.0.0.1:${port + 1}`,
    "127.0.0.1",
    `127.1:${port}`,
    `2130706433:${port}`,
    `0x7f000001:${port}`,
    `0177.0.0.1:${port}`,
    `0.0.0.0:${port}`,
    `[::ffff:127.0.0.1]:${port}`,
    `evil@127.0.0.1:${port}`,
    `127.0.0.1:${port}@evil.example`,
    `127.0.0.1:${port}, evil.example`,
  ];
  const absolute = (authority: string) => (path: string) => `http://${authority}${path}`;
  return [
    ...names.map((name) => ({ hosts: [name] })),
    // A request line with an address of its own, whatever Host says beside it.
    { target: absolute("evil.example"), hosts: [own] },
    { target: absolute(own), hosts: [`evil.example:${port}`] },
    { target: absolute(`evil@${own}`), hosts: [own] },
    { hosts: [] },
    { hosts: [own, `evil.example:${port}`] },
  ];
}

Deno.test(
  threatName(2, "22 forms of Host on every route of the gateway, and on a model's door"),
  async () => {
    await using server = await startServer({
      doors: "29121-29140",
      prepare: (home) => writeTestModel(join(home, "victim.gguf"), { sentence: "I am here." }),
    });
    await (await server.post("/admin/models/victim/load", {})).body?.cancel();
    const before = await serverState(server);
    const door = (await rowOf(server, "victim")).port!;
    ok(door >= 29_121);
    const native = [
      { method: "GET", path: "/props", body: null },
      { method: "POST", path: "/completion", body: '{"prompt":"hi"}' },
      { method: "POST", path: "/v1/chat/completions", body: '{"messages":[]}' },
    ];
    for (const [port, requests] of [[server.port, everyRequest()], [door, native]] as const) {
      const forms = hostForms(port);
      ok(forms.length >= 20);
      for (const { method, path, body } of requests) {
        await Promise.all(forms.map(async ({ target = (same) => same, hosts }) => {
          const answer = await rawRequest(
            port,
            `${method} ${target(path)} HTTP/1.1\r\n${
              hosts.map((host) => `Host: ${host}\r\n`).join("")
            }` +
              `Content-Type: application/json\r\nContent-Length: ${body?.length ?? 0}\r\n\r\n${
                body ?? ""
              }`,
          );
          const what = `${method} ${target(path)} with ${JSON.stringify(hosts)}`;
          ok(answer.status === 403 || answer.status === 400, `${what}: ${answer.status}`);
          equal(answer.headers.get("access-control-allow-origin"), null, what);
          if (answer.status === 403) {
            match(answer.body || "--allowed-hosts", /--allowed-hosts/, what);
          }
        }));
      }
    }
    deepEqual(await serverState(server), before);
    // The same request under the server's own name is answered.
    const own = await rawRequest(
      server.port,
      `GET http://localhost:${server.port}/admin/models HTTP/1.1\r\nHost: localhost:${server.port}\r\n\r\n`,
    );
    equal(own.status, 200);
  },
);

Deno.test(threatName(2, "a name that the user allows is no other name's way in"), async () => {
  await using server = await startServer({
    doors: "29121-29140",
    flags: ["--allowed-hosts", "pc.lan"],
  });
  const status = async (host: string) =>
    (await rawRequest(server.port, `GET /v1/models HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).status;
  equal(await status(`pc.lan:${server.port}`), 200);
  for (const host of ["evil.pc.lan", "pc.lan.evil.example", "xpc.lan", "pc.lan.", "pc.lan:1"]) {
    equal(await status(host), 403, host);
  }
});
