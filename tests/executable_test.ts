// The executable. Where its base (`denort`) can be had, it is run; everywhere else what can be seen of it
// without running it is checked on a file with another base. The last step's name says which it was.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { compileArgs } from "../build/compile_args.ts";
import { readModules } from "../build/bundled_modules.ts";
import { TARGETS } from "../build/targets.ts";
import { startWritten } from "./support/just_written.ts";
import { testRuntime } from "./support/llama_server.ts";
import {
  addressOf,
  checkHello,
  checkServes,
  emptyPlace,
  OWN_PORTS,
  version,
} from "./support/packed_program.ts";
import { tempDir } from "./support/temp_dir.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const EXECUTABLE = Deno.build.os === "windows" ? "zombiecoder.exe" : "zombiecoder";
/** A system that this is not. */
const OTHER = TARGETS.find(({ triple }) => triple !== Deno.build.target)!;
const MOST_OF_OURS_BYTES = 8_000_000;

interface Built {
  code: number;
  stdout: string;
  stderr: string;
}

/** `deno task compile`, with this base or none. */
async function build(args: readonly string[], base: string | null): Promise<Built> {
  const env = Deno.env.toObject();
  delete env.DENORT_BIN;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", join(ROOT, "build/compile.ts"), ...args],
    env: { ...env, NO_COLOR: "1", ...(base !== null && { DENORT_BIN: base }) },
    clearEnv: true,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

function filesBelow(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = join(folder, name);
    return isDirectory ? filesBelow(path) : [relative(ROOT, path).replaceAll("\\", "/")];
  });
}

/** What `deno compile` wrote for the program's start, from the executable itself. */
function metadataOf(executable: Uint8Array) {
  const text = new TextDecoder("latin1").decode(executable.subarray(-MOST_OF_OURS_BYTES));
  const found = /\{"argv":.*?"app_name":"zombiecoder"\}/.exec(text)?.[0];
  assert.ok(found !== undefined, "no metadata");
  return JSON.parse(found);
}

Deno.test("compileArgs() asks for all rights, no prompts, and an icon on Windows alone", () => {
  const scripts = ["zombiecoder.js", "server.js"];
  const options = { scripts, output: "/out/z", icon: "/out/z.ico" };
  for (const target of TARGETS) {
    for (const withRuntime of [false, true]) {
      const args = compileArgs({ ...options, target, withRuntime });
      assert.deepEqual(args.slice(0, 3), ["compile", "-A", "--no-prompt"]);
      assert.equal(args.at(-1), "zombiecoder.js");
      assert.equal(args[args.indexOf("--target") + 1], target.triple);
      assert.equal(args.includes("--icon"), target.os === "windows");
      const included = args.filter((_, at) => args[at - 1] === "--include");
      const runtime = withRuntime ? ["runtime.tar.gz", "runtime.json"] : [];
      assert.deepEqual(included, ["server.js", ...runtime]);
    }
  }
});

