import assert from "node:assert/strict";
import { basename, delimiter, dirname, join } from "node:path";
import { AppError } from "../src/errors.ts";
import type { RuntimeInfo } from "../src/api_types.ts";
import { PINNED_TAG } from "../src/host/install_github.ts";
import type { InstallSource } from "../src/host/install_source.ts";
import { clearLeftovers } from "../src/host/runtime_home.ts";
import { RuntimeKeeper } from "../src/host/runtime_keeper.ts";
import { tarGz, zip } from "./support/archive_writer.ts";
import { findInProcess } from "./support/find_once.ts";
import { realBuildArchive } from "./support/real_build.ts";
import { archive, CPU, GPU, InstallCase as Case, INSTALLED } from "./support/install_case.ts";
import { ReleaseApi, sha256 } from "./support/release_api.ts";
import {
  scriptServer,
  type ScriptServerOptions,
  writeScriptServer,
} from "./support/script_server.ts";

async function refusal(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(() => assert.fail("it was found"), (thrown) => thrown);
  assert.ok(error instanceof AppError, String(error));
  assert.equal(error.code, "runtime_missing");
  assert.match(error.message, /^[A-Z]/);
  assert.doesNotMatch(error.message, /\.$/);
  return error.message;
}

Deno.test("findOrInstallRuntime() takes the flag, then bundled, installed, PATH, then installs", async () => {
  await using t = await Case.open();
  const bytes = archive();
  t.api.add(PINNED_TAG, { [CPU]: bytes });
  const sources = [t.source({ "ubuntu-x64.tar.gz": sha256(bytes) })];
  const path = [t.at("missing"), t.at("bin")].join(delimiter);

  assert.equal((await t.find({ sources, path })).source, "installed");
  const onPath = await t.server("bin/llama-server");
  const installed = await t.find({ sources, path });
  assert.deepEqual([installed.source, installed.path], ["installed", t.installed]);

  const bundled = await t.server("config/llama.cpp/llama-b12000/llama-server");
  const second = await t.find({ sources, path });
  assert.deepEqual([second.source, second.path], ["bundled", bundled]);

  const direct = await t.server("config/llama.cpp/llama-server");
  assert.equal((await t.find({ sources, path })).path, direct);

  const named = await t.server("named");
  const flag = await t.find({ sources, path, llamaServer: named });
  assert.deepEqual([flag.source, flag.path, flag.build], ["flag", named, 11118]);

  await Deno.remove(t.at("config"), { recursive: true });
  await Deno.remove(t.home, { recursive: true });
  const last = await t.find({ sources, path });
  assert.deepEqual([last.source, last.path], ["path", onPath]);
  assert.deepEqual(t.api.requests.filter((each) => each.startsWith("cdn")), [`cdn ${CPU} whole`]);
});

Deno.test("findOrInstallRuntime() refuses a --llama-server that is missing, broken or old, and takes no other", async () => {
  await using t = await Case.open();
  await t.server("config/llama.cpp/llama-server");
  const missing = t.at("missing");
  assert.match(
    await refusal(t.find({ llamaServer: missing })),
    new RegExp(`^Cannot use "${missing}": there is no such file\\. Correct --llama-server`),
  );
  const broken = await t.server("broken", { code: 3 });
  assert.match(await refusal(t.find({ llamaServer: broken })), /"--version" ends with code 3/);
  const old = await t.server("old", { version: "version: 4000 (abc)" });
  assert.match(await refusal(t.find({ llamaServer: old })), /build 4000 is too old/);
});

Deno.test("findOrInstallRuntime() passes over builds that are old or broken and says so", async () => {
  await using t = await Case.open();
  await t.server("config/llama.cpp/llama-server", { version: "version: 8145 (abc)" });
  await t.server("bin/llama-server", { code: 1 });
  const good = await t.server("bin2/llama-server");
  const found = await t.find({ path: [t.at("bin"), t.at("bin2")].join(delimiter) });
  assert.equal(found.path, good);
  await Deno.remove(good);
  const message = await refusal(t.find({ path: t.at("bin") }));
  assert.match(message, /build 8145 is too old/);
  assert.match(message, /"--version" ends with code 1/);
  assert.match(message, /Install llama\.cpp by hand.*--llama-server PATH/);
});

