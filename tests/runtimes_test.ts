// Builds of llama.cpp beside one another: installed, proved, chosen, switched back, removed.

import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { dirname, join } from "node:path";
import type { RuntimeJob } from "../src/api_types.ts";
import { AppError } from "../src/errors.ts";
import { PINNED_TAG } from "../src/host/install_github.ts";
import type { Runtimes } from "../src/host/runtimes.ts";
import { tarGz } from "./support/archive_writer.ts";
import {
  archive,
  CPU,
  DEVICES,
  GPU,
  InstallCase as Case,
  INSTALLED,
  ON_LINUX,
  VULKAN,
} from "./support/install_case.ts";
import { sha256 } from "./support/release_api.ts";
import { scriptServer } from "./support/script_server.ts";
import { delay } from "./support/moments.ts";
import { until } from "./support/server_process.ts";
import { soakCount } from "./support/soak.ts";

const WITH_GPU = {
  ...ON_LINUX,
  gpus: [{ vendor: "nvidia" as const }],
  nvidia: { version: "580.65.06", leastCapability: 8.6, mostCapability: 8.6 },
};
const WANTED = { variant: null, latest: false, unverified: false };

async function ended(runtimes: Runtimes): Promise<RuntimeJob> {
  return await until(async () => {
    const { job } = await runtimes.list();
    return job !== null && job.state !== "installing" && job;
  });
}

async function refusal(promise: Promise<unknown>, code = "runtime_refused"): Promise<AppError> {
  const error = await promise.then(() => null, (thrown) => thrown);
  ok(error instanceof AppError, `not refused: ${error}`);
  equal(error.code, code, error.message);
  match(error.message, /^[A-Z].*[^.]$/);
  return error;
}

/** A home with the pinned CPU build in use, and the GPU build ready to be installed. */
async function withCpuBuild(gpuDevices: readonly string[] = DEVICES) {
  const t = await Case.open();
  const cpu = archive();
  const gpu = archive({ devices: gpuDevices });
  t.api.add(PINNED_TAG, { [CPU]: cpu, [GPU]: gpu });
  const digests = {
    "ubuntu-x64.tar.gz": sha256(cpu),
    "ubuntu-vulkan-x64.tar.gz": sha256(gpu),
  };
  await t.find({ sources: [t.source(digests)] });
  const built = t.builds({ facts: WITH_GPU, digests });
  await built.keeper.get({ retry: false });
  return { t, digests, ...built };
}

Deno.test("A build for GPUs is installed beside the other, used once it has proved itself, and switched back", async () => {
  const { t, runtimes, keeper } = await withCpuBuild();
  await using _t = t;
  const before = await runtimes.list();
  deepEqual(before.installed.map(({ name, active, verified }) => [name, active, verified]), [
    [INSTALLED, true, "pinned"],
  ]);
  equal(before.available.find(({ variant }) => variant === "cpu")?.installed, INSTALLED);

  const begun = await runtimes.install({ ...WANTED, variant: "vulkan" });
  equal(begun.job?.state, "installing");
  equal(keeper.current?.path, t.installed);
  const job = await ended(runtimes);
  deepEqual([job.state, job.name, job.error], ["done", VULKAN, null]);
  const after = await runtimes.list();
  deepEqual(
    after.installed.map(({ name, active, removable }) => [name, active, removable]).toSorted(),
    [[VULKAN, true, false], [INSTALLED, false, true]].toSorted(),
  );
  equal(after.chosen, VULKAN);
  deepEqual(after.installed.find(({ active }) => active)?.devices.map(({ name }) => name), [
    "Vulkan0",
  ]);
  // Told as it changes, for the events of the system.
  const { phase, devices } = t.told.at(-1)!;
  deepEqual([phase, devices[0]?.name], ["ready", "Vulkan0"]);

  await runtimes.use(INSTALLED);
  equal(keeper.current?.path, t.installed);
  equal((await runtimes.list()).chosen, INSTALLED);
  // Another life of the program keeps the choice.
  equal((await t.builds().keeper.get({ retry: false })).path, t.installed);
  const again = await runtimes.install({ ...WANTED, variant: "vulkan" });
  ok(again.job);
  equal((await ended(runtimes)).state, "done");
  equal(t.api.requests.filter((each) => each === `cdn ${GPU} whole`).length, 1);
});