Deno.test("The executable holds the whole program, and runs wherever its base can be had", async (t) => {
  await using dir = await tempDir();
  const out = join(dir.path, "dist");
  let made = await build(["--out", out], Deno.env.get("DENORT_BIN_REAL") ?? null);
  const isReal = made.code === 0;
  if (!isReal) {
    assert.notEqual(Deno.env.get("ZOMBIE_TEST_EXECUTABLE"), "must-run", made.stderr);
    // In one line what is missing and what to do; nothing that could be taken for the program.
    assert.equal(made.code, 1);
    assert.match(
      made.stderr,
      /^Cannot fetch denort for \S+: get https:\S+ on a machine that can, unpack it and set DENORT_BIN=PATH\n$/,
    );
    assert.deepEqual(
      [...Deno.readDirSync(out)].map(({ name }) => name),
      ["bundle"],
    );
    made = await build(["--out", out], Deno.execPath());
    assert.equal(made.code, 1);
    assert.match(made.stderr, /^Made "zombiecoder\S*", but it does not run as zombiecoder: .*\n$/);
  }
  const path = join(out, EXECUTABLE);
  const executable = await Deno.readFile(path);

  await t.step("every asset and each Worker's module is inside", () => {
    const scripts = ["zombiecoder.js", "server.js", "bandwidth_worker.js"];
    let sizeBytes = 0;
    const modules = new Set<string>();
    for (const name of scripts) {
      assert.match(made.stdout, new RegExp(`─ ${name.replace(".", "\\.")} \\(`));
      const bytes = Deno.readFileSync(join(out, "bundle", name));
      assert.ok(Buffer.from(executable.buffer).includes(Buffer.from(bytes)), name);
      sizeBytes += bytes.length;
      for (const file of readModules(new TextDecoder().decode(bytes)).files) modules.add(file);
    }
    assert.ok(sizeBytes < MOST_OF_OURS_BYTES, `${sizeBytes} bytes`);
    const assets = filesBelow(join(ROOT, "static")).filter((file) => file !== "static/deno.json");
    assert.ok(assets.length > 60, `${assets.length} assets`);
    const others = [
      ...["src/models/default_catalogue.json", "src/models/models_registry.schema.json"],
      ...["main.ts", "src/server.ts", "src/host/host.ts", "src/host/probes/bandwidth_worker.ts"],
    ];
    assert.deepEqual([...assets, ...others].filter((file) => !modules.has(file)), []);
    for (const file of ["swagger-ui.css", "swagger-ui-bundle.js"]) {
      assert.ok(
        [...modules].some((each) => /^npm:swagger-ui-dist@/.test(each) && each.endsWith(file)),
      );
    }
  });

  await t.step("unstable features and rights are in its metadata, and it never asks", () => {
    const { unstable_config, permissions, node_modules, argv } = metadataOf(executable);
    assert.deepEqual(unstable_config.features.sort(), ["no-legacy-abort", "worker-options"]);
    assert.equal(permissions.prompt, false);
    for (const kind of ["env", "net", "ffi", "read", "run", "sys", "write", "import"]) {
      assert.deepEqual(permissions[`allow_${kind}`], [], kind);
      assert.equal(permissions[`deny_${kind}`], null, kind);
    }
    assert.equal(node_modules, null);
    assert.deepEqual(argv, []);
  });

  await t.step("manifest, sums, SBOM and licences tell what it is", async () => {
    const manifest = JSON.parse(Deno.readTextFileSync(join(out, "manifest.json")));
    const digest = await crypto.subtle.digest("SHA-256", executable);
    const sha256 = new Uint8Array(digest).toHex();
    assert.deepEqual(manifest, {
      version: await version(),
      files: [{
        name: EXECUTABLE,
        target: Deno.build.target,
        sizeBytes: executable.length,
        sha256,
      }],
    });
    assert.equal(
      Deno.readTextFileSync(join(out, "SHA256SUMS")),
      `${sha256}  ${EXECUTABLE}\n`,
    );
    const { components } = JSON.parse(Deno.readTextFileSync(join(out, "sbom.cdx.json")));
    const listed = components.map(({ name }: { name: string }) => name);
    for (const name of ["hono", "preact", "swagger-ui-dist", "deno"]) {
      assert.ok(listed.includes(name));
    }
    for (const name of ["playwright-core", "fast-check", "openai", "@scarf/scarf"]) {
      assert.ok(!listed.includes(name), name);
    }
    const licences = Deno.readTextFileSync(join(out, "LICENSES.txt"));
    assert.match(licences, /^swagger-ui-dist@\S+, LICENSE$/m);
    assert.match(licences, /Apache License/);
  });

  if (isReal) {
    await t.step("denort was there: the file itself was run", async () => {
      await using place = await emptyPlace();
      const copy = join(place.path, EXECUTABLE);
      await Deno.copyFile(path, copy);
      assert.deepEqual(await startWritten(() => place.run([copy], ["version"])), {
        code: 0,
        text: `zombiecoder ${await version()}\n`,
      });
      await checkServes([copy], place);
    });
    await t.step("with a runtime inside it answers alone", async () => {
      const runtime = dirname(await Deno.realPath(await testRuntime()));
      const alone = join(dir.path, "alone");
      const { code, stderr } = await build(
        ["--with-runtime", runtime, "--out", alone],
        Deno.env.get("DENORT_BIN_REAL") ?? null,
      );
      assert.equal(code, 0, stderr);
      await using place = await emptyPlace();
      await using program = place.start([join(alone, EXECUTABLE)], ["serve", ...OWN_PORTS]);
      await checkHello(await addressOf(program));
      program.kill("SIGTERM");
      await program.ended;
      assert.deepEqual(place.wentOut, []);
    });
  } else {
    await t.step("denort was not there: the file was looked into, not run", () => {
      const ours = executable.length - Deno.statSync(Deno.execPath()).size;
      assert.ok(ours > 3_000_000 && ours < MOST_OF_OURS_BYTES, `${ours} bytes of ours`);
    });
  }
});

Deno.test("deno task compile says in one line what it cannot do", async () => {
  await using dir = await tempDir();
  const attempts: [args: string[], base: string | null, code: number, line: RegExp][] = [
    [["--target", "m68k-amiga"], null, 2, /^Cannot compile for "m68k-amiga": it is one of x86_64-/],
    [["--colour"], null, 2, /^Unknown option '--colour'/],
    [["--all", "--with-runtime", "x"], null, 2, /^A runtime, and --target, are for one system/],
    [["--all"], Deno.execPath(), 1, /^Cannot compile for all systems with one base: /],
    [["--target", OTHER.triple], Deno.execPath(), 1, /^Cannot compile for \S+ with DENORT_BIN: "/],
    [[], join(dir.path, "none"), 1, /^Cannot compile with DENORT_BIN: there is no ".*none"/],
    [[], dir.path, 1, /^Cannot compile with DENORT_BIN: there is no ".*denort-\S+"/],
    [["--with-runtime", dir.path], null, 1, /^Cannot embed a runtime: there is no program/],
  ];
  for (const [args, base, code, line] of attempts) {
    const said = await build([...args, "--out", join(dir.path, "out")], base);
    assert.equal(said.code, code, said.stderr);
    assert.match(said.stderr, line);
    assert.equal(said.stderr.trimEnd().split("\n").length, 1, said.stderr);
  }
});
