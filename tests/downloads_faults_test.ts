import assert from "node:assert/strict";
import { join } from "node:path";
import type { DownloadRow } from "../src/api_types.ts";
import { DownloadHome, isContent } from "./support/download_home.ts";
import { TestHub } from "./support/hub.ts";
import { type HubContent, seededContent } from "./support/hub_content.ts";
import type { Fault, HubRequest } from "./support/hub_exchange.ts";
import { bytesSentTwice, rangesSent } from "./support/ranges_sent.ts";

const MIB = 1024 ** 2;
const FILE = "model.gguf";

interface Faulty {
  content: HubContent;
  /** Asked for each request to the second host, by its number. */
  cdn?: (request: HubRequest, number: number) => Fault | null;
  /** The same for the Hub's answers to `resolve`. */
  resolve?: (request: HubRequest, number: number) => Fault | null;
}

function order(hub: TestHub, { content, cdn, resolve }: Faulty): void {
  hub.add("org/repo", { files: { [FILE]: content } });
  const numbers = { cdn: 0, resolve: 0 };
  hub.fault = (request) => {
    if (request.host === "cdn") return cdn?.(request, numbers.cdn++) ?? null;
    return request.file === null ? null : resolve?.(request, numbers.resolve++) ?? null;
  };
}

/** The right file, of which no byte was sent twice. */
function assertFetchedOnce(home: DownloadHome, hub: TestHub, content: HubContent): void {
  assert.ok(isContent(join(home.path, FILE), content));
  assert.equal(bytesSentTwice(rangesSent(hub, FILE)), 0);
}

function reasons(home: DownloadHome): string[] {
  const rows = home.changes.filter((change): change is DownloadRow => "state" in change);
  return [...new Set(rows.map(({ error }) => error?.code).filter((code) => code !== undefined))];
}

Deno.test("Connections that are cut go on at the byte after the last one", async () => {
  await using hub = await TestHub.start();
  const content = seededContent(1, 30 * MIB);
  order(hub, { content, cdn: (_, n) => n < 8 ? { cutAfterBytes: 1_234_567 + n } : null });
  await using home = await DownloadHome.open(hub);
  await home.reach(home.add(FILE).id, "done");
  assertFetchedOnce(home, hub, content);
});

Deno.test("Connections that break before any answer are opened again", async () => {
  await using hub = await TestHub.start();
  const content = seededContent(1, 10 * MIB);
  const fault = (_: HubRequest, n: number) => n < 3 ? { refuse: true } : null;
  order(hub, { content, cdn: fault, resolve: fault });
  await using home = await DownloadHome.open(hub);
  await home.reach(home.add(FILE).id, "done");
  assertFetchedOnce(home, hub, content);
});

Deno.test("A connection on which nothing comes is left after the time that is set for it", async () => {
  await using hub = await TestHub.start();
  const content = seededContent(1, 20 * MIB);
  order(hub, { content, cdn: (_, n) => n < 4 ? { stallAfterBytes: n * 700_001 } : null });
  await using home = await DownloadHome.open(hub, { stallMs: 150, connections: 1 });
  const { id } = home.add(FILE);
  const waiting = await home.reach(id, "waiting");
  assert.equal(waiting.error?.code, "download_stalled");
  assert.match(waiting.error!.message, /nothing came for 0\.15 seconds/);
  assert.ok(waiting.retry_at !== null);
  await home.reach(id, "done");
  assertFetchedOnce(home, hub, content);
});

Deno.test("A line that is slow is no line that stalls", async () => {
  await using hub = await TestHub.start();
  const content = seededContent(1, MIB);
  order(hub, { content, cdn: () => ({ bytesPerSecond: MIB }) });
  await using home = await DownloadHome.open(hub, { stallMs: 250 });
  await home.reach(home.add(FILE).id, "done");
  assert.deepEqual(reasons(home), []);
});

Deno.test("Answers 500 and 503 are retried with a visible reason", async () => {
  await using hub = await TestHub.start();
  const content = seededContent(1, 10 * MIB);
  order(hub, {
    content,
    cdn: (_, n) => n < 4 ? { status: 503 } : null,
    resolve: (_, n) => n < 4 ? { status: 500 } : null,
  });
  await using home = await DownloadHome.open(hub);
  await home.reach(home.add(FILE).id, "done");
  assertFetchedOnce(home, hub, content);
  assert.deepEqual(reasons(home), ["hub_failed"]);
});

