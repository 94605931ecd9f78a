import assert from "node:assert/strict";
import { join } from "node:path";
import { AppError } from "../src/errors.ts";
import {
  MINIMUM_BUILD,
  parseDevices,
  parseFlags,
  parseVersion,
  probeRuntime,
  refusalOf,
} from "../src/host/runtime_probe.ts";
import { testRuntime } from "./support/llama_server.ts";
import { writeScriptServer } from "./support/script_server.ts";
import { TempFolder } from "./support/temp_folder.ts";

Deno.test("parseVersion() reads the old and the new version line", () => {
  const cases: [string, ReturnType<typeof parseVersion>][] = [
    [
      "version: 10573 (3f545becc)\nbuilt with cc",
      { build: 10573, version: "10573 (3f545becc)" },
    ],
    [
      "version: 0.7.0 (build 11669, commit Debian)\nbuilt with GNU 16.2.0 for Linux x86_64",
      { build: 11669, version: "0.7.0 (build 11669, commit Debian)" },
    ],
    [
      "ggml_vulkan: Found 1 device\nversion: 0.2.0-dev (build 10600, commit 12ab)\r\n",
      { build: 10600, version: "0.2.0-dev (build 10600, commit 12ab)" },
    ],
    ["version: 0 (unknown)", { build: null, version: "0 (unknown)" }],
    ["version: 1.0.0", { build: null, version: "1.0.0" }],
    ["no version here", null],
    ["", null],
  ];
  for (const [text, expected] of cases) assert.deepEqual(parseVersion(text), expected, text);
});

Deno.test("parseFlags() reads every flag at the start of a line and none from a description", () => {
  const help = [
    "----- common params -----",
    "",
    "-h,    --help, --usage                  print usage and exit",
    "-kvo,  --kv-offload, -nkvo, --no-kv-offload",
    "                                        whether to enable --not-a-flag offloading",
    "-fa,   --flash-attn [on|off|auto]       set it",
    "--poll <0...100>                        use polling, --also-not, -x",
    "--completion-bash                       print",
    "-hfr, -hfrv, --hf-repo <user>/<model>[:quant]",
    "--cache-ram, -cram N                    size",
  ].join("\n");
  assert.deepEqual([...parseFlags(help)].sort(), [
    "--cache-ram",
    "--completion-bash",
    "--flash-attn",
    "--help",
    "--hf-repo",
    "--kv-offload",
    "--no-kv-offload",
    "--poll",
    "--usage",
    "-cram",
    "-fa",
    "-h",
    "-hfr",
    "-hfrv",
    "-kvo",
    "-nkvo",
  ]);
});

Deno.test("parseDevices() reads from the right, since descriptions have parentheses", () => {
  const mib = 1024 * 1024;
  const text = [
    "Available devices:",
    "  CUDA0: NVIDIA GeForce RTX 3060 (12045 MiB, 11800 MiB free)",
    "  Vulkan0: AMD Radeon (TM) Graphics (RADV RENOIR) (4096 MiB, 4000 MiB free)",
    "  RPC[127.0.0.1:50052]: 127.0.0.1:50052 (100 MiB, 50 MiB free)",
    "  MTL0: Apple M2: Pro (0 MiB, 0 MiB free)",
    "  broken: line (1 MiB)",
    "not: indented (1 MiB, 1 MiB free)",
  ].join("\n");
  assert.deepEqual(parseDevices(text), [
    {
      name: "CUDA0",
      description: "NVIDIA GeForce RTX 3060",
      total_bytes: 12045 * mib,
      free_bytes: 11800 * mib,
    },
    {
      name: "Vulkan0",
      description: "AMD Radeon (TM) Graphics (RADV RENOIR)",
      total_bytes: 4096 * mib,
      free_bytes: 4000 * mib,
    },
    {
      name: "RPC[127.0.0.1:50052]",
      description: "127.0.0.1:50052",
      total_bytes: 100 * mib,
      free_bytes: 50 * mib,
    },
    { name: "MTL0", description: "Apple M2: Pro", total_bytes: 0, free_bytes: 0 },
  ]);
  assert.deepEqual(parseDevices("Available devices:\n  (none)\n"), []);
});

Deno.test("refusalOf() refuses builds with known holes, and those that cannot say what they are", () => {
  const probe = { path: "/x", version: "v", flags: new Set<string>(), devices: [] };
  assert.equal(refusalOf({ ...probe, build: MINIMUM_BUILD }), null);
  assert.match(refusalOf({ ...probe, build: MINIMUM_BUILD - 1 })!, /too old.*known security holes/);
  assert.match(refusalOf({ ...probe, build: null })!, /does not say its build number/);
  assert.equal(refusalOf({ ...probe, build: null, flags: new Set(["--cors-origins"]) }), null);
});

Deno.test("probeRuntime() asks a real llama-server", async () => {
  const path = await testRuntime();
  const probe = await probeRuntime(path, { runtimeHome: null });
  assert.equal(probe.path, path);
  assert.ok(probe.build !== null && probe.build >= MINIMUM_BUILD, `build ${probe.build}`);
  assert.equal(refusalOf(probe), null);
  assert.ok(probe.flags.size > 200, `${probe.flags.size} flags`);
  for (
    const flag of ["-m", "--model", "-np", "--parallel", "--api-prefix", "--cache-ram", "-ngl"]
  ) {
    assert.ok(probe.flags.has(flag), `${flag} is missing`);
  }
  for (const flag of probe.flags) assert.match(flag, /^--?[A-Za-z0-9][\w.-]*$/);
});

