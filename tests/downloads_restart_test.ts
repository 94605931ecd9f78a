import assert from "node:assert/strict";
import { join } from "node:path";
import type { DownloadRow } from "../src/api_types.ts";
import { install } from "../src/models/download_install.ts";
import { Registry } from "../src/models/registry.ts";
import type { DownloadFileRecord } from "../src/models/registry_downloads.ts";
import { DownloadHome, isContent } from "./support/download_home.ts";
import { TestHub } from "./support/hub.ts";
import { type HubContent, seededContent } from "./support/hub_content.ts";
import { logEntries } from "./support/log_entries.ts";
import { rangesSent } from "./support/ranges_sent.ts";
import { tempDir } from "./support/temp_dir.ts";

const MIB = 1024 ** 2;
const FILE = "model.gguf";

interface Begun {
  home: string;
  id: string;
  row: DownloadRow;
  partial: string;
}

/** A download that was stopped with its server after some megabytes. */
async function begin(hub: TestHub, home: string, least = 4 * MIB): Promise<Begun> {
  hub.fault = ({ host }) => host === "cdn" ? { bytesPerSecond: 10 * MIB } : null;
  await using first = await DownloadHome.open(hub, { home });
  const { id } = first.add(FILE);
  await first.until(() => first.row(id).bytes_done >= least);
  await first.close();
  hub.fault = () => null;
  return { home, id, row: first.row(id), partial: join(home, "downloads", id, "00.partial") };
}