Deno.test("429 is waited for as long as it asks", async () => {
  await using hub = await TestHub.start();
  const content = seededContent(1, 3 * MIB);
  order(hub, { content, cdn: (_, n) => n === 0 ? { status: 429, retryAfter: 1 } : null });
  await using home = await DownloadHome.open(hub);
  const addedMs = Date.now();
  const { id } = home.add(FILE);
  const waiting = await home.reach(id, "waiting");
  assert.equal(waiting.error?.code, "hub_rate_limited");
  const retryMs = Date.parse(waiting.retry_at!);
  assert.ok(retryMs >= addedMs + 1_000, `${retryMs - addedMs} ms`);
  await home.reach(id, "done");
  assert.ok(Date.now() >= retryMs - 50, `${Date.now() - retryMs} ms`);
  assertFetchedOnce(home, hub, content);
});

Deno.test("While one waits long the next in the queue has its turn, and gives it back", async () => {
  await using hub = await TestHub.start();
  const all = { "a.gguf": seededContent(1, MIB), "b.gguf": seededContent(2, 16 * MIB) };
  hub.add("org/repo", { files: all });
  let refusals = 0;
  hub.fault = ({ host, file }) => {
    if (file === "a.gguf" && host === "cdn" && refusals++ === 0) {
      return { status: 429, retryAfter: 5 };
    }
    // A megabyte is written long before the five seconds are over, and not all of it by then.
    return file === "b.gguf" && host === "cdn" ? { bytesPerSecond: MIB } : null;
  };
  await using home = await DownloadHome.open(hub, { timing: { holdMs: 100, gatherMs: 20 } });
  const [a, b] = [home.add("a.gguf").id, home.add("b.gguf").id];
  await home.until(() => home.row(b).bytes_done > 0);
  assert.equal(home.row(a).state, "waiting");
  await home.reach(a, "done");
  assert.notEqual(home.row(b).state, "done");
  hub.fault = () => null;
  await home.reach(b, "done");
  assert.ok(isContent(join(home.path, "b.gguf"), all["b.gguf"]));
});

Deno.test("A short wait keeps its turn", async () => {
  await using hub = await TestHub.start();
  hub.add("org/repo", {
    files: { "a.gguf": seededContent(1, MIB), "b.gguf": seededContent(2, MIB) },
  });
  let failures = 0;
  hub.fault = ({ host, file }) =>
    host === "cdn" && file === "a.gguf" && failures++ < 5 ? { status: 500 } : null;
  await using home = await DownloadHome.open(hub);
  home.add("a.gguf");
  await home.reach(home.add("b.gguf").id, "done");
  assert.deepEqual(home.finished.map(({ id }) => id), ["a", "b"]);
});

Deno.test("resume() ends a wait at once", async () => {
  await using hub = await TestHub.start();
  const content = seededContent(1, 3 * MIB);
  order(hub, { content, cdn: (_, n) => n === 0 ? { status: 429, retryAfter: 3_000 } : null });
  await using home = await DownloadHome.open(hub);
  const { id } = home.add(FILE);
  await home.reach(id, "waiting");
  home.downloads.resume(id);
  await home.reach(id, "done");
  assertFetchedOnce(home, hub, content);
});

Deno.test("A link that has expired is replaced by asking the Hub again", async () => {
  // Beside another connection a failure is not told; alone every one is.
  for (const connections of [1, 2]) {
    await using hub = await TestHub.start();
    const content = seededContent(1, 40 * MIB);
    // Not by the clock: every link ends with the first range that came by it as a whole.
    const isUsedUp = ({ query }: HubRequest) =>
      hub.cdnRequests.some((earlier) =>
        earlier.end === "whole" && earlier.query.get("Signature") === query.get("Signature")
      );
    order(hub, { content, cdn: (request) => isUsedUp(request) ? { status: 403 } : null });
    await using home = await DownloadHome.open(hub, { connections });
    await home.reach(home.add(FILE).id, "done");
    assertFetchedOnce(home, hub, content);
    assert.ok(hub.cdnRequests.some(({ status }) => status === 403));
    // Nobody is told: nothing went wrong.
    assert.deepEqual(reasons(home), []);
  }
});

