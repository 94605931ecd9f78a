// Where builds write: into new folders and their own earlier ones; what is anybody else's stays as it is.

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleProgram } from "../build/bundle_program.ts";
import { checkPapers, earlierBundle } from "../build/output_folder.ts";
import { packRuntime } from "../build/runtime_archive.ts";
import { BuildFailure } from "../build/step.ts";
import { TARGETS } from "../build/targets.ts";
import { fileTree } from "./support/file_tree.ts";
import { tempDir } from "./support/temp_dir.ts";
import { treeSnapshot } from "./support/tree_snapshot.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const HERE = TARGETS.find(({ triple }) => triple === Deno.build.target)!;

/** Runs one of `build/`, with a base for executables that is as good as none. */
async function build(script: string, args: readonly string[], cwd = ROOT) {
  const env = { NO_COLOR: "1", DENORT_BIN: Deno.execPath() };
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--quiet",
      "--config",
      `${ROOT}deno.json`,
      `${ROOT}build/${script}`,
      ...args,
    ],
    cwd,
    env,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test("A build refuses a folder with anything that is not its own, and leaves all of it", async () => {
  await using tree = await fileTree({
    "photos/cat.jpg": "a cat",
    "photos/older/dog.jpg": "a dog",
    "scripts/zombiecoder.js": "#!/usr/bin/env node\n",
    "workers/server.js": "export default {};\n",
    "site/manifest.json": '{"name": "a site", "version": "1.0"}\n',
    "site/index.html": "<title>a site</title>\n",
    "site2/LICENSES.txt": "mine\n",
    "both/bundle/notes.txt": "mine\n",
    "ended/zombiecoder": "my own program\n",
    "file": "a file\n",
  });
  await Deno.symlink(join(tree.root, "photos"), join(tree.root, "link"));
  const before = treeSnapshot(tree.root);
  const refusals: [script: string, out: string, line: RegExp][] = [
    [
      "bundle.ts",
      "photos",
      /^Cannot build into "\S+photos": its "\S+" is not of an earlier build\./,
    ],
    ["bundle.ts", "link", /^Cannot build into "\S+link": its "\S+" is not of an earlier build\./],
    ["bundle.ts", "scripts", /: its "zombiecoder\.js" is not of an earlier build/],
    ["bundle.ts", "workers", /: its "server\.js" is not of an earlier build/],
    ["bundle.ts", "file", /^Cannot make "\S+file": it, or what it would lie in, is a file\n/],
    [
      "bundle.ts",
      "file/below",
      /^Cannot make "\S+file\/below": it, or what it would lie in, is a file\n/,
    ],
    [
      "compile.ts",
      "file",
      /^Cannot make "\S+file\/bundle": it, or what it would lie in, is a file\n/,
    ],
    ["compile.ts", "site", /^Cannot build into "\S+site": its "manifest\.json" is not of an/],
    ["compile.ts", "site2", /^Cannot build into "\S+site2": its "LICENSES\.txt" is not of an/],
    ["compile.ts", "both", /^Cannot build into "\S+bundle": its "notes\.txt" is not of an/],
    ["manifest.ts", "site", /^Cannot build into "\S+site": its "manifest\.json" is not of an/],
    ["manifest.ts", "photos", /^Cannot find zombiecoder-\S+, .* in "\S+photos"\n/],
  ];
  for (const [script, out, line] of refusals) {
    const path = join(tree.root, out);
    const { code, stderr } = await build(
      script,
      script === "manifest.ts" ? [path] : ["--out", path],
    );
    assert.match(stderr, line);
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
    assert.equal(code, 1);
    assert.deepEqual(treeSnapshot(tree.root), before, `${script} ${out}`);
  }
  const over = await build("compile.ts", ["--out", join(tree.root, "ended")]);
  assert.match(
    over.stderr,
    /^Cannot compile: .* cannot be overwritten\. Move it away, or .* --out DIR\n$/,
  );
  assert.equal(Deno.readTextFileSync(join(tree.root, "ended/zombiecoder")), "my own program\n");
});

Deno.test("A build looks at all that it was told before it writes anything", async () => {
  await using tree = await fileTree({ "engine/llama-server": "#!/bin/sh\n" });
  const at = (name: string) => join(tree.root, name);
  const wrong: [script: string, args: string[], code: number, line: RegExp][] = [
    [
      "bundle.ts",
      ["--with-runtime", at("none")],
      1,
      /^Cannot embed a runtime: there is no program/,
    ],
    ["bundle.ts", ["--with-runtime", at("engine")], 1, /^Cannot embed a runtime: there is no/],
    [
      "compile.ts",
      ["--with-runtime", at("none")],
      1,
      /^Cannot embed a runtime: there is no program/,
    ],
    ["bundle.ts", ["--out="], 2, /^Cannot use --out without a folder: write --out DIR\n$/],
    ["compile.ts", ["--out="], 2, /^Cannot use --out without a folder: write --out DIR\n$/],
    ["bundle.ts", ["more"], 2, /^Unexpected argument 'more'/],
    ["desktop.ts", ["--out", at("x")], 2, /^Usage: deno task desktop\n$/],
    ["manifest.ts", [at("a"), at("b")], 2, /^Usage: /],
  ];
  const before = treeSnapshot(tree.root);
  for (const [script, args, code, line] of wrong) {
    const out = args[0] === "--with-runtime" ? ["--out", at("out")] : [];
    const said = await build(script, [...args, ...out], tree.root);
    assert.match(said.stderr, line);
    assert.equal(said.code, code);
    assert.deepEqual(treeSnapshot(tree.root), before, `${script} ${args}`);
  }
});

