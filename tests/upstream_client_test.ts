import assert from "node:assert/strict";
import { join } from "node:path";
import { UpstreamClient } from "../src/runtime/upstream_client.ts";
import { within } from "../src/within.ts";
import { tempDir } from "./support/temp_dir.ts";

Deno.test("request() ends by its signal also while it is connected, and takes the connection with it", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "socket");
  // It takes every request and never answers: a request would be waited for without end.
  using listener = Deno.listen({ transport: "unix", path });
  const ends: Promise<unknown>[] = [];
  const serving = (async () => {
    for await (const connection of listener) ends.push(readToEnd(connection));
  })();
  const client = new UpstreamClient({ socketPath: path }, "0".repeat(32));
  for (const turns of [0, 1, 2, 3, 5, 10, 100]) {
    const abort = new AbortController();
    const asked = client.request({
      method: "POST",
      path: "/v1/chat/completions",
      contentType: "application/json",
      body: new TextEncoder().encode("{}"),
      signal: abort.signal,
    });
    const refused = assert.rejects(asked, /it left/);
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    abort.abort(new Error("it left"));
    assert.ok(await within(refused.then(() => true), 10_000), `after ${turns} turns`);
  }
  client.close();
  listener.close();
  await serving;
  await Promise.all(ends);
});

async function readToEnd(connection: Deno.Conn): Promise<void> {
  using _ = connection;
  const buffer = new Uint8Array(4_096);
  while (await connection.read(buffer).catch(() => null) !== null);
}