Deno.test("probeRuntime() runs the program with nothing of our environment, in its own folder", async () => {
  await using folder = await TempFolder.make();
  const path = join(folder.path, "llama-server");
  const seen = join(folder.path, "seen");
  // No llama-server that another test starts from this process minds this one.
  Deno.env.set("LLAMA_ARG_FOR_NOBODY", "all");
  try {
    await writeScriptServer(path, { first: `/usr/bin/env > '${seen}'; pwd >> '${seen}'` });
    await probeRuntime(path, { runtimeHome: null, environment: { SystemRoot: "C:\\Windows" } });
  } finally {
    Deno.env.delete("LLAMA_ARG_FOR_NOBODY");
  }
  const lines = (await Deno.readTextFile(seen)).trim().split("\n");
  assert.equal(lines.at(-1), folder.path);
  assert.ok(lines.includes("SystemRoot=C:\\Windows"));
  // The shell itself sets these.
  const names = lines.slice(0, -1).map((line) => line.split("=")[0]!).sort();
  assert.deepEqual(names.filter((name) => !["PWD", "SHLVL", "_", "OLDPWD"].includes(name)), [
    "SystemRoot",
  ]);
});

Deno.test("probeRuntime() remembers its answers until the file changes", async () => {
  await using folder = await TempFolder.make();
  const path = join(folder.path, "llama-server");
  const record = join(folder.path, "asked");
  const options = { runtimeHome: folder.path };
  const device = "  CUDA0: A card (2 MiB, 1 MiB free)";
  await writeScriptServer(path, { record, devices: [device] });
  const asked = async () => (await Deno.readTextFile(record)).trim().split("\n").length;

  const first = await probeRuntime(path, options);
  assert.equal(await asked(), 3);
  assert.deepEqual(await probeRuntime(path, options), first);
  assert.equal(await asked(), 3);
  await probeRuntime(path, { ...options, fresh: true });
  assert.equal(await asked(), 6);

  await writeScriptServer(path, { record, version: "version: 12110 (new)", devices: [device] });
  assert.equal((await probeRuntime(path, options)).build, 12110);
  assert.equal(await asked(), 9);

  const cache = join(folder.path, "probes.json");
  const whole = await Deno.readTextFile(cache);
  for (const broken of ["", "{", "null", "[null]", "{}", whole.slice(0, -5), '[{"probe":{}}]']) {
    await Deno.writeTextFile(cache, broken);
    assert.equal((await probeRuntime(path, options)).build, 12110);
  }
  assert.equal(await asked(), 9 + 7 * 3);
  assert.deepEqual(
    (await Array.fromAsync(Deno.readDir(folder.path), (entry) => entry.name)).sort(),
    ["asked", "llama-server", "probes.json"],
  );
});

Deno.test("probeRuntime() says why a program cannot be used", async () => {
  await using folder = await TempFolder.make();
  const path = join(folder.path, "llama-server");
  const assertUnusable = async (reason: RegExp) => {
    await assert.rejects(probeRuntime(path, { runtimeHome: folder.path }), (error) => {
      assert.ok(error instanceof AppError);
      assert.equal(error.code, "runtime_missing");
      assert.ok(error.message.startsWith(`Cannot use "${path}": `), error.message);
      assert.match(error.message, reason);
      assert.doesNotMatch(error.message, /\n|\.$/);
      return true;
    });
  };
  await assertUnusable(/there is no such file/);
  await Deno.mkdir(path);
  await assertUnusable(/it is not a file/);
  await Deno.remove(path);
  await Deno.writeTextFile(path, "not a program");
  await assertUnusable(/cannot be started/);
  await writeScriptServer(path, {
    first: 'echo "libfoo.so: version GLIBC_2.38\' not found" >&2',
    code: 1,
  });
  await assertUnusable(/"--version" ends with code 1: libfoo.so: version GLIBC_2.38' not found/);
  await writeScriptServer(path, { version: "something else" });
  await assertUnusable(/does not say its version/);
  await writeScriptServer(path, { help: ["--cors-origins"] });
  await assertUnusable(/its help does not list "--model"/);
});

Deno.test("probeRuntime() ends the program when it is aborted", async () => {
  await using folder = await TempFolder.make();
  const path = join(folder.path, "llama-server");
  const pidFile = join(folder.path, "pid");
  await writeScriptServer(path, {
    first: `echo $$ > '${pidFile}.new'; mv '${pidFile}.new' '${pidFile}'; exec sleep 600`,
  });
  const abort = new AbortController();
  const reason = new Error("the user stopped it");
  using watcher = Deno.watchFs(folder.path);
  const probing = probeRuntime(path, { runtimeHome: null, signal: abort.signal });
  const ended = assert.rejects(probing, (error) => error === reason);
  for await (const _ of watcher) {
    if (await Deno.stat(pidFile).then(() => true, () => false)) break;
  }
  const pid = Number(await Deno.readTextFile(pidFile));
  abort.abort(reason);
  await ended;
  assert.throws(() => Deno.kill(pid, "SIGCONT"), Deno.errors.NotFound);
});
