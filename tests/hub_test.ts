import assert from "node:assert/strict";
import { AppError, type ErrorCode } from "../src/errors.ts";
import { createLog, type LogEntry } from "../src/log.ts";
import type { DownloadSource } from "../src/models/download_source.ts";
import { Hub, type HubOptions } from "../src/models/hub.ts";
import { groupHubFiles } from "../src/models/hub_files.ts";
import { TestHub } from "./support/hub.ts";
import { bytesContent, seededContent, textContent } from "./support/hub_content.ts";
import { HOSTILE_NAMES } from "./support/hostile_names.ts";

const TOKEN = "hf_" + "a".repeat(34);

function clientOf(hub: TestHub, options: Partial<HubOptions> = {}) {
  const entries: LogEntry[] = [];
  const client = new Hub({
    endpoint: hub.endpoint,
    token: null,
    downloadHosts: [hub.downloadHost],
    log: createLog({ part: "hub", level: "debug", write: (entry) => entries.push(entry) }),
    ...options,
  });
  // What downloads are written against.
  client satisfies DownloadSource;
  return Object.assign(client, { entries });
}

async function failure(promise: Promise<unknown>, code: ErrorCode, words: RegExp) {
  const error = await promise.then(() => null, (error) => error);
  assert.ok(error instanceof AppError, `${code}: ${error}`);
  assert.equal(error.code, code, error.message);
  assert.match(error.message, words);
  assert.match(error.message, /^[A-Z].*[^.]$/s);
  return error;
}

async function bytesOf(hub: Hub, repo: string, path: string, commit = "main") {
  const resolved = await hub.resolve({ repo, commit, path });
  const answer = await hub.open(resolved, { start: 0, end: resolved.sizeBytes });
  return new Uint8Array(await answer.arrayBuffer());
}

Deno.test("Hub.search() lists repositories with GGUF files, page by page", async () => {
  await using hub = await TestHub.start();
  for (let n = 0; n < 7; n++) {
    hub.add(`org/qwen-${n}-GGUF`, {
      files: { "a-Q4_K_M.gguf": textContent("x") },
      downloads: 100 - n,
      likes: n,
      license: "apache-2.0",
      languages: ["en", "bn"],
      pipelineTag: "text-generation",
      gguf: { total: 4_000_000_000, architecture: "qwen3", context_length: 262_144 },
      gated: n === 1 ? "manual" : false,
    });
  }
  hub.add("org/qwen-no-gguf", { files: { "a.safetensors": textContent("x") } });
  hub.add("org/other", { files: { "a.gguf": textContent("x") } });
  using client = clientOf(hub);
  const first = await client.search("QWEN", { limit: 5 });
  assert.deepEqual(first.rows[0], {
    repo: "org/qwen-0-GGUF",
    downloads: 100,
    likes: 0,
    updatedAt: "2026-11-01T12:00:00.000Z",
    gated: false,
    license: "apache-2.0",
    parameters: 4_000_000_000,
    architecture: "qwen3",
    contextLength: 262_144,
    capabilities: ["chat", "completion"],
    languages: ["en", "bn"],
  });
  assert.equal(first.rows[1]!.gated, "manual");
  assert.equal(first.rows.length, 5);
  const second = await client.search("QWEN", { limit: 5, cursor: first.cursor });
  assert.deepEqual(second.rows.map(({ repo }) => repo), ["org/qwen-5-GGUF", "org/qwen-6-GGUF"]);
  assert.equal(second.cursor, null);
  const pasted = await client.search(`https://huggingface.co/org/other/tree/main`);
  assert.deepEqual(pasted.rows.map(({ repo }) => repo), ["org/other"]);
});

Deno.test("Hub.repo() lists every GGUF file of a commit, over all pages of its tree", async () => {
  await using hub = await TestHub.start({ pageSize: 3 });
  const files = Object.fromEntries(
    Array.from({ length: 10 }, (_, n) => [`Q${n}/m-Q4_${n}.gguf`, textContent(`${n}`)]),
  );
  const repo = hub.add("org/big", {
    files: { ...files, "README.md": textContent("# Hi") },
    gated: "auto",
    license: "mit",
  });
  const before = repo.commit;
  repo.put("new.gguf", textContent("new"));
  using client = clientOf(hub);
  const info = await client.repo("org/big");
  assert.equal(info.commit, repo.commit);
  assert.equal(info.gated, "auto");
  assert.equal(info.license, "mit");
  assert.equal(info.files.length, 11);
  const { sha256, sizeBytes } = textContent("3");
  assert.deepEqual(info.files.find(({ path }) => path === "Q3/m-Q4_3.gguf"), {
    path: "Q3/m-Q4_3.gguf",
    sizeBytes,
    sha256,
  });
  assert.equal((await client.repo("org/big", { revision: before })).files.length, 10);
});

