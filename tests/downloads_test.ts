import assert from "node:assert/strict";
import { join } from "node:path";
import type { DownloadRow } from "../src/api_types.ts";
import { DownloadHome, isContent } from "./support/download_home.ts";
import { failure } from "./support/failure.ts";
import { TestHub } from "./support/hub.ts";
import { type HubContent, seededContent } from "./support/hub_content.ts";
import { bytesSent, bytesSentTwice, rangesSent } from "./support/ranges_sent.ts";

const MIB = 1024 ** 2;

function files(...names: string[]): Record<string, HubContent> {
  return Object.fromEntries(
    names.map((name, index) => [name, seededContent(index + 1, 6 * MIB + 1_000 * index)]),
  );
}

/** No bytes flow until it is opened. */
function gate(hub: TestHub): () => void {
  hub.fault = ({ host }) => host === "cdn" ? { stallAfterBytes: 0 } : null;
  return () => hub.fault = () => null;
}

Deno.test("A download is the file, byte by byte, under its own name, fetched once by two requests at a time", async () => {
  await using hub = await TestHub.start();
  const content = seededContent(1, 40 * MIB + 12_345);
  const repo = hub.add("org/repo", { files: { "sub/model-Q4_K_M.gguf": content } });
  let [open, mostOpen] = [0, 0];
  hub.fault = () => {
    open = hub.cdnRequests.filter(({ end }) => end === "open").length;
    mostOpen = Math.max(mostOpen, open);
    return null;
  };
  await using home = await DownloadHome.open(hub);
  const added = home.add("sub/model-Q4_K_M.gguf");
  assert.equal(added.state, "queued");
  assert.equal(added.bytes_total, null);
  const row = await home.reach(added.id, "done");
  assert.equal(row.model, "model-Q4_K_M");
  assert.equal(row.commit, repo.commit);
  assert.equal(row.bytes_done, content.sizeBytes);
  assert.equal(row.bytes_total, content.sizeBytes);
  assert.deepEqual(row.error, null);
  assert.ok(isContent(join(home.path, "model-Q4_K_M.gguf"), content));
  assert.deepEqual(home.finished, [{ id: "model-Q4_K_M", repo: "org/repo" }]);
  assert.equal(bytesSentTwice(rangesSent(hub, "sub/model-Q4_K_M.gguf")), 0);
  assert.equal(bytesSent(hub, "sub/model-Q4_K_M.gguf"), content.sizeBytes);
  assert.equal(mostOpen, 2);
  // Nothing is left of the way there.
  assert.deepEqual([...Deno.readDirSync(join(home.path, "downloads"))], []);
});

Deno.test("A download's changes never go backwards, and end with done", async () => {
  await using hub = await TestHub.start();
  hub.add("org/repo", { files: files("model.gguf") });
  hub.fault = ({ host }) => host === "cdn" ? { bytesPerSecond: 12 * MIB } : null;
  await using home = await DownloadHome.open(hub);
  const { id } = home.add("model.gguf");
  await home.reach(id, "done");
  const rows = home.changes.filter((change): change is DownloadRow => "state" in change);
  const bytes = rows.map((row) => row.bytes_done);
  assert.deepEqual(bytes, bytes.toSorted((a, b) => a - b));
  const order = ["queued", "downloading", "verifying", "done"];
  const states = rows.map((row) => order.indexOf(row.state));
  assert.deepEqual(states, states.toSorted((a, b) => a - b));
  assert.ok(rows.some((row) => row.bytes_per_second > MIB && row.seconds_left !== null));
  assert.equal(rows.at(-1)?.state, "done");
  assert.ok(rows.length > 5, `${rows.length}`);
});

Deno.test("Changes of one download are told no more often than every 250 ms", async () => {
  await using hub = await TestHub.start();
  hub.add("org/repo", { files: { "model.gguf": seededContent(1, 30 * MIB) } });
  hub.fault = ({ host }) => host === "cdn" ? { bytesPerSecond: 20 * MIB } : null;
  await using home = await DownloadHome.open(hub, { timing: {} });
  const { id } = home.add("model.gguf");
  const startedMs = performance.now();
  await home.reach(id, "done");
  const most = (performance.now() - startedMs) / 250 + 8;
  assert.ok(home.changes.length < most, `${home.changes.length} changes, not over ${most}`);
});

