// An installation of a build is cancelled: at every moment nothing of it is left, and what is in use
// stays.

import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { join } from "node:path";
import { AppError } from "../src/errors.ts";
import { PINNED_TAG } from "../src/host/install_github.ts";
import type { Runtimes } from "../src/host/runtimes.ts";
import {
  archive,
  type BuildsGiven,
  CPU,
  DEVICES,
  GPU,
  InstallCase as Case,
  INSTALLED,
  ON_LINUX,
  VULKAN,
} from "./support/install_case.ts";
import { delay } from "./support/moments.ts";
import { sha256 } from "./support/release_api.ts";
import type { ScriptServerOptions } from "./support/script_server.ts";
import { until } from "./support/server_process.ts";
import { soakCount } from "./support/soak.ts";

const FACTS = { ...ON_LINUX, gpus: [{ vendor: "nvidia" as const }] };
const WANTED = { variant: "vulkan", latest: false, unverified: false };

async function refusal(promise: Promise<unknown>, reason: string): Promise<string> {
  const error = await promise.then(() => null, (thrown) => thrown);
  ok(error instanceof AppError, `not refused: ${error}`);
  deepEqual([error.code, error.values.reason], ["runtime_refused", reason], error.message);
  match(error.message, /^[A-Z].*[^.]$/);
  return error.message;
}

/** The pinned CPU build in use, and one for GPUs to be installed. */
async function withCpuBuild(script: ScriptServerOptions = {}, given: BuildsGiven = {}) {
  const t = await Case.open();
  const cpu = archive();
  // Letters that do not pack well: what unpacks to a hundred times its size is refused.
  const letters = Array.from({ length: 20_000 }, () => Math.random().toString(36)).join("");
  const gpu = archive({ devices: DEVICES, ...script }, letters);
  t.api.add(PINNED_TAG, { [CPU]: cpu, [GPU]: gpu });
  const digests = {
    "ubuntu-x64.tar.gz": sha256(cpu),
    "ubuntu-vulkan-x64.tar.gz": sha256(gpu),
  };
  await t.find({ sources: [t.source(digests)] });
  const built = t.builds({ facts: FACTS, digests, ...given });
  await built.keeper.get({ retry: false });
  return { t, gpu, digests, ...built };
}

/** Nothing but what was there, and another one can begin at once. */
async function assertCancelled(
  { t, runtimes, keeper }: Awaited<ReturnType<typeof withCpuBuild>>,
  cancelling: ReturnType<Runtimes["cancel"]>,
): Promise<void> {
  const { job, installed, chosen } = await cancelling;
  deepEqual([job?.variant, job?.state, job?.progress], ["vulkan", "cancelled", null]);
  equal(job!.error!.code, "cancelled");
  match(
    job!.error!.message,
    /was cancelled: what is here is as it was\. Begin it again with zombie/,
  );
  deepEqual(await t.kept(), [INSTALLED]);
  deepEqual(installed.map(({ name, active }) => [name, active]), [[INSTALLED, true]]);
  deepEqual([chosen, keeper.current?.path], [null, t.installed]);
  await refusal(runtimes.cancel(null), "not_installing");
}

async function ended(runtimes: Runtimes) {
  return await until(async () => {
    const { job } = await runtimes.list();
    return job !== null && job.state !== "installing" && job;
  });
}

Deno.test("cancel() while the release is asked for ends it, and what came of it", async () => {
  const built = await withCpuBuild();
  await using t = built.t;
  const { runtimes } = built;
  const asked = t.api.requests.length;
  t.api.isSilent = true;
  await runtimes.install(WANTED);
  await until(() => t.api.requests.length > asked);
  // Whoever asks twice is told the same.
  const twice = runtimes.cancel("vulkan");
  await assertCancelled(built, runtimes.cancel(null));
  equal((await twice).job?.state, "cancelled");
});

Deno.test("cancel() at any byte of a download ends it, and a new one begins at once", async () => {
  const built = await withCpuBuild();
  await using t = built.t;
  const { runtimes, gpu } = built;
  let served = t.api.requests.filter((each) => each.startsWith("cdn")).length;
  for (const bytes of [0, 1, 1_000, gpu.length - 1]) {
    t.api.stallAfterBytes = bytes;
    await runtimes.install(WANTED);
    await t.api.served(++served);
    // The first byte is told a moment after it was sent.
    if (bytes > 0) {
      await until(async () => (await runtimes.list()).job!.activity!.startsWith("Downloading"));
    }
    await assertCancelled(built, runtimes.cancel("vulkan"));
  }
  t.api.stallAfterBytes = null;
  await runtimes.install(WANTED);
  const { state, name } = await ended(runtimes);
  deepEqual([state, name], ["done", VULKAN]);
});