Deno.test("Hub.resolve() and open() give any range of a file, by whole links that expire", async () => {
  await using hub = await TestHub.start();
  const content = seededContent(5, 300_000);
  const repo = hub.add("org/m", { files: { "sub/a b@1.gguf": content } });
  using client = clientOf(hub);
  const wanted = { repo: "org/m", commit: "main", path: "sub/a b@1.gguf" };
  const resolved = await client.resolve(wanted);
  assert.equal(resolved.commit, repo.commit);
  assert.equal(resolved.sizeBytes, 300_000);
  assert.equal(resolved.sha256, content.sha256);
  const answer = await client.open(resolved, { start: 1000, end: 5000 });
  assert.equal(answer.status, 206);
  assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), content.read(1000, 4000));
  hub.linkLifetimeMs = -1;
  const expired = await client.open(await client.resolve(wanted), { start: 0, end: 10 });
  assert.equal(expired.status, 403);
  await expired.body?.cancel();
});

Deno.test("The token goes to the Hub alone, never to the host that it leads to", async () => {
  await using hub = await TestHub.start();
  const content = seededContent(6, 1000);
  const repo = hub.add("org/gated", { files: { "a.gguf": content }, gated: "manual" });
  hub.addToken(TOKEN, [repo]);
  hub.rename("old/gated", "org/gated");
  using client = clientOf(hub, { token: TOKEN });
  await client.repo("org/gated");
  await client.search("x");
  assert.deepEqual(await bytesOf(client, "org/gated", "a.gguf"), content.read(0, 1000));
  // A relative redirect stays on the Hub: the token goes on.
  assert.deepEqual(await bytesOf(client, "old/gated", "a.gguf"), content.read(0, 1000));
  const [atHub, atCdn] = [hub.requests.filter(({ host }) => host === "hub"), hub.cdnRequests];
  assert.ok(atHub.length >= 6 && atHub.every(({ token }) => token === TOKEN));
  assert.equal(atCdn.length, 2);
  for (const { headers } of atCdn) {
    assert.ok(!JSON.stringify(headers).includes(TOKEN), JSON.stringify(headers));
    assert.equal(headers["accept-encoding"], "identity");
  }
});

Deno.test("A redirect to a host that nobody allowed is refused before anything is sent there", async () => {
  await using hub = await TestHub.start();
  hub.add("org/m", { files: { "a.gguf": textContent("x") } });
  using client = clientOf(hub, { downloadHosts: [], token: TOKEN });
  hub.addToken(TOKEN);
  const error = await failure(
    client.resolve({ repo: "org/m", commit: "main", path: "a.gguf" }),
    "hub_host_refused",
    new RegExp(`--download-hosts ${hub.downloadHost}$`),
  );
  assert.equal(error.values["host"], hub.downloadHost);
  const forged = { url: `http://${hub.downloadHost}/x` };
  await failure(client.open(forged, { start: 0, end: 1 }), "hub_host_refused", /download-hosts/);
  for (
    const url of [
      "http://cas-bridge.xethub.hf.co/x",
      "https://hf.co.evil.example/x",
      "https://evilhf.co/x",
      "https://user:pass@cdn.hf.co/x",
      "https://cdn.hf.co:8443/x",
      "ftp://cdn.hf.co/x",
    ]
  ) {
    // `file` throws where it is called: nothing is awaited before the check.
    const asked = Promise.resolve().then(() => client.open({ url }, { start: 0, end: 1 }));
    await failure(asked, "hub_host_refused", /download-hosts/);
  }
  assert.equal(hub.cdnRequests.length, 0);
});

