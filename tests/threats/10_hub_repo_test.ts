// A repository whose owner chose names, links and sizes to reach what lies outside of the models.

import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { AppError } from "../../src/errors.ts";
import type { DownloadSource } from "../../src/models/download_source.ts";
import { DownloadHome } from "../support/download_home.ts";
import { TestHub } from "../support/hub.ts";
import { bytesContent } from "../support/hub_content.ts";
import { HOSTILE_NAMES, hostileName } from "../support/hostile_names.ts";
import { startServer } from "../support/server_process.ts";
import { allListed } from "../support/server_state.ts";
import { tempDir } from "../support/temp_dir.ts";
import { OWN_FILES, treeSnapshot } from "../support/tree_snapshot.ts";
import { threatName } from "./rows.ts";

const BYTES = new Uint8Array(1_000).fill(7);

/** A Hub that lies: its files have whatever names it likes. `org/repo-N` has the Nth. */
function lyingSource(paths: readonly string[], lies: Partial<DownloadSource> = {}): DownloadSource {
  const { sha256 } = bytesContent(BYTES);
  return {
    model: ({ repo }) =>
      Promise.resolve({
        commit: "c".repeat(40),
        files: [
          {
            path: paths[Number(repo.split("-")[1])]!,
            sizeBytes: BYTES.length,
            sha256,
            role: "model",
          },
          { path: "mmproj-F16.gguf", sizeBytes: BYTES.length, sha256, role: "projector" },
        ],
      }),
    resolve: ({ commit }) =>
      Promise.resolve({ url: "http://hub.invalid/x", sizeBytes: BYTES.length, sha256, commit }),
    open: () =>
      Promise.resolve(
        new Response(new Blob([BYTES]).stream(), {
          status: 206,
          headers: { "content-range": `bytes 0-${BYTES.length - 1}/${BYTES.length}` },
        }),
      ),
    ...lies,
  };
}

function treeOf(root: string): string[] {
  return [...Deno.readDirSync(root)].flatMap(({ name, isDirectory }) =>
    isDirectory ? [name, ...treeOf(join(root, name)).map((below) => `${name}/${below}`)] : [name]
  ).sort();
}

Deno.test(
  threatName(
    10,
    "300 names of its files write nothing outside the home, and nothing inside but models",
  ),
  async () => {
    await using hub = await TestHub.start();
    await using dir = await tempDir();
    // What is beside the home is what a path that climbs would hit.
    const home = join(dir.path, "home");
    Deno.mkdirSync(home);
    Deno.writeTextFileSync(join(dir.path, "beside"), "mine");
    const sampled = fc.sample(hostileName(), { numRuns: 300, seed: 1 });
    const forms = [
      (name: string) => `${name}.gguf`,
      (name: string) => `${name}/model.gguf`,
      (name: string) => `a/${name}.gguf`,
      (name: string) => name,
    ];
    const paths = [...HOSTILE_NAMES, ...sampled].slice(0, 300)
      .map((name, index) => forms[index % forms.length]!(name));
    await using downloads = await DownloadHome.open(hub, { home, source: lyingSource(paths) });
    let refused = 0;
    for (const [index, path] of paths.entries()) {
      const { id } = downloads.add("model.gguf", { repo: `org/repo-${index}` });
      const row = await downloads.reach(id, "failed", "done");
      if (row.state === "failed") {
        assert.equal(row.error?.code, "file_name_refused", path);
        refused++;
      } else {
        assert.match(row.model!, /^[\p{L}\p{N}][^/\\:\0]*$/u);
        assert.equal(treeOf(join(home, row.model!)).length, 2);
        Deno.removeSync(join(home, row.model!), { recursive: true });
      }
      await downloads.downloads.cancel(id);
    }
    assert.ok(refused > 150, `${refused}`);
    assert.deepEqual([...Deno.readDirSync(dir.path)].map(({ name }) => name).sort(), [
      "beside",
      "home",
    ]);
    assert.equal(Deno.readTextFileSync(join(dir.path, "beside")), "mine");
    assert.deepEqual(treeOf(home).filter((name) => !name.startsWith("registry.db")), ["downloads"]);
  },
);