Deno.test("findOrInstallRuntime() never runs a program of the working folder", async () => {
  await using t = await Case.open();
  await t.server("llama-server");
  const options = { runtimeHome: t.home, source: "none", cwd: t.at() } as const;
  const path = ["", ".", "./", "bin/.."].join(delimiter);
  assert.equal((await findInProcess({ ...options, path })).code, "runtime_missing");
  // By its whole name it would do.
  const named = await findInProcess({ ...options, path: t.at() });
  assert.equal(named.path, t.at("llama-server"), named.message!);
});

Deno.test("githubSource() installs the pinned build and writes down where it came from", async () => {
  await using t = await Case.open();
  const bytes = archive();
  // The API's digest is not what counts for the pinned build.
  t.api.add(PINNED_TAG, { [CPU]: { content: bytes, digest: `sha256:${"0".repeat(64)}` } });
  const sources = [t.source({ "ubuntu-x64.tar.gz": sha256(bytes) })];
  const runtime = await t.find({ sources });
  assert.equal(runtime.path, t.installed);
  assert.deepEqual(await t.kept(), [INSTALLED]);
  assert.deepEqual(
    (await Array.fromAsync(Deno.readDir(dirname(t.installed)), (entry) => entry.name)).sort(),
    ["libllama.so", "libllama.so.0", "llama-server", "runtime.json"],
  );
  const record = JSON.parse(await Deno.readTextFile(join(t.home, INSTALLED, "runtime.json")));
  const { installedAt, ...rest } = record;
  assert.ok(Math.abs(Date.parse(installedAt) - Date.now()) < 60_000);
  assert.deepEqual(rest, {
    schema: 1,
    source: "github",
    name: INSTALLED,
    build: 11118,
    version: "11118 (abcdef123)",
    verified: "pinned",
    archives: [{ name: CPU, sha256: sha256(bytes) }],
    serverSha256: sha256(new TextEncoder().encode(scriptServer())),
    files: {
      "libllama.so": 7,
      "libllama.so.0": 7,
      "llama-server": new TextEncoder().encode(scriptServer()).length,
    },
    hashes: {
      "libllama.so": sha256(new TextEncoder().encode("library")),
      "libllama.so.0": sha256(new TextEncoder().encode("library")),
      "llama-server": sha256(new TextEncoder().encode(scriptServer())),
    },
  });
  const activities = new Set(t.progress.map((each) => each.activity));
  assert.deepEqual([...activities], [
    "Asking GitHub for llama.cpp",
    "Downloading llama.cpp (1 MB)",
    "Unpacking llama.cpp",
    "Checking that llama-server runs",
  ]);
  const known = t.progress.flatMap((each) => each.progress ?? []);
  assert.deepEqual(known, [...known].sort((a, b) => a - b));
  assert.ok(known.every((each) => each >= 0 && each <= 1));
});

Deno.test("githubSource() installs a real build that then runs", async () => {
  await using t = await Case.open();
  const bytes = await realBuildArchive(PINNED_TAG);
  t.api.add(PINNED_TAG, { [CPU]: bytes });
  const runtime = await t.find({ sources: [t.source({ "ubuntu-x64.tar.gz": sha256(bytes) })] });
  assert.equal(runtime.path, t.installed);
  assert.ok(runtime.flags.has("--api-prefix"));
});

Deno.test("githubSource() does not unpack an archive with another digest", async () => {
  await using t = await Case.open();
  const evil = archive({ first: `touch '${t.at("evil")}'` });
  t.api.add(PINNED_TAG, { [CPU]: evil });
  const sources = [t.source({ "ubuntu-x64.tar.gz": sha256(archive()) })];
  const message = await refusal(t.find({ sources }));
  assert.match(message, new RegExp(`SHA-256 ${sha256(evil)} instead of ${sha256(archive())}`));
  assert.deepEqual(await t.kept(), []);
  await assert.rejects(Deno.stat(t.at("evil")), Deno.errors.NotFound);
});

