import assert from "node:assert/strict";
import type { ClientConnection } from "../src/host/messages.ts";
import {
  LinuxConnectionsProbe,
  NetstatConnectionsProbe,
} from "../src/host/probes/connections_probe.ts";
import {
  judgeByNetstat,
  parseMacNetstat,
  parseWindowsNetstat,
} from "../src/host/probes/netstat.ts";
import { addRows, connectionKey, type ConnectionTable } from "../src/host/probes/proc_net_tcp.ts";
import { addressBytes, kernelHex } from "../src/host/probes/socket_address.ts";
import { SystemFiles } from "../src/host/probes/system_files.ts";
import { fileTree } from "./support/file_tree.ts";

function fixture(name: string): string {
  return Deno.readTextFileSync(new URL(`fixtures/probes/${name}`, import.meta.url));
}

function connection(
  id: number,
  localPort: number,
  remote: readonly [string, number],
): ClientConnection {
  return { id, localPort, remoteAddress: remote[0], remotePort: remote[1] };
}

Deno.test("addressBytes() reads every spelling of an address and nothing else", () => {
  const table: [string, string | null][] = [
    ["127.0.0.1", "0100007F"],
    ["192.0.2.2", "020200C0"],
    ["::ffff:127.0.0.1", "0100007F"],
    ["::ffff:7f00:1", "0100007F"],
    ["::1", "00000000000000000000000001000000"],
    ["::", "00000000000000000000000000000000"],
    ["fe80::1%eth0", "000080FE000000000000000001000000"],
    ["2001:db8:1:2:3:4:5:6", "B80D0120020001000400030006000500"],
    ["1::", "00000100000000000000000000000000"],
    ["1:2:3:4:5:6:7::", "02000100040003000600050000000700"],
    ["", null],
    ["localhost", null],
    ["127.0.0", null],
    ["127.0.0.256", null],
    ["1.2.3.4.5", null],
    ["1:2:3", null],
    ["1::2::3", null],
    ["1:2:3:4:5:6:7:8:9", null],
    ["::12345", null],
    ["::ffff:1.2.3", null],
  ];
  for (const [text, expected] of table) {
    const bytes = addressBytes(text);
    assert.equal(bytes === null ? null : kernelHex(bytes), expected, text);
  }
});

Deno.test("addRows() keeps the rows of the wanted ports under the key of the same connection", () => {
  const table: ConnectionTable = new Map();
  const ports = new Set(["ACF7", "8195"]);
  addRows(table, { text: fixture("linux_proc_net_tcp.txt"), ports });
  addRows(table, { text: fixture("linux_proc_net_tcp6.txt"), ports });

  const key = (port: number, address: string, remotePort: number) =>
    table.get(connectionKey(connection(0, port, [address, remotePort])) ?? "");
  assert.equal(key(0xACF7, "127.0.0.1", 0xB0B2), true, "row with a five-digit number");
  assert.equal(key(0xACF7, "127.0.0.1", 0xB0B4), false, "CLOSE_WAIT");
  assert.equal(key(0x8195, "::1", 0xBCE6), true);
  assert.equal(key(0x8195, "::ffff:127.0.0.1", 0xA47C), true);
  assert.equal(key(0x8195, "127.0.0.1", 0xA47C), true, "IPv4 inside IPv6 is IPv4");
  // Two listeners, and the four above: the clients' own ends are not among the wanted ports.
  assert.equal(table.size, 6);
});

Deno.test("addRows() lets an open row win over a closing one of the same ports, in any order", () => {
  const row = (state: string) =>
    `   1: 0100007F:1F41 0100007F:C350 ${state} 00000000:00000000 00:00000000 0 0 0 0\n`;
  for (const states of [["06", "01"], ["01", "06"]]) {
    const table: ConnectionTable = new Map();
    addRows(table, { text: `  sl\n${states.map(row).join("")}`, ports: new Set(["1F41"]) });
    assert.deepEqual([...table.values()], [true], states.join());
  }
});

Deno.test("addRows() survives text that is no table", () => {
  for (
    const text of ["", "\n", "no table", "a\nb\nc", "  sl\n   0:", "  sl\n   0: 0100007F:1F41"]
  ) {
    const table: ConnectionTable = new Map();
    addRows(table, { text, ports: new Set(["1F41"]) });
    assert.ok(![...table.values()].includes(true), JSON.stringify(text));
  }
});