Deno.test("Each refusal of the Hub is its own error, with the next step", async () => {
  await using hub = await TestHub.start();
  const files = { "a.gguf": textContent("x") };
  hub.add("org/open", { files });
  const gated = hub.add("org/gated", { files, gated: "manual" });
  hub.add("org/private", { files, private: true });
  hub.add("org/disabled", { files, disabled: true });
  const other = "hf_" + "b".repeat(34);
  hub.addToken(TOKEN, [gated]);
  hub.addToken(other);
  using anonymous = clientOf(hub);
  using stranger = clientOf(hub, { token: other });
  using junk = clientOf(hub, { token: "hf_junk" });
  const file = (client: Hub, repo: string, path = "a.gguf") =>
    client.resolve({ repo, commit: "main", path });
  // What is said of a gated repository is for all.
  assert.equal((await anonymous.repo("org/gated")).gated, "manual");
  await failure(
    file(anonymous, "org/gated"),
    "hub_gated",
    /huggingface\.co\/org\/gated .*set HF_TOKEN/,
  );
  await failure(
    file(stranger, "org/gated"),
    "hub_gated",
    /HF_TOKEN has no access.*accept the terms/,
  );
  await failure(file(junk, "org/gated"), "hub_token_refused", /settings\/tokens/);
  await failure(junk.repo("org/open"), "hub_token_refused", /settings\/tokens/);
  const unknown = await failure(anonymous.repo("org/none"), "hub_not_found", /or is private/);
  assert.match(unknown.message, /set HF_TOKEN to a token that may read it/);
  await failure(anonymous.repo("org/private"), "hub_not_found", /or is private/);
  await failure(stranger.repo("org/private"), "hub_not_found", /user of HF_TOKEN has no access/);
  await failure(anonymous.repo("org/disabled"), "hub_not_found", /disabled/);
  await failure(file(anonymous, "org/open", "b.gguf"), "hub_not_found", /no file "b.gguf"/);
  await failure(
    anonymous.repo("org/open", { revision: "nowhere" }),
    "hub_not_found",
    /no revision "nowhere"/,
  );
  hub.remaining.api = 0;
  hub.windowLeft = 41;
  const limited = await failure(anonymous.repo("org/open"), "hub_rate_limited", /in 42 seconds/);
  assert.equal(limited.retryAfterSeconds, 42);
  hub.remaining.api = 100;
  hub.fault = () => ({ status: 429, retryAfter: 7 });
  assert.equal(
    (await failure(anonymous.repo("org/open"), "hub_rate_limited", /7 seconds/)).retryAfterSeconds,
    // The Hub's own window counts where it is told; a fault tells none.
    7,
  );
  hub.fault = () => ({ status: 503, retryAfter: 9 });
  const failed = await failure(anonymous.repo("org/open"), "hub_failed", /answered 503/);
  assert.equal(failed.retryAfterSeconds, 9);
  hub.fault = () => ({ status: 500 });
  await failure(file(anonymous, "org/open"), "hub_failed", /answered 500/);
});

Deno.test("A Hub that cannot be reached, is silent, breaks off or talks nonsense is told as such", async () => {
  await using hub = await TestHub.start();
  hub.add("org/m", { files: { "a.gguf": textContent("x") } });
  using hasty = clientOf(hub, { connectMs: 200 });
  hub.fault = () => ({ delayMs: 60_000 });
  const silent = await failure(hasty.repo("org/m"), "hub_unreachable", /does not answer/);
  assert.equal(silent.values["reason"], "no_answer");
  using client = clientOf(hub);
  hub.fault = () => ({ refuse: true });
  await failure(client.repo("org/m"), "hub_unreachable", /connection broke/);
  hub.fault = () => ({ cutAfterBytes: 20 });
  await failure(client.repo("org/m"), "hub_unreachable", /connection broke/);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  using closed = clientOf(hub, { endpoint: `http://127.0.0.1:${listener.addr.port}` });
  await failure(closed.repo("org/m"), "hub_unreachable", /takes no connection/);
  using nowhere = clientOf(hub, { endpoint: "https://hub.invalid" });
  await failure(nowhere.repo("org/m"), "hub_unreachable", /no address is known/);
  hub.fault = () => null;
  const controller = new AbortController();
  hub.fault = () => ({ delayMs: 60_000 });
  const left = client.repo("org/m", { signal: controller.signal });
  controller.abort(new Error("gone"));
  await assert.rejects(left, /gone/);
});

Deno.test("An answer that is no JSON, is too large, or leads in circles ends in a clear error", async () => {
  const answers: Record<string, () => Response> = {
    "/html": () => new Response("<html>"),
    "/large": () => {
      const chunk = new TextEncoder().encode(`"${"x".repeat(1024 * 1024)}",`);
      let count = 0;
      return new Response(
        new ReadableStream({
          pull(controller) {
            controller.enqueue(chunk);
            if (++count > 60) controller.close();
          },
        }),
      );
    },
    "/circle": () => new Response(null, { status: 307, headers: { location: "/circle/api" } }),
    "/list": () => Response.json([1, null, { id: "../x" }, { id: "a/b", tags: "x", gguf: 3 }]),
  };
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => answers[`/${new URL(request.url).pathname.split("/")[1]}`]!(),
  );
  await using hub = await TestHub.start();
  const at = (name: string) =>
    clientOf(hub, { endpoint: `http://127.0.0.1:${server.addr.port}/${name}` });
  using html = at("html");
  await failure(html.search("x"), "hub_failed", /did not answer with JSON/);
  using large = at("large");
  await failure(large.search("x"), "hub_failed", /too much text/);
  using circle = at("circle");
  await failure(circle.search("x"), "hub_failed", /in circles/);
  using list = at("list");
  const { rows } = await list.search("x");
  assert.deepEqual(rows.map(({ repo, parameters }) => [repo, parameters]), [["a/b", null]]);
});