Deno.test(threatName(10, "300 names that somebody asks for write nothing"), async () => {
  await using hub = await TestHub.start();
  await using home = await DownloadHome.open(hub);
  const names = [...HOSTILE_NAMES, ...fc.sample(hostileName(), { numRuns: 300, seed: 2 })];
  for (const name of names.slice(0, 300)) {
    const table = [
      { repo: name, file: "model.gguf" },
      { repo: `org/${name}`, file: "model.gguf" },
      { repo: "org/repo", file: name },
      { repo: "org/repo", file: `../${name}.gguf` },
    ];
    for (const { repo, file } of table) {
      try {
        await home.downloads.cancel(home.add(file, { repo }).id);
        // Some of them are names.
        assert.match(`${repo} ${file}`, /^[\w.-]+\/[\w.-]+ [^\\:]+\.gguf$/i);
        assert.ok(!file.includes(".."));
      } catch (error) {
        assert.ok(error instanceof AppError, `${name}: ${error}`);
        assert.equal(error.status, 400);
      }
    }
  }
  const inHome = treeOf(home.path).filter((name) => !name.startsWith("registry.db"));
  assert.ok(inHome.every((name) => name === "downloads"), inHome.join());
});

Deno.test(
  threatName(10, "links that wait at its files' names are not written through"),
  async () => {
    await using hub = await TestHub.start();
    await using dir = await tempDir();
    const home = join(dir.path, "home");
    const outside = join(dir.path, "outside");
    for (const folder of [home, outside]) Deno.mkdirSync(folder);
    Deno.writeTextFileSync(join(outside, "mine"), "mine");
    Deno.symlinkSync(join(outside, "mine"), join(home, "model.gguf"));
    Deno.symlinkSync(outside, join(home, "model"));
    Deno.symlinkSync(join(outside, "new"), join(home, "model--org.gguf"));
    const before = treeSnapshot(outside);
    await using downloads = await DownloadHome.open(hub, {
      home,
      source: lyingSource(["model.gguf"]),
    });
    const { id } = downloads.add("model.gguf", { repo: "org/repo-0" });
    const { model } = await downloads.reach(id, "done");
    assert.equal(model, "model--org-2");
    assert.deepEqual(treeSnapshot(outside), before);
    assert.ok(Deno.lstatSync(join(home, model)).isDirectory);
    assert.deepEqual(treeOf(join(home, model)), ["mmproj-F16.gguf", "model.gguf"]);
  },
);

Deno.test(
  threatName(10, "a file that is longer than it was said to be is cut where it should end"),
  async () => {
    await using hub = await TestHub.start();
    await using dir = await tempDir();
    let sent = 0;
    const endless = () =>
      new ReadableStream<Uint8Array<ArrayBuffer>>({
        pull(controller) {
          sent += 65_536;
          controller.enqueue(new Uint8Array(65_536).fill(7));
        },
      });
    const answers = [
      { "content-range": `bytes 0-${BYTES.length - 1}/${BYTES.length}` },
      { "content-range": "bytes 0-999999999999/1000000000000" },
      { "content-range": `bytes 0-${BYTES.length - 1}/*` },
      {},
    ];
    for (const [index, headers] of answers.entries()) {
      for (const status of [206, 200]) {
        const home = join(dir.path, `home-${index}-${status}`);
        Deno.mkdirSync(home);
        const open = () => Promise.resolve(new Response(endless(), { status, headers }));
        await using downloads = await DownloadHome.open(hub, {
          home,
          source: lyingSource(["model.gguf"], { open }),
        });
        sent = 0;
        const { id } = downloads.add("model.gguf", { repo: "org/repo-0" });
        // It is a file of the right length, or none; what comes behind its end is not taken.
        await downloads.until(() => {
          const row = downloads.row(id);
          return row.state === "done" || row.state === "failed" || row.error !== null;
        });
        assert.ok(sent < 16 * 1024 ** 2, `${sent} bytes were taken`);
        for (const line of treeSnapshot(home, { except: OWN_FILES })) {
          const size = Number(/ (\d+) \d+ \d+ [0-9a-f]{64}$/.exec(line)?.[1] ?? 0);
          assert.ok(size <= BYTES.length || /\.json /.test(line), line);
        }
        await downloads.downloads.cancel(id);
      }
    }
  },
);