Deno.test("add() refuses what is already on its way or installed, and takes what was deleted since", async () => {
  await using hub = await TestHub.start();
  hub.add("org/repo", { files: files("model.gguf", "other.gguf") });
  await using home = await DownloadHome.open(hub);
  const open = gate(hub);
  const { id } = home.add("model.gguf");
  assert.equal(failure(() => home.add("model.gguf")).code, "download_exists");
  assert.equal(failure(() => home.add("model.gguf", { repo: "ORG/repo" })).code, "download_exists");
  open();
  await home.reach(id, "done");
  const refused = failure(() => home.add("model.gguf"));
  assert.match(refused.message, /it is installed as "model"\. Delete the model first$/);
  // Also where the row is gone.
  await home.downloads.cancel(id);
  assert.equal(failure(() => home.add("model.gguf")).code, "download_exists");
  home.installed.clear();
  Deno.removeSync(join(home.path, "model.gguf"));
  await home.reach(home.add("model.gguf").id, "done");
});

Deno.test("add() refuses names that could lead anywhere else, and nothing is written", async () => {
  await using hub = await TestHub.start();
  await using home = await DownloadHome.open(hub);
  const names = () => [...Deno.readDirSync(home.path)].map(({ name }) => name).sort();
  const before = names();
  for (const file of ["../x.gguf", "a/../../x.gguf", "/etc/x.gguf", "x", ".gguf", "con.gguf"]) {
    assert.equal(failure(() => home.add(file)).status, 400, file);
  }
  for (const repo of ["repo", "../../x", "a/b/c", "http://x/y"]) {
    assert.equal(failure(() => home.add("model.gguf", { repo })).code, "invalid_request", repo);
  }
  assert.deepEqual(home.downloads.list(), []);
  assert.deepEqual(names(), before);
});

Deno.test("Downloads go one after the other, in the order of the queue", async () => {
  await using hub = await TestHub.start();
  hub.add("org/repo", { files: files("a.gguf", "b.gguf", "c.gguf") });
  await using home = await DownloadHome.open(hub);
  const open = gate(hub);
  const [a, b, c] = ["a.gguf", "b.gguf", "c.gguf"].map((file) => home.add(file).id);
  await home.until(() => hub.cdnRequests.length > 0);
  // Sizes are known before it is their turn.
  await home.until(() => home.row(c!).bytes_total !== null);
  assert.deepEqual(home.downloads.list().map(({ id, position }) => [id, position]), [
    [a, 0],
    [b, 1],
    [c, 2],
  ]);
  home.downloads.move(c!, b!);
  open();
  await home.reach(b!, "done");
  assert.deepEqual(home.finished.map(({ id }) => id), ["a", "c", "b"]);
  const begun = [...new Set(hub.cdnRequests.map(({ file }) => file))];
  assert.deepEqual(begun, ["a.gguf", "c.gguf", "b.gguf"]);
});

Deno.test("move() to the front lets the one that runs give way, and nothing of it is fetched again", async () => {
  await using hub = await TestHub.start();
  const all = { "a.gguf": seededContent(1, 24 * MIB), "b.gguf": seededContent(2, MIB) };
  hub.add("org/repo", { files: all });
  hub.fault = ({ file, host }) =>
    host === "cdn" && file === "a.gguf" ? { bytesPerSecond: MIB } : null;
  await using home = await DownloadHome.open(hub);
  const [a, b] = [home.add("a.gguf").id, home.add("b.gguf").id];
  await home.until(() => home.row(a).bytes_done > 2 * MIB);
  home.downloads.move(b, a);
  await home.reach(b, "done");
  assert.notEqual(home.row(a).state, "done");
  hub.fault = () => null;
  const kept = home.row(a).bytes_done;
  const asked = hub.requests.length;
  await home.reach(a, "done");
  assert.ok(isContent(join(home.path, "a.gguf"), all["a.gguf"]));
  assert.ok(kept > 2 * MIB, `${kept}`);
  assert.equal(bytesSent(hub, "a.gguf", asked), all["a.gguf"].sizeBytes - kept);
  // What was in the sockets when it gave way.
  assert.ok(bytesSentTwice(rangesSent(hub, "a.gguf")) < 4 * MIB);
});