Deno.test("deno task bundle replaces an earlier one with what it embedded, tells what it wrote, and how to run it", async () => {
  await using dir = await tempDir();
  // Whatever a folder is called, the line can be given to a shell.
  const out = join(dir.path, "what's up", "the bundle");
  assert.equal((await build("bundle.ts", ["--out", out])).code, 0);
  const names = () => [...Deno.readDirSync(out)].map(({ name }) => name).sort();
  const first = names();
  assert.deepEqual(first, [
    ...["LICENSES.txt", "SHA256SUMS", "bandwidth_worker.js", "manifest.json", "sbom.cdx.json"],
    ...["server.js", "zombiecoder.js"],
  ]);
  // An older one had a runtime inside, and a paper was cut; a hidden file is in nobody's way.
  for (
    const name of ["runtime.json", "runtime.tar.gz", "manifest.json.0123456789ab.tmp", ".keep"]
  ) {
    await Deno.writeTextFile(join(out, name), "x");
  }
  const made = await build("bundle.ts", ["--out", out]);
  assert.equal(made.code, 0, made.stderr);
  assert.deepEqual(names(), [".keep", ...first]);

  const { files } = JSON.parse(Deno.readTextFileSync(join(out, "manifest.json")));
  assert.deepEqual(
    files.map(({ name, target }: { name: string; target: string }) => [name, target]),
    ["zombiecoder.js", "server.js", "bandwidth_worker.js"].map((name) => [name, "deno"]),
  );
  for (const { name, sizeBytes, sha256 } of files) {
    const bytes = Deno.readFileSync(join(out, name));
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
    assert.deepEqual([bytes.length, digest], [sizeBytes, sha256], name);
    assert.ok(Deno.readTextFileSync(join(out, "SHA256SUMS")).includes(`${digest}  ${name}\n`));
  }
  const { components } = JSON.parse(Deno.readTextFileSync(join(out, "sbom.cdx.json")));
  assert.ok(components.some(({ name }: { name: string }) => name === "hono"));
  assert.match(Deno.readTextFileSync(join(out, "LICENSES.txt")), /^swagger-ui-dist@\S+, LICENSE$/m);

  if (Deno.build.os === "windows") return;
  const line = /^Run it with: (.+)$/m.exec(made.stdout)![1]!;
  const bin = join(dir.path, "bin");
  await Deno.mkdir(bin);
  await Deno.symlink(Deno.execPath(), join(bin, "deno"));
  const { stdout } = await new Deno.Command("/bin/sh", {
    args: ["-c", `${line} version`],
    env: { PATH: bin },
    cwd: bin,
  }).output();
  assert.match(new TextDecoder().decode(stdout), /^zombiecoder \d/);
});

Deno.test("bundleProgram() goes on where a killed build stopped, and writes through no link", async () => {
  await using tree = await fileTree({ "mine.js": "mine\n", "cut/zombiecoder.js": "#!/usr/bin" });
  const folder = join(tree.root, "cut");
  const { scripts } = await bundleProgram(folder);
  for (const name of scripts) assert.ok(Deno.statSync(join(folder, name)).size > 1000, name);
  await Deno.remove(join(folder, "server.js"));
  await Deno.symlink(join(tree.root, "mine.js"), join(folder, "server.js"));
  await assert.rejects(bundleProgram(folder), BuildFailure);
  assert.equal(Deno.readTextFileSync(join(tree.root, "mine.js")), "mine\n");
});

Deno.test("earlierBundle() and checkPapers() know an earlier build by what it says of itself", async () => {
  const sha256 = "0".repeat(64);
  const manifest = JSON.stringify({ version: "1", files: [{ name: "zombiecoder", sha256 }] });
  const start = "#!/usr/bin/env -S DENO_NO_UPDATE_CHECK=1 deno run -A\n";
  await using tree = await fileTree({
    "old/zombiecoder.js": start,
    "old/server.js": "",
    "old/deno.json": "{}",
    "release/manifest.json": manifest,
    "release/SHA256SUMS": "",
    "release/anything": "",
    "cut/manifest.json": manifest.slice(0, 20),
    "other/manifest.json": '{"version": "1", "files": [{"name": "x", "sha256": ""}]}',
    "list/manifest.json": "null",
    "folder/LICENSES.txt/x": "",
    "empty/.hidden": "",
  });
  const at = (name: string) => join(tree.root, name);
  assert.deepEqual((await earlierBundle(at("old"))).sort(), [
    "deno.json",
    "server.js",
    "zombiecoder.js",
  ]);
  assert.equal((await earlierBundle(at("old"))).at(-1), "zombiecoder.js");
  assert.deepEqual(await earlierBundle(at("none")), []);
  assert.deepEqual(await earlierBundle(at("empty")), []);
  await checkPapers(at("release"));
  await checkPapers(at("none"));
  for (const name of ["cut", "other", "list", "folder"]) {
    await assert.rejects(checkPapers(at(name)), BuildFailure, name);
  }
});

Deno.test("A runtime that cannot be packed leaves no part of an archive", async () => {
  await using dir = await tempDir();
  const at = (name: string) => join(dir.path, name);
  await Deno.mkdir(at("engine"));
  await Deno.mkdir(at("into"));
  await Deno.copyFile(Deno.execPath(), at("engine/llama-server"));
  await Deno.writeTextFile(at(`engine/${"a".repeat(120)}`), "");
  await assert.rejects(
    packRuntime(at("engine"), { into: at("into"), target: HERE }),
    /Cannot pack "a+": not a name for an archive/,
  );
  assert.deepEqual([...Deno.readDirSync(at("into"))], []);
});
