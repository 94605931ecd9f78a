// The stand-in must be right before anything can be tested against it.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { TestHub } from "./support/hub.ts";
import { bytesContent, seededContent, textContent } from "./support/hub_content.ts";

const MB = 1_000_000;

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function get(url: string, headers: Record<string, string> = {}) {
  const answer = await fetch(url, { headers, redirect: "manual" });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  return { status: answer.status, headers: answer.headers, bytes };
}

Deno.test("TestHub leads a file to the second host, where each range is right", async () => {
  await using hub = await TestHub.start();
  const content = seededContent(7, 3 * MB);
  const repo = hub.add("org/model", {
    files: { "sub/a b.gguf": content, "README.md": textContent("# Hi") },
  });
  const first = await get(`${hub.endpoint}/org/model/resolve/main/sub/a%20b.gguf`);
  assert.equal(first.status, 302);
  assert.equal(first.headers.get("x-repo-commit"), repo.commit);
  assert.equal(first.headers.get("x-linked-size"), "3000000");
  assert.equal(first.headers.get("x-linked-etag"), `"${content.sha256}"`);
  assert.match(first.headers.get("ratelimit")!, /^"resolvers";r=\d+;t=300$/);
  const location = first.headers.get("location")!;
  assert.equal(new URL(location).host, hub.downloadHost);
  assert.notEqual(new URL(location).hostname, new URL(hub.endpoint).hostname);
  const whole = await get(location);
  assert.equal(sha256(whole.bytes), content.sha256);
  assert.notEqual(whole.headers.get("etag"), `"${content.sha256}"`);
  const part = await get(location, { range: "bytes=999999-2000000" });
  assert.equal(part.status, 206);
  assert.equal(part.headers.get("content-range"), "bytes 999999-2000000/3000000");
  assert.deepEqual(part.bytes, whole.bytes.slice(999_999, 2_000_001));
  assert.equal((await get(location, { range: "bytes=3000000-" })).status, 416);
  const small = await get(`${hub.endpoint}/org/model/resolve/${repo.commit}/README.md`);
  assert.equal(small.status, 200);
  assert.equal(new TextDecoder().decode(small.bytes), "# Hi");
  const ofCdn = hub.cdnRequests;
  assert.deepEqual(ofCdn.map(({ sentBytes }) => sentBytes), [3 * MB, 1_000_002, 0]);
  assert.deepEqual(ofCdn.map(({ file }) => file), Array(3).fill("sub/a b.gguf"));
});

Deno.test("TestHub refuses a link that has expired or was changed", async () => {
  await using hub = await TestHub.start({ linkLifetimeMs: -1 });
  hub.add("org/model", { files: { "a.gguf": bytesContent(new Uint8Array(10)) } });
  const { headers } = await get(`${hub.endpoint}/org/model/resolve/main/a.gguf`);
  assert.equal((await get(headers.get("location")!)).status, 403);
  hub.linkLifetimeMs = 60_000;
  const again = await get(`${hub.endpoint}/org/model/resolve/main/a.gguf`);
  const location = again.headers.get("location")!;
  assert.equal((await get(location)).status, 200);
  assert.equal((await get(location.replace("Expires=1", "Expires=2"))).status, 403);
});

Deno.test("TestHub cuts, stalls, slows and spoils an answer on request", async () => {
  await using hub = await TestHub.start();
  const content = seededContent(1, 2 * MB);
  const other = seededContent(2, 2 * MB);
  hub.add("org/model", { files: { "a.gguf": content } });
  const { headers } = await get(`${hub.endpoint}/org/model/resolve/main/a.gguf`);
  const location = headers.get("location")!;
  const read = async (most: number) => {
    const answer = await fetch(location, { headers: { range: "bytes=5-" } });
    let count = 0;
    const reader = answer.body!.getReader();
    try {
      while (count < most) {
        const { value, done } = await reader.read();
        if (done) break;
        count += value.length;
      }
    } catch {
      return { status: answer.status, count, broken: true };
    }
    await reader.cancel();
    return { status: answer.status, count, broken: false };
  };
  hub.fault = () => ({ cutAfterBytes: 300_000 });
  assert.deepEqual(await read(Infinity), { status: 206, count: 300_000, broken: true });
  hub.fault = () => ({ stallAfterBytes: 70_000 });
  assert.deepEqual(await read(70_000), { status: 206, count: 70_000, broken: false });
  hub.fault = () => ({ status: 503, retryAfter: 7 });
  const refused = await get(location);
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "7"]);
  hub.fault = () => ({ ignoreRange: true });
  assert.deepEqual(await read(Infinity), { status: 200, count: 2 * MB, broken: false });
  hub.fault = () => ({ content: other });
  assert.equal(sha256((await get(location)).bytes), other.sha256);
  hub.fault = () => ({ bytesPerSecond: 20 * MB });
  const startMs = performance.now();
  await get(location);
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs > 60, `${tookMs} ms`);
  hub.fault = () => ({ refuse: true });
  await assert.rejects(get(location));
});

Deno.test("TestHub keeps the history of a file, and tells of each commit by its tree", async () => {
  await using hub = await TestHub.start({ pageSize: 2 });
  const files = Object.fromEntries(
    ["a", "b", "c/d", "c/e"].map((name) => [`${name}.gguf`, textContent(name)]),
  );
  const repo = hub.add("org/model", { files });
  const before = repo.commit;
  repo.put("a.gguf", textContent("new"));
  const names = async (revision: string) => {
    const found: string[] = [];
    let url: string | undefined =
      `${hub.endpoint}/api/models/org/model/tree/${revision}?recursive=true`;
    while (url !== undefined) {
      const { bytes, headers } = await get(url);
      const page = JSON.parse(new TextDecoder().decode(bytes));
      assert.ok(page.length <= 2);
      for (const { path, lfs } of page) found.push(`${path} ${lfs?.oid.slice(0, 4)}`);
      url = /^<(.+)>; rel="next"$/.exec(headers.get("link") ?? "")?.[1];
    }
    return found;
  };
  const [now, then] = [await names("main"), await names(before)];
  assert.equal(now.length, 5);
  assert.deepEqual(now.filter((name) => !then.includes(name)), [
    `a.gguf ${textContent("new").sha256.slice(0, 4)}`,
  ]);
  repo.forget(before);
  const gone = await get(`${hub.endpoint}/org/model/resolve/${before}/a.gguf`);
  assert.equal(gone.status, 404);
  assert.equal(gone.headers.get("x-error-code"), "RevisionNotFound");
});

Deno.test("seededContent() gives the same bytes in any pieces", () => {
  const content = seededContent(3, 2_500_000);
  const whole = content.read(0, content.sizeBytes);
  for (const [start, length] of [[0, 1], [4095, 3], [1_000_000, 10], [1_000_001, 1_400_000]]) {
    assert.deepEqual(content.read(start!, length!), whole.slice(start, start! + length!));
  }
  assert.notEqual(seededContent(4, 2_500_000).sha256, content.sha256);
});