Deno.test("githubSource() marks a digest that is not pinned, and refuses a build without any", async () => {
  await using t = await Case.open();
  t.api.add(PINNED_TAG, { [CPU]: archive() });
  await t.find({ sources: [t.source()] });
  const record = JSON.parse(await Deno.readTextFile(join(t.home, INSTALLED, "runtime.json")));
  assert.equal(record.verified, "unverified");
  assert.ok(t.entries.some((entry) => entry.level === "warn" && /not pinned/.test(entry.message)));

  await using u = await Case.open();
  u.api.add(PINNED_TAG, { [CPU]: { content: archive(), digest: null } });
  assert.match(await refusal(u.find({ sources: [u.source()] })), /has no digest/);
  await using v = await Case.open();
  v.api.add(PINNED_TAG, { [CPU]: { content: archive(), digest: `sha256:${"0".repeat(64)}` } });
  assert.match(await refusal(v.find({ sources: [v.source()] })), /instead of 0{64}/);
});

Deno.test("githubSource() refuses a hostile archive and leaves nothing of it", async () => {
  await using t = await Case.open();
  const bytes = tarGz([
    { name: "llama-b11118/llama-server", content: scriptServer(), mode: 0o755 },
    { name: "short", pax: { path: "../../../../evil" }, content: "evil" },
  ]);
  t.api.add(PINNED_TAG, { [CPU]: bytes });
  const message = await refusal(t.find({ sources: [t.source()] }));
  assert.match(message, /"\.\.\/\.\.\/\.\.\/\.\.\/evil" has a name that is not allowed/);
  assert.deepEqual(await t.kept(), []);
  const names = await Array.fromAsync(Deno.readDir(t.at()), (entry) => entry.name);
  assert.deepEqual(names, ["home"]);
});

Deno.test("githubSource() reads the zip of Windows builds", async () => {
  await using t = await Case.open();
  const bytes = zip([{ name: "llama-server", content: scriptServer(), unixMode: 0o100755 }]);
  t.api.add(PINNED_TAG, { "llama-b11118-bin-win-cpu-x64.zip": bytes });
  const platform = { os: "windows", arch: "x86_64" };
  const runtime = await t.find({ sources: [t.source({}, { platform })] });
  assert.equal(basename(dirname(runtime.path)), "llama-b11118-win-cpu-x64");
});

Deno.test("githubSource() goes on after a cut, with and without ranges", async () => {
  for (const ignoreRange of [false, true]) {
    await using t = await Case.open();
    const bytes = archive({}, crypto.getRandomValues(new Uint8Array(60_000)).toHex());
    t.api.add(PINNED_TAG, { [CPU]: bytes });
    t.api.ignoreRange = ignoreRange;
    t.api.cuts.push(20_000, 10_000);
    await t.find({ sources: [t.source({ "ubuntu-x64.tar.gz": sha256(bytes) })] });
    const content = t.api.requests.filter((each) => each.startsWith("cdn"));
    assert.equal(content.length, 3);
    assert.equal(content[0], `cdn ${CPU} whole`);
    assert.match(content[1]!, /bytes=\d+-$/);
  }
});

Deno.test("githubSource() gives up on a body that is cut off again and again, or too long", async () => {
  await using t = await Case.open();
  const bytes = archive();
  t.api.add(PINNED_TAG, { [CPU]: bytes });
  t.api.cuts.push(0, 0, 0, 0);
  assert.match(await refusal(t.find({ sources: [t.source()] })), /Source "github": .*broke off/);
  assert.equal(t.api.requests.filter((each) => each.startsWith("cdn")).length, 4);
  assert.deepEqual(await t.kept(), []);

  await using u = await Case.open();
  u.api.add(PINNED_TAG, { [CPU]: { content: bytes, sizeBytes: 100 } });
  assert.match(await refusal(u.find({ sources: [u.source()] })), /sent more than 100 bytes/);
});

