// Headers read over the network: facts of a model before a byte of its weights is fetched.

import assert from "node:assert/strict";
import { createLog } from "../src/log.ts";
import type { GgufFacts } from "../src/models/gguf.ts";
import { readSplitFacts } from "../src/models/gguf_split.ts";
import { Hub } from "../src/models/hub.ts";
import { groupHubFiles } from "../src/models/hub_files.ts";
import { factsOfModels } from "../src/models/hub_headers.ts";
import { parseHubRepoInfo } from "../src/models/hub_repo_info.ts";
import { readRemoteFacts, type RemoteFile } from "../src/models/remote_gguf.ts";
import { scaledFacts } from "../src/models/scaled_facts.ts";
import { ggufBytes } from "../src/models/gguf_writer.ts";
import { parseGguf } from "../src/models/gguf.ts";
import { ggufRefusal } from "./support/gguf_files.ts";
import { TestHub } from "./support/hub.ts";
import { ggufContent, type HubContent, textContent } from "./support/hub_content.ts";
import {
  type FormatName,
  FORMATS,
  layOutLlama,
  LLAMA_70B,
  LLAMA_TINY,
} from "./support/remote_models.ts";

const MB = 1_000_000;

function clientOf(hub: TestHub): Hub {
  return new Hub({
    endpoint: hub.endpoint,
    token: null,
    downloadHosts: [hub.downloadHost],
    log: createLog({ part: "hub", level: "error", write() {} }),
  });
}

function remote(content: HubContent, name = "x.gguf", fetched: [number, number][] = []) {
  return {
    name,
    sizeBytes: content.sizeBytes,
    read(start, end) {
      fetched.push([start, end]);
      const length = Math.min(end, content.sizeBytes) - start;
      return Promise.resolve(content.read(start, Math.max(0, length)));
    },
  } satisfies RemoteFile;
}

/** What the reader of files says of the same bytes. */
async function localFacts(contents: HubContent[]): Promise<GgufFacts> {
  const byName = new Map(contents.map((content, index) => [`${index}`, content]));
  return await readSplitFacts([...byName.keys()], (name) => {
    const content = byName.get(name)!;
    const source = {
      size: content.sizeBytes,
      read: (offset: number, length: number) =>
        content.read(offset, Math.min(length, content.sizeBytes - offset)),
    };
    return Promise.resolve(parseGguf(source, { file: name }));
  });
}

Deno.test("The facts of a 40 GB split model cost under 20 MB and little time", async () => {
  await using hub = await TestHub.start();
  const contents = layOutLlama(LLAMA_70B, { format: "Q4_K_M", parts: 9 })
    .map((layout) => ggufContent(layout));
  const files = Object.fromEntries(contents.map((content, index) => [
    `Q4_K_M/Llama-70B-Q4_K_M-0000${index + 1}-of-00009.gguf`,
    content,
  ]));
  hub.add("org/Llama-70B-GGUF", { files });
  using client = clientOf(hub);
  const startMs = performance.now();
  const info = await client.withHeaders(await client.repo("org/Llama-70B-GGUF"));
  const tookMs = performance.now() - startMs;
  const models = groupHubFiles(info.files);
  const [facts] = factsOfModels(info.headers, models);
  assert.equal(models.length, 1);
  assert.ok(models[0]!.modelBytes > 39e9, `${models[0]!.modelBytes}`);
  const local = await localFacts(contents);
  assert.equal(facts!.weightsBytes, local.weightsBytes);
  assert.deepEqual(facts!.blockBytes, local.blockBytes);
  assert.equal(facts!.splitCount, 9);
  assert.equal(facts!.contextLength, 131_072);
  assert.deepEqual(facts!.capabilities, ["chat", "completion", "tools"]);
  assert.ok(local.headerBytes > 6 * MB, `${local.headerBytes}`);
  assert.ok(hub.sentBytes < 20 * MB, `${hub.sentBytes} bytes`);
  assert.ok(tookMs < 15_000, `${tookMs} ms`);
  // A second look costs nothing of the files.
  const before = hub.cdnRequests.length;
  const again = await client.withHeaders(await client.repo("org/Llama-70B-GGUF"));
  assert.equal(factsOfModels(again.headers, models)[0]!.weightsBytes, local.weightsBytes);
  assert.equal(hub.cdnRequests.length, before);
});