Deno.test("A build for GPUs that sees none is rolled back, and the earlier one stays in use", async () => {
  const { t, runtimes, keeper } = await withCpuBuild(["  (none)"]);
  await using _t = t;
  await runtimes.install({ ...WANTED, variant: "vulkan" });
  const { state, error } = await ended(runtimes);
  equal(state, "failed");
  match(error!.message, /"llama-b11118-ubuntu-vulkan-x64" is not kept: it sees no GPU\. Update/);
  deepEqual([error!.code, error!.values.reason], ["runtime_refused", "unusable"]);
  deepEqual(await t.kept(), [INSTALLED]);
  equal(keeper.current?.path, t.installed);
  equal((await runtimes.list()).chosen, null);
});

Deno.test("A cut, wrong, broken or old build never replaces the one that works", async () => {
  const { t, digests, runtimes, keeper } = await withCpuBuild();
  await using _t = t;
  const faults: [string, (bytes: Uint8Array<ArrayBuffer>) => void][] = [
    ["cut", () => t.api.cuts.push(0, 10, 20, 30)],
    ["wrong", () => digests["ubuntu-vulkan-x64.tar.gz"] = "0".repeat(64)],
  ];
  for (const [what, breakIt] of faults) {
    breakIt(archive());
    await runtimes.install({ ...WANTED, variant: "vulkan" });
    const { state, error } = await ended(runtimes);
    equal(state, "failed", what);
    match(error!.message, /broke off|sent a part only|SHA-256/, what);
    equal(error!.code, "download_failed");
    deepEqual(await t.kept(), [INSTALLED], what);
  }
  for (
    const options of [
      { code: 127, devices: DEVICES },
      { version: "version: 8145 (abc)", devices: DEVICES },
      { help: [], devices: DEVICES },
    ]
  ) {
    const bytes = archive(options);
    t.api.add(PINNED_TAG, { [GPU]: bytes });
    digests["ubuntu-vulkan-x64.tar.gz"] = sha256(bytes);
    await runtimes.install({ ...WANTED, variant: "vulkan" });
    equal((await ended(runtimes)).state, "failed", JSON.stringify(options));
    deepEqual(await t.kept(), [INSTALLED]);
  }
  const { installed, chosen } = await runtimes.list();
  deepEqual([installed.map(({ name }) => name), chosen], [[INSTALLED], null]);
  equal(keeper.current?.path, t.installed);
  equal((await t.find()).path, t.installed);
});

Deno.test("What only its own server vouches for is installed when it is asked for, and told so", async () => {
  await using t = await Case.open();
  const main = archive({ devices: ["  CUDA0: A card (1024 MiB, 1000 MiB free)"] });
  const companion = tarGz([
    { name: "cudart-llama-b11118-bin-ubuntu-cuda-13.4-x64/", type: "5" },
    {
      name: "cudart-llama-b11118-bin-ubuntu-cuda-13.4-x64/libcudart.so.13",
      content: "CUDA's own",
    },
    { name: "cudart-llama-b11118-bin-ubuntu-cuda-13.4-x64/LICENSE", content: "text" },
  ]);
  const name = "llama-b11118-bin-ubuntu-cuda-13.4-x64.tar.gz";
  // The other line, and one whose companion is still uploading.
  t.api.add(PINNED_TAG, {
    "llama-b11118-bin-ubuntu-cuda-12.8-x64.tar.gz": archive({ code: 1 }),
    [name]: main,
    [`cudart-${name}`]: companion,
  });
  const { runtimes } = t.builds({ facts: WITH_GPU });
  const offer = (await runtimes.list()).available.find(({ recommended }) => recommended)!;
  deepEqual([offer.variant, offer.verified], ["cuda-13", "unverified"]);
  const { message, values } = await refusal(runtimes.install(WANTED));
  match(message, /unverified: true$/);
  equal(values.reason, "unverified");
  equal((await runtimes.list()).job, null);
  deepEqual(t.api.requests, []);

  await runtimes.install({ ...WANTED, unverified: true });
  const job = await ended(runtimes);
  deepEqual([job.state, job.error], ["done", null]);
  const folder = join(t.home, "llama-b11118-ubuntu-cuda-13.4-x64");
  equal(await Deno.readTextFile(join(folder, "libcudart.so.13")), "CUDA's own");
  await rejects(Deno.lstat(join(folder, "LICENSE")), Deno.errors.NotFound);
  const [row] = (await runtimes.list()).installed;
  deepEqual([row!.verified, row!.active], ["unverified", true]);
});