Deno.test("A file of another size at the second host is not written, and the right one is fetched", async () => {
  await using hub = await TestHub.start();
  const content = seededContent(1, 20 * MIB);
  const other = seededContent(2, 21 * MIB);
  order(hub, { content, cdn: (_, n) => n === 1 ? { content: other } : null });
  await using home = await DownloadHome.open(hub, { connections: 1 });
  await home.reach(home.add(FILE).id, "done");
  assert.ok(isContent(join(home.path, FILE), content));
  assert.deepEqual(reasons(home), ["download_changed"]);
});

Deno.test("A wrong checksum is fetched again once, from the start, and nothing of it is offered", async () => {
  await using hub = await TestHub.start();
  const content = seededContent(1, 12 * MIB);
  const other = seededContent(2, 12 * MIB);
  order(hub, { content, cdn: (_, n) => n === 1 ? { content: other } : null });
  await using home = await DownloadHome.open(hub);
  const { id } = home.add(FILE);
  const waiting = await home.reach(id, "waiting");
  assert.equal(waiting.error?.code, "checksum_wrong");
  assert.equal(waiting.bytes_done, 0);
  assert.throws(() => Deno.lstatSync(join(home.path, FILE)), Deno.errors.NotFound);
  await home.reach(id, "done");
  assert.ok(isContent(join(home.path, FILE), content));
});

Deno.test("A checksum that is wrong twice fails; resume tries again", async () => {
  await using hub = await TestHub.start();
  const content = seededContent(1, 5 * MIB);
  const other = seededContent(2, 5 * MIB);
  order(hub, { content, cdn: () => ({ content: other }) });
  await using home = await DownloadHome.open(hub);
  const { id } = home.add(FILE);
  const failed = await home.reach(id, "failed");
  assert.equal(failed.error?.code, "checksum_wrong");
  assert.equal(failed.retry_at, null);
  assert.equal(hub.cdnRequests.length, 2);
  assert.throws(() => Deno.lstatSync(join(home.path, FILE)), Deno.errors.NotFound);
  hub.fault = () => null;
  home.downloads.resume(id);
  await home.reach(id, "done");
  assert.ok(isContent(join(home.path, FILE), content));
});

Deno.test("A new commit does not touch a download that is under way", async () => {
  await using hub = await TestHub.start();
  const content = seededContent(1, 12 * MIB);
  const repo = hub.add("org/repo", { files: { [FILE]: content } });
  hub.fault = ({ host }) => host === "cdn" ? { bytesPerSecond: 6 * MIB } : null;
  await using home = await DownloadHome.open(hub);
  const { id } = home.add(FILE);
  await home.until(() => home.row(id).bytes_done > MIB);
  await home.downloads.pause(id);
  const pinned = home.row(id).commit;
  repo.put(FILE, seededContent(2, 13 * MIB));
  hub.fault = () => null;
  home.downloads.resume(id);
  const row = await home.reach(id, "done");
  assert.equal(row.commit, pinned);
  assert.ok(isContent(join(home.path, FILE), content));
});

Deno.test("Where the pinned commit is gone the present one is fetched, from its start, and that is told", async () => {
  await using hub = await TestHub.start();
  const [before, after] = [seededContent(1, 12 * MIB), seededContent(2, 13 * MIB)];
  const repo = hub.add("org/repo", { files: { [FILE]: before } });
  hub.fault = ({ host }) => host === "cdn" ? { bytesPerSecond: 6 * MIB } : null;
  await using home = await DownloadHome.open(hub);
  const { id } = home.add(FILE);
  await home.until(() => home.row(id).bytes_done > MIB);
  await home.downloads.pause(id);
  const pinned = home.row(id).commit!;
  repo.put(FILE, after);
  repo.forget(pinned);
  hub.fault = () => null;
  home.downloads.resume(id);
  const waiting = await home.reach(id, "waiting");
  assert.equal(waiting.error?.code, "download_changed");
  assert.match(waiting.error!.message, /has changed and its earlier state is gone/);
  const row = await home.reach(id, "done");
  assert.equal(row.commit, repo.commit);
  assert.ok(isContent(join(home.path, FILE), after));
});