Deno.test("cancel() at each step that a source tells of leaves nothing", async () => {
  let cancelling: ReturnType<Runtimes["cancel"]> | null = null;
  let step = "";
  const built = await withCpuBuild({}, {
    onProgress(activity) {
      if (cancelling === null && activity.startsWith(step)) {
        cancelling = built.runtimes.cancel("vulkan");
      }
    },
  });
  await using _t = built.t;
  for (step of ["Asking GitHub", "Downloading", "Unpacking"]) {
    cancelling = null;
    await built.runtimes.install(WANTED);
    await until(() => cancelling);
    await assertCancelled(built, cancelling!);
  }
});

Deno.test("cancel() while the new build is asked what it is ends its program, too", async () => {
  // The other one does not hear that it shall end.
  for (const first of ["exec sleep 60", "trap '' TERM; exec sleep 60"]) {
    const pids = await Deno.makeTempFile();
    try {
      const built = await withCpuBuild({ first: `echo $$ >> '${pids}'; ${first}` });
      await using _t = built.t;
      await built.runtimes.install(WANTED);
      const pid = await until(() => Number(Deno.readTextFileSync(pids)) || null);
      // It lies where it would be used, but is no build yet.
      ok((await built.t.kept()).includes(VULKAN));
      await assertCancelled(built, built.runtimes.cancel("vulkan"));
      await rejects(Deno.lstat(`/proc/${pid}`), Deno.errors.NotFound, first);
    } finally {
      await Deno.remove(pids);
    }
  }
});

Deno.test("cancel() while a build that is here is proved again leaves it unused", async () => {
  const pids = await Deno.makeTempFile();
  const gate = await Deno.makeTempFile();
  try {
    const first = `if [ -s '${gate}' ]; then echo $$ >> '${pids}'; exec sleep 60; fi`;
    const built = await withCpuBuild({ first });
    await using t = built.t;
    const { runtimes, keeper } = built;
    await runtimes.install(WANTED);
    equal((await ended(runtimes)).state, "done");
    await runtimes.use(INSTALLED);
    await Deno.writeTextFile(gate, "closed");
    await runtimes.install(WANTED);
    await until(() => Deno.readTextFileSync(pids) !== "");
    const { job, chosen } = await runtimes.cancel("vulkan");
    deepEqual([job?.state, chosen, keeper.current?.path], ["cancelled", INSTALLED, t.installed]);
    deepEqual(await t.kept(), [VULKAN, INSTALLED, "use.json"].toSorted());
  } finally {
    await Promise.all([pids, gate].map((path) => Deno.remove(path)));
  }
});

Deno.test("A build that lay there and did not run is back after a cancel", async () => {
  const pids = await Deno.makeTempFile();
  try {
    const built = await withCpuBuild({ first: `echo $$ >> '${pids}'; exec sleep 60` });
    await using t = built.t;
    const old = join(t.home, VULKAN);
    await Deno.mkdir(old);
    await Deno.writeTextFile(join(old, "runtime.json"), "{}");
    await built.runtimes.install(WANTED);
    await until(() => Deno.readTextFileSync(pids) !== "");
    equal((await built.runtimes.cancel("vulkan")).job?.state, "cancelled");
    deepEqual(await t.kept(), [VULKAN, INSTALLED].toSorted());
    equal(await Deno.readTextFile(join(old, "runtime.json")), "{}");
  } finally {
    await Deno.remove(pids);
  }
});