Deno.test("githubSource() follows no redirect in circles", async () => {
  await using t = await Case.open();
  t.api.add(PINNED_TAG, { [CPU]: archive() });
  t.api.redirectTo = `${t.api.base}/ggml-org/llama.cpp/releases/download/x/y`;
  assert.match(await refusal(t.find({ sources: [t.source()] })), /redirects too often/);
});

Deno.test("findOrInstallRuntime() rolls back a build that does not run and takes the next source", async () => {
  await using t = await Case.open();
  const broken: [ScriptServerOptions, RegExp][] = [
    [{ code: 127 }, /ends with code 127/],
    [
      { version: "version: 100 (abc)" },
      /"llama-b11118-ubuntu-x64" is not kept: build 100 is too old/,
    ],
    [{ help: [] }, /does not list "--model"/],
  ];
  for (const [options, reason] of broken) {
    await using bad = await Case.open();
    bad.api.add(PINNED_TAG, { [CPU]: archive(options) });
    assert.match(await refusal(bad.find({ sources: [bad.source()] })), reason);
    assert.deepEqual(await bad.kept(), []);
  }
  await using bad = ReleaseApi.start();
  bad.add(PINNED_TAG, { [CPU]: archive({ code: 127 }) });
  t.api.add(PINNED_TAG, { [CPU]: archive() });
  const runtime = await t.find({ sources: [t.source({}, { apiBase: bad.base }), t.source()] });
  assert.equal(runtime.path, t.installed);
  assert.deepEqual(await t.kept(), [INSTALLED]);
});

Deno.test("githubSource() keeps a build for GPUs only where it sees one", async () => {
  await using t = await Case.open();
  t.api.add(PINNED_TAG, { [CPU]: archive(), [GPU]: archive() });
  const hasGpu = () => Promise.resolve(true);
  const without = await t.find({ sources: [t.source({}, { hasGpu })] });
  assert.equal(without.path, t.installed);
  assert.deepEqual(await t.kept(), [INSTALLED]);

  await using u = await Case.open();
  const devices = ["  Vulkan0: A card (1024 MiB, 1000 MiB free)"];
  u.api.add(PINNED_TAG, { [CPU]: archive(), [GPU]: archive({ devices }) });
  const seen = await u.find({ sources: [u.source({}, { hasGpu })] });
  assert.equal(basename(dirname(seen.path)), "llama-b11118-ubuntu-vulkan-x64");
  assert.equal(seen.devices[0]!.name, "Vulkan0");
  assert.ok(!u.api.requests.includes(`cdn ${CPU} whole`));
});

Deno.test('githubSource() finds the newest build through "nightly-tag.txt"', async () => {
  await using t = await Case.open();
  const asset = "llama-b12110-bin-ubuntu-x64.tar.gz";
  t.api.add("b12110", { [asset]: archive({ version: "version: 0.9.0 (build 12110, commit x)" }) });
  t.api.add("v0.9.0", { "nightly-tag.txt": new TextEncoder().encode("b12110\n") }, {
    prerelease: false,
  });
  t.api.add("b12200", { [asset.replace("12110", "12200")]: archive() });
  const runtime = await t.find({ sources: [t.source({}, { release: "latest" })] });
  assert.equal(basename(dirname(runtime.path)), "llama-b12110-ubuntu-x64");
  assert.equal(runtime.build, 12110);
});

