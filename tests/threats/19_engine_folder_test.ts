// Somebody who may write where our data lies, and wants another program to run in an engine's place.

import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { dirname, join } from "node:path";
import type { Config } from "../../src/config.ts";
import { AppError } from "../../src/errors.ts";
import { BuildGuard } from "../../src/host/build_check.ts";
import { PINNED_TAG } from "../../src/host/install_github.ts";
import { serverScope } from "../../src/host/scope.ts";
import { DONE, type EngineAttack } from "../support/engine_attacks.ts";
import { archive, CPU, InstallCase, INSTALLED } from "../support/install_case.ts";
import { modelProcesses } from "../support/model_processes.ts";
import { copyRealBuild } from "../support/real_build.ts";
import { sha256 } from "../support/release_api.ts";
import { scriptServer } from "../support/script_server.ts";
import { startServer } from "../support/server_process.ts";
import { treeSnapshot } from "../support/tree_snapshot.ts";
import { threatName } from "./rows.ts";

/** An installed build, and what the attacker has ready. */
async function attacked() {
  const t = await InstallCase.open();
  const bytes = archive();
  t.api.add(PINNED_TAG, { [CPU]: bytes });
  await t.find({ sources: [t.source({ "ubuntu-x64.tar.gz": sha256(bytes) })] });
  const evil = evilServer(t);
  for (const folder of [t.at("data"), t.at("data", "evil")]) await Deno.mkdir(folder);
  for (const path of [t.at("data", "file"), t.at("data", "evil", "llama-server")]) {
    await Deno.writeTextFile(path, evil, { mode: 0o755 });
  }
  return t;
}

/** As long as the real one, so that its size does not tell; that it ran, a file tells. */
function evilServer(t: InstallCase): string {
  const length = scriptServer().length;
  const script = `#!/bin/sh\n: > '${t.at("ran")}'\n`;
  return script + "#".repeat(Math.max(0, length - script.length));
}

async function hasRun(t: InstallCase): Promise<boolean> {
  return await Deno.lstat(t.at("ran")).then(() => true, () => false);
}

async function attempt(
  t: InstallCase,
  { permissions, only = null }: { permissions: Deno.PermissionOptions; only?: string | null },
): Promise<Record<string, string>> {
  const attack: EngineAttack = {
    build: join(t.home, INSTALLED),
    runtimeHome: t.home,
    above: t.at(),
    evilFile: t.at("data", "file"),
    evilFolder: t.at("data", "evil"),
  };
  const worker = new Worker(new URL("../support/engine_attacks.ts", import.meta.url), {
    type: "module",
    deno: { permissions },
  } as WorkerOptions);
  const { promise, resolve } = Promise.withResolvers<Record<string, string>>();
  worker.onmessage = ({ data }) => resolve(data);
  worker.postMessage({ attack, only });
  try {
    return await promise;
  } finally {
    worker.terminate();
  }
}

Deno.test(threatName(19, "from the server's scope no engine can be touched"), async () => {
  await using t = await attacked();
  const config = {
    home: t.at("data"),
    modelsDirs: [],
    hosts: ["127.0.0.1"],
    port: 0,
    runtimePorts: { first: 28_080, last: 28_100 },
    hfEndpoint: "https://huggingface.co",
    downloadHosts: [],
    proxy: null,
  } as unknown as Config;
  const permissions = serverScope(config, {
    socketDir: t.at("sockets"),
    places: [],
    importRoots: [],
  });
  const before = treeSnapshot(t.home);
  const answers = await attempt(t, { permissions });
  ok(Object.keys(answers).length >= 25);
  deepEqual(Object.entries(answers).filter(([, answer]) => !/^NotCapable: /.test(answer)), []);
  deepEqual(treeSnapshot(t.home), before);
  equal(await hasRun(t), false);
});

Deno.test(threatName(19, "without the scope the same attempts succeed"), async () => {
  for (const only of ["rename over the program", "a library beside it", "move the build away"]) {
    await using t = await attacked();
    deepEqual(await attempt(t, { permissions: "inherit", only }), { [only]: DONE });
  }
});

type Tampering = (folder: string, t: InstallCase) => Promise<unknown>;

/** The file keeps its length and its time, as a careful attacker would have it. */
async function replaceQuietly(path: string, text: string): Promise<void> {
  const { size, mtime, atime, mode } = await Deno.lstat(path);
  await Deno.remove(path);
  await Deno.writeTextFile(path, text.padEnd(size, "#").slice(0, size), { mode: mode! & 0o777 });
  await Deno.utime(path, atime!, mtime!);
}

async function overwriteQuietly(path: string, text: string): Promise<void> {
  const { size, mtime, atime } = await Deno.lstat(path);
  const file = await Deno.open(path, { write: true });
  await file.write(new TextEncoder().encode(text.padEnd(size, "#").slice(0, size)));
  file.close();
  await Deno.utime(path, atime!, mtime!);
}