Deno.test("A build that somebody changed is as untrusted as before when it is back after a cancel", async () => {
  const [pids, gate] = [await Deno.makeTempFile(), await Deno.makeTempFile()];
  try {
    const first = `if [ -s '${gate}' ]; then echo $$ >> '${pids}'; exec sleep 60; fi`;
    const built = await withCpuBuild({ first });
    await using t = built.t;
    const { runtimes } = built;
    await runtimes.install(WANTED);
    equal((await ended(runtimes)).state, "done");
    await runtimes.use(INSTALLED);
    // Files and a record that fits them: only what was seen before tells.
    const library = join(t.home, VULKAN, "libllama.so");
    const record = join(t.home, VULKAN, "runtime.json");
    await Deno.writeTextFile(library, "evil");
    const { hashes, files, ...rest } = JSON.parse(await Deno.readTextFile(record));
    hashes["libllama.so"] = sha256(new TextEncoder().encode("evil"));
    files["libllama.so"] = 4;
    await Deno.writeTextFile(record, JSON.stringify({ ...rest, hashes, files }));
    const row = async () =>
      (await runtimes.list()).installed.find(({ name }) => name === VULKAN)!.refusal;
    match((await row())!, /is not as it was installed/);

    await Deno.writeTextFile(gate, "closed");
    await runtimes.install({ ...WANTED, latest: true, unverified: true });
    await until(() => Deno.readTextFileSync(pids) !== "");
    equal((await runtimes.cancel("vulkan")).job?.state, "cancelled");
    equal(await Deno.readTextFile(library), "evil");
    match((await row())!, /is not as it was installed/);

    await Deno.truncate(gate);
    await runtimes.install({ ...WANTED, latest: true, unverified: true });
    equal((await ended(runtimes)).state, "done");
    equal(await row(), null);
  } finally {
    await Promise.all([pids, gate].map((path) => Deno.remove(path)));
  }
});

Deno.test("cancel() comes too late once the new build takes its place, and says so", async () => {
  let held = Promise.resolve();
  const built = await withCpuBuild({}, { beforeSearch: () => held });
  await using t = built.t;
  const { runtimes, keeper } = built;
  const { promise, resolve } = Promise.withResolvers<void>();
  held = promise;
  await runtimes.install(WANTED);
  await until(async () => (await t.kept()).includes("use.json"));
  for (const variant of ["vulkan", null]) {
    const message = await refusal(runtimes.cancel(variant), "too_late");
    match(message, /installed already.*Use another build when that is done, then remove it$/);
  }
  resolve();
  equal((await ended(runtimes)).state, "done");
  equal(keeper.current?.path, join(t.home, VULKAN, "llama-server"));
  await refusal(runtimes.cancel("vulkan"), "not_installing");
});

Deno.test("cancel() ends nothing but what it names", async () => {
  const built = await withCpuBuild();
  await using t = built.t;
  const { runtimes } = built;
  match(await refusal(runtimes.cancel(null), "not_installing"), /^Cannot cancel: nothing is being/);
  t.api.isSilent = true;
  await runtimes.install(WANTED);
  for (const variant of ["cpu", "llama.cpp", "", "../vulkan"]) {
    await refusal(runtimes.cancel(variant), "not_installing");
  }
  equal((await runtimes.list()).job?.state, "installing");
  match(await refusal(runtimes.use(INSTALLED), "busy"), /zombiecoder runtime cancel$/);
  await assertCancelled(built, runtimes.cancel("vulkan"));
});

Deno.test("Whatever the moment, a cancel leaves all of the new build or nothing", async () => {
  const built = await withCpuBuild();
  await using t = built.t;
  const { runtimes, keeper } = built;
  const startedMs = performance.now();
  await runtimes.install(WANTED);
  equal((await ended(runtimes)).state, "done");
  // The first one may take longer than those after it: from then on what came too late shortens it.
  let wholeMs = performance.now() - startedMs;
  const counts = { cancelled: 0, late: 0 };
  for (let attempt = 0; attempt < soakCount(400); attempt++) {
    await runtimes.use("auto");
    if ((await t.kept()).includes(VULKAN)) {
      await runtimes.use(INSTALLED);
      await runtimes.remove(VULKAN);
      await runtimes.use("auto");
    }
    deepEqual(await t.kept(), [INSTALLED]);
    await runtimes.install(WANTED);
    if (attempt > 0) await delay(Math.random() * wholeMs);
    const error = await runtimes.cancel(null).then(() => null, (thrown) => thrown);
    if (error === null) {
      counts.cancelled++;
      wholeMs *= 1.2;
      equal((await runtimes.list()).job?.state, "cancelled");
      deepEqual(await t.kept(), [INSTALLED]);
      equal(keeper.current?.path, t.installed);
    } else {
      counts.late++;
      wholeMs *= 0.8;
      ok(["too_late", "not_installing"].includes(error.values?.reason), String(error));
      equal((await ended(runtimes)).state, "done");
      deepEqual(await t.kept(), [VULKAN, INSTALLED, "use.json"].toSorted());
      equal(keeper.current?.path, join(t.home, VULKAN, "llama-server"));
    }
  }
  ok(counts.cancelled > 0, JSON.stringify(counts));
});

