// A newer program brings a newer build of llama.cpp: used in place of what an older program brought, never
// of what a user asked for, and never at the cost of what works.

import assert from "node:assert/strict";
import { basename, dirname, join } from "node:path";
import { Cancellation } from "../src/host/cancellation.ts";
import type { EmbeddedRuntime } from "../src/host/embedded_runtime.ts";
import { embeddedSource } from "../src/host/install_embedded.ts";
import { PINNED_TAG } from "../src/host/install_github.ts";
import { newerEmbedded, type NewerEmbeddedOptions } from "../src/host/newer_embedded.ts";
import { writeChoice } from "../src/host/runtime_choice.ts";
import { createLog } from "../src/log.ts";
import { tarGz } from "./support/archive_writer.ts";
import { archive, DEVICES, GPU, InstallCase as Case, ON_LINUX } from "./support/install_case.ts";
import { sha256 } from "./support/release_api.ts";
import { scriptServer, type ScriptServerOptions } from "./support/script_server.ts";
import { until } from "./support/server_process.ts";
import { TempFolder } from "./support/temp_folder.ts";

const OLD = 11118;
const NEW = 11669;

/** Programs of our own, each with a build inside, and the builds that they find on a computer. */
class Programs extends Case {
  static override async open(): Promise<Programs> {
    return new Programs(await TempFolder.make());
  }

  /** The folder of a program with this build inside. */
  async program(
    build: number,
    { says = {}, ...options }: ScriptServerOptions & { says?: Partial<EmbeddedRuntime> } = {},
  ): Promise<string> {
    const folder = this.at(`program-${crypto.randomUUID()}`);
    await Deno.mkdir(folder);
    const version = `version: 0.7.0 (build ${build}, commit abcdef123)`;
    const content = scriptServer({ version, ...options });
    const bytes = tarGz([
      { name: "llama-server", content, mode: 0o755 },
      { name: "libllama.so", content: `library ${build}` },
    ]);
    await Deno.writeFile(join(folder, "runtime.tar.gz"), bytes);
    const runtime: EmbeddedRuntime = {
      schema: 1,
      name: `llama-b${build}`,
      build,
      os: Deno.build.os,
      arch: Deno.build.arch,
      sizeBytes: bytes.length,
      sha256: sha256(bytes),
      loader: null,
      ...says,
    };
    await Deno.writeTextFile(join(folder, "runtime.json"), JSON.stringify(runtime));
    return folder;
  }

  /** What launches of this program would use: as serve.ts asks. */
  async start(folder: string, more: Partial<NewerEmbeddedOptions> = {}) {
    const found = await this.find({ sources: [embeddedSource({ folder })], ...more });
    return await newerEmbedded(found, {
      llamaServer: null,
      bundledFolder: this.at("config", "llama.cpp"),
      runtimeHome: this.home,
      path: null,
      log: createLog({ part: "t", level: "debug", write: (entry) => this.entries.push(entry) }),
      onProgress: (progress) => this.progress.push(progress),
      signal: this.abort.signal,
      embedded: { folder },
      ...more,
    });
  }

  pathOf(build: number): string {
    return join(this.home, `llama-b${build}`, "llama-server");
  }

  warnings(): string[] {
    return this.entries.splice(0).filter(({ level }) => level === "warn").map(({ message }) =>
      message
    );
  }
}

Deno.test("newerEmbedded() installs a newer build beside the one that an older program brought, and uses it", async () => {
  await using t = await Programs.open();
  const older = await t.program(OLD);
  const newer = await t.program(NEW);
  assert.equal((await t.start(older)).path, t.pathOf(OLD));
  t.progress.splice(0);
  const runtime = await t.start(newer);
  assert.deepEqual([runtime.path, runtime.build, runtime.source], [
    t.pathOf(NEW),
    NEW,
    "installed",
  ]);
  assert.ok(t.progress.some(({ activity }) => /^Unpacking the llama\.cpp inside/.test(activity)));
  const names = [`llama-b${OLD}`, `llama-b${NEW}`];
  assert.deepEqual(await t.kept(), names);
  const record = JSON.parse(await Deno.readTextFile(join(dirname(runtime.path), "runtime.json")));
  assert.deepEqual([record.source, record.verified, record.asked], [
    "embedded",
    "pinned",
    undefined,
  ]);

  // From now on nothing is to be done, by neither program: not even a look into the archive.
  for (const folder of [newer, older]) {
    t.progress.splice(0);
    await Deno.remove(join(folder, "runtime.tar.gz"));
    assert.equal((await t.start(folder)).path, t.pathOf(NEW));
    assert.deepEqual([t.progress, t.warnings()], [[], []]);
  }
  // A user may go back.
  await writeChoice(t.home, `llama-b${OLD}`);
  assert.equal((await t.start(newer)).path, t.pathOf(OLD));
  assert.deepEqual(await t.kept(), [...names, "use.json"]);
  assert.deepEqual(t.warnings(), []);
});