Deno.test("Hostile names of repositories and files are refused before the Hub is asked", async () => {
  await using hub = await TestHub.start();
  using client = clientOf(hub);
  for (const name of HOSTILE_NAMES) {
    await assert.rejects(client.repo(name), AppError);
    await assert.rejects(client.repo(`org/${name}`), AppError);
    if (name !== "a'b" && !name.startsWith("~")) {
      const wanted = { repo: "org/m", commit: "main", path: `${name}/a.gguf` };
      await assert.rejects(client.resolve(wanted), AppError);
    }
  }
  assert.deepEqual(
    hub.requests.filter(({ path }) => path.includes("..") || path.includes("%00")),
    [],
  );
});

Deno.test("Hostile names in a listing are left out, and the log says so", async () => {
  await using hub = await TestHub.start();
  const files = Object.fromEntries(
    HOSTILE_NAMES.filter((name) => name.isWellFormed())
      .map((name) => [`${name}.gguf`, textContent("x")]),
  );
  hub.add("org/m", { files: { ...files, "good-Q4_K_M.gguf": textContent("good") } });
  using client = clientOf(hub);
  const models = groupHubFiles((await client.repo("org/m")).files);
  assert.ok(models.some(({ id }) => id === "good-Q4_K_M"));
  for (const { file } of models) assert.doesNotMatch(file, /\.\.|[\\:\0]|^\//);
  assert.ok(client.entries.some(({ message }) => message.includes("a name that is not taken")));
});

Deno.test("Hub.model() names all files of a split model and its projector, by any of its parts", async () => {
  await using hub = await TestHub.start();
  const repo = hub.add("org/m", {
    files: {
      "Q4_K_M/m-Q4_K_M-00001-of-00002.gguf": textContent("1"),
      "Q4_K_M/m-Q4_K_M-00002-of-00002.gguf": textContent("2"),
      "mmproj-F16.gguf": textContent("p"),
      "half-00001-of-00002.gguf": textContent("h"),
    },
  });
  using client = clientOf(hub);
  const model = await client.model({
    repo: "org/m",
    revision: "main",
    file: "Q4_K_M/m-Q4_K_M-00002-of-00002.gguf",
  });
  assert.equal(model.commit, repo.commit);
  assert.deepEqual(model.files.map(({ path, role, sha256 }) => [path, role, sha256]), [
    ["Q4_K_M/m-Q4_K_M-00001-of-00002.gguf", "model", textContent("1").sha256],
    ["Q4_K_M/m-Q4_K_M-00002-of-00002.gguf", "model", textContent("2").sha256],
    ["mmproj-F16.gguf", "projector", textContent("p").sha256],
  ]);
  const ask = (file: string) => client.model({ repo: "org/m", revision: "main", file });
  await failure(ask("half-00001-of-00002.gguf"), "hub_not_found", /parts of it are missing/);
  await failure(ask("none.gguf"), "hub_not_found", /no such file/);
  await failure(ask("../m.gguf"), "file_name_refused", /Choose another/);
});

Deno.test("The token is not sent in the open to another machine", () => {
  const entries: LogEntry[] = [];
  const log = createLog({ part: "hub", level: "debug", write: (entry) => entries.push(entry) });
  using _ = new Hub({
    endpoint: "http://mirror.example",
    token: TOKEN,
    downloadHosts: [],
    log,
  });
  assert.match(entries[0]!.message, /HF_TOKEN is not sent/);
});

Deno.test("A small file that the Hub gives itself comes from there, with the token", async () => {
  await using hub = await TestHub.start();
  const repo = hub.add("org/m", { files: { "template": bytesContent(new Uint8Array(33)) } });
  hub.addToken(TOKEN, [repo]);
  using client = clientOf(hub, { token: TOKEN });
  assert.equal((await bytesOf(client, "org/m", "template")).length, 33);
  assert.equal(hub.cdnRequests.length, 0);
});