Deno.test("A build for CUDA without its libraries, or with a file of the same name, is no build", async () => {
  const name = "llama-b11118-bin-ubuntu-cuda-13.4-x64.tar.gz";
  const devices = ["  CUDA0: A card (1024 MiB, 1000 MiB free)"];
  const clash = tarGz([{ name: "libllama.so.0", content: "another" }]);
  const empty = tarGz([{ name: "README", content: "nothing" }]);
  for (
    const [companion, reason] of [
      [null, /release "b11118" has no ubuntu-cuda-13\.N-x64\.tar\.gz/],
      [clash, /two archives have the file "libllama\.so\.0"/],
      [empty, /libraries has none/],
    ] as const
  ) {
    await using t = await Case.open();
    t.api.add(PINNED_TAG, {
      [name]: archive({ devices }),
      ...(companion !== null && { [`cudart-${name}`]: companion }),
    });
    const { runtimes } = t.builds({ facts: WITH_GPU });
    await runtimes.install({ ...WANTED, variant: "cuda-13", unverified: true });
    const { error } = await ended(runtimes);
    match(error!.message, reason);
    deepEqual(await t.kept(), []);
  }
});

Deno.test("The newest build is installed on request, through nightly-tag.txt", async () => {
  const { t, runtimes } = await withCpuBuild();
  await using _t = t;
  const version = "version: 0.9.0 (build 12110, commit x)";
  t.api.add("b12110", { "llama-b12110-bin-ubuntu-x64.tar.gz": archive({ version }) });
  t.api.add("v0.9.0", { "nightly-tag.txt": new TextEncoder().encode("b12110\n") }, {
    prerelease: false,
  });
  const wanted = { ...WANTED, variant: "cpu", latest: true };
  equal((await refusal(runtimes.install(wanted))).values.reason, "unverified");
  await runtimes.install({ ...wanted, unverified: true });
  equal((await ended(runtimes)).name, "llama-b12110-ubuntu-x64");
  const { installed, chosen } = await runtimes.list();
  equal(chosen, "llama-b12110-ubuntu-x64");
  deepEqual(installed.find(({ active }) => active)?.build, 12110);
});

Deno.test("A build of the same name and other content is installed beside the one that is there", async () => {
  await using t = await Case.open();
  const { runtimes } = t.builds();
  const wanted = { variant: "cpu", latest: true, unverified: true };
  const install = async (content: string) => {
    t.api.add("b12110", { "llama-b12110-bin-ubuntu-x64.tar.gz": archive({}, content) });
    await runtimes.install(wanted);
    const { state, name } = await ended(runtimes);
    equal(state, "done");
    return name!;
  };
  const first = await install(" of one day");
  const second = await install(" of another day");
  equal(first, "llama-b12110-ubuntu-x64");
  match(second, /^llama-b12110-ubuntu-x64-[0-9a-f]{8}$/);
  for (const [name, day] of [[first, "one"], [second, "another"]]) {
    equal(await Deno.readTextFile(join(t.home, name!, "libllama.so")), `library of ${day} day`);
  }
  equal(await install(" of another day"), second);
  deepEqual(await t.kept(), [first, second, "use.json"]);
});