Deno.test("departed() takes nobody for gone where the table cannot be read", async () => {
  await using tree = await fileTree();
  const probe = new LinuxConnectionsProbe({ files: new SystemFiles(tree.root), cpuShare: 1 });
  const client = connection(1, 8001, ["127.0.0.1", 50000]);
  assert.deepEqual(await probe.departed([client]), []);

  tree.write("/proc/net/tcp", "  sl  local_address rem_address   st\n");
  assert.deepEqual(await probe.departed([client]), [1], "a whole table");
  const client6 = connection(6, 8001, ["::1", 50000]);
  assert.deepEqual(await probe.departed([client, client6]), [], "its other half is not readable");
  tree.write("/proc/net/tcp6", "  sl  local_address   remote_address   st\n");
  assert.deepEqual(await probe.departed([client, client6]), [1, 6]);
  assert.deepEqual(await probe.departed([]), []);
  assert.deepEqual(await probe.departed([connection(2, 8001, ["not an address", 1])]), []);
});

/** An accepted connection with its client, both closed at the end. */
async function accepted(listener: Deno.Listener, hostname: string) {
  const { port } = listener.addr as Deno.NetAddr;
  const [client, server] = await Promise.all([
    Deno.connect({ hostname, port }),
    listener.accept(),
  ]);
  const remote = server.remoteAddr as Deno.NetAddr;
  return {
    client,
    server,
    as(id: number) {
      return connection(id, port, [remote.hostname, remote.port]);
    },
    [Symbol.dispose]() {
      for (const side of [client, server]) {
        try {
          side.close();
        } catch (error) {
          if (!(error instanceof Deno.errors.BadResource)) throw error;
        }
      }
    },
  };
}