Deno.test("githubSource() searches the list where the newest release leads to no build for this system", async () => {
  await using t = await Case.open();
  t.api.add("b12000", { "llama-b12000-bin-ubuntu-x64.tar.gz": archive() });
  t.api.add("b12100", {
    "llama-b12100-bin-ubuntu-x64.tar.gz": { content: archive(), state: "starter" },
  });
  t.api.add("b12150", { "llama-b12150-bin-ubuntu-x64.tar.gz": archive() }, { draft: true });
  t.api.add("v0.9.0", { "nightly-tag.txt": new TextEncoder().encode("b12100") }, {
    prerelease: false,
  });
  const runtime = await t.find({ sources: [t.source({}, { release: "latest" })] });
  assert.equal(basename(dirname(runtime.path)), "llama-b12000-ubuntu-x64");

  // Pre-releases alone: the API knows of no newest one.
  await using only = await Case.open();
  only.api.add("b12300", { "llama-b12300-bin-ubuntu-x64.tar.gz": archive() });
  const found = await only.find({ sources: [only.source({}, { release: "latest" })] });
  assert.equal(basename(dirname(found.path)), "llama-b12300-ubuntu-x64");

  await using u = await Case.open();
  const text = new TextEncoder().encode("../../evil/releases");
  u.api.add("v0.9.0", { "nightly-tag.txt": text }, { prerelease: false });
  assert.match(
    await refusal(u.find({ sources: [u.source({}, { release: "latest" })] })),
    /"\.\.\/\.\.\/evil\/releases" is no build tag/,
  );
});

Deno.test("findOrInstallRuntime() says what every source answered", async () => {
  await using t = await Case.open();
  await using closed = ReleaseApi.start();
  const closedBase = closed.base;
  await closed[Symbol.asyncDispose]();
  t.api.status = 403;
  const message = await refusal(t.find({
    sources: [
      t.source({}, { apiBase: closedBase }),
      t.source({}, { platform: { os: "freebsd", arch: "x86_64" } }),
      t.source(),
    ],
  }));
  assert.match(message, /Source "github": cannot reach 127\.0\.0\.1:\d+/);
  assert.match(message, /it has no build for freebsd on x86_64/);
  assert.match(message, /takes no more requests from this address until 2026-09-21T/);
  assert.match(message, /"llama\.cpp-tools" on Debian sid/);
  t.api.status = 500;
  assert.match(await refusal(t.find({ sources: [t.source()] })), /127\.0\.0\.1:\d+ answered 500/);
});

Deno.test("findOrInstallRuntime() takes a source that cannot even be asked for one that cannot serve", async () => {
  await using t = await Case.open();
  const unasked: InstallSource = {
    name: "debian",
    unsuitable: () =>
      Promise.reject(new Deno.errors.NotCapable("Requires read access to an important file.")),
    builds: () => assert.fail("it was asked to install"),
  };
  const message = await refusal(t.find({ sources: [t.source(), unasked] }));
  assert.match(message, /Source "github": .*404/);
  assert.match(
    message,
    /Source "debian": Requires read access to an important file\. Install llama\.cpp by hand/,
  );
  t.api.add(PINNED_TAG, { [CPU]: archive() });
  assert.equal((await t.find({ sources: [unasked, t.source()] })).path, t.installed);
});

Deno.test("A runtime home that leads to itself is named as the reason why nothing loads", async () => {
  await using t = await Case.open();
  await Deno.symlink(t.home, t.home);
  const { keeper, runtimes } = t.builds({ unasked: true });
  const ways = [
    () => keeper.get({ retry: false }),
    () => runtimes.list(),
    () => runtimes.install({ variant: "cpu", latest: false, unverified: false }),
    () => runtimes.use("path"),
  ];
  for (const ask of ways) {
    await assert.rejects(ask, (error) => {
      assert.ok(error instanceof AppError, String(error));
      assert.equal(error.code, "folder_unusable");
      assert.ok(error.message.startsWith(`Cannot read the runtime home "${t.home}": `));
      assert.match(error.message, /another folder with --runtime-home$/);
      return true;
    });
  }
  assert.equal(keeper.info.error?.code, "folder_unusable");
});

