import assert from "node:assert/strict";
import { join } from "node:path";
import { DownloadHome, isContent } from "./support/download_home.ts";
import { TestHub } from "./support/hub.ts";
import { seededContent } from "./support/hub_content.ts";
import { bytesSent, bytesSentTwice, rangesSent } from "./support/ranges_sent.ts";
import { SmallDisk } from "./support/small_disk.ts";

const MIB = 1024 ** 2;
const FILE = "model.gguf";

async function setUp(sizeBytes: number) {
  const hub = await TestHub.start();
  const content = seededContent(1, sizeBytes);
  hub.add("org/repo", { files: { [FILE]: content, "small.gguf": seededContent(2, MIB) } });
  const disk = await SmallDisk.mount(40 * MIB);
  return {
    ...{ hub, content, disk },
    async [Symbol.asyncDispose]() {
      await hub[Symbol.asyncDispose]();
      await disk[Symbol.asyncDispose]();
    },
  };
}

Deno.test("A download that would not fit is not begun: it says how much room it needs, and begins when there is", async () => {
  await using test = await setUp(20 * MIB);
  const { hub, disk, content } = test;
  const empty = disk.fill(10 * MIB);
  await using home = await DownloadHome.open(hub, {
    home: disk.path,
    freeBytes: () => Promise.resolve(disk.freeBytes()),
    reserveBytes: 4 * MIB,
  });
  const { id } = home.add(FILE);
  const waiting = await home.reach(id, "waiting");
  assert.equal(waiting.error?.code, "disk_full");
  assert.equal(waiting.error?.values["need_bytes"], content.sizeBytes + 4 * MIB);
  assert.ok(Number(waiting.error?.values["free_bytes"]) <= 10 * MIB);
  assert.match(waiting.error!.message, /it needs 26 MB and \d+ MB are free\. Free some space/);
  assert.ok(waiting.retry_at !== null);
  assert.equal(hub.cdnRequests.length, 0);
  // One that fits goes meanwhile.
  await home.reach(home.add("small.gguf").id, "done");
  assert.equal(home.row(id).state, "waiting");
  empty();
  await home.reach(id, "done");
  assert.ok(isContent(join(disk.path, FILE), content));
});

Deno.test("A disk that fills stops a download without losing a byte, and it goes on when there is room", async () => {
  await using test = await setUp(24 * MIB);
  const { hub, disk, content } = test;
  // The system does not say how much is free: the writes themselves fail.
  await using home = await DownloadHome.open(hub, { home: disk.path });
  hub.fault = ({ host }) => host === "cdn" ? { bytesPerSecond: 8 * MIB } : null;
  const { id } = home.add(FILE);
  await home.until(() => home.row(id).bytes_done >= 3 * MIB);
  const empty = disk.fill(3 * MIB);
  const waiting = await home.reach(id, "waiting");
  assert.equal(waiting.error?.code, "disk_full");
  assert.ok(waiting.bytes_done >= 3 * MIB);
  assert.throws(() => Deno.lstatSync(join(disk.path, FILE)), Deno.errors.NotFound);
  empty();
  const row = await home.reach(id, "done");
  assert.equal(row.bytes_done, content.sizeBytes);
  assert.ok(isContent(join(disk.path, FILE), content));
  // At each failed write of the two connections a megabyte that did not fit, and what the sockets held.
  const failures = hub.cdnRequests.filter(({ end }) => end === "left").length;
  assert.ok(bytesSentTwice(rangesSent(hub, FILE)) <= failures * 1.5 * MIB, `${failures}`);
});

Deno.test("A download stops before it takes the last room of the others, and goes on when there is more", async () => {
  await using test = await setUp(24 * MIB);
  const { hub, disk, content } = test;
  await using home = await DownloadHome.open(hub, {
    home: disk.path,
    freeBytes: () => Promise.resolve(disk.freeBytes()),
    reserveBytes: 8 * MIB,
  });
  hub.fault = ({ host }) => host === "cdn" ? { bytesPerSecond: 2 * MIB } : null;
  const { id } = home.add(FILE);
  await home.until(() => home.row(id).bytes_done >= 3 * MIB);
  const empty = disk.fill(3 * MIB);
  const waiting = await home.reach(id, "waiting");
  assert.equal(waiting.error?.code, "disk_full");
  assert.ok(disk.freeBytes() > MIB);
  const asked = hub.requests.length;
  hub.fault = () => null;
  empty();
  await home.reach(id, "done");
  assert.ok(isContent(join(disk.path, FILE), content));
  // Nothing that was written comes again, only what was in the sockets.
  assert.ok(waiting.bytes_done >= 3 * MIB, `${waiting.bytes_done}`);
  assert.equal(bytesSent(hub, FILE, asked), content.sizeBytes - waiting.bytes_done);
  assert.ok(bytesSentTwice(rangesSent(hub, FILE)) < 4 * MIB);
});

Deno.test("A disk that is full when the server starts costs no row and no byte", async () => {
  await using test = await setUp(24 * MIB);
  const { hub, disk, content } = test;
  hub.fault = ({ host }) => host === "cdn" ? { bytesPerSecond: 8 * MIB } : null;
  let id = "";
  {
    await using first = await DownloadHome.open(hub, { home: disk.path });
    id = first.add(FILE).id;
    await first.until(() => first.row(id).bytes_done >= 3 * MIB);
  }
  const empty = disk.fill(256 * 1024);
  {
    await using second = await DownloadHome.open(hub, { home: disk.path });
    assert.equal((await second.reach(id, "waiting")).error?.code, "disk_full");
    await second.downloads.pause(id);
    second.downloads.resume(id);
    await second.reach(id, "waiting");
  }
  empty();
  hub.fault = () => null;
  await using third = await DownloadHome.open(hub, { home: disk.path });
  assert.ok(third.row(id).bytes_done >= 3 * MIB);
  await third.reach(id, "done");
  assert.ok(isContent(join(disk.path, FILE), content));
});