/** The kernel tells the other side at its own pace: asks until it has, or five seconds. */
async function untilDeparted(probe: LinuxConnectionsProbe, connections: ClientConnection[]) {
  const deadline = performance.now() + 5000;
  while (performance.now() < deadline) {
    const departed = await probe.departed(connections);
    if (departed.length > 0) return departed;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return [];
}

Deno.test("departed() names the client that closed and no other", async () => {
  const probe = new LinuxConnectionsProbe({ cpuShare: 1 });
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using stays = await accepted(listener, "127.0.0.1");
  using leaves = await accepted(listener, "127.0.0.1");
  const both = [stays.as(1), leaves.as(2)];
  assert.deepEqual(await probe.departed(both), []);
  leaves.client.close();
  assert.deepEqual(await untilDeparted(probe, both), [2]);
  assert.deepEqual(await probe.departed([stays.as(1)]), []);
});

Deno.test("departed() names a client that reset its connection", async () => {
  const probe = new LinuxConnectionsProbe({ cpuShare: 1 });
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using pair = await accepted(listener, "127.0.0.1");
  // Closing with bytes unread makes the kernel send a reset.
  await pair.server.write(new Uint8Array(64));
  const fill = new Uint8Array(1);
  assert.equal(await pair.client.read(fill), 1);
  pair.client.close();
  assert.deepEqual(await untilDeparted(probe, [pair.as(7)]), [7]);
  assert.ok(
    !Deno.readTextFileSync("/proc/net/tcp").split("\n").some((line) =>
      line.includes(`:${pair.as(7).remotePort.toString(16).toUpperCase().padStart(4, "0")} 08`)
    ),
    "it was a reset, not an end",
  );
});

Deno.test("departed() counts a client that shut down its sending side", async () => {
  const probe = new LinuxConnectionsProbe({ cpuShare: 1 });
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using pair = await accepted(listener, "127.0.0.1");
  await pair.client.closeWrite();
  assert.deepEqual(await untilDeparted(probe, [pair.as(3)]), [3]);
});

Deno.test("departed() leaves a silent client alone, with and without unread bytes", async () => {
  const probe = new LinuxConnectionsProbe({ cpuShare: 1 });
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using silent = await accepted(listener, "127.0.0.1");
  using waiting = await accepted(listener, "127.0.0.1");
  await waiting.client.write(new Uint8Array(1000));
  await waiting.server.write(new Uint8Array(1000));
  for (let round = 0; round < 20; round++) {
    assert.deepEqual(await probe.departed([silent.as(1), waiting.as(2)]), []);
  }
});

Deno.test("departed() knows clients of every address family of this machine", async () => {
  const probe = new LinuxConnectionsProbe({ cpuShare: 1 });
  const ipv6 = /^0{31}1 /m.test(new SystemFiles().read("/proc/net/if_inet6") ?? "");
  const families = [["127.0.0.1", "127.0.0.1"], ["0.0.0.0", "127.0.0.1"]];
  if (ipv6) families.push(["::1", "::1"], ["::", "::1"], ["::", "127.0.0.1"]);
  for (const [hostname = "", remote = ""] of families) {
    using listener = Deno.listen({ hostname, port: 0 });
    using stays = await accepted(listener, remote);
    using leaves = await accepted(listener, remote);
    const both = [stays.as(1), leaves.as(2)];
    assert.deepEqual(await probe.departed(both), [], `${hostname} from ${remote}`);
    leaves.client.close();
    assert.deepEqual(await untilDeparted(probe, both), [2], `${hostname} from ${remote}`);
  }
});

Deno.test("departed() loses no living client while hundreds come and go", async () => {
  const probe = new LinuxConnectionsProbe({ cpuShare: 1 });
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using stays = await accepted(listener, "127.0.0.1");
  for (let round = 0; round < 10; round++) {
    const visitors = await Promise.all(
      Array.from({ length: 20 }, () => accepted(listener, "127.0.0.1")),
    );
    assert.deepEqual(await probe.departed([stays.as(1)]), []);
    for (const visitor of visitors) visitor[Symbol.dispose]();
    assert.deepEqual(await probe.departed([stays.as(1)]), []);
  }
});

Deno.test("departed() spends at most its share of the time", async () => {
  await using tree = await fileTree({ "/proc/net/tcp": "  sl  local_address rem_address   st\n" });
  // Each look at the clock is 5 ms later: a reading takes 5 ms and may come every 50.
  let nowMs = 0;
  const probe = new LinuxConnectionsProbe({
    files: new SystemFiles(tree.root),
    cpuShare: 0.1,
    now: () => nowMs += 5,
  });
  const clients = [connection(1, 8001, ["127.0.0.1", 50000])];
  const answers: number[] = [];
  for (let round = 0; round < 30; round++) answers.push((await probe.departed(clients)).length);
  assert.deepEqual(answers.slice(0, 11), [1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
});

Deno.test("parseMacNetstat() reads states and ports, listeners included", () => {
  const rows = parseMacNetstat(fixture("mac_netstat.txt"));
  assert.equal(rows.length, 8);
  assert.deepEqual(rows[0], { localPort: 8001, remotePort: 57332, state: "ESTABLISHED" });
  assert.deepEqual(rows[5], { localPort: 8001, remotePort: 0, state: "LISTEN" });
});

Deno.test("parseWindowsNetstat() reads both address families", () => {
  const rows = parseWindowsNetstat(fixture("windows_netstat.txt"));
  assert.equal(rows.length, 7);
  assert.deepEqual(rows[5], { localPort: 8001, remotePort: 57340, state: "ESTABLISHED" });
  assert.deepEqual(rows[6], { localPort: 8001, remotePort: 57341, state: "TIME_WAIT" });
});

Deno.test("judgeByNetstat() spares addresses that were cut off and states it cannot read", () => {
  const clients = [
    connection(1, 8001, ["127.0.0.1", 57332]),
    connection(2, 8001, ["127.0.0.1", 57333]),
    connection(3, 8001, ["2001:db8:1901:0:9e23:1:2:3", 51443]),
    connection(4, 8001, ["127.0.0.1", 60000]),
  ];
  assert.deepEqual(judgeByNetstat(clients, parseMacNetstat(fixture("mac_netstat.txt"))), {
    closing: [2],
    absent: [4],
  });
  assert.deepEqual(
    judgeByNetstat(
      clients.slice(0, 2),
      parseWindowsNetstat(fixture("windows_netstat_german.txt")),
    ),
    { closing: [], absent: [] },
  );
});

Deno.test("NetstatConnectionsProbe counts a missing client when it is missing twice, and runs seldom", async () => {
  let nowMs = 0;
  let runs = 0;
  let stdout: string | null = fixture("mac_netstat.txt");
  const probe = new NetstatConnectionsProbe({
    commands: [["/usr/sbin/netstat", "-an"]],
    parse: parseMacNetstat,
    now: () => nowMs,
    run: (command, args) => {
      runs++;
      assert.equal(command, "/usr/sbin/netstat");
      assert.deepEqual(args, ["-an"]);
      return Promise.resolve(stdout === null ? null : { code: 0, stdout });
    },
  });
  const clients = [57332, 57333, 60000].map((port, index) =>
    connection(index + 1, 8001, ["127.0.0.1", port])
  );
  assert.deepEqual(await probe.departed(clients), [2]);
  assert.deepEqual(await probe.departed(clients), [], "too soon: nothing is known");
  assert.equal(runs, 1);
  nowMs += 500;
  assert.deepEqual(await probe.departed(clients), [2, 3]);
  nowMs += 500;
  stdout = null;
  assert.deepEqual(await probe.departed(clients), [], "the tool failed");
  nowMs += 500;
  stdout = "";
  assert.deepEqual(await probe.departed(clients), [], "no rows at all are no answer");
  assert.equal(runs, 4);
});
