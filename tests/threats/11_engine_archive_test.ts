// An archive in the place of a llama.cpp build that is not what it should be: nothing of it lies anywhere
// afterwards, none of it runs, and the build that works stays.

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { githubSource, PINNED_TAG } from "../../src/host/install_github.ts";
import { AppError } from "../../src/errors.ts";
import { installBeside } from "../../src/host/install.ts";
import { createLog } from "../../src/log.ts";
import { craftedArchives } from "../support/crafted_archives.ts";
import { archive, CPU, InstallCase, INSTALLED } from "../support/install_case.ts";
import { zip } from "../support/archive_writer.ts";
import { sha256 } from "../support/release_api.ts";
import { scriptServer } from "../support/script_server.ts";
import { treeSnapshot } from "../support/tree_snapshot.ts";
import { threatName } from "./rows.ts";

/** A working build, files beside the runtime home, and what a program that runs would make. */
async function attacked() {
  const t = await InstallCase.open();
  const good = archive();
  t.api.add("b11000", { [CPU.replace("b11118", "b11000")]: good });
  const pinned = { tag: "b11000", digests: { "ubuntu-x64.tar.gz": sha256(good) } };
  await t.find({ sources: [t.source({}, { pinned })] });
  await Deno.mkdir(t.at("beside"));
  await Deno.writeTextFile(t.at("beside", "file"), "mine");
  await Deno.writeTextFile(t.at("evil.so"), "mine");
  return t;
}

/** With the digest that it has, so that only what unpacks it stands in its way. */
async function install(
  t: InstallCase,
  { kind, bytes, digest = sha256(bytes) }: {
    kind: "tar.gz" | "zip";
    bytes: Uint8Array<ArrayBuffer>;
    digest?: string;
  },
): Promise<string> {
  const ending = kind === "zip" ? "win-cpu-x64.zip" : "ubuntu-x64.tar.gz";
  t.api.add(PINNED_TAG, { [`llama-${PINNED_TAG}-bin-${ending}`]: bytes });
  const source = githubSource({
    apiBase: t.api.base,
    platform: { os: kind === "zip" ? "windows" : "linux", arch: "x86_64" },
    pinned: { tag: PINNED_TAG, digests: { [ending]: digest } },
  });
  const runtime = await installBeside({
    llamaServer: null,
    bundledFolder: t.at("none"),
    runtimeHome: t.home,
    path: null,
    sources: [source],
    log: createLog({ part: "t", level: "error", write: () => {} }),
    onProgress: () => {},
    signal: t.abort.signal,
  });
  return runtime.path;
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(() => null, (thrown) => thrown);
  ok(error instanceof AppError, `not refused: ${error}`);
  return error.message;
}

const OWN = /^(?:\.lock|probes\.json)$/;

Deno.test(threatName(11, "more than 40 crafted archives leave nothing anywhere"), async (step) => {
  await using t = await attacked();
  const outside = t.at("absolute-evil");
  const crafted = craftedArchives(outside);
  equal(new Set(crafted.map(({ what, kind }) => `${kind} ${what}`)).size, crafted.length);
  ok(crafted.length >= 40, String(crafted.length));
  const before = treeSnapshot(t.at(), { except: OWN });
  for (const { what, kind, bytes, reason } of crafted) {
    await step.step(`${kind}: ${what}`, async () => {
      match(await refusal(install(t, { kind, bytes })), reason);
      deepEqual(treeSnapshot(t.at(), { except: OWN }), before);
    });
  }
  // What works before and after says that it was not the way to install that failed.
  equal((await t.find()).path, t.at("home", "llama-b11000-ubuntu-x64", "llama-server"));
  equal(await install(t, { kind: "tar.gz", bytes: archive() }), t.installed);
  const good = zip([{ name: "llama-server", content: scriptServer(), unixMode: 0o100755 }]);
  ok(await install(t, { kind: "zip", bytes: good }));
});

Deno.test(threatName(11, "a swapped asset is not even unpacked"), async () => {
  await using t = await attacked();
  const before = treeSnapshot(t.at(), { except: OWN });
  const digest = sha256(archive());
  const evil = archive({ first: `touch '${t.at("ran")}'` });
  const swaps: [string, RegExp, () => void][] = [
    ["another archive", /instead of/, () => {}],
    ["another archive, at another host", /not encrypted|cannot reach|instead of|answered/, () => {
      t.api.redirectTo = `http://127.0.0.1:9/${CPU}`;
    }],
    ["an archive that is cut each time", /broke off|sent a part only/, () => {
      t.api.redirectTo = null;
      t.api.cuts.push(10, 20, 30, 40);
    }],
  ];
  for (const [what, reason, prepare] of swaps) {
    prepare();
    match(await refusal(install(t, { kind: "tar.gz", bytes: evil, digest })), reason, what);
    deepEqual(treeSnapshot(t.at(), { except: OWN }), before, what);
  }
  t.api.add(PINNED_TAG, { [CPU]: { content: evil, sizeBytes: 100 } });
  match(
    await refusal(t.find({ runtimeHome: t.at("new"), sources: [t.source()] })),
    /more than 100/,
  );
  deepEqual(await t.kept(), ["llama-b11000-ubuntu-x64"]);
  ok(!(await t.kept()).includes(INSTALLED));
});