Deno.test(
  threatName(10, "sizes that no disk has are refused before a byte is written"),
  async () => {
    await using hub = await TestHub.start();
    await using dir = await tempDir();
    for (const [index, sizeBytes] of [2 ** 53 - 1, 2 ** 50, 10 ** 15].entries()) {
      const home = join(dir.path, `home-${index}`);
      Deno.mkdirSync(home);
      const { sha256 } = bytesContent(BYTES);
      let opened = 0;
      await using downloads = await DownloadHome.open(hub, {
        home,
        freeBytes: () => Promise.resolve(10 ** 12),
        source: lyingSource([], {
          model: () =>
            Promise.resolve({
              commit: "c".repeat(40),
              files: [{ path: "model.gguf", sizeBytes, sha256, role: "model" }],
            }),
          resolve: ({ commit }) =>
            Promise.resolve({ url: "http://hub.invalid/x", sizeBytes, sha256, commit }),
          open: () => {
            opened++;
            return Promise.reject(new Error("nothing may be fetched"));
          },
        }),
      });
      const { id } = downloads.add("model.gguf");
      const row = await downloads.until(() => {
        const row = downloads.row(id);
        return row.error === null ? null : row;
      });
      assert.equal(row.error?.code, "disk_full");
      assert.equal(opened, 0);
      await downloads.downloads.cancel(id);
    }
  },
);

Deno.test(
  threatName(10, "the real program offers and fetches nothing of 300 hostile names"),
  async () => {
    await using hub = await TestHub.start();
    const content = bytesContent(BYTES);
    const names = [...HOSTILE_NAMES, ...fc.sample(hostileName(), { numRuns: 300, seed: 3 })]
      .slice(0, 300).map((name) => `${name.toWellFormed()}.gguf`);
    hub.add("evil/names", {
      files: Object.fromEntries([...names, "good-Q4_K_M.gguf"].map((name) => [name, content])),
    });
    await using server = await startServer({
      doors: "29211-29215",
      env: { HF_ENDPOINT: hub.endpoint, ZOMBIE_DOWNLOAD_HOSTS: hub.downloadHost },
    });
    await allListed(server);
    const root = join(server.home, "..");
    const before = treeSnapshot(root, { except: OWN_FILES });
    const repo = await server.fetch("/admin/hub/repos/evil/names");
    const listed = await repo.text();
    assert.equal(repo.status, 200, listed);
    const offered = [...listed.matchAll(/"([^"]*\.gguf)"/g)].map(([, name]) =>
      JSON.parse(`"${name}"`)
    );
    assert.ok(offered.includes("good-Q4_K_M.gguf"));
    for (const name of offered) {
      assert.match(name, /^(?:[\p{L}\p{N}][^/\\]*\/){0,3}[\p{L}\p{N}][^/\\]*\.gguf$/u);
      assert.doesNotMatch(
        name,
        /\.\.|[\p{Cc}:*?"<>|%~$]|(?:^|\/)(?:con|nul|aux|prn|com\d|lpt\d)\b/iu,
      );
    }
    let refused = 0;
    for (const file of names) {
      const answer = await server.post("/admin/downloads", { repo: "evil/names", file });
      const text = await answer.text();
      if (answer.status === 201) {
        const removed = await server.fetch(`/admin/downloads/${JSON.parse(text).id}`, {
          method: "DELETE",
          headers: { "content-type": "application/json" },
        });
        await removed.body?.cancel();
      } else {
        assert.equal(answer.status, 400, `${file}: ${text}`);
        refused++;
      }
    }
    assert.ok(refused > 150, `${refused}`);
    const own = treeSnapshot(root, { except: OWN_FILES }).filter((line) => !before.includes(line));
    for (const line of own) assert.match(line, /^home\/(?:downloads\/|\P{C}+\.gguf )/u);
  },
);