Deno.test("newerEmbedded() leaves what a user chose, asked for, put there or named", async () => {
  await using t = await Programs.open();
  const newer = await t.program(NEW);
  const gpu = archive({ devices: DEVICES });
  t.api.add(PINNED_TAG, { [GPU]: gpu });
  const named = await t.server("named");
  const { runtimes, keeper } = t.builds({
    facts: { ...ON_LINUX, gpus: [{ vendor: "amd" }] },
    digests: { "ubuntu-vulkan-x64.tar.gz": sha256(gpu) },
    // Then an installation is no choice.
    llamaServer: named,
  });
  await keeper.get({ retry: false });
  await runtimes.install({ variant: "vulkan", latest: false, unverified: false });
  const job = await until(async () => {
    const { job } = await runtimes.list();
    return job !== null && job.state !== "installing" && job;
  });
  assert.deepEqual([job.state, (await runtimes.list()).chosen], ["done", null]);
  const asked = join(t.home, job.name!, "llama-server");
  assert.equal((await t.start(newer)).path, asked);

  assert.equal((await t.start(newer, { llamaServer: named })).path, named);
  const bundled = await t.server("config/llama.cpp/llama-server");
  assert.equal((await t.start(newer)).path, bundled);
  await Deno.remove(t.at("config"), { recursive: true });
  await Deno.remove(t.home, { recursive: true });
  const onPath = await t.server("bin/llama-server");
  assert.equal((await t.start(newer, { path: t.at("bin") })).path, onPath);

  await t.start(await t.program(OLD));
  await writeChoice(t.home, `llama-b${OLD}`);
  assert.equal((await t.start(newer)).path, t.pathOf(OLD));
  await writeChoice(t.home, null);
  const foreign = await t.program(NEW, { says: { os: "plan9" } });
  assert.equal((await t.start(foreign)).path, t.pathOf(OLD));
  const unnumbered = await t.program(NEW, { says: { build: null } });
  assert.equal((await t.start(unnumbered)).path, t.pathOf(OLD));
  assert.deepEqual(await t.kept(), [`llama-b${OLD}`]);
  assert.deepEqual(t.warnings(), []);
  // A choice that is gone, of which nothing is in use.
  await writeChoice(t.home, "llama-b12345");
  assert.equal((await t.start(newer)).path, t.pathOf(NEW));
});