Deno.test("move() refuses a download that is not there, and to the end is to the end", async () => {
  await using hub = await TestHub.start();
  hub.add("org/repo", { files: files("a.gguf", "b.gguf") });
  await using home = await DownloadHome.open(hub);
  gate(hub);
  const [a, b] = [home.add("a.gguf").id, home.add("b.gguf").id];
  assert.equal(failure(() => home.downloads.move("x", null)).code, "download_not_found");
  assert.equal(failure(() => home.downloads.move(a, "x")).code, "download_not_found");
  home.downloads.move(a, null);
  assert.deepEqual(home.downloads.list().map(({ id }) => id), [b, a]);
  home.downloads.move(a, a);
  assert.deepEqual(home.downloads.list().map(({ id }) => id), [b, a]);
  assert.deepEqual(home.registry.downloads.list().map(({ id }) => id), [b, a]);
});

Deno.test("pause() keeps every byte, and resume() goes on at the next one", async () => {
  await using hub = await TestHub.start();
  const content = seededContent(1, 20 * MIB);
  hub.add("org/repo", { files: { "model.gguf": content } });
  hub.fault = ({ host }) => host === "cdn" ? { bytesPerSecond: 6 * MIB } : null;
  await using home = await DownloadHome.open(hub);
  const { id } = home.add("model.gguf");
  await home.until(() => home.row(id).bytes_done > 3 * MIB);
  const paused = await home.downloads.pause(id);
  assert.equal(paused.state, "paused");
  assert.equal(paused.bytes_per_second, 0);
  const before = hub.requests.length;
  const asked = hub.requests.length;
  // It stays so: nothing is asked.
  assert.equal(home.registry.downloads.list()[0]!.state, "paused");
  assert.equal(hub.requests.length, asked);
  hub.fault = () => null;
  home.downloads.resume(id);
  await home.reach(id, "done");
  assert.ok(isContent(join(home.path, "model.gguf"), content));
  // The Hub is asked again first: what was begun must still be what it has.
  assert.equal(hub.requests[before]?.host, "hub");
  assert.equal(bytesSent(hub, "model.gguf", before), content.sizeBytes - paused.bytes_done);
});

Deno.test("pause() lets the next one have its turn; of one that is done it is refused", async () => {
  await using hub = await TestHub.start();
  hub.add("org/repo", { files: files("a.gguf", "b.gguf") });
  await using home = await DownloadHome.open(hub);
  const open = gate(hub);
  const [a, b] = [home.add("a.gguf").id, home.add("b.gguf").id];
  await home.downloads.pause(a);
  open();
  await home.reach(b, "done");
  assert.equal(home.row(a).state, "paused");
  await assert.rejects(home.downloads.pause(b), /Cannot pause the download of "b": it is done/);
  assert.equal(failure(() => home.downloads.resume(b)).code, "invalid_request");
  home.downloads.resume(a);
  await home.reach(a, "done");
});

Deno.test("cancel() removes the partial file and the row, whatever was going on", async () => {
  await using hub = await TestHub.start();
  hub.add("org/repo", { files: files("a.gguf", "b.gguf", "c.gguf") });
  await using home = await DownloadHome.open(hub);
  hub.fault = ({ host }) => host === "cdn" ? { bytesPerSecond: 2 * MIB } : null;
  const [a, b, c] = ["a.gguf", "b.gguf", "c.gguf"].map((file) => home.add(file).id);
  await home.until(() => home.row(a!).bytes_done > 0);
  assert.ok([...Deno.readDirSync(join(home.path, "downloads"))].length > 0);
  await home.downloads.cancel(a!);
  assert.deepEqual(home.changes.findLast((change) => change.id === a), { id: a, removed: true });
  // Before anything of it was asked, and while it is paused.
  await home.downloads.cancel(b!);
  await home.downloads.pause(c!);
  await home.downloads.cancel(c!);
  assert.deepEqual(home.downloads.list(), []);
  assert.deepEqual(home.registry.downloads.list(), []);
  assert.deepEqual(home.registry.downloads.files(), []);
  assert.deepEqual([...Deno.readDirSync(join(home.path, "downloads"))], []);
  await assert.rejects(home.downloads.cancel(a!), /Cannot find the download/);
});

Deno.test("cancel() of one that is done leaves the model", async () => {
  await using hub = await TestHub.start();
  hub.add("org/repo", { files: files("a.gguf") });
  await using home = await DownloadHome.open(hub);
  const { id } = home.add("a.gguf");
  await home.reach(id, "done");
  await home.downloads.cancel(id);
  assert.deepEqual(home.downloads.list(), []);
  assert.ok(Deno.statSync(join(home.path, "a.gguf")).isFile);
});