Deno.test("RuntimeKeeper tells whatever stopped its search", async () => {
  const told: RuntimeInfo[] = [];
  const keeper = new RuntimeKeeper({
    find: () => Promise.reject(new Error("No space left on device")),
    onChange: (info) => told.push(info),
  });
  const message = await refusal(keeper.get({ retry: false }));
  assert.match(message, /^Cannot find or install llama-server: No space left on device\. Correct/);
  assert.match(message, /name the program with --llama-server PATH, then try again$/);
  assert.equal(told.at(-1)?.error?.message, message);
});

Deno.test("findOrInstallRuntime() does not wait for a server that says nothing", async () => {
  await using t = await Case.open();
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const apiBase = `http://127.0.0.1:${listener.addr.port}`;
  const silent = t.source({}, { apiBase, limits: { connectMs: 100, stallMs: 100 } });
  assert.match(await refusal(t.find({ sources: [silent] })), /no answer within 0\.1 s/);

  t.api.add(PINNED_TAG, { [CPU]: archive() });
  t.api.stallAfterBytes = 10;
  const stalled = t.source({}, { limits: { connectMs: 5_000, stallMs: 50 } });
  assert.match(
    await refusal(t.find({ sources: [stalled] })),
    /broke off: no answer within 0\.05 s/,
  );
  assert.deepEqual(await t.kept(), []);
});

Deno.test("findOrInstallRuntime() stops when it is aborted and leaves nothing", async () => {
  await using t = await Case.open();
  t.api.add(PINNED_TAG, { [CPU]: archive() });
  t.api.stallAfterBytes = 10;
  const finding = t.find({ sources: [t.source(), t.source()] });
  const reason = new Error("the user stopped it");
  const ended = assert.rejects(finding, (error) => error === reason);
  await t.api.served(1);
  t.abort.abort(reason);
  await ended;
  assert.deepEqual(await t.kept(), []);
  assert.equal(t.api.requests.filter((each) => each.startsWith("cdn")).length, 1);
});

Deno.test("findOrInstallRuntime() installs once for three processes", async () => {
  await using t = await Case.open();
  const bytes = archive();
  t.api.add(PINNED_TAG, { [CPU]: bytes });
  const outputs = await Promise.all([1, 2, 3].map(() => installer(t, sha256(bytes)).output()));
  for (const { code, stdout, stderr } of outputs) {
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    assert.equal(new TextDecoder().decode(stdout), t.installed);
  }
  assert.equal(t.api.requests.filter((each) => each.startsWith("cdn")).length, 1);
  assert.deepEqual(await t.kept(), [INSTALLED]);
});

Deno.test("findOrInstallRuntime() clears away what a killed installation left, and nothing else", async () => {
  await using t = await Case.open();
  const bytes = archive();
  t.api.add(PINNED_TAG, { [CPU]: bytes });
  t.api.stallAfterBytes = 10;
  const child = installer(t, sha256(bytes)).spawn();
  await t.api.served(1);
  child.kill("SIGKILL");
  await child.output();
  const left = await t.kept();
  assert.match(left.join(), /^\.partial-[0-9a-f]{32}$/);
  // Killed later: in place, but not yet known to run.
  await Deno.mkdir(join(t.home, INSTALLED));
  await Deno.writeTextFile(join(t.home, INSTALLED, "runtime.unfinished"), "");
  await writeScriptServer(t.installed, { code: 1 });
  // The runtime home may be any folder of the user's.
  await Deno.mkdir(join(t.home, "photos"));
  await Deno.mkdir(join(t.home, ".partial-mine"));
  // A choice that was never written to its end, and one that is being written now.
  const unwritten = join(t.home, "use.json.0123456789ab.tmp");
  await Deno.writeTextFile(unwritten, "");
  await Deno.utime(unwritten, 1, 1);
  await Deno.writeTextFile(join(t.home, "use.json.ba9876543210.tmp"), "");

  t.api.stallAfterBytes = null;
  const sources = [t.source({ "ubuntu-x64.tar.gz": sha256(bytes) })];
  assert.equal((await t.find({ sources })).path, t.installed);
  const living = "use.json.ba9876543210.tmp";
  assert.deepEqual(await t.kept(), [".partial-mine", INSTALLED, "photos", living]);
});