Deno.test("Where only the commit is gone, and not its file, every byte is kept", async () => {
  await using hub = await TestHub.start();
  const content = seededContent(1, 12 * MIB);
  const repo = hub.add("org/repo", {
    files: { [FILE]: content, "README.md": seededContent(3, 10) },
  });
  hub.fault = ({ host }) => host === "cdn" ? { bytesPerSecond: 6 * MIB } : null;
  await using home = await DownloadHome.open(hub);
  const { id } = home.add(FILE);
  await home.until(() => home.row(id).bytes_done > 2 * MIB);
  const { bytes_done } = await home.downloads.pause(id);
  const before = hub.requests.length;
  const pinned = home.row(id).commit!;
  repo.put("README.md", seededContent(4, 10));
  repo.forget(pinned);
  hub.fault = () => null;
  home.downloads.resume(id);
  assert.ok((await home.reach(id, "waiting")).bytes_done >= bytes_done);
  await home.reach(id, "done");
  assert.ok(isContent(join(home.path, FILE), content));
  const fetched = rangesSent(hub, FILE, before).reduce(
    (sum, { start, end }) => sum + end - start,
    0,
  );
  assert.equal(fetched + bytes_done, content.sizeBytes);
});

Deno.test("What only somebody can put right fails with the Hub's own words, and resume tries again", async () => {
  await using hub = await TestHub.start();
  const content = seededContent(1, MIB);
  hub.add("org/gated", { files: { [FILE]: content }, gated: "auto" });
  hub.add("org/repo", { files: { [FILE]: content } });
  await using home = await DownloadHome.open(hub);
  const table: [Parameters<DownloadHome["add"]>, string][] = [
    [[FILE, { repo: "org/gated" }], "hub_gated"],
    [[FILE, { repo: "org/nothing" }], "hub_not_found"],
    [["nothing.gguf"], "hub_not_found"],
    [[FILE, { revision: "nothing" }], "hub_not_found"],
  ];
  for (const [wanted, code] of table) {
    const { id } = home.add(...wanted);
    const row = await home.reach(id, "failed");
    assert.equal(row.error?.code, code, JSON.stringify(wanted));
    await home.downloads.cancel(id);
  }
  const { id } = home.add("late.gguf");
  await home.reach(id, "failed");
  hub.add("org/repo", { files: { "late.gguf": content } });
  home.downloads.resume(id);
  await home.reach(id, "done");
});

Deno.test("A typing error in the queue is told before its turn", async () => {
  await using hub = await TestHub.start();
  order(hub, { content: seededContent(1, 4 * MIB), cdn: () => ({ stallAfterBytes: 0 }) });
  await using home = await DownloadHome.open(hub, { stallMs: 60_000 });
  const first = home.add(FILE).id;
  const { id } = home.add("modle.gguf");
  const row = await home.reach(id, "failed");
  assert.equal(row.error?.code, "hub_not_found");
  await home.reach(first, "downloading");
});

Deno.test("A server that knows no ranges is read from its start, by one connection, over what is there", async () => {
  await using hub = await TestHub.start();
  const content = seededContent(1, 20 * MIB);
  order(hub, {
    content,
    cdn: (_, n) => n < 6 ? { cutAfterBytes: 3 * MIB, ignoreRange: n > 1 } : { ignoreRange: true },
  });
  await using home = await DownloadHome.open(hub);
  const { id } = home.add(FILE);
  await home.reach(id, "done");
  assert.ok(isContent(join(home.path, FILE), content));
  const done = home.changes.map((change) => "bytes_done" in change ? change.bytes_done : 0);
  assert.deepEqual(done, done.toSorted((a, b) => a - b));
});

Deno.test("The token goes to the Hub alone", async () => {
  await using hub = await TestHub.start();
  const content = seededContent(1, 10 * MIB);
  const repo = hub.add("org/gated", { files: { [FILE]: content }, gated: "manual" });
  hub.addToken("hf_secret", [repo]);
  let cuts = 0;
  hub.fault = ({ host }) => host === "cdn" && cuts++ < 4 ? { cutAfterBytes: MIB } : null;
  await using home = await DownloadHome.open(hub, { token: "hf_secret" });
  await home.reach(home.add(FILE, { repo: "org/gated" }).id, "done");
  assert.ok(hub.requests.some(({ host, token }) => host === "hub" && token === "hf_secret"));
  for (const { headers, query, path } of hub.cdnRequests) {
    assert.ok(!JSON.stringify([headers, [...query], path]).includes("hf_secret"));
  }
  const stored = Deno.readFileSync(join(home.path, "registry.db"));
  assert.ok(!new TextDecoder("latin1").decode(stored).includes("hf_secret"));
});