Deno.test("A split model with its projector comes as one, into a folder of its name", async () => {
  await using hub = await TestHub.start();
  const all = files(
    "Q4/big-Q4_K_M-00001-of-00002.gguf",
    "Q4/big-Q4_K_M-00002-of-00002.gguf",
    "mmproj-F16.gguf",
  );
  hub.add("org/repo", { files: all, pipelineTag: "image-text-to-text" });
  await using home = await DownloadHome.open(hub);
  hub.fault = ({ host }) => host === "cdn" ? { bytesPerSecond: 20 * MIB } : null;
  const { id, file } = home.add("Q4/big-Q4_K_M-00002-of-00002.gguf");
  // Whichever part is asked for.
  assert.equal(file, "Q4/big-Q4_K_M-00001-of-00002.gguf");
  assert.equal(failure(() => home.add(file)).code, "download_exists");
  const folder = join(home.path, "big-Q4_K_M");
  await home.until(() => {
    // The folder is there as a whole or not at all.
    assert.ok(home.row(id).state === "done" || !isThere(folder) || isWhole());
    return home.row(id).state === "done";
  });
  function isWhole() {
    return [...Deno.readDirSync(folder)].length === 3;
  }
  for (const [path, content] of Object.entries(all)) {
    assert.ok(isContent(join(folder, path.split("/").at(-1)!), content), path);
  }
  const row = home.row(id);
  assert.equal(row.model, "big-Q4_K_M");
  assert.equal(row.files.length, 3);
  assert.ok(row.files.every(({ verified }) => verified));
  assert.equal(row.bytes_total, Object.values(all).reduce((sum, each) => sum + each.sizeBytes, 0));
});

Deno.test("A second repo's file of the same name takes its owner's name along, and never the place of another", async () => {
  await using hub = await TestHub.start();
  const [mine, first, second] = [1, 2, 3].map((seed) => seededContent(seed, MIB));
  hub.add("one/repo", { files: { "model.gguf": first! } });
  hub.add("two/repo", { files: { "x/model.gguf": second! } });
  await using home = await DownloadHome.open(hub);
  const open = gate(hub);
  const one = home.add("model.gguf", { repo: "one/repo" }).id;
  const two = home.add("x/model.gguf", { repo: "two/repo" }).id;
  await home.until(() => home.row(one).model !== null && home.row(two).model !== null);
  assert.equal(home.row(one).model, "model");
  assert.equal(home.row(two).model, "model--two");
  // A user copies a file of this name while the download runs.
  Deno.writeFileSync(join(home.path, "model.gguf"), mine!.read(0, MIB));
  open();
  await home.reach(one, "done");
  await home.reach(two, "done");
  assert.ok(isContent(join(home.path, "model.gguf"), mine!));
  assert.equal(home.row(one).model, "model--one");
  assert.ok(isContent(join(home.path, "model--one.gguf"), first!));
  assert.ok(isContent(join(home.path, "model--two.gguf"), second!));
});

Deno.test("The speed limit holds, and is changed while a download runs", async () => {
  await using hub = await TestHub.start();
  const content = seededContent(1, 12 * MIB);
  hub.add("org/repo", { files: { "model.gguf": content } });
  await using home = await DownloadHome.open(hub);
  home.limit = 2 * MIB;
  const { id } = home.add("model.gguf");
  await home.until(() => home.row(id).bytes_done > 0);
  const [startedMs, startedBytes] = [performance.now(), home.row(id).bytes_done];
  await home.until(() => home.row(id).bytes_done >= startedBytes + 3 * MIB);
  const seconds = (performance.now() - startedMs) / 1_000;
  // Three megabytes at two a second; a part of a second's worth may have been saved up.
  assert.ok(seconds > 0.5 && seconds < 20, `${seconds} s`);
  home.limit = 32_000;
  const slowFrom = home.row(id).bytes_done;
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  // Two connections may each have had most of a megabyte in hand.
  const slowBytes = home.row(id).bytes_done - slowFrom;
  assert.ok(slowBytes < 2.5 * MIB, `${slowBytes}`);
  // At this speed the rest would take minutes.
  home.limit = 0;
  await home.reach(id, "done");
  assert.ok(isContent(join(home.path, "model.gguf"), content));
});

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