Deno.test("readRemoteFacts() fetches each byte once, and no more than it must", async () => {
  const [layout] = layOutLlama(LLAMA_TINY, { format: "Q8_0" });
  const content = ggufContent(layout!, layout!.sizeBytes);
  const fetched: [number, number][] = [];
  const facts = await readRemoteFacts([remote(content, "x.gguf", fetched)]);
  assert.deepEqual(fetched, [[0, 1024 ** 2]]);
  assert.equal(facts.weightsBytes, (await localFacts([content])).weightsBytes);
  const [large] = layOutLlama({ ...LLAMA_TINY, vocabulary: 60_000 }, { format: "Q8_0" });
  fetched.length = 0;
  await readRemoteFacts([remote(ggufContent(large!), "x.gguf", fetched)]);
  assert.ok(large!.header.length > 2 * MB && fetched.length > 1);
  let at = 0;
  for (const [start, end] of fetched) {
    assert.equal(start, at);
    at = end;
  }
  assert.ok(at < 2 * large!.header.length + 1024 ** 2, `${at} of ${large!.header.length}`);
});

Deno.test("scaledFacts() tells the weights of other quantizations within 2 %", async () => {
  const formats = Object.keys(FORMATS) as FormatName[];
  const contents = new Map(formats.map((format) => [
    format,
    ggufContent(layOutLlama({ ...LLAMA_TINY, vocabulary: 8_000 }, { format })[0]!),
  ]));
  for (const from of formats) {
    const facts = await localFacts([contents.get(from)!]);
    for (const to of formats) {
      const real = await localFacts([contents.get(to)!]);
      const modelBytes = contents.get(to)!.sizeBytes;
      const scaled = scaledFacts(facts, { modelBytes, parts: 1, quantization: to });
      const isNear = (one: number, other: number, part: number) =>
        assert.ok(Math.abs(one / other - 1) <= part, `${from} -> ${to}: ${one}, real ${other}`);
      isNear(scaled.weightsBytes, real.weightsBytes, 0.02);
      assert.equal(scaled.quantization, to);
      assert.equal(scaled.blockBytes.length, real.blockBytes.length);
    }
  }
});

Deno.test("One header tells of all quantizations; another model in the repository has its own", async () => {
  await using hub = await TestHub.start();
  const files: Record<string, HubContent> = {};
  for (const format of Object.keys(FORMATS) as FormatName[]) {
    files[`tiny-${format}.gguf`] = ggufContent(layOutLlama(LLAMA_TINY, { format })[0]!);
  }
  const wider = { ...LLAMA_TINY, layers: 6 };
  files["wide-Q8_0.gguf"] = ggufContent(layOutLlama(wider, { format: "Q8_0" })[0]!);
  files["broken-Q8_0.gguf"] = textContent("<!DOCTYPE html>");
  files["mmproj-F16.gguf"] = textContent("never read");
  hub.add("org/m", { files });
  using client = clientOf(hub);
  const info = await client.withHeaders(await client.repo("org/m"));
  assert.deepEqual(info.headers.map(({ file }) => file).sort(), [
    "tiny-Q4_K_M.gguf",
    "wide-Q8_0.gguf",
  ]);
  const read = new Set(hub.cdnRequests.map(({ file }) => file));
  assert.deepEqual([...read].sort(), ["broken-Q8_0.gguf", "tiny-Q4_K_M.gguf", "wide-Q8_0.gguf"]);
  const models = groupHubFiles(info.files);
  const all = factsOfModels(info.headers, models);
  for (const [index, facts] of all.entries()) {
    const { file, quantization } = models[index]!;
    if (file.startsWith("broken")) {
      assert.equal(facts, null);
      continue;
    }
    const real = await localFacts([files[file]!]);
    assert.equal(facts!.blockCount, real.blockCount, file);
    assert.equal(facts!.quantization, quantization);
    assert.ok(Math.abs(facts!.weightsBytes / real.weightsBytes - 1) < 0.02, file);
  }
  // As the catalogue keeps it: through JSON, and believed again.
  const kept = parseHubRepoInfo(JSON.parse(JSON.stringify(info)));
  assert.deepEqual(kept, JSON.parse(JSON.stringify(info)));
  assert.deepEqual(
    factsOfModels(kept!.headers, groupHubFiles(kept!.files)).map((facts) => facts?.weightsBytes),
    all.map((facts) => facts?.weightsBytes),
  );
});