async function setUp(content: HubContent) {
  const hub = await TestHub.start();
  hub.add("org/repo", { files: { [FILE]: content } });
  const dir = await tempDir();
  return {
    hub,
    home: dir.path,
    async [Symbol.asyncDispose]() {
      await hub[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

Deno.test("A server that is stopped and started goes on by itself, at the byte after the last one", async () => {
  const content = seededContent(1, 24 * MIB);
  await using test = await setUp(content);
  const begun = await begin(test.hub, test.home);
  const before = test.hub.requests.length;
  await using home = await DownloadHome.open(test.hub, { home: begun.home });
  assert.ok(home.row(begun.id).bytes_done >= begun.row.bytes_done);
  await home.reach(begun.id, "done");
  assert.ok(isContent(join(home.path, FILE), content));
  const resumed = rangesSent(test.hub, FILE, before);
  const fetched = resumed.reduce((sum, { start, end }) => sum + end - start, 0);
  assert.equal(fetched + begun.row.bytes_done, content.sizeBytes);
  // What was begun is looked up first.
  assert.equal(test.hub.requests[before]?.host, "hub");
});

Deno.test("What was paused stays paused over a restart, and what failed stays failed", async () => {
  const content = seededContent(1, 24 * MIB);
  await using test = await setUp(content);
  let paused = "", failed = "";
  {
    await using first = await DownloadHome.open(test.hub, { home: test.home });
    failed = first.add("nothing.gguf").id;
    await first.reach(failed, "failed");
    test.hub.fault = ({ host }) => host === "cdn" ? { bytesPerSecond: 10 * MIB } : null;
    paused = first.add(FILE).id;
    await first.until(() => first.row(paused).bytes_done > 0);
    await first.downloads.pause(paused);
  }
  await using home = await DownloadHome.open(test.hub, { home: test.home });
  assert.equal(home.row(paused).state, "paused");
  assert.equal(home.row(failed).state, "failed");
  assert.equal(home.row(failed).error?.code, "hub_not_found");
  home.downloads.resume(paused);
  await home.reach(paused, "done");
});

Deno.test("After a power cut only what the disk confirmed is believed, whatever lies beyond it", async () => {
  const content = seededContent(1, 24 * MIB);
  await using test = await setUp(content);
  const begun = await begin(test.hub, test.home, 6 * MIB);
  const [file] = filesIn(test.home);
  const confirmed = file!.synced.reduce((sum, [, , done]) => sum + done, 0);
  {
    // What a file system may leave: old bytes where the last ones were written.
    using partial = Deno.openSync(begun.partial, { write: true });
    for (const [start, end, done] of file!.synced) {
      partial.seekSync(start + done, Deno.SeekMode.Start);
      const garbage = new Uint8Array(end - start - done).fill(0xab);
      for (let at = 0; at < garbage.length;) at += partial.writeSync(garbage.subarray(at));
    }
  }
  assert.ok(confirmed > 0, "nothing was confirmed");
  const before = test.hub.requests.length;
  await using home = await DownloadHome.open(test.hub, { home: test.home, boot: "boot-2" });
  await home.reach(begun.id, "done");
  assert.ok(isContent(join(home.path, FILE), content));
  assert.deepEqual(home.logged.messages("warn"), []);
  const fetched = rangesSent(test.hub, FILE, before)
    .reduce((sum, { start, end }) => sum + end - start, 0);
  assert.equal(fetched, content.sizeBytes - confirmed);
});

Deno.test("A partial file that somebody took away or cut short is fetched from its start", async () => {
  const content = seededContent(1, 24 * MIB);
  for (const harm of ["remove", "cut"]) {
    await using test = await setUp(content);
    const begun = await begin(test.hub, test.home);
    if (harm === "remove") Deno.removeSync(begun.partial);
    else Deno.truncateSync(begun.partial, MIB);
    await using home = await DownloadHome.open(test.hub, { home: test.home });
    await home.reach(begun.id, "done");
    assert.ok(isContent(join(home.path, FILE), content));
  }
});

Deno.test("Bytes that changed on the disk meanwhile are found by the checksum, and fetched again", async () => {
  const content = seededContent(1, 24 * MIB);
  await using test = await setUp(content);
  const begun = await begin(test.hub, test.home);
  {
    using partial = Deno.openSync(begun.partial, { write: true });
    partial.seekSync(1_000, Deno.SeekMode.Start);
    partial.writeSync(new Uint8Array(10));
  }
  await using home = await DownloadHome.open(test.hub, { home: test.home });
  await home.reach(begun.id, "waiting");
  await home.reach(begun.id, "done");
  assert.ok(isContent(join(home.path, FILE), content));
});

Deno.test("What cancelled downloads left behind is removed at the next start, and nothing else", async () => {
  await using test = await setUp(seededContent(1, MIB));
  const folder = join(test.home, "downloads");
  const left = join(folder, "0123456789abcdef");
  Deno.mkdirSync(left, { recursive: true });
  Deno.writeTextFileSync(join(left, "00.partial"), "x");
  Deno.mkdirSync(join(folder, "of a user"));
  Deno.writeTextFileSync(join(folder, "0123456789abcdee"), "a file");
  await using _home = await DownloadHome.open(test.hub, { home: test.home });
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  assert.deepEqual(names, ["0123456789abcdee", "of a user"]);
});

Deno.test("A folder of downloads that is a link is not written through", async () => {
  await using test = await setUp(seededContent(1, MIB));
  await using elsewhere = await tempDir();
  Deno.symlinkSync(elsewhere.path, join(test.home, "downloads"));
  Deno.mkdirSync(join(elsewhere.path, "0123456789abcdef"));
  await using home = await DownloadHome.open(test.hub, { home: test.home });
  const row = await home.reach(home.add(FILE).id, "failed");
  assert.equal(row.error?.code, "invalid_request");
  assert.deepEqual([...Deno.readDirSync(elsewhere.path)].map(({ name }) => name), [
    "0123456789abcdef",
  ]);
});

Deno.test("install() is completed by itself, wherever power went", async () => {
  const files = [
    { name: "q/m-00001-of-00002.gguf", sizeBytes: 3 },
    { name: "q/m-00002-of-00002.gguf", sizeBytes: 4 },
  ];
  const one = [{ name: "q/model.gguf", sizeBytes: 3 }];
  interface Case {
    files: typeof files;
    /** Relative path -> text, as the cut left it. */
    before: Record<string, string>;
    placed: string;
    after: Record<string, string>;
  }
  const whole = { "m/m-00001-of-00002.gguf": "abc", "m/m-00002-of-00002.gguf": "defg" };
  const cases: Case[] = [
    // One file: before anything; after all but the row.
    {
      files: one,
      before: { "d/00.partial": "abc" },
      placed: "placed",
      after: { "model.gguf": "abc" },
    },
    {
      files: one,
      before: { "model.gguf": "abc" },
      placed: "placed",
      after: { "model.gguf": "abc" },
    },
    { files: one, before: {}, placed: "lost", after: {} },
    {
      files: one,
      before: { "d/00.partial": "abc", "model.gguf": "xyz" },
      placed: "taken",
      after: { "d/00.partial": "abc", "model.gguf": "xyz" },
    },
    // Several: before, between two, before the folder's name, after it.
    {
      files,
      before: { "d/00.partial": "abc", "d/01.partial": "defg" },
      placed: "placed",
      after: whole,
    },
    {
      files,
      before: { "d/.ready/m-00001-of-00002.gguf": "abc", "d/01.partial": "defg" },
      placed: "placed",
      after: whole,
    },
    {
      files,
      before: {
        "d/.ready/m-00001-of-00002.gguf": "abc",
        "d/.ready/m-00002-of-00002.gguf": "defg",
      },
      placed: "placed",
      after: whole,
    },
    { files, before: whole, placed: "placed", after: whole },
    { files, before: { "d/00.partial": "abc" }, placed: "lost", after: {} },
    {
      files,
      before: { "d/00.partial": "abc", "d/01.partial": "defg", "m/other": "" },
      placed: "taken",
      after: {
        "d/.ready/m-00001-of-00002.gguf": "abc",
        "d/.ready/m-00002-of-00002.gguf": "defg",
        "m/other": "",
      },
    },
  ];
  for (const { files, before, placed, after } of cases) {
    await using dir = await tempDir();
    for (const [path, text] of Object.entries(before)) {
      Deno.mkdirSync(join(dir.path, path, ".."), { recursive: true });
      Deno.writeTextFileSync(join(dir.path, path), text);
    }
    const found = await install({
      home: dir.path,
      folder: join(dir.path, "d"),
      id: files.length === 1 ? "model" : "m",
      files: files.map((file, n) => ({ ...file, path: join(dir.path, "d", `0${n}.partial`) })),
    });
    assert.equal(found, placed, JSON.stringify(before));
    assert.deepEqual(contentsOf(dir.path), after);
  }
});

Deno.test("install() takes two names of one file for the cut that they are", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "d", "00.partial");
  Deno.mkdirSync(join(dir.path, "d"));
  Deno.writeTextFileSync(path, "abc");
  Deno.linkSync(path, join(dir.path, "model.gguf"));
  const files = [{ name: "model.gguf", path, sizeBytes: 3 }];
  const options = { home: dir.path, folder: join(dir.path, "d"), id: "model", files };
  assert.equal(await install(options), "placed");
  assert.deepEqual(contentsOf(dir.path), { "model.gguf": "abc" });
});

Deno.test("A model that is in its place when the server starts is only told", async () => {
  const content = seededContent(1, 2 * MIB);
  await using test = await setUp(content);
  {
    await using first = await DownloadHome.open(test.hub, {
      home: test.home,
      // The process ends here.
      onFinished: () => Promise.reject(new TypeError("killed")),
    });
    await first.reach(first.add(FILE).id, "failed");
    const [record] = first.registry.downloads.list();
    first.registry.downloads.put({ ...record!, state: "verifying" });
  }
  const before = test.hub.requests.length;
  await using home = await DownloadHome.open(test.hub, { home: test.home });
  await home.reach(home.downloads.list()[0]!.id, "done");
  assert.deepEqual(home.finished, [{ id: "model", repo: "org/repo" }]);
  assert.equal(test.hub.requests.length, before);
  assert.ok(isContent(join(home.path, FILE), content));
});

function filesIn(home: string): DownloadFileRecord[] {
  using registry = Registry.open(join(home, "registry.db"), { log: logEntries().log });
  return registry.downloads.files();
}

function contentsOf(root: string, below = ""): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { name, isDirectory } of Deno.readDirSync(join(root, below))) {
    const path = below === "" ? name : `${below}/${name}`;
    if (isDirectory) Object.assign(found, contentsOf(root, path));
    else found[path] = Deno.readTextFileSync(join(root, path));
  }
  return found;
}
