// A llama.cpp build inside the program: packed by the build, unpacked and used at a first start.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { bundleProgram } from "../build/bundle_program.ts";
import { PROGRAM } from "../build/output_folder.ts";
import { packRuntime } from "../build/runtime_archive.ts";
import { BuildFailure } from "../build/step.ts";
import { ownLoader, setInterpreter } from "../src/host/elf_interpreter.ts";
import { findOrInstallRuntime } from "../src/host/install.ts";
import { embeddedSource } from "../src/host/install_embedded.ts";
import { installSources } from "../src/host/install_sources.ts";
import { BUNDLE_FLAGS } from "../src/host/program_files.ts";
import { createLog } from "../src/log.ts";
import { tarGz } from "./support/archive_writer.ts";
import { instancesWith } from "./support/instance_processes.ts";
import { startWritten } from "./support/just_written.ts";
import { testRuntime } from "./support/llama_server.ts";
import { addressOf, checkHello, emptyPlace, OWN_PORTS } from "./support/packed_program.ts";
import { scriptServer } from "./support/script_server.ts";
import { tempDir } from "./support/temp_dir.ts";

const HERE = { os: Deno.build.os, arch: Deno.build.arch } as Parameters<
  typeof packRuntime
>[1]["target"];

/** The build that all tests use, wherever it was installed. */
async function realBuild(): Promise<string> {
  return dirname(await Deno.realPath(await testRuntime()));
}

/** As `findOrInstallRuntime` does at a first start, from what is inside alone. */
async function install(folder: string, runtimeHome: string) {
  return await findOrInstallRuntime({
    llamaServer: null,
    bundledFolder: join(runtimeHome, "none"),
    runtimeHome,
    path: null,
    sources: [embeddedSource({ folder })],
    log: createLog({ part: "install", level: "error", write: () => {} }),
    onProgress: () => {},
    signal: new AbortController().signal,
  });
}

function entries(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) =>
    !name.startsWith(".lock") && ![".cage", "probes.json"].includes(name)
  ).sort();
}

Deno.test("What the program carries is the first that is installed", () => {
  assert.equal(installSources({ releaseApi: "https://127.0.0.1" })[0]!.name, "embedded");
});

Deno.test("A program with a runtime inside answers with nothing else on the machine, and no network", async () => {
  await using place = await emptyPlace();
  const folder = join(place.path, "bundle");
  await bundleProgram(folder);
  const build = await realBuild();
  const runtime = await packRuntime(build, { into: folder, target: HERE });
  const command = [Deno.execPath(), "run", ...BUNDLE_FLAGS, join(folder, PROGRAM)];
  for (const start of ["first", "second"]) {
    await using program = place.start(command, ["serve", ...OWN_PORTS]);
    const url = await addressOf(program);
    await checkHello(url);
    // Everything of it is its own: nothing of the build that was packed is used.
    const [pid] = instancesWith(place.path);
    const maps = Deno.readTextFileSync(`/proc/${pid}/maps`);
    assert.ok(maps.includes(join(place.path, "home", ".zombie_runtime", runtime.name)), start);
    assert.ok(!maps.includes(`${build}/`), maps);
    program.kill("SIGTERM");
    assert.equal((await program.ended).code, 0, program.stderr);
  }
  const home = join(place.path, "home", ".zombie_runtime");
  assert.deepEqual(entries(home), [runtime.name]);
  const record = JSON.parse(Deno.readTextFileSync(join(home, runtime.name, "runtime.json")));
  assert.equal(record.source, "embedded");
  assert.equal(record.verified, "pinned");
  assert.deepEqual(record.archives, [{ name: "runtime.tar.gz", sha256: runtime.sha256 }]);
  assert.deepEqual(place.wentOut, []);
});

Deno.test("A newer program answers with the runtime inside, not with the one that an older program unpacked", async () => {
  await using place = await emptyPlace();
  const home = join(place.path, "home", ".zombie_runtime");
  const older = join(place.path, "older");
  await Deno.mkdir(older);
  const bytes = tarGz([{ name: "llama-server", content: scriptServer(), mode: 0o755 }]);
  await Deno.writeFile(join(older, "runtime.tar.gz"), bytes);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const record = { schema: 1, name: "llama-b11118", build: 11118, ...HERE, sha256, loader: null };
  await Deno.writeTextFile(
    join(older, "runtime.json"),
    JSON.stringify({ ...record, sizeBytes: bytes.length }),
  );
  const { build } = await install(older, home);
  const folder = join(place.path, "bundle");
  await bundleProgram(folder);
  const runtime = await packRuntime(await realBuild(), { into: folder, target: HERE });
  assert.ok(runtime.build! > build!, `${runtime.build} is no newer build than ${build}`);
  assert.ok(runtime.name.endsWith(`b${runtime.build}`), runtime.name);
  const command = [Deno.execPath(), "run", ...BUNDLE_FLAGS, join(folder, PROGRAM)];
  await using program = place.start(command, ["serve", ...OWN_PORTS]);
  await checkHello(await addressOf(program));
  program.kill("SIGTERM");
  assert.equal((await program.ended).code, 0, program.stderr);
  assert.deepEqual(entries(home), [runtime.name, "llama-b11118"].sort());
  assert.deepEqual(place.wentOut, []);
});