Deno.test("What must not be is refused with what to do", async () => {
  const { t, runtimes, digests } = await withCpuBuild();
  await using _t = t;
  await refusal(runtimes.install({ ...WANTED, variant: "rocm" }), "runtime_not_found");
  const without = t.builds({ digests });
  match((await refusal(without.runtimes.install(WANTED))).message, /Name one of: cpu, vulkan,/);
  equal(
    (await refusal(runtimes.install({ ...WANTED, variant: "cuda-12" }))).values.reason,
    "unverified",
  );
  for (const name of ["nobody", "../evil", "/etc", "", "A", "x".repeat(500), INSTALLED + "/.."]) {
    await refusal(runtimes.use(name), "runtime_not_found");
    await refusal(runtimes.remove(name), "runtime_not_found");
  }
  match((await refusal(runtimes.remove(INSTALLED))).message, /in use\. Use another build first$/);
  // One whose processes still run goes only after them.
  const running: string[] = [];
  const other = t.builds({ facts: WITH_GPU, digests, running });
  await other.runtimes.install({ ...WANTED, variant: "vulkan" });
  await ended(other.runtimes);
  running.push(t.installed);
  match((await refusal(other.runtimes.remove(INSTALLED))).message, /Unload them first$/);
  running.pop();
  const { installed } = await other.runtimes.remove(INSTALLED);
  deepEqual(installed.map(({ name }) => name), [VULKAN]);
  deepEqual(await t.kept(), [VULKAN, "use.json"]);

  const named = t.builds({ llamaServer: await t.server("named") });
  await named.keeper.get({ retry: false });
  match(
    (await refusal(named.runtimes.use(VULKAN))).message,
    /--llama-server ".*" decides\. Start without it$/,
  );
  const listed = await named.runtimes.list();
  deepEqual([listed.flag, listed.installed[0]!.active], [t.at("named"), false]);
});

Deno.test("A build that is too old, broken, or no longer as it was installed is not used", async () => {
  const { t, runtimes, keeper } = await withCpuBuild();
  await using _t = t;
  const version = "version: 9376 (abc)";
  t.api.add("b9376", { "llama-b9376-bin-ubuntu-x64.tar.gz": archive({ version }) });
  const source = t.source({}, { pinned: { tag: "b9376", digests: {} } });
  await t.find({ runtimeHome: t.at("other"), sources: [source] });
  const old = join(t.home, "llama-b9376-ubuntu-x64");
  await Deno.rename(t.at("other", "llama-b9376-ubuntu-x64"), old);
  // As if it had been allowed once: the program says that it is older.
  const script = scriptServer({ version: "version: 9375 (abc)" });
  await Deno.writeTextFile(join(old, "llama-server"), script);
  const record = JSON.parse(await Deno.readTextFile(join(old, "runtime.json")));
  record.serverSha256 = sha256(new TextEncoder().encode(script));
  await Deno.writeTextFile(join(old, "runtime.json"), JSON.stringify(record));
  match((await refusal(runtimes.use("llama-b9376-ubuntu-x64"))).message, /build 9375 is too old/);

  await Deno.writeTextFile(join(old, "libllama.so"), "LIBRARY");
  await refusal(runtimes.use("llama-b9376-ubuntu-x64"), "runtime_changed");
  await Deno.truncate(join(old, "libllama.so"), 2);
  match((await refusal(runtimes.use("llama-b9376-ubuntu-x64"))).message, /missing or cut/);
  equal(keeper.current?.path, t.installed);
  // It goes all the same.
  await runtimes.remove("llama-b9376-ubuntu-x64");
  deepEqual(await t.kept(), [INSTALLED]);
});