const SEEN_AT_ONCE: Record<string, Tampering> = {
  "another program": (folder, t) => replaceQuietly(join(folder, "llama-server"), evilServer(t)),
  "the program written over": (folder, t) =>
    overwriteQuietly(join(folder, "llama-server"), evilServer(t)),
  "a link in the program's place": async (folder, t) => {
    await Deno.remove(join(folder, "llama-server"));
    await Deno.symlink(t.at("data", "file"), join(folder, "llama-server"));
  },
  "a library more": (folder) => Deno.writeTextFile(join(folder, "libggml-evil.so"), "evil"),
  "a link to a library more": (folder, t) =>
    Deno.symlink(t.at("data", "file"), join(folder, "libggml-evil.so")),
  "a folder that the loader prefers": async (folder) => {
    await Deno.mkdir(join(folder, "glibc-hwcaps", "x86-64-v2"), { recursive: true });
    await Deno.writeTextFile(join(folder, "glibc-hwcaps", "x86-64-v2", "libllama.so"), "evil");
  },
  "a folder that is deep": async (folder) => {
    await Deno.mkdir(join(folder, "1", "2", "3", "4", "5"), { recursive: true });
    await Deno.writeTextFile(join(folder, "1", "2", "3", "4", "5", "libllama.so"), "evil");
  },
  "a named pipe": async (folder) => {
    const args = [join(folder, "libpipe.so")];
    ok((await new Deno.Command("mkfifo", { args }).output()).success);
  },
  "a longer library": (folder) => Deno.writeTextFile(join(folder, "libllama.so"), "evil evil"),
  "a library less": (folder) => Deno.remove(join(folder, "libllama.so")),
};

/** What we know of it from before still holds. */
const SEEN_ANEW: Record<string, Tampering> = {
  "no record": (folder) => Deno.remove(join(folder, "runtime.json")),
};

/** Told by what was seen before: whoever can do this while we are away can write the record as well. */
const SEEN_IN_ONE_LIFE: Record<string, Tampering> = {
  "another library": (folder) => replaceQuietly(join(folder, "libllama.so"), "evil"),
  "a library written over": (folder) => overwriteQuietly(join(folder, "libllama.so"), "evil"),
  "the whole folder swapped": async (folder, t) => {
    const record = JSON.parse(await Deno.readTextFile(join(folder, "runtime.json")));
    await Deno.rename(folder, t.at("data", "old"));
    await Deno.rename(t.at("data", "evil"), folder);
    const server = await Deno.readFile(join(folder, "llama-server"));
    const evil = {
      ...record,
      serverSha256: sha256(server),
      files: { "llama-server": server.length },
      hashes: { "llama-server": sha256(server) },
    };
    await Deno.writeTextFile(join(folder, "runtime.json"), JSON.stringify(evil));
  },
};

async function refused(promise: Promise<unknown>, what: string): Promise<void> {
  const error = await promise.then(() => null, (thrown) => thrown);
  ok(error instanceof AppError, `${what}: ${error}`);
  ok(["runtime_changed", "runtime_missing"].includes(error.code), `${what}: ${error.code}`);
}

Deno.test(
  threatName(19, "a build that was changed is neither found, asked nor started"),
  async () => {
    for (const [what, tamper] of Object.entries({ ...SEEN_AT_ONCE, ...SEEN_ANEW })) {
      await using t = await attacked();
      await tamper(join(t.home, INSTALLED), t);
      // Whatever was remembered of it.
      await Deno.remove(join(t.home, "probes.json"));
      await refused(t.find(), what);
      await refused(t.builds().keeper.get({ retry: false }), what);
      equal(await hasRun(t), false, what);
    }
  },
);

Deno.test(threatName(19, "a build that is changed while we run is not started again"), async () => {
  for (const [what, tamper] of Object.entries({ ...SEEN_AT_ONCE, ...SEEN_IN_ONE_LIFE })) {
    await using t = await attacked();
    const guard = new BuildGuard();
    const runtime = await t.find({ guard });
    await guard.check(runtime);
    await tamper(join(t.home, INSTALLED), t);
    await refused(guard.check(runtime), what);
    await refused(guard.check(runtime), what);
    equal(await hasRun(t), false, what);
    // Another life of the program sees what could not be hidden from the record.
    if (!Object.hasOwn(SEEN_AT_ONCE, what)) continue;
    const { runtimes } = t.builds();
    await rejects(runtimes.use(INSTALLED), AppError, what);
    equal(await hasRun(t), false, what);
  }
});

Deno.test(threatName(19, "what only looks changed is read, and goes on"), async () => {
  await using t = await attacked();
  const guard = new BuildGuard();
  const runtime = await t.find({ guard });
  const folder = join(t.home, INSTALLED);
  // A backup program, a copy, the system's own hidden files.
  await Deno.link(join(folder, "libllama.so"), t.at("data", "backup"));
  await Deno.utime(join(folder, "libllama.so.0"), new Date(), new Date());
  await Deno.copyFile(join(folder, "llama-server"), t.at("data", "copy"));
  await Deno.rename(t.at("data", "copy"), join(folder, "llama-server"));
  await Deno.writeTextFile(join(folder, ".DS_Store"), "system");
  await guard.check(runtime);
  await guard.check(runtime);
});

Deno.test(threatName(19, "a real server starts no engine with a library more"), async () => {
  let folder = "";
  await using server = await startServer({
    llamaServer: null,
    env: { PATH: "/usr/bin:/bin" },
    async prepare(home) {
      folder = join(dirname(home), "runtime", "real");
      await copyRealBuild(folder);
    },
  });
  const load = () => server.post("/generate", { model_id: "hello", prompt: "hi" });
  const first = await load();
  equal(first.status, 200, await first.text());
  await server.post("/admin/models/hello/unload", {});

  await Deno.writeTextFile(join(folder, "libggml-evil.so"), "evil");
  const second = await load();
  equal(second.status, 502);
  const { error } = await second.json();
  equal(error.code, "runtime_changed");
  match(error.message, /"libggml-evil\.so" is not as it was installed\. Remove the build with/);
  deepEqual(modelProcesses(server.home), []);
  await Deno.remove(join(folder, "libggml-evil.so"));
  const third = await load();
  equal(third.status, 200, await third.text());
});
