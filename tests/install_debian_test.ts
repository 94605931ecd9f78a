import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { AppError } from "../src/errors.ts";
import { mirrorsIn } from "../src/host/debian_packages.ts";
import { type FindOrInstallOptions, findOrInstallRuntime } from "../src/host/install.ts";
import type { InstallSource } from "../src/host/install_source.ts";
import { debianSource } from "../src/host/install_debian.ts";
import { createLog } from "../src/log.ts";
import { findInProcess } from "./support/find_once.ts";
import { TempFolder } from "./support/temp_folder.ts";

const signal = new AbortController().signal;

function install(
  runtimeHome: string,
  source: InstallSource,
  more: Partial<FindOrInstallOptions> = {},
) {
  return findOrInstallRuntime({
    llamaServer: null,
    bundledFolder: join(runtimeHome, "none"),
    runtimeHome,
    path: null,
    sources: [source],
    log: createLog({ part: "install", level: "error", write: () => {} }),
    onProgress: () => {},
    signal,
    ...more,
  });
}

/** Names, sizes and times of all that apt and dpkg keep, without the content. */
async function systemState(): Promise<string[]> {
  const state: string[] = [];
  async function walk(path: string): Promise<void> {
    let stat: Deno.FileInfo;
    try {
      stat = await Deno.lstat(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      throw error;
    }
    if (stat.isDirectory) {
      for (const { name } of Array.from(Deno.readDirSync(path))) await walk(join(path, name));
    }
    state.push(`${path} ${stat.size} ${stat.mtime?.getTime()} ${stat.mode}`);
  }
  for (const path of ["/var/lib/apt", "/var/lib/dpkg", "/var/cache/apt", "/etc/apt"]) {
    await walk(path);
  }
  return state.sort();
}

Deno.test("debianSource() installs a llama-server that runs, without touching the system", async () => {
  await using folder = await TempFolder.make();
  // A space, as in many home folders.
  const home = join(folder.path, "runtime home");
  const source = debianSource();
  const unsuitable = await source.unsuitable();
  if (unsuitable !== null) {
    // Not Debian: then it must say so, and do nothing.
    await assert.rejects(install(home, source), new RegExp(unsuitable));
    return;
  }
  const before = await systemState();
  const runtime = await install(home, source);
  assert.deepEqual(await systemState(), before);

  assert.equal(runtime.source, "installed");
  assert.ok(runtime.flags.has("--api-prefix"));
  const names = await Array.fromAsync(Deno.readDir(home), (entry) => entry.name);
  const [name, ...others] = names.filter((each) => each.startsWith("debian-"));
  assert.deepEqual(others, []);
  assert.deepEqual(names.sort(), [".lock", name, "probes.json"].sort());

  const build = join(home, name!);
  const record = JSON.parse(await Deno.readTextFile(join(build, "runtime.json")));
  assert.equal(record.source, "debian");
  assert.equal(record.verified, "signed");
  assert.equal(record.build, runtime.build);
  const server = await Deno.readFile(join(build, "llama-server"));
  assert.equal(record.serverSha256, createHash("sha256").update(server).digest("hex"));
  assert.ok(record.archives.some((each: { name: string }) => /^llama\.cpp-tools_/.test(each.name)));

  const found = await Array.fromAsync(Deno.readDir(build));
  assert.ok(found.every((entry) => entry.isFile), "only files, no links");
  const files = found.map((entry) => entry.name);
  for (const wanted of ["llama-server", "llama-bench", "llama-quantize", "libc.so.6"]) {
    assert.ok(files.includes(wanted), `${wanted} is missing`);
  }
  assert.ok(files.some((each) => /^libggml-cpu/.test(each)), "no CPU backend");
  assert.ok(!files.includes("patchelf"));

  const run = new Deno.Command(join(build, "llama-server"), {
    args: ["--version"],
    clearEnv: true,
    // LD_DEBUG would say more, but the loader's own list is enough.
    env: { LD_TRACE_LOADED_OBJECTS: "1" },
  });
  const libraries = new TextDecoder().decode((await run.output()).stdout).trim().split("\n");
  assert.ok(libraries.length > 5, libraries.join("\n"));
  for (const line of libraries.filter((each) => !/linux-vdso/.test(each))) {
    assert.ok(line.includes(`${build}/`), `a library of the system: ${line}`);
  }
  const version = await new Deno.Command(join(build, "llama-server"), { args: ["--version"] })
    .output();
  assert.equal(version.code, 0);
  assert.match(new TextDecoder().decode(version.stderr), /^version: /m);

  // Found again without the network.
  const nothing: InstallSource = {
    name: "nothing",
    unsuitable: () => assert.fail("it was asked to install"),
    builds: () => assert.fail("it was asked to install"),
  };
  assert.equal((await install(home, nothing)).path, runtime.path);
});

Deno.test("debianSource() is for Debian alone", async () => {
  await using folder = await TempFolder.make();
  const osRelease = join(folder.path, "os-release");
  const cases: [string, RegExp][] = [
    ['ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME="noble"\n', /this is not Debian/],
    ["ID=fedora\n", /this is not Debian/],
    ["", /this is not Debian/],
    ["NAME=x\nID='debian'\n", /package debian-archive-keyring is missing/],
  ];
  for (const [text, reason] of cases) {
    await Deno.writeTextFile(osRelease, text);
    const source = debianSource({ osRelease, keyrings: join(folder.path, "none") });
    assert.match(
      (await source.unsuitable()) ?? "suitable",
      Deno.build.os === "linux" ? reason : /./,
    );
  }
  await Deno.remove(osRelease);
  assert.match(
    (await debianSource({ osRelease }).unsuitable()) ?? "suitable",
    /this is not Debian/,
  );
});

Deno.test("debianSource() accepts nothing that is not signed by Debian's keys", async () => {
  await using folder = await TempFolder.make();
  const source = debianSource({ keyrings: folder.path, suites: ["sid"] });
  // A keyring without a key.
  await Deno.writeFile(join(folder.path, "debian-archive-keyring.gpg"), new Uint8Array());
  const home = join(folder.path, "home");
  const error = await install(home, source).then(
    () => assert.fail("installed"),
    (thrown) => thrown,
  );
  assert.ok(error instanceof AppError);
  assert.equal(error.code, "runtime_missing");
  if ((await source.unsuitable()) === null) {
    assert.match(
      error.message,
      /Source "debian": "apt-get update" failed: .*(not signed|signatures|verif)/i,
    );
  }
  const left = await Array.fromAsync(Deno.readDir(home), (entry) => entry.name);
  assert.deepEqual(left, [".lock"]);
});

Deno.test("debianSource() says why no suite would do", async () => {
  await using folder = await TempFolder.make();
  const source = debianSource({ suites: ["no-such-suite", "nor-this-one"] });
  const home = join(folder.path, "home");
  const suites: string[] = [];
  const onProgress = () => {
    const work = [...Deno.readDirSync(home)].find(({ name }) => name.startsWith(".partial-"));
    if (work === undefined) return;
    suites.push([...Deno.readDirSync(join(home, work.name))].map(({ name }) => name).join());
  };
  const error = await install(home, source, { onProgress }).then(
    () => assert.fail("installed"),
    (thrown) => thrown,
  );
  assert.ok(error instanceof AppError);
  assert.doesNotMatch(error.message, /\.\./);
  if ((await source.unsuitable()) === null) {
    assert.match(
      error.message,
      /Source "debian": no-such-suite: .*no-such-suite.*; nor-this-one: .*nor-this-one/,
    );
    // The next one has the room that the first one took.
    assert.deepEqual(suites, ["suite-0", "suite-1"]);
  }

  const left = await Array.fromAsync(Deno.readDir(home), (entry) => entry.name);
  assert.deepEqual(left, [".lock"]);
});

Deno.test("debianSource() stops in the middle of apt's work and leaves nothing", async () => {
  await using folder = await TempFolder.make();
  const source = debianSource();
  if ((await source.unsuitable()) !== null) {
    await assert.rejects(install(folder.path, source), /this is not Debian|is missing/);
    return;
  }
  const abort = new AbortController();
  using watcher = Deno.watchFs(folder.path);
  const installing = install(folder.path, source, { signal: abort.signal });
  const stopped = assert.rejects(installing, /^Error: stopped by the test$/);
  // One that ends by itself never comes so far.
  const close = () => watcher.close();
  installing.then(close, close);
  // apt has begun to fetch its lists.
  for await (const { paths } of watcher) {
    if (paths.some((path) => /\/lists\/partial\/.+InRelease/.test(path))) break;
  }
  abort.abort(new Error("stopped by the test"));
  await stopped;
  const left = await Array.fromAsync(Deno.readDir(folder.path), (entry) => entry.name);
  assert.deepEqual(left, [".lock"]);
});

Deno.test("debianSource() says what to do where apt has never fetched its lists", async () => {
  await using folder = await TempFolder.make();
  const lists = join(folder.path, "lists");
  const config = join(folder.path, "apt.conf");
  await Deno.mkdir(join(lists, "partial"), { recursive: true });
  await Deno.writeTextFile(config, `Dir::State::lists "${lists}";\n`);
  const home = join(folder.path, "home");
  const env = { APT_CONFIG: config };
  const found = await findInProcess({ runtimeHome: home, path: null, source: "debian", env });
  assert.equal(found.code, "runtime_missing");
  const reason = await debianSource().unsuitable() ??
    "apt on this machine knows no mirror of Debian: run sudo apt update, then try again";
  assert.ok(found.message!.includes(`Source "debian": ${reason}. `), found.message!);
  const left = await Array.fromAsync(Deno.readDir(home), (entry) => entry.name);
  assert.deepEqual(left, [".lock"]);
});

Deno.test("mirrorsIn() takes the machine's own mirrors of Debian, the installed release first", () => {
  const targets = [
    "bookworm-security|bookworm-security|main|Debian|http://mirror.example/debian-security/",
    "|cloud-sdk-bookworm|main|cloud|https://vendor.example/apt/",
    "stable|stable|main|Vendor|https://vendor.example/stable/",
    "bookworm|bookworm|main|Other|https://third.example/bookworm/",
    "bookworm|bookworm|contrib|Debian|http://contrib.example/debian/",
    "bookworm|bookworm|main|Debian|http://mirror.example/debian/",
    "bookworm|bookworm|main|Debian|http://mirror.example/debian/",
    "bookworm|bookworm|main|Debian|cdrom:[Debian 12]/",
    "bookworm|bookworm|main|Debian|http://evil.example/ [trusted=yes] x/",
    "",
  ].join("\n");
  assert.deepEqual(mirrorsIn(targets, "bookworm"), [
    "http://mirror.example/debian/",
    "https://third.example/bookworm/",
    "https://vendor.example/stable/",
  ]);
  // Without lists apt knows only what sources.list says.
  const bare = "|bookworm|main||http://mirror.example/debian/\n";
  assert.deepEqual(mirrorsIn(bare, "bookworm"), ["http://mirror.example/debian/"]);
  assert.deepEqual(mirrorsIn(bare, null), []);
});