Deno.test("Of several on PATH the one that is used is listed, and what is no program is none", async () => {
  await using t = await Case.open();
  await Deno.mkdir(t.at("folder", "llama-server"), { recursive: true });
  const old = await t.server("old/llama-server", { version: "version: 5000 (abc)" });
  const broken = await t.server("broken/llama-server", { code: 3 });
  const good = await t.server("good/llama-server");
  const later = await t.server("later/llama-server");
  const given = {
    path: ["folder", "old", "broken", "good", "later"].map((n) => t.at(n)).join(":"),
  };
  {
    // Nobody has asked any of them yet.
    const { runtimes } = t.builds(given);
    const { installed } = await runtimes.use("path");
    deepEqual(installed.map((row) => [row.name, row.build, row.active]), [["path", 11118, true]]);
  }
  const { runtimes, keeper } = t.builds(given);
  equal((await keeper.get({ retry: false })).path, good);
  const { installed } = await runtimes.list();
  deepEqual(installed.map((row) => [row.name, row.build, row.active, row.refusal]), [
    ["path", 11118, true, null],
  ]);
  equal((await runtimes.use("path")).chosen, "path");
  equal(keeper.current?.path, good);

  // Another one is in use: then the first that may be.
  const named = t.builds({ ...given, llamaServer: later });
  await named.keeper.get({ retry: false });
  await Deno.remove(broken);
  deepEqual((await named.runtimes.list()).installed[0]!.refusal, null);
  await Deno.remove(t.at("good"), { recursive: true });
  await Deno.remove(t.at("later"), { recursive: true });
  const [row] = (await t.builds(given).runtimes.list()).installed;
  match(row!.refusal!, /build 5000 is too old/);
  match((await refusal(t.builds(given).runtimes.use("path"))).message, /build 5000 is too old/);
  await Deno.remove(old);
  deepEqual((await t.builds(given).runtimes.list()).installed, []);
});

Deno.test("A choice that cannot be followed falls back to the usual order and says so", async () => {
  const { t, runtimes } = await withCpuBuild();
  await using _t = t;
  await Deno.mkdir(t.at("bin"));
  const onPath = await t.server("bin/llama-server");
  const other = t.builds({ path: t.at("bin") });
  await other.runtimes.use("path");
  equal(other.keeper.current?.path, onPath);
  match(await Deno.readTextFile(join(t.home, "use.json")), /"path"/);
  equal((await t.find({ path: t.at("bin") })).path, onPath);
  t.entries.length = 0;
  await Deno.remove(onPath);
  equal((await t.find({ path: t.at("bin") })).path, t.installed);
  ok(t.entries.some(({ message }) => /chosen llama\.cpp build is not used/.test(message)));
  for (const text of ["", "{", '{"name":"../evil"}', '{"name":7}', "null", '{"name":"nobody"}']) {
    await Deno.writeTextFile(join(t.home, "use.json"), text);
    equal((await t.find()).path, t.installed, text);
  }
  await runtimes.use("auto");
  deepEqual(await t.kept(), [INSTALLED]);
});

Deno.test("While one is installed nothing else is changed, and an ended program leaves nothing", async () => {
  const { t, runtimes } = await withCpuBuild();
  await using _t = t;
  t.api.stallAfterBytes = 10;
  await runtimes.install({ ...WANTED, variant: "vulkan" });
  await t.api.served(2);
  for (
    const change of [
      () => runtimes.install({ ...WANTED, variant: "cpu" }),
      () => runtimes.use(INSTALLED),
      () => runtimes.remove(INSTALLED),
    ]
  ) equal((await refusal(change())).values.reason, "busy");
  // The stand-in has answered; that its first byte has come is told a moment later.
  await until(async () =>
    (await runtimes.list()).job!.activity!.startsWith("Downloading llama.cpp")
  );
  t.abort.abort(new AppError("shutting_down", "The server is stopping"));
  equal((await ended(runtimes)).state, "failed");
  deepEqual(await t.kept(), [INSTALLED]);
  equal((await Array.fromAsync(Deno.readDir(dirname(t.installed)))).length, 4);
});