Deno.test("newerEmbedded() installs a build of the same number and other content under a name of its own, once", async () => {
  await using t = await Programs.open();
  const first = await t.program(NEW);
  const second = await t.program(NEW, { first: "# built anew" });
  assert.equal((await t.start(first)).path, t.pathOf(NEW));
  const anew = await t.start(second);
  const name = basename(dirname(anew.path));
  assert.match(name, new RegExp(`^llama-b${NEW}-[0-9a-f]{8}$`));
  assert.match(await Deno.readTextFile(anew.path), /# built anew/);
  assert.deepEqual(await t.kept(), [`llama-b${NEW}`, name]);
  // Neither program begins again, whichever starts.
  for (const folder of [first, second, first]) {
    t.progress.splice(0);
    assert.equal((await t.start(folder)).path, anew.path);
    assert.deepEqual([t.progress, t.warnings()], [[], []]);
  }
  const third = await t.program(NEW, { first: "# and once more" });
  await writeChoice(t.home, name);
  assert.equal((await t.start(third)).path, anew.path);
  await writeChoice(t.home, null);
  // One that is another build than it says is not used, and not asked again.
  const liar = await t.program(OLD, { says: { name: `llama-b${NEW}`, build: NEW } });
  for (const _ of [1, 2]) assert.equal((await t.start(liar)).path, anew.path);
  assert.equal((await t.start(await t.program(OLD))).path, anew.path);
});

Deno.test("newerEmbedded() rolls back a build that does not run, and asks that archive again after a day", async () => {
  const refusals: [string, ScriptServerOptions, RegExp][] = [
    ["does not run", { code: 127 }, /"--version" ends with code 127/],
    ["has other flags", { help: [] }, /its help does not list "--model"/],
    ["sees no GPU", {}, /it sees no GPU/],
  ];
  for (const [what, options, reason] of refusals) {
    await using t = await Programs.open();
    const devices = what === "sees no GPU" ? DEVICES : ["  (none)"];
    await t.start(await t.program(OLD, { devices }));
    const ran = t.at("ran");
    const bad = await t.program(NEW, { ...options, first: `echo >> '${ran}'` });
    const runs = async () => (await Deno.readTextFile(ran)).length;
    assert.equal((await t.start(bad)).path, t.pathOf(OLD), what);
    assert.deepEqual(await t.kept(), ["embedded.json", `llama-b${OLD}`], what);
    const reasons = t.entries.splice(0).map(({ fields }) => String(fields?.reason));
    assert.ok(reasons.some((each) => reason.test(each)), reasons.join("\n"));
    const before = await runs();

    assert.equal((await t.start(bad)).path, t.pathOf(OLD), what);
    assert.deepEqual([await runs(), t.warnings()], [before, []], what);

    const refused = t.at("home", "embedded.json");
    const { refusedAtMs, ...rest } = JSON.parse(await Deno.readTextFile(refused));
    assert.ok(Math.abs(Date.now() - refusedAtMs) < 60_000);
    const dayAgo = { ...rest, refusedAtMs: refusedAtMs - 25 * 3600_000 };
    await Deno.writeTextFile(refused, JSON.stringify(dayAgo));
    assert.equal((await t.start(bad)).path, t.pathOf(OLD), what);
    assert.ok(await runs() > before, what);
    // That of the next program is another one.
    const good = await t.program(NEW, { devices });
    assert.equal((await t.start(good)).path, t.pathOf(NEW), what);
  }
});

Deno.test("newerEmbedded() goes on with what works where the archive is damaged, lies, or is not to be read", async () => {
  await using t = await Programs.open();
  await t.start(await t.program(OLD));
  const newer = await t.program(NEW);
  const packed = join(newer, "runtime.tar.gz");
  const bytes = await Deno.readFile(packed);
  const flipped = bytes.slice();
  flipped[Math.floor(bytes.length / 2)]! ^= 1;
  for (const content of [flipped, bytes.subarray(0, 100), null]) {
    if (content === null) await Deno.remove(packed);
    else await Deno.writeFile(packed, content);
    assert.equal((await t.start(newer)).path, t.pathOf(OLD));
    assert.deepEqual(await t.kept(), [`llama-b${OLD}`]);
    assert.equal(t.warnings().at(-1), "The newer llama.cpp inside this program is not used");
  }
  const record = join(newer, "runtime.json");
  const written = await Deno.readTextFile(record);
  await Deno.writeTextFile(record, written.slice(0, 20));
  // Where it is all that there is, that is an error; here it is not.
  assert.equal((await t.start(newer)).path, t.pathOf(OLD));
  await Deno.writeTextFile(record, written);
  // It is whole again: nothing was held against it.
  await Deno.writeFile(packed, bytes);
  assert.equal((await t.start(newer)).path, t.pathOf(NEW));

  const liar = await t.program(NEW, { says: { name: "llama-b12000", build: 12000 } });
  assert.equal((await t.start(liar)).build, NEW);
  t.progress.splice(0);
  assert.equal((await t.start(liar)).build, NEW);
  assert.deepEqual(t.progress, []);
});

Deno.test("newerEmbedded() in two programs at once comes to one build, and one that is told to end leaves nothing", async () => {
  await using t = await Programs.open();
  await t.start(await t.program(OLD));
  const newer = await t.program(NEW);
  const reason = new Error("told to end");
  const ended = new AbortController();
  const ending = t.start(newer, {
    signal: ended.signal,
    onProgress: () => ended.abort(reason),
  });
  await assert.rejects(ending, reason);
  assert.deepEqual(await t.kept(), [`llama-b${OLD}`]);
  const both = await Promise.all([t.start(newer), t.start(newer)]);
  assert.deepEqual(both.map(({ path }) => path), [t.pathOf(NEW), t.pathOf(NEW)]);
  assert.deepEqual(await t.kept(), [`llama-b${OLD}`, `llama-b${NEW}`]);
});

Deno.test("A newer build whose installation is cancelled leaves the one that works in use", async () => {
  await using test = await Programs.open();
  await test.start(await test.program(OLD));
  const cancellation = new Cancellation();
  const newer = await test.program(NEW);
  const runtime = await test.start(newer, {
    cancellation,
    signal: cancellation.signal,
    onProgress: () => void cancellation.cancel(),
  });
  assert.equal(runtime.path, test.pathOf(OLD));
  assert.deepEqual(test.warnings(), []);
  // It was no verdict on the build.
  assert.equal((await test.start(newer)).path, test.pathOf(NEW));
});
