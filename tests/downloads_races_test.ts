import assert from "node:assert/strict";
import { join } from "node:path";
import { DownloadHome, isContent } from "./support/download_home.ts";
import { failure } from "./support/failure.ts";
import { TestHub } from "./support/hub.ts";
import { seededContent } from "./support/hub_content.ts";
import { tempDir } from "./support/temp_dir.ts";

const MIB = 1024 ** 2;

/** A look at the disk that takes as long as a test wants it to. */
function slowDisk() {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<null>();
  return {
    asked: asked.promise,
    answer: () => answer.resolve(null),
    freeBytes: () => {
      asked.resolve();
      return answer.promise;
    },
  };
}

Deno.test("pause() holds, also where the download was just looking at the disk", async () => {
  await using hub = await TestHub.start();
  hub.add("org/repo", { files: { "model.gguf": seededContent(1, MIB) } });
  const disk = slowDisk();
  await using home = await DownloadHome.open(hub, { freeBytes: disk.freeBytes });
  const { id } = home.add("model.gguf");
  await disk.asked;
  const paused = home.downloads.pause(id);
  disk.answer();
  assert.equal((await paused).state, "paused");
  assert.equal(home.row(id).state, "paused");
  assert.equal(home.registry.downloads.list()[0]?.state, "paused");
  assert.deepEqual(hub.cdnRequests, []);
});

Deno.test("cancel() is the end, whatever was going on and whoever asks to go on meanwhile", async () => {
  await using hub = await TestHub.start();
  hub.add("org/repo", { files: { "model.gguf": seededContent(1, MIB) } });
  const disk = slowDisk();
  await using home = await DownloadHome.open(hub, { freeBytes: disk.freeBytes });
  const { id } = home.add("model.gguf");
  await disk.asked;
  const cancelled = home.downloads.cancel(id);
  assert.equal(failure(() => home.downloads.resume(id)).code, "download_not_found");
  disk.answer();
  await cancelled;
  assert.deepEqual(home.downloads.list(), []);
  assert.deepEqual(home.registry.downloads.list(), []);
  assert.deepEqual(home.registry.downloads.files(), []);
  assert.deepEqual(hub.cdnRequests, []);
  assert.deepEqual(home.changes.at(-1), { id, removed: true });
});

Deno.test("A connection that is told to come back in a minute holds up nothing", async () => {
  await using hub = await TestHub.start();
  const content = seededContent(1, 30 * MIB);
  hub.add("org/repo", { files: { "model.gguf": content } });
  let refused = 0;
  hub.fault = ({ host }) =>
    host === "cdn" && refused++ === 0 ? { status: 429, retryAfter: 60 } : null;
  await using home = await DownloadHome.open(hub);
  const { id } = home.add("model.gguf");
  const startedMs = performance.now();
  await home.reach(id, "done");
  assert.ok(performance.now() - startedMs < 30_000);
  assert.ok(isContent(join(home.path, "model.gguf"), content));
});

Deno.test("A plan that was cut off while it was written down is made again, with all of its files", async () => {
  await using hub = await TestHub.start();
  await using dir = await tempDir();
  const names = ["model-00001-of-00002.gguf", "model-00002-of-00002.gguf"];
  hub.add("org/repo", {
    files: Object.fromEntries(names.map((name, at) => [name, seededContent(at + 1, 2 * MIB)])),
  });
  hub.fault = ({ host }) => host === "cdn" ? { stallAfterBytes: 0 } : null;
  {
    await using home = await DownloadHome.open(hub, { home: dir.path });
    const { id } = home.add(names[0]!);
    await home.until(() => home.row(id).files.length === 2);
    await home.downloads[Symbol.asyncDispose]();
    const [first] = home.registry.downloads.files();
    home.registry.downloads.removeFiles(id);
    home.registry.downloads.putFile(first!);
  }
  hub.fault = () => null;
  await using home = await DownloadHome.open(hub, { home: dir.path });
  const [row] = home.downloads.list();
  await home.reach(row!.id, "done");
  assert.deepEqual(
    [...Deno.readDirSync(join(dir.path, "model"))].map(({ name }) => name).sort(),
    names,
  );
});

Deno.test("Two files of one name in two folders of a repository are two models", async () => {
  await using hub = await TestHub.start();
  const files = { "Q4/model.gguf": seededContent(1, MIB), "Q8/model.gguf": seededContent(2, MIB) };
  hub.add("org/repo", { files });
  await using home = await DownloadHome.open(hub);
  const models: (string | null)[] = [];
  for (const file of Object.keys(files)) {
    models.push((await home.reach(home.add(file).id, "done")).model);
  }
  assert.deepEqual(models, ["model", "model--org"]);
});