Deno.test("While another process installs, removing a build is refused and using one is not held up", async () => {
  const { t, runtimes, keeper } = await withCpuBuild();
  await using _t = t;
  await runtimes.install({ ...WANTED, variant: "vulkan" });
  equal((await ended(runtimes)).state, "done");
  {
    using other = await Deno.open(join(t.home, ".lock"), { read: true, write: true });
    await other.lock(true);
    const removing = refusal(runtimes.remove(INSTALLED));
    // It was asked later and needs no lock.
    const using_ = runtimes.use("auto");
    const { message, values } = await removing;
    match(message, /another process installs llama\.cpp\. Try again when that is done$/);
    equal(values.reason, "busy");
    equal((await using_).chosen, null);
  }
  // Who asked then has left: it is not done behind their back.
  deepEqual(await t.kept(), [VULKAN, INSTALLED].toSorted());
  await keeper.get({ retry: false });
  await runtimes.use(VULKAN);
  await runtimes.remove(INSTALLED);
  deepEqual(await t.kept(), [VULKAN, "use.json"]);
});

Deno.test("What using a build leads to is told, not waited for, where it must be installed", async () => {
  await using t = await Case.open();
  const bytes = archive();
  t.api.add(PINNED_TAG, { [CPU]: bytes });
  const { runtimes, keeper } = t.builds({ unasked: true });
  await Deno.mkdir(t.home);
  {
    const options = { read: true, write: true, create: true };
    using other = await Deno.open(join(t.home, ".lock"), options);
    await other.lock(true);
    const { job } = await runtimes.use("auto");
    deepEqual([job?.state, job?.activity], [
      "installing",
      "Waiting for another process that installs llama.cpp",
    ]);
  }
  equal((await keeper.get({ retry: false })).path, t.installed);
});

Deno.test("A runtime home that cannot be written is named, with what to do", async () => {
  const { t, runtimes } = await withCpuBuild();
  await using _t = t;
  await runtimes.install({ ...WANTED, variant: "vulkan" });
  equal((await ended(runtimes)).state, "done");
  await Deno.remove(join(t.home, "use.json"));
  await Deno.mkdir(join(t.home, "use.json", "full"), { recursive: true });
  const told = new RegExp(
    `^Cannot write in the runtime home "${t.home}": .+ another folder with --runtime-home$`,
  );
  match((await refusal(runtimes.use(INSTALLED), "folder_unusable")).message, told);
  await Deno.remove(join(t.home, "use.json"), { recursive: true });
  await runtimes.use(VULKAN);
  await Deno.remove(join(t.home, ".lock"));
  await Deno.mkdir(join(t.home, ".lock"));
  match((await refusal(runtimes.remove(INSTALLED), "folder_unusable")).message, told);
  deepEqual(await t.kept(), [VULKAN, INSTALLED, "use.json"].toSorted());
});

Deno.test("A process that is killed while it changes the choice leaves the old one or the new one", async () => {
  const { t, runtimes } = await withCpuBuild();
  await using _t = t;
  await runtimes.install({ ...WANTED, variant: "vulkan" });
  equal((await ended(runtimes)).state, "done");
  const script = new URL("./support/switch_builds.ts", import.meta.url).pathname;
  const args = ["run", "-A", "--quiet", "--cached-only", script, t.home, INSTALLED, VULKAN];
  for (let kill = 0; kill < soakCount(60); kill++) {
    const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
    const reader = child.stdout.getReader();
    // It has begun; from here on any moment will do.
    let said = new TextDecoder().decode((await reader.read()).value);
    await delay(Math.random() * 40);
    child.kill("SIGKILL");
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      said += new TextDecoder().decode(part.value);
    }
    await child.status;
    const last = said.trimEnd().split("\n").at(-1);
    const { name } = JSON.parse(await Deno.readTextFile(join(t.home, "use.json")));
    ok(name === INSTALLED || name === VULKAN, name);
    const found = await t.find();
    equal(dirname(found.path), join(t.home, name), `${last} was the last that was told`);
  }
  deepEqual(
    (await t.kept()).filter((name) => !/^(use|probes)\.json/.test(name)).toSorted(),
    [
      VULKAN,
      INSTALLED,
    ].toSorted(),
  );
});