Deno.test("A damaged, cut or foreign runtime inside is refused, says so, and leaves nothing", async () => {
  await using dir = await tempDir();
  const at = (name: string) => join(dir.path, name);
  await Deno.mkdir(at("packed"));
  const runtime = await packRuntime(await realBuild(), { into: at("packed"), target: HERE });
  const archive = await Deno.readFile(at("packed/runtime.tar.gz"));
  assert.equal(createHash("sha256").update(archive).digest("hex"), runtime.sha256);
  assert.equal(archive.length, runtime.sizeBytes);

  const flipped = archive.slice();
  flipped[Math.floor(archive.length / 2)]! ^= 1;
  const refusals: [Uint8Array<ArrayBuffer>, object, RegExp][] = [
    [flipped, runtime, /Source "embedded": it is damaged: SHA-256/],
    [archive.subarray(0, 1_000_000), runtime, /Source "embedded": it is damaged: SHA-256/],
    [archive, { ...runtime, os: "plan9" }, /the one inside is for plan9 on/],
    [archive, { ...runtime, name: "../up" }, /"..\/up" is no build name/],
  ];
  for (const [index, [bytes, record, message]] of refusals.entries()) {
    const folder = at(`refused${index}`);
    await Deno.mkdir(folder);
    await Deno.writeFile(join(folder, "runtime.tar.gz"), bytes);
    await Deno.writeTextFile(join(folder, "runtime.json"), JSON.stringify(record));
    await assert.rejects(install(folder, at(`home${index}`)), message);
    assert.deepEqual(entries(at(`home${index}`)), []);
  }
  await Deno.mkdir(at("empty"));
  await assert.rejects(
    install(at("empty"), at("home")),
    /Source "embedded": none is inside this program/,
  );
});

Deno.test("packRuntime() gives the same bytes for the same build, with its links", async () => {
  await using dir = await tempDir();
  const at = (name: string) => join(dir.path, name);
  const build = await realBuild();
  for (const name of ["build", "one", "two"]) await Deno.mkdir(at(name));
  for await (const { name } of Deno.readDir(build)) {
    if (/^(llama-server(\.exe)?|ld-.*|runtime\.json)$/.test(name)) {
      await Deno.copyFile(join(build, name), at(`build/${name}`));
    }
  }
  await Deno.writeTextFile(at("build/libx.so.1.2"), "x");
  await Deno.symlink("libx.so.1.2", at("build/libx.so.1"));
  const one = await packRuntime(at("build"), { into: at("one"), target: HERE });
  await Deno.utime(at("build/libx.so.1.2"), 1, 1);
  const two = await packRuntime(at("build"), { into: at("two"), target: HERE });
  assert.deepEqual(one, two);
  const listing = new Deno.Command("tar", { args: ["-tvzf", at("one/runtime.tar.gz")] });
  const text = new TextDecoder().decode((await listing.output()).stdout);
  assert.match(text, /libx\.so\.1 -> libx\.so\.1\.2\n/);
  // What our own installer noted of it is not part of the build.
  assert.doesNotMatch(text, /runtime\.json/);
});

Deno.test("packRuntime() refuses what no program could use", async () => {
  await using dir = await tempDir();
  const at = (name: string) => join(dir.path, name);
  for (const name of ["none", "text", "leads out", "into"]) await Deno.mkdir(at(name));
  const server = (folder: string) => at(`${folder}/llama-server`);
  await Deno.writeTextFile(server("text"), "#!/bin/sh\n");
  await Deno.copyFile(await testRuntime(), server("leads out"));
  const linux = { os: "linux", arch: HERE.arch } as const;
  const windows = { os: "windows", arch: "x86_64" } as const;
  const attempts = [
    ["none", linux, /there is no program ".*none\/llama-server"/],
    ["text", linux, /there is no program/],
    ["leads out", windows, /there is no program ".*llama-server\.exe"/],
    ["leads out", {
      os: "linux",
      arch: HERE.arch === "x86_64" ? "aarch64" : "x86_64",
    }, /is for linux on/],
  ] as const;
  for (const [folder, target, message] of attempts) {
    const packing = packRuntime(at(folder), { into: at("into"), target });
    await assert.rejects(
      packing,
      (error) => error instanceof BuildFailure && message.test(error.message),
    );
  }
  await Deno.symlink("/etc/passwd", at("leads out/libx.so"));
  await assert.rejects(
    packRuntime(at("leads out"), { into: at("into"), target: linux }),
    /link "libx\.so" leads out of its folder/,
  );
});

Deno.test("setInterpreter() names another loader, and the program starts with it", async () => {
  await using dir = await tempDir();
  // Long, and with a space and letters of another script: as some home folders.
  const folder = join(dir.path, `বাংলা ${"x".repeat(200)}`);
  await Deno.mkdir(folder);
  const program = join(folder, "program");
  await Deno.copyFile("/bin/true", program);
  assert.equal(await ownLoader(program), null);
  await setInterpreter(program, join(folder, "loader"));
  assert.equal(await ownLoader(program), "loader");
  const run = () => startWritten(() => new Deno.Command(program).output());
  await assert.rejects(run, Deno.errors.NotFound);
  const [system] = Deno.readTextFileSync("/proc/self/maps").match(/\/\S*\/ld-linux\S*/)!;
  await Deno.copyFile(system, join(folder, "loader"));
  await Deno.chmod(join(folder, "loader"), 0o755);
  assert.equal((await run()).code, 0);
  const text = join(folder, "text");
  await Deno.writeTextFile(text, "no program");
  assert.equal(await ownLoader(text), null);
  await assert.rejects(setInterpreter(text, "/x"), /is no program/);
});
