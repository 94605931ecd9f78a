import assert from "node:assert/strict";
import { join } from "node:path";
import { AppError } from "../../src/errors.ts";
import { InstanceSocket, linkSocket, SOCKET_NAME } from "../../src/host/instance_socket.ts";
import { UpstreamClient } from "../../src/runtime/upstream_client.ts";
import { Children } from "../support/children.ts";
import { until } from "../support/server_process.ts";
import { type TempDir, tempDir } from "../support/temp_dir.ts";
import { threatName } from "./rows.ts";

/** Somebody else's socket, such as that of a container service. */
function victim(dir: TempDir) {
  const path = join(dir.path, "victim.sock");
  const listener = Deno.listen({ transport: "unix", path });
  let connections = 0;
  const over = (async () => {
    for await (const connection of listener) {
      connections++;
      connection.close();
    }
  })();
  return {
    path,
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      await over;
    },
  };
}

function place(dir: TempDir) {
  const refusals: AppError[] = [];
  const path = join(dir.path, "00.sock");
  const folder = join(dir.path, "00");
  const socket = new InstanceSocket({ folder, path, onRefused: (error) => refusals.push(error) });
  return { socket, refusals, path, inside: join(folder, SOCKET_NAME) };
}

function ask(socketPath: string) {
  return new UpstreamClient({ socketPath }, "0".repeat(32)).request({
    method: "GET",
    path: "/health",
    contentType: null,
    body: null,
    signal: AbortSignal.timeout(10_000),
  });
}

Deno.test(
  threatName(7, "a link to another socket is refused, and nobody connects to that"),
  async () => {
    await using dir = await tempDir();
    await using other = victim(dir);
    const { socket, refusals, path, inside } = place(dir);
    await using children = new Children();
    const child = await children.shell(
      `ln -s '${other.path}' '${inside}'; echo made; read -r line`,
    );
    await child.said("made");
    socket.look();
    assert.equal(refusals.length, 1);
    assert.equal(refusals[0]!.code, "load_failed");
    assert.match(
      refusals[0]!.message,
      /what its process put in the place of its socket is refused/,
    );
    await assert.rejects(ask(path), Deno.errors.NotFound);
    assert.equal(other.connections, 0);
    // Nothing of it is left where the server looks.
    assert.deepEqual([...Deno.readDirSync(dir.path)].map(({ name }) => name).sort(), [
      "00",
      "victim.sock",
    ]);
  },
);

Deno.test(threatName(7, "a swap after the look changes nothing for who connects"), async () => {
  await using dir = await tempDir();
  await using other = victim(dir);
  const { socket, refusals, path, inside } = place(dir);
  using listener = Deno.listen({ transport: "unix", path: inside });
  socket.look();
  Deno.removeSync(inside);
  Deno.symlinkSync(other.path, inside);
  socket.look();
  const accepted = listener.accept();
  const connection = await Deno.connect({ transport: "unix", path });
  (await accepted).close();
  connection.close();
  assert.deepEqual(refusals, []);
  assert.equal(other.connections, 0);
});

Deno.test(
  threatName(
    7,
    "a process that swaps without end is linked to its socket or refused, never through a link",
  ),
  async () => {
    await using dir = await tempDir();
    await using other = victim(dir);
    const path = join(dir.path, "00.sock");
    const inside = join(dir.path, SOCKET_NAME);
    const real = join(dir.path, "real.sock");
    using _listener = Deno.listen({ transport: "unix", path: real });
    await using children = new Children();
    const child = await children.shell(
      `echo up; while :; do ln '${real}' '${inside}.1'; mv -f '${inside}.1' '${inside}';
      ln -s '${other.path}' '${inside}.2'; mv -f '${inside}.2' '${inside}'; done 2>/dev/null`,
    );
    await child.said("up");
    const counts = { linked: 0, refused: 0 };
    await until(() => {
      try {
        if (linkSocket(inside, path)) counts.linked++;
        if (counts.linked > 0) assert.equal(Deno.lstatSync(path).isSocket, true);
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        counts.refused++;
      }
      return counts.linked > 20 && counts.refused > 20;
    }, 20_000);
    assert.equal(other.connections, 0);
  },
);

const IN_ITS_PLACE: Record<string, (path: string) => void> = {
  "a file": (path) => Deno.writeTextFileSync(path, "x"),
  "a folder": (path) => Deno.mkdirSync(path),
  "a link to nowhere": (path) => Deno.symlinkSync("/nowhere", path),
};
for (const [what, make] of Object.entries(IN_ITS_PLACE)) {
  Deno.test(threatName(7, `${what} in the socket's place is refused`), async () => {
    await using dir = await tempDir();
    const { socket, refusals, path, inside } = place(dir);
    socket.look();
    assert.deepEqual(refusals, [], "there is nothing yet");
    make(inside);
    socket.look();
    assert.equal(refusals.length, 1);
    assert.throws(() => Deno.lstatSync(path), Deno.errors.NotFound);
  });
}

/** Answers every connection with these bytes, the last of them again and again. */
function hostileServer(path: string, parts: readonly string[]) {
  const listener = Deno.listen({ transport: "unix", path });
  let sentBytes = 0;
  const over = (async () => {
    for await (const connection of listener) {
      try {
        await connection.read(new Uint8Array(4_096));
        for (let index = 0; sentBytes < 1e9; index++) {
          const part = parts[Math.min(index, parts.length - 1)]!;
          sentBytes += await connection.write(new TextEncoder().encode(part));
        }
      } catch {
        // Cut off, as it should be.
      }
      connection.close();
    }
  })();
  return {
    get sentBytes() {
      return sentBytes;
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      await over;
    },
  };
}

const OK = "HTTP/1.1 200 OK\r\n";
const HOSTILE: Record<string, readonly string[]> = {
  "a header of 1 GB": [OK, `X-Long: ${"x".repeat(60_000)}`],
  "a million headers": [OK, "X-Many: 1\r\n".repeat(5_000)],
  "a body of 1 GB by its length": [`${OK}Content-Length: 1000000000\r\n\r\n`, "x".repeat(60_000)],
  "a chunk of a size without end": [`${OK}Transfer-Encoding: chunked\r\n\r\n`, "f".repeat(60_000)],
  "no HTTP at all": ["SSH-2.0-OpenSSH\r\n\r\n", "x".repeat(60_000)],
};
for (const [what, parts] of Object.entries(HOSTILE)) {
  Deno.test(threatName(7, `${what} is cut off`), async () => {
    await using dir = await tempDir();
    const path = join(dir.path, "hostile.sock");
    await using server = hostileServer(path, parts);
    await assert.rejects(ask(path), /^Error: The answer /);
    assert.ok(server.sentBytes < 4e6, `${server.sentBytes} bytes were taken`);
  });
}
