import assert from "node:assert/strict";
import { join } from "node:path";
import type { DownloadList, DownloadRow, ModelRow, SettingRow } from "../src/api_types.ts";
import { layOutGguf } from "../src/models/gguf_writer.ts";
import { isContent } from "./support/download_home.ts";
import { eventReader } from "./support/event_reader.ts";
import { TestHub } from "./support/hub.ts";
import { ggufContent } from "./support/hub_content.ts";
import { modelContent } from "./support/model_content.ts";
import { layOutLlama, LLAMA_TINY } from "./support/remote_models.ts";
import { type ServerProcess, startServer, until } from "./support/server_process.ts";

const MIB = 1024 ** 2;
const PATH = "/admin/downloads";

function start(hub: TestHub): Promise<ServerProcess> {
  const env = { HF_ENDPOINT: hub.endpoint, ZOMBIE_DOWNLOAD_HOSTS: hub.downloadHost };
  return startServer({ env });
}

async function asked<T>(answer: Promise<Response>, status: number): Promise<T> {
  const got = await answer;
  const text = await got.text();
  assert.equal(got.status, status, text);
  return text === "" ? null as T : JSON.parse(text);
}

function list(server: ServerProcess): Promise<DownloadList> {
  return server.json<DownloadList>(PATH);
}

function reach(server: ServerProcess, id: string, state: DownloadRow["state"]) {
  return until(async () => {
    const row = await server.json<DownloadRow>(`${PATH}/${id}`);
    return row.state === state && row;
  }, 30_000);
}

Deno.test("A model that is downloaded over /admin is offered, known by its repository, and told as it comes", async () => {
  await using hub = await TestHub.start();
  const content = modelContent(1, 24 * MIB);
  hub.add("org/repo", { files: { "q4/model-Q4_0.gguf": content } });
  hub.fault = ({ host }) => host === "cdn" ? { bytesPerSecond: 8 * MIB } : null;
  await using server = await start(hub);
  await using events = eventReader(await server.fetch("/admin/events"));
  const added = await asked<DownloadRow>(
    server.post(PATH, { repo: "org/repo", file: "q4/model-Q4_0.gguf" }),
    201,
  );
  assert.equal(added.revision, "main");
  const told: DownloadRow[] = [];
  while (told.at(-1)?.state !== "done") {
    const { event, data } = (await events.next())!;
    if (event === "download") told.push(data as unknown as DownloadRow);
  }
  const bytes = told.map((row) => row.bytes_done);
  assert.deepEqual(bytes, bytes.toSorted((a, b) => a - b));
  assert.ok(told.length >= 6, `${told.length}`);
  assert.ok(isContent(join(server.home, "model-Q4_0.gguf"), content));
  const models = await server.json<ModelRow[]>("/admin/models");
  const model = models.find(({ id }) => id === "model-Q4_0");
  assert.equal(model?.error, null);
  assert.equal(model?.size_bytes, content.sizeBytes);
  // By its name on the Hub as well.
  const byHub = await server.json<ModelRow>(
    `/admin/models/${encodeURIComponent("hf.co/org/repo")}`,
  );
  assert.equal(byHub.id, "model-Q4_0");
  // The row stays until it is taken away, and a second download of it is refused.
  assert.equal((await list(server)).downloads[0]?.state, "done");
  await asked(server.post(PATH, { repo: "org/repo", file: "q4/model-Q4_0.gguf" }), 409);
  await asked(server.fetch(`${PATH}/${added.id}`, { method: "DELETE" }), 204);
  assert.deepEqual((await list(server)).downloads, []);
  assert.ok(isContent(join(server.home, "model-Q4_0.gguf"), content));
});

Deno.test("A split model and its projector are deleted with all that was downloaded, and can be had again", async () => {
  await using hub = await TestHub.start();
  const parts = layOutLlama(LLAMA_TINY, { format: "Q8_0", parts: 2 }).map((part) =>
    ggufContent(part)
  );
  const projector = layOutGguf({
    metadata: { "general.architecture": { string: "clip" } },
    tensors: [],
  });
  hub.add("org/vision", {
    files: {
      "Q8_0/tiny-Q8_0-00001-of-00002.gguf": parts[0]!,
      "Q8_0/tiny-Q8_0-00002-of-00002.gguf": parts[1]!,
      "mmproj-F16.gguf": ggufContent(projector),
    },
    pipelineTag: "image-text-to-text",
  });
  await using server = await start(hub);
  const ours = /^(builtin|downloads|logs|run|registry\.db.*)$/;
  const names = () =>
    [...Deno.readDirSync(server.home)].map(({ name }) => name).filter((name) => !ours.test(name));
  const wanted = { repo: "org/vision", file: "Q8_0/tiny-Q8_0-00001-of-00002.gguf" };
  for (let round = 0; round < 2; round++) {
    const { id } = await asked<DownloadRow>(server.post(PATH, wanted), 201);
    await reach(server, id, "done");
    const folder = [...Deno.readDirSync(join(server.home, "tiny-Q8_0"))].map(({ name }) => name);
    assert.deepEqual(folder.sort(), [
      "mmproj-F16.gguf",
      "tiny-Q8_0-00001-of-00002.gguf",
      "tiny-Q8_0-00002-of-00002.gguf",
    ]);
    const model = await server.json<ModelRow>("/admin/models/tiny-Q8_0");
    assert.equal(model.error, null);
    assert.ok(model.capabilities.includes("vision"), model.capabilities.join());
    await asked(server.fetch("/admin/models/tiny-Q8_0", { method: "DELETE" }), 204);
    assert.deepEqual(names(), []);
    assert.deepEqual([...Deno.readDirSync(join(server.home, "downloads"))], []);
  }
});