Deno.test("parseHubRepoInfo() believes nothing that was changed into nonsense", async () => {
  await using hub = await TestHub.start();
  hub.add("org/m", {
    files: { "a-Q8_0.gguf": ggufContent(layOutLlama(LLAMA_TINY, { format: "Q8_0" })[0]!) },
  });
  using client = clientOf(hub);
  const info = JSON.parse(
    JSON.stringify(await client.withHeaders(await client.repo("org/m"))),
  );
  assert.ok(parseHubRepoInfo(info) !== null);
  for (
    const change of [
      { repo: "../x" },
      { commit: "main" },
      { files: [{ path: "../../x.gguf", sizeBytes: 1, sha256: null }] },
      { files: [{ path: "a.gguf", sizeBytes: -1, sha256: null }] },
      { files: "x" },
      { headers: {} },
      { capabilities: [3] },
    ]
  ) assert.equal(parseHubRepoInfo({ ...info, ...change }), null, JSON.stringify(change));
  for (
    const change of [
      { blockCount: 1e9 },
      { weightsBytes: "1" },
      { headCount: [1, -2] },
      { kind: "x" },
      { metadata: [["a"]] },
      { blockBytes: Array(2000).fill(1) },
    ]
  ) {
    const [header] = info.headers;
    const changed = { ...info, headers: [{ ...header, facts: { ...header.facts, ...change } }] };
    assert.deepEqual(parseHubRepoInfo(changed)!.headers, [], JSON.stringify(change));
  }
  for (const value of [null, 3, "x", [], {}]) assert.equal(parseHubRepoInfo(value), null);
});

Deno.test("A remote file that is short, endless or no model gives a clear error at little cost", async () => {
  const [layout] = layOutLlama(LLAMA_TINY, { format: "Q8_0" });
  const whole = ggufBytes(layout!);
  const fetched: [number, number][] = [];
  const claims = (bytes: Uint8Array<ArrayBuffer>, sizeBytes: number): HubContent => ({
    sizeBytes,
    sha256: "0".repeat(64),
    read: (start, length) => bytes.slice(start, start + length),
  });
  const read = (content: HubContent) => {
    fetched.length = 0;
    return readRemoteFacts([remote(content, "x.gguf", fetched)]);
  };
  // Less than its tensors need, by its size or by what comes.
  await assert.rejects(read(claims(whole, whole.length - 1)), ggufRefusal("cut_off"));
  await assert.rejects(read(claims(whole.slice(0, 5000), 1e9)), ggufRefusal("cut_off"));
  await assert.rejects(read(textContent("<html>")), ggufRefusal("not_gguf", /web page/));
  await assert.rejects(read(textContent("")), ggufRefusal("cut_off", /is empty/));
  const endless = { sizeBytes: 40e9, sha256: "", read: endlessHeader };
  const startMs = performance.now();
  await assert.rejects(read(endless), ggufRefusal("header_too_large"));
  assert.ok(performance.now() - startMs < 10_000, `${performance.now() - startMs} ms`);
  assert.equal(fetched.at(-1)![1], 19 * 1024 ** 2);
});

Deno.test("A split model whose parts do not belong together is refused", async () => {
  const [one, two] = layOutLlama(LLAMA_TINY, { format: "Q8_0", parts: 2 })
    .map((layout) => ggufContent(layout));
  const [other] = layOutLlama(LLAMA_TINY, { format: "Q8_0" }).map((layout) => ggufContent(layout));
  await assert.rejects(
    readRemoteFacts([remote(one!, "1"), remote(one!, "2")]),
    ggufRefusal("part_missing"),
  );
  await assert.rejects(readRemoteFacts([remote(one!, "1")]), ggufRefusal("part_missing"));
  await assert.rejects(
    readRemoteFacts([remote(one!, "1"), remote(other!, "2"), remote(two!, "3")]),
    ggufRefusal("corrupt"),
  );
  const broken = remote(two!, "2");
  await assert.rejects(
    readRemoteFacts([remote(one!, "1"), {
      ...broken,
      read: () => Promise.reject(new Error("gone")),
    }]),
    /gone/,
  );
});

/** A list of tokens that never ends, each of them empty. */
function endlessHeader(start: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  const begin = new Uint8Array(64);
  const view = new DataView(begin.buffer);
  begin.set(new TextEncoder().encode("GGUF"));
  view.setUint32(4, 3, true);
  view.setBigUint64(8, 1n, true);
  view.setBigUint64(16, 1n, true);
  view.setBigUint64(24, 1n, true);
  begin[32] = 65;
  view.setUint32(33, 9, true);
  view.setUint32(37, 8, true);
  view.setBigUint64(41, 1n << 30n, true);
  if (start < begin.length) bytes.set(begin.subarray(start).subarray(0, length));
  return bytes;
}