Deno.test("clearLeftovers() leaves what another process installs now, and makes nothing", async () => {
  await using t = await Case.open();
  const { signal } = t.abort;
  assert.deepEqual(await clearLeftovers(t.home, signal), []);
  await assert.rejects(Deno.lstat(t.home), Deno.errors.NotFound);
  const left = `.partial-${"0".repeat(32)}`;
  await Deno.mkdir(join(t.home, left), { recursive: true });
  assert.deepEqual(await clearLeftovers(t.home, signal), []);
  {
    const options = { read: true, write: true, create: true };
    using other = await Deno.open(join(t.home, ".lock"), options);
    await other.lock(true);
    assert.deepEqual(await clearLeftovers(t.home, signal), []);
    assert.deepEqual(await t.kept(), [left]);
  }
  assert.deepEqual(await clearLeftovers(t.home, signal), [left]);
  assert.deepEqual(await t.kept(), []);
});

Deno.test("findOrInstallRuntime() installs again where a file was cut, and keeps a folder that is not ours", async () => {
  await using t = await Case.open();
  const bytes = archive();
  t.api.add(PINNED_TAG, { [CPU]: bytes });
  const sources = [t.source({ "ubuntu-x64.tar.gz": sha256(bytes) })];
  await t.find({ sources });
  await Deno.truncate(join(t.home, INSTALLED, "libllama.so"), 3);
  await t.find({ sources });
  assert.equal(await Deno.readTextFile(join(t.home, INSTALLED, "libllama.so")), "library");
  assert.deepEqual(await t.kept(), [INSTALLED]);

  await Deno.remove(join(t.home, INSTALLED, "runtime.json"));
  assert.match(await refusal(t.find({ sources })), /is in the way: move it/);
  assert.deepEqual(await t.kept(), [INSTALLED]);
});

Deno.test("findOrInstallRuntime() prefers the newest build that runs", async () => {
  await using t = await Case.open();
  for (const build of [12000, 12110]) {
    const tag = `b${build}`;
    const version = `version: ${build} (abc)`;
    t.api.add(tag, { [`llama-${tag}-bin-ubuntu-x64.tar.gz`]: archive({ version }) });
    const moved = t.at(`home-${build}`);
    const source = t.source({}, { pinned: { tag, digests: {} } });
    await t.find({ runtimeHome: moved, sources: [source] });
    await Deno.mkdir(t.home, { recursive: true });
    await Deno.rename(join(moved, `llama-${tag}-ubuntu-x64`), join(t.home, tag));
  }
  assert.equal((await t.find()).build, 12110);
  // As long as before, so that only its answer tells.
  const server = join(t.home, "b12110", "llama-server");
  await Deno.writeTextFile(server, (await Deno.readTextFile(server)).replace("exit 0", "exit 1"));
  assert.equal((await t.find()).build, 12000);
});

Deno.test("findOrInstallRuntime() says which folder it cannot use", async () => {
  await using t = await Case.open();
  await Deno.writeTextFile(t.at("file"), "");
  await Deno.mkdir(t.at("locked", ".lock"), { recursive: true });
  for (const runtimeHome of [t.at("file", "home"), t.at("locked")]) {
    await assert.rejects(t.find({ runtimeHome }), (error) => {
      assert.ok(error instanceof AppError, String(error));
      assert.equal(error.code, "folder_unusable");
      assert.ok(error.message.startsWith(`Cannot write in the runtime home "${runtimeHome}": `));
      assert.match(error.message, /another folder with --runtime-home$/);
      return true;
    });
  }
});

function installer(t: Case, digest: string): Deno.Command {
  const script = new URL("./support/install_once.ts", import.meta.url).href;
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", script, t.home, t.api.base, digest],
    stdout: "piped",
    stderr: "piped",
  });
}