Deno.test("Downloads are paused, resumed, moved and cancelled over /admin", async () => {
  await using hub = await TestHub.start();
  const names = ["a.gguf", "b.gguf", "c.gguf"];
  const files = Object.fromEntries(names.map((name, n) => [name, modelContent(n, 4 * MIB)]));
  hub.add("org/repo", { files });
  hub.fault = ({ host }) => host === "cdn" ? { bytesPerSecond: MIB } : null;
  await using server = await start(hub);
  const ids: string[] = [];
  for (const file of names) {
    ids.push((await asked<DownloadRow>(server.post(PATH, { repo: "org/repo", file }), 201)).id);
  }
  const [a, b, c] = ids as [string, string, string];
  const paused = await asked<DownloadRow>(server.post(`${PATH}/${a}/pause`, {}), 200);
  assert.equal(paused.state, "paused");
  await asked(server.post(`${PATH}/${c}/move`, { before: b }), 200);
  assert.deepEqual((await list(server)).downloads.map(({ id }) => id), [a, c, b]);
  await asked(server.post(`${PATH}/${a}/move`, {}), 200);
  assert.deepEqual((await list(server)).downloads.map(({ id }) => id), [c, b, a]);
  await asked(server.fetch(`${PATH}/${b}`, { method: "DELETE" }), 204);
  await asked(server.fetch(`${PATH}/${b}`, { method: "DELETE" }), 404);
  hub.fault = () => null;
  await reach(server, c, "done");
  assert.equal(
    (await asked<DownloadRow>(server.post(`${PATH}/${a}/resume`, {}), 200)).state,
    "queued",
  );
  await reach(server, a, "done");
  await asked(server.post(`${PATH}/${a}/pause`, {}), 400);
});

Deno.test("The speed limit is a setting: it holds at once, and after a restart", async () => {
  await using hub = await TestHub.start();
  hub.add("org/repo", { files: { "model.gguf": modelContent(1, 8 * MIB) } });
  const env = { HF_ENDPOINT: hub.endpoint, ZOMBIE_DOWNLOAD_HOSTS: hub.downloadHost };
  await using server = await startServer({ env });
  const put = (body: unknown) => server.post(`${PATH}/limit`, body, { method: "PUT" });
  const answer = await asked<DownloadList>(put({ bytes_per_second: 300_000 }), 200);
  assert.equal(answer.bytes_per_second_limit, 300_000);
  const { id } = await asked<DownloadRow>(
    server.post(PATH, { repo: "org/repo", file: "model.gguf" }),
    201,
  );
  await until(async () => (await list(server)).downloads[0]!.bytes_done > 0);
  const settings = await server.json<SettingRow[]>("/admin/settings");
  assert.equal(settings.find(({ name }) => name === "download_limit")?.value, 300_000);
  assert.equal((await list(server)).downloads[0]?.state, "downloading");
  {
    await using again = await startServer({ env, home: join(server.home, "..", "copy"), prepare });
    assert.equal((await list(again)).bytes_per_second_limit, 300_000);
  }
  async function prepare(home: string) {
    await Deno.copyFile(join(server.home, "config.json"), join(home, "config.json"));
  }
  await asked(put({ bytes_per_second: 0 }), 200);
  await reach(server, id, "done");
  for (const wrong of [-1, 1.5, "1", null, 1e300, undefined]) {
    const { error } = await asked<{ error: { param: string } }>(
      put({ bytes_per_second: wrong }),
      400,
    );
    assert.equal(error.param, "bytes_per_second");
  }
});

Deno.test("/admin/downloads says what is wrong with a request", async () => {
  await using hub = await TestHub.start();
  await using server = await start(hub);
  const right = { repo: "org/repo", file: "model.gguf" };
  const table: [unknown, string][] = [
    [{}, "repo"],
    [{ ...right, repo: 1 }, "repo"],
    [{ ...right, repo: "../x" }, "repo"],
    [{ repo: "org/repo" }, "file"],
    [{ ...right, file: ["model.gguf"] }, "file"],
    [{ ...right, file: "../model.gguf" }, "file"],
    [{ ...right, revision: 7 }, "revision"],
    [{ ...right, revision: "a/../b" }, "revision"],
    [{ ...right, commit: "main" }, "commit"],
  ];
  for (const [body, param] of table) {
    const { error } = await asked<{ error: { param: string; message: string } }>(
      server.post(PATH, body),
      400,
    );
    assert.equal(error.param, param, error.message);
  }
  for (const route of ["pause", "resume", "move"]) {
    await asked(server.post(`${PATH}/0123456789abcdef/${route}`, {}), 404);
  }
  await asked(server.post(PATH, right, { headers: { "content-type": "text/plain" } }), 415);
  assert.deepEqual((await list(server)).downloads, []);
  assert.equal(hub.requests.length, 0);
});
