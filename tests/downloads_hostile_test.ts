import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { AppError } from "../src/errors.ts";
import type { DownloadSource } from "../src/models/download_source.ts";
import { DownloadHome } from "./support/download_home.ts";
import { TestHub } from "./support/hub.ts";
import { bytesContent } from "./support/hub_content.ts";
import { HOSTILE_NAMES, hostileName } from "./support/hostile_names.ts";
import { tempDir } from "./support/temp_dir.ts";

const BYTES = new Uint8Array(1_000).fill(7);

/** A Hub that lies: its files have whatever names it likes. `org/repo-N` has the Nth. */
function lyingSource(paths: readonly string[]): DownloadSource {
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
  };
}

function treeOf(root: string): string[] {
  return [...Deno.readDirSync(root)].flatMap(({ name, isDirectory }) =>
    isDirectory ? [name, ...treeOf(join(root, name)).map((below) => `${name}/${below}`)] : [name]
  ).sort();
}

Deno.test("300 hostile names from the Hub write nothing outside the home, and nothing inside but models", async () => {
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
});

Deno.test("300 hostile names that somebody asks for write nothing", async () => {
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