/** Nothing is here, as at the first start; the release API has a build. */
async function withNothing() {
  const t = await Case.open();
  const cpu = archive();
  t.api.add(PINNED_TAG, { [CPU]: cpu });
  return { t, ...t.builds({ digests: { "ubuntu-x64.tar.gz": sha256(cpu) }, unasked: true }) };
}

async function told(load: Promise<unknown>): Promise<void> {
  const error = await load.then(() => null, (thrown) => thrown);
  ok(error instanceof AppError, String(error));
  deepEqual([error.code, error.values.reason], ["runtime_missing", "cancelled"], error.message);
  match(error.message, /its installation was cancelled\. Begin it again with zombiecoder runtime/);
}

Deno.test("What the first start installs is cancelled: whoever waits is told, and nothing begins unasked", async () => {
  const { t, runtimes, keeper } = await withNothing();
  await using _t = t;
  t.api.stallAfterBytes = 5;
  const loads = [keeper.get({ retry: false }), keeper.get({ retry: true })];
  const both = Promise.all(loads.map(told));
  await t.api.served(1);
  const { job } = await runtimes.list();
  deepEqual([job?.variant, job?.state], ["llama.cpp", "installing"]);
  await refusal(runtimes.install({ ...WANTED, variant: "cpu" }), "busy");
  const after = await runtimes.cancel("llama.cpp");
  await both;
  deepEqual([after.job?.state, after.job?.error?.values.reason], ["cancelled", "cancelled"]);
  deepEqual(await t.kept(), []);
  const last = t.told.at(-1)!;
  deepEqual([last.phase, last.progress, last.error?.code], ["failed", null, "runtime_missing"]);

  // The next load does not fetch hundreds of megabytes against what was wished.
  const { length } = t.api.requests;
  await told(keeper.get({ retry: true }));
  equal(t.api.requests.length, length);
  t.api.stallAfterBytes = null;
  await runtimes.install({ ...WANTED, variant: "cpu" });
  equal((await ended(runtimes)).state, "done");
  equal((await keeper.get({ retry: true })).path, t.installed);
});

Deno.test("What came by itself after a cancel is found by the next load", async () => {
  const { t, runtimes, keeper } = await withNothing();
  await using _t = t;
  t.api.isSilent = true;
  const load = told(keeper.get({ retry: false }));
  await until(() => t.api.requests.length > 0);
  await runtimes.cancel(null);
  await load;
  const path = await t.server("config/llama.cpp/llama-server");
  equal((await keeper.get({ retry: true })).path, path);
});

Deno.test("A load that waits for an installation is told of its cancel, and begins no other", async () => {
  const { t, runtimes, keeper } = await withNothing();
  await using _t = t;
  t.api.isSilent = true;
  await runtimes.install({ ...WANTED, variant: "cpu" });
  await until(() => t.api.requests.length > 0);
  const load = told(keeper.get({ retry: true }));
  await until(() => keeper.info.phase === "installing");
  equal((await runtimes.list()).job?.variant, "cpu");
  await runtimes.cancel("cpu");
  await load;
  equal(t.api.requests.length, 1);
  deepEqual(await t.kept(), []);
});

Deno.test("A load after a cancel waits for the installation that was begun again", async () => {
  const { t, runtimes, keeper } = await withNothing();
  await using _t = t;
  t.api.stallAfterBytes = 5;
  const first = told(keeper.get({ retry: false }));
  await t.api.served(1);
  await runtimes.cancel(null);
  await first;
  await runtimes.install({ ...WANTED, variant: "cpu" });
  await t.api.served(2);
  const load = told(keeper.get({ retry: true }));
  await until(() => keeper.info.phase === "installing");
  await runtimes.cancel("cpu");
  await load;
  t.api.stallAfterBytes = null;
  await runtimes.install({ ...WANTED, variant: "cpu" });
  await t.api.served(3);
  equal((await keeper.get({ retry: true })).path, t.installed);
});
